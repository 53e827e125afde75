"""How is a module that reads `Sequences` itself put to questions in padded batches? By a line like a user's `call=`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from torch import Tensor, nn

from statewise.contracts import Contract, ReadsSequences
from statewise.models import Model
from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from statewise.contracts import Batch, Call
    from statewise.types import State


def opened(module: nn.Module, contract: Contract | None, call: Call | None) -> tuple[Contract | None, Call | None]:
    """Return the contract and the line of a module that reads `Sequences`; of any other what was given."""
    if call is not None or not isinstance(module, ReadsSequences):
        return contract, call
    known = module.contract()
    said = {name: value for name in known.__struct_fields__ if (value := getattr(contract or Contract(), name)) is not None}
    return msgspec.structs.replace(known, **said), _ask


def _ask(module: Any, batch: Batch) -> tuple[Tensor, State]:
    """Return the outputs, padded where there is one a step, and the state.

    Static features, which belong to whole sequences and not to probes, are zeros where the batch has none.
    """
    parts = batch.x if isinstance(batch.x, dict) else {_only_input(module): batch.x}
    ragged = {name: Ragged(padded[batch.mask], batch.lengths) for name, padded in parts.items()}
    static, num_static = batch.static, module.config.num_static if isinstance(module, Model) else 0
    if static is None and num_static:
        static = next(module.parameters()).new_zeros((len(batch.lengths), num_static))
    data = Sequences(inputs=ragged["x"] if set(ragged) == {"x"} else ragged, static=static)
    said = module.run_sequences(data, batch.state)
    if said.each == "sequence":
        return said.values, said.state
    padded = said.values.new_zeros((*batch.mask.shape, *said.values.shape[1:]))
    padded[batch.mask] = said.values
    return padded, said.state


def _only_input(module: Any) -> str:
    """Return the name under which a model of ours reads its one input."""
    names = [*module.config.numeric, *module.config.categories] if isinstance(module, Model) else []
    return names[0] if len(names) == 1 else "x"
