"""Where does a new episode begin? Environments tell when one has ended; a state needs to know where the next one starts."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from statewise.errors import OptionError

Autoreset: TypeAlias = Literal["next_step", "same_step", "disabled"]


def is_first_from_done(
    done: Shaped[Tensor, "time *batch"], autoreset: Autoreset = "next_step", *, first: bool | Tensor = True
) -> Bool[Tensor, "time *batch"]:
    """Return where episodes begin, from where they end: `is_first`, true at the first step of each.

    `done[t]` is what the environment returned together with the observation `t` (terminated or truncated). When the next episode
    begins depends on how the environment starts it; the names are those of Gymnasium's vector environments:

    - `"next_step"`: the observation `t` is the last of its episode, and `t + 1` the first of the next.
    - `"same_step"`: the observation `t` already is the first of the next episode.
    - `"disabled"`: the caller resets; `done` stays true until that has happened, and the first observation without it is new.

    Args:
        done: `[time, batch]` or `[time]`, bool or 0 and 1.
        autoreset: how the environment starts the next episode.
        first: whether the step 0 begins an episode: True, or False (or one a row, `[batch]`) where the rows go on from before.

    Raises:
        OptionError: another word for `autoreset`.

    Example:
        >>> done = torch.tensor([0, 1, 0, 0])
        >>> is_first_from_done(done).int().tolist(), is_first_from_done(done, "same_step").int().tolist()
        ([1, 0, 1, 0], [1, 1, 0, 0])
    """
    ended = done.bool()
    begins = torch.as_tensor(first, device=done.device).bool().expand(done.shape[1:])
    if autoreset == "same_step":
        is_first = ended.clone()
        if len(done):
            is_first[0] |= begins
        return is_first
    if autoreset not in ("next_step", "disabled"):
        hint = "Choose 'next_step', 'same_step' or 'disabled'."
        raise OptionError(asked="is_first_from_done(done, autoreset)", where="autoreset", arrived=repr(autoreset), hint=hint)
    is_first = torch.zeros_like(ended)
    if len(done):
        is_first[0] = begins
        is_first[1:] = ended[:-1] if autoreset == "next_step" else ended[:-1] & ~ended[1:]
    return is_first
