"""What does a module promise that nobody has said? Read off its signature where that tells, else tried.

A field that cannot be read is tried in every way it may be; the way in which rows stay apart, padding is harmless and most calls succeed is
taken, and told together with how sure it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import nn

from statewise.contracts import Contract, Door, read_signature, usual_mask, usual_reset
from statewise.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TRIES: dict[str, tuple[Any, ...]] = {"batch_first": (True, False), "mask": ("valid", "padding")}


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """A contract that can be called, and how each field that was not declared came about.

    Attributes:
        contract: with every field filled in that a call needs.
        sure: by field, `"read"` off the signature, `"tried"` with a single best way, or `"guessed"` among equals.
    """

    contract: Contract
    sure: dict[str, str]


def infer(module: nn.Module, declared: Contract, judge: Callable[[Door], float]) -> Inferred:
    """Return the contract of a module.

    Args:
        module: to be read, not to be called.
        declared: what its user says; never overruled.
        judge: how well a door works, the larger the better; negative where a call fails.

    Raises:
        ContractError: an argument of `forward` means nothing that is known.
    """
    sure: dict[str, str] = {}
    best: list[tuple[float, Contract]] = []
    for fields in _ways(module, declared):
        given = msgspec.structs.replace(declared, **fields)
        try:
            filled = read_signature(module, given)
        except ContractError:
            if not fields:
                raise
            continue
        best.append((judge(Door(contract=filled)), filled))
    best.sort(key=lambda pair: -pair[0])
    chosen = best[0][1]
    equals = [contract for score, contract in best if score == best[0][0]]
    for name in declared.__struct_fields__:
        if getattr(declared, name) is None and getattr(chosen, name) is not None:
            tried = name in _TRIES and len(best) > 1
            alike = all(getattr(each, name) == getattr(chosen, name) for each in equals)
            sure[name] = "read" if not tried else "tried" if alike else "guessed"
    return Inferred(contract=_with_reset(module, chosen, sure), sure=sure)


def _ways(module: nn.Module, declared: Contract) -> Iterator[dict[str, Any]]:
    """Yield the fields to try: none where the signature tells all."""
    tries: dict[str, tuple[Any, ...]] = {}
    given, (_, usual) = declared, usual_mask(module) or ("", None)
    while True:
        try:
            read_signature(module, given)
        except ContractError as problem:
            masks = tuple(sorted(_TRIES["mask"], key=lambda meaning: meaning != usual))  # among equals the first is taken
            known = {**_TRIES, "mask": masks, "initial_state": (partial(zeros_for, module),)}
            name = next((each for each in known if f"'{each}'" in problem.where), None)
            if name is None or name in tries:
                raise
            tries[name] = known[name]
            given = msgspec.structs.replace(given, **{name: known[name][0]})
        else:
            break
    for values in product(*tries.values()):
        yield dict(zip(tries, values, strict=True))


def _with_reset(module: nn.Module, contract: Contract, sure: dict[str, str]) -> Contract:
    """Return the contract with the method that clears a state kept inside, where there is one of a usual name."""
    if contract.reset is not None or contract.stateful is False:
        return contract
    found = usual_reset(module)
    if found is None:
        return contract
    sure["reset"] = "read"
    return msgspec.structs.replace(contract, reset=found)


def zeros_for(module: nn.Module, rows: int) -> Any:
    """Return the zero state of the first recurrent layer of torch's, for a forward that needs one and makes none; None without any."""
    for part in module.modules():
        if isinstance(part, nn.RNNBase):
            depth = part.num_layers * (2 if part.bidirectional else 1)
            shapes = [(depth, rows, part.proj_size or part.hidden_size), (depth, rows, part.hidden_size)]
            leaves = [torch.zeros(shape) for shape in shapes[: 2 if isinstance(part, nn.LSTM) else 1]]
            return tuple(leaves) if len(leaves) == 2 else leaves[0]
        if isinstance(part, nn.RNNCellBase):
            leaves = [torch.zeros((rows, part.hidden_size)) for _ in range(2 if isinstance(part, nn.LSTMCell) else 1)]
            return tuple(leaves) if len(leaves) == 2 else leaves[0]
    return None
