"""How is an optimiser put back as it was, whatever it keeps and whoever made it?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from statewise.errors import RunError
from statewise.training._plain import to_json


def as_made(optimizer: torch.optim.Optimizer) -> str:
    """Return the class of an optimiser and the options of its groups as text, to tell whether another is made like it."""
    groups = [{name: _plain(value) for name, value in group.items()} for group in optimizer.state_dict()["param_groups"]]
    text, _ = to_json([type(optimizer).__qualname__, groups], where="the optimiser's groups")
    return text


def restore_optimizer(optimizer: torch.optim.Optimizer, kept: dict[str, Any]) -> None:
    """Put back what `state_dict` gave: the options of the groups, and the state to the bit."""
    optimizer.load_state_dict(kept)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    # torch casts floating tensors to the dtype of their parameter, and takes a text apart: what was kept otherwise is put back.
    for number, state in kept["state"].items():
        if isinstance(number, int) and isinstance(state, dict):
            now = optimizer.state[parameters[number]]
            now.update({name: _as_kept(now[name], value) for name, value in state.items() if name in now})


def require_same_optimizer(before: str, now: str, where: str) -> None:
    """Refuse to go on with an optimiser that was made in another way than the one the run began with.

    Raises:
        RunError: its class or an option differs.
    """
    if before != now:
        raise RunError(
            asked="resume a run",
            where=where,
            arrived="its optimiser is not the same as when it began",
            hint="Resume with the optimizer= it began with, or train anew into another folder with --out.",
        )


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value


def _as_kept(now: Any, kept: Any) -> Any:
    """Return what was kept, with tensors where the optimiser has put them."""
    if isinstance(now, Tensor) and isinstance(kept, Tensor):
        return now if now.dtype == kept.dtype else kept.to(now.device, copy=True)
    if isinstance(kept, (list, tuple)) and isinstance(now, (list, tuple)) and len(now) == len(kept):
        return type(kept)(_as_kept(one, other) for one, other in zip(now, kept, strict=True))
    return kept if isinstance(kept, str) else now
