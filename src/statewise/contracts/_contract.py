"""What does a module promise about how it is called and what it gives back?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from statewise.types import Each, Task

Taken: TypeAlias = Literal["x", "lengths", "mask", "state", "is_first"]


class Contract(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """What a module promises; a field that is None is read off the module, or an error names it.

    Args:
        task: what the outputs are for.
        each: one output a `"sequence"` or a `"step"`.
        takes: the arguments of `forward` in order, from `"x"`, `"lengths"`, `"mask"`, `"state"`, `"is_first"`.
        batch_first: True for `[batch, time, feature]`, False for `[time, batch, feature]`.
        mask: what True means in the mask, a `"valid"` step or `"padding"`.
        padding: on which side short sequences are padded.
        initial_state: name of a method, or a callable, that takes the batch size and returns the state to begin with.
        reset: name of a method, or a callable, that clears a state kept inside the module; called before every batch.
        returns_state: whether `forward` returns `(output, state)`.
        causal: no output depends on a later step.
        stateful: the module keeps state inside between calls.
        order_matters: the task cannot be solved on shuffled steps.
        output: `"logits"`, `"probabilities"` or `"values"`.
        horizon: how many steps ahead a forecast looks: its number of outputs.

    Example:
        >>> Contract(takes=("x", "lengths"), batch_first=True)
        Contract(takes=('x', 'lengths'), batch_first=True)
    """

    task: Task | None = None
    each: Each | None = None
    takes: tuple[Taken, ...] | None = None
    batch_first: bool | None = None
    mask: Literal["valid", "padding"] | None = None
    padding: Literal["right", "left"] | None = None
    initial_state: str | Callable[..., Any] | None = None
    reset: str | Callable[..., Any] | None = None
    returns_state: bool | None = None
    causal: bool | None = None
    stateful: bool | None = None
    order_matters: bool | None = None
    output: Literal["logits", "probabilities", "values"] | None = None
    horizon: int | None = None
