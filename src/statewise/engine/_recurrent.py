"""What must a module of one's own offer to be unrolled?"""

from __future__ import annotations

import inspect
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from statewise.types import State


@runtime_checkable
class Recurrent(Protocol):
    """A module that takes its state and returns it, and whose rows do not interact.

    Two attributes are optional. `batch_first = True` says that `forward` reads and gives `[batch, time, ...]`. `state_axes`
    is a tree like the state with the batch axis of each leaf (None: shared by all rows), or one axis for all leaves;
    without it the axes are found by calling the module with batches of 2 and 5 rows, once.

    Example:
        >>> class Mean(torch.nn.Module):
        ...     '''The mean of the steps so far.'''
        ...     def initial_state(self, batch_size, *, device, dtype):
        ...         return {"sum": torch.zeros(batch_size, 1, device=device, dtype=dtype), "count": torch.zeros(batch_size, 1)}
        ...     def forward(self, inputs, state):
        ...         sums = state["sum"] + inputs.cumsum(0)
        ...         counts = state["count"] + torch.arange(1, len(inputs) + 1).view(-1, 1, 1)
        ...         return sums / counts, {"sum": sums[-1], "count": counts[-1].expand_as(sums[-1])}
        >>> isinstance(Mean(), Recurrent)
        True
    """

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> State:
        """Return the state in which each of `batch_size` sequences begins."""
        ...

    def forward(self, inputs: Shaped[Tensor, "time batch *feature"], state: State) -> tuple[Shaped[Tensor, "time batch *out"], State]:
        """Return the outputs of all steps and the state after the last one."""
        ...


def is_recurrent(module: Any) -> bool:
    """Whether a module is a `Recurrent`: both methods are there, and `initial_state` takes what it is given.

    Many modules of others have a method of that name which takes the number of rows alone: they are called as their `forward` says.
    """
    if not isinstance(module, Recurrent):
        return False
    try:
        inspect.signature(module.initial_state).bind(1, device=None, dtype=None)
    except (TypeError, ValueError):
        return False
    return True


def state_dtype(module: Any, values: Tensor) -> torch.dtype:
    """Return the dtype of a state: that of the inputs; for whole numbers (words, codes) that of the weights, else torch's default."""
    if values.is_floating_point() or values.is_complex():
        return values.dtype
    weights = module.parameters() if isinstance(module, nn.Module) else iter(())
    return next((weight.dtype for weight in weights if weight.is_floating_point()), torch.get_default_dtype())
