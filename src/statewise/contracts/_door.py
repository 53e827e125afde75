"""How does one padded batch go into a module, and what does the module give back, before anybody reads meaning into it?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from statewise.contracts._batch import Batch, single_input
from statewise.contracts._contract import Contract
from statewise.errors import ContractError, kind_of
from statewise.types import State

_ALL = frozenset(field.name for field in fields(Batch))
Call: TypeAlias = Callable[[nn.Module, Batch], Any]
"""A user's own line, which turns a batch into whatever the module wants."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """How a module is called: through its contract, or through the user's own line.

    Attributes:
        contract: with the fields filled in that a call needs, where there is no line.
        call: `lambda module, batch: output` or `(output, state)`.
        reads: what of a batch the line reads; None where nobody has looked, and then it is believed to read all.
    """

    contract: Contract
    call: Call | None = None
    reads: frozenset[str] | None = None

    @property
    def sees_lengths(self) -> bool:
        """Whether the module is told which steps are real."""
        return bool({"lengths", "mask"} & self._taken)

    @property
    def takes_state(self) -> bool:
        """Whether a state that is given reaches the module."""
        return "state" in self._taken

    @property
    def sees_is_first(self) -> bool:
        """Whether the module is told where a sequence begins."""
        return "is_first" in self._taken

    @property
    def _taken(self) -> frozenset[str]:
        if self.call is None:
            return frozenset(self.contract.takes or ())
        return _ALL if self.reads is None else self.reads

    def ask(self, module: nn.Module, batch: Batch) -> tuple[Any, State]:
        """Return the output, still in the module's own layout, and the state that came with it, or None.

        Raises:
            ContractError: what came back is neither an output nor a pair of output and state.
        """
        result = self.call(module, batch) if self.call is not None else module(*self.arguments(module, batch))
        if isinstance(result, (Tensor, PackedSequence)):
            return result, None
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], (Tensor, PackedSequence)):
            return result
        raise ContractError(
            asked=f"call {type(module).__name__}",
            where="what forward returned",
            arrived=kind_of(result),
            hint="Give call=lambda module, batch: ... that returns output or (output, state).",
        )

    def reset(self, module: nn.Module) -> None:
        """Clear the state that the module keeps inside, where the contract says how."""
        if self.contract.reset is not None:
            method(module, self.contract.reset, "reset")()

    def arguments(self, module: nn.Module, batch: Batch) -> list[Any]:
        """Return what `forward` is given, in order, in its own layout."""

        def order(tensor: Tensor) -> Tensor:
            return tensor if self.contract.batch_first else tensor.transpose(0, 1)

        state = batch.state
        if state is None and self.contract.initial_state is not None:
            state = method(module, self.contract.initial_state, "initial_state")(len(batch.lengths))
        mask = batch.mask if self.contract.mask == "valid" else ~batch.mask
        given = {"lengths": batch.lengths, "state": state, "mask": order(mask), "is_first": order(batch.is_first)}
        return [order(single_input(batch, type(module).__name__)) if name == "x" else given[name] for name in self.contract.takes or ()]


def method(module: nn.Module, given: str | Callable[..., Any], field: str) -> Callable[..., Any]:
    """Return what a field of a contract names: a method of the module, or a callable as it is.

    Raises:
        ContractError: the module has no such method.
    """
    found: Any = getattr(module, given, None) if isinstance(given, str) else given
    if isinstance(getattr(found, "__self__", None), type(module)):  # a method of another copy of the module
        found = getattr(module, found.__name__, found)
    if callable(found):
        calls: Callable[..., Any] = found
        return calls
    raise ContractError(
        asked=f"call {type(module).__name__}",
        where=f"contract field {field!r}",
        arrived=f"the module has no method {given!r}",
        hint="Name a method of the module, or give a callable.",
    )
