"""How is a module called a hundred times and never changed? Each call gets a copy of its own.

`copy.deepcopy` refuses a tensor that holds a graph, such as a state that a module keeps between calls: those are copied without it.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from statewise.errors import ContractError
from statewise.training import seed_all

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPREAD = 0.1
"""Of the numbers that take the place of weights of zero."""
_DEEP = 6
"""How many containers inside each other are looked through for tensors."""


class Original:
    """A module as it was given, of which copies are made.

    Weights that are all zero, as a head or a gate may begin, hide whatever they are multiplied by: in the copies they are drawn.

    Attributes:
        num_calls: how often a copy was called.
        drawn: the names of the weights that are.

    Raises:
        ContractError: it cannot be copied.
    """

    def __init__(self, module: nn.Module) -> None:
        kept = copied(module).eval().to("cpu")
        self.drawn = _draw_zeros(kept)
        self._kept: dict[torch.dtype | None, nn.Module] = {None: kept}
        self.num_calls = 0

    def parts(self) -> list[nn.Module]:
        """Return every part of the module, to look at and not to call."""
        return list(self._kept[None].modules())

    def moved(self, device: torch.device) -> nn.Module:
        """Return a copy in eval mode whose weights and buffers are on another device, wherever they are held, and other tensors are not."""
        module = self._kept[None]
        memo: dict[int, Any] = {id(each): nn.Parameter(each.to(device), requires_grad=each.requires_grad) for each in module.parameters()}
        return _deep(module, memo | {id(each): each.to(device) for each in module.buffers()})

    def fresh(self, dtype: torch.dtype | None = None) -> nn.Module:
        """Return a copy on the CPU and in eval mode, its floating point weights in `dtype`."""
        if dtype not in self._kept:
            self._kept[dtype] = _deep(self._kept[None], {}).to(dtype)
        return _deep(self._kept[dtype], {})  # of a copy there is nothing left that cannot be copied


def copied(module: nn.Module) -> nn.Module:
    """Return a copy that shares nothing with the module.

    Raises:
        ContractError: a part of it cannot be copied.
    """
    memo = {id(tensor): tensor.detach().clone() for tensor in held_tensors(module) if not tensor.is_leaf}
    try:
        return _deep(module, memo)
    except Exception as problem:  # a stranger's __deepcopy__, a lock, an open file: anything can be in a module
        raise ContractError(
            asked=f"audit {type(module).__name__}",
            where="a copy of it, since the module itself is never called",
            arrived=f"{type(problem).__name__}: {problem}",
            hint="Take it out for the audit: a lock, an open file or a generator cannot be copied.",
        ) from problem


_ATOMS = frozenset({int, float, bool, str, bytes, complex, type(None), torch.dtype, torch.device})


def _deep(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """Return `copy.deepcopy(module, memo)`, in a quarter of the time: most of what a module holds are empty dicts of hooks."""
    plain = [part for part in module.modules() if _is_plain(cast("Any", type(part)))]
    for part in plain:
        memo[id(part)] = type(part).__new__(type(part))
    for part in plain:
        held: Any = part.__getstate__()
        memo[id(part)].__setstate__({name: value if type(value) in _ATOMS else _copied_value(value, memo) for name, value in held.items()})
    return memo[id(module)] if id(module) in memo else copy.deepcopy(module, memo)


@cache
def _is_plain(kind: Any) -> bool:
    """Whether modules of a kind are copied as torch's own are, by what they hold."""
    special = ("__deepcopy__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
    own = [each for each in kind.__mro__ if each not in {object, nn.Module, nn.RNNBase}]
    return not any(name in vars(each) for name in (*special, "__slots__") for each in own)


def _copied_value(value: Any, memo: dict[int, Any]) -> Any:
    """Return `copy.deepcopy(value, memo)`; what modules hold most is copied here."""
    kind, key = type(value), id(value)
    if kind in _ATOMS or (kind is tuple and all(type(each) in _ATOMS for each in value)):
        return value
    if key not in memo:
        if kind is dict or kind is OrderedDict:
            memo[key] = made = kind()
            for name, each in value.items():
                own = name if type(name) in _ATOMS else copy.deepcopy(name, memo)
                made[own] = each if type(each) in _ATOMS else _copied_value(each, memo)
        elif kind is list:
            memo[key] = copies = []
            copies += [_copied_value(each, memo) for each in value]
        elif kind is set and not value:
            memo[key] = set()
        else:
            return copy.deepcopy(value, memo)
    return memo[key]


def _draw_zeros(module: nn.Module) -> tuple[str, ...]:
    """Fill each trainable weight that is zero altogether with small numbers; return their names."""
    zero = {
        name: weight
        for name, weight in module.named_parameters()
        if weight.requires_grad and weight.is_floating_point() and not weight.is_meta and not weight.any()
    }
    source = torch.Generator().manual_seed(len(zero))
    with torch.no_grad():
        for weight in zero.values():
            weight.copy_(_SPREAD * torch.randn(weight.shape, generator=source))
        for part in module.modules():
            if isinstance(part, nn.Embedding) and part.padding_idx is not None and any(part.weight is each for each in zero.values()):
                part.weight[part.padding_idx] = 0.0
    return tuple(zero)


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
    """Run the body with random numbers of a seed and with new tensors of `dtype` by default.

    The dtype is then as before, and the numbers are where the whole audit ends, which draws apart.
    """
    default = torch.get_default_dtype()
    try:
        seed_all(seed)
        torch.set_default_dtype(default if dtype is None else dtype)
        yield
    finally:
        torch.set_default_dtype(default)
