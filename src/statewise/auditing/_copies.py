"""How is a module called a hundred times and never changed? Each call gets a copy of its own.

`copy.deepcopy` refuses a tensor that holds a graph, such as a state that a module keeps between calls: those are copied without it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from statewise.errors import ContractError
from statewise.training import drawn_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEP = 6
"""How many containers inside each other are looked through for tensors."""


class Original:
    """A module as it was given, of which copies are made.

    Attributes:
        num_calls: how often a copy was called.

    Raises:
        ContractError: it cannot be copied.
    """

    def __init__(self, module: nn.Module) -> None:
        self._kept = copied(module)
        self.num_calls = 0

    def fresh(self, dtype: torch.dtype | None = None) -> nn.Module:
        """Return a copy on the CPU and in eval mode, its floating point weights in `dtype`."""
        return copied(self._kept).eval().to("cpu", dtype)


def copied(module: nn.Module) -> nn.Module:
    """Return a copy that shares nothing with the module.

    Raises:
        ContractError: a part of it cannot be copied.
    """
    memo = {id(tensor): tensor.detach().clone() for tensor in held_tensors(module) if not tensor.is_leaf}
    try:
        return copy.deepcopy(module, memo)
    except Exception as problem:  # a stranger's __deepcopy__, a lock, an open file: anything can be in a module
        raise ContractError(
            asked=f"audit {type(module).__name__}",
            where="a copy of it, since the module itself is never called",
            arrived=f"{type(problem).__name__}: {problem}",
            hint="Give a function that builds the module instead, whose modules can be made anew.",
        ) from problem


def held_tensors(module: nn.Module) -> Iterator[Tensor]:
    """Yield every tensor that a part of the module holds: weights, buffers, and those in attributes of its own, in containers too."""
    for part in module.modules():
        yield from _tensors(vars(part), _DEEP)


def _tensors(value: Any, deep: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif deep and isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each, deep - 1)
    elif deep and isinstance(value, list | tuple | set):
        for each in value:
            yield from _tensors(each, deep - 1)
    elif deep and is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _tensors(getattr(value, field.name, None), deep - 1)


@contextmanager
def own_numbers(seed: int, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Run the body with random numbers of its own and with new tensors of `dtype` by default; then all is as before."""
    default = torch.get_default_dtype()
    try:
        with drawn_apart(seed):
            torch.set_default_dtype(default if dtype is None else dtype)
            yield
    finally:
        torch.set_default_dtype(default)
