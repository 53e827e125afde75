"""How is a module called of which nothing need be guessed: ours, torch's own, one that carries its state, or by a user's own line?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor, nn

from statewise.contracts import Batch, Contract, Door, ReadsSequences
from statewise.engine import is_recurrent
from statewise.models import Model
from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statewise.contracts import Call
    from statewise.types import State


def known_door(module: nn.Module, declared: Contract, call: Call | None, names: Mapping[str, tuple[str, ...]]) -> Door | None:
    """Return how the module is called; None where its contract must be read off or tried.

    Args:
        module: what is audited.
        declared: what its user says; never overruled.
        call: the user's own line.
        names: the labels behind the codes of categorical inputs.
    """
    if call is not None:
        return Door(contract=declared, call=call)
    reader: Any = module
    if isinstance(reader, ReadsSequences) and declared.takes is None:
        promised = reader.contract()
        if isinstance(module, Model) and module.config.num_known:  # what is known beforehand is no future
            promised = msgspec.structs.replace(promised, causal=False)
        return Door(contract=_over(promised, declared), call=partial(_as_sequences, names=names))
    if isinstance(module, nn.RNNBase) and declared.takes is None:
        return Door(
            contract=_over(
                Contract(
                    takes=("x", "state"), batch_first=module.batch_first, returns_state=True, each="step", causal=not module.bidirectional
                ),
                declared,
            )
        )
    if is_recurrent(module) and declared.takes is None:
        return Door(contract=_over(Contract(returns_state=True, each="step"), declared), call=_as_recurrent)
    return None


def _as_sequences(module: Any, batch: Batch, *, names: Mapping[str, tuple[str, ...]]) -> tuple[Tensor, State]:
    """Call a module that reads `Sequences` on a padded batch; outputs by step are padded as the batch is."""
    parts = batch.x if isinstance(batch.x, dict) else {_only_input(module): batch.x}
    ragged = {name: Ragged.from_padded(part, batch.lengths) for name, part in parts.items()}
    inputs = ragged["x"] if set(ragged) == {"x"} else ragged
    outputs = module.run_sequences(Sequences(inputs=inputs, static=batch.static, categories=names), batch.state)
    values = outputs.values
    if outputs.each == "step":
        dense = values.new_zeros((*batch.mask.shape, *values.shape[1:]))
        values = torch.index_put(dense, batch.mask.nonzero(as_tuple=True), values)
    return values, outputs.state


def _only_input(module: Any) -> str:
    """Return the name under which a module reads its one input."""
    names = [*module.config.numeric, *module.config.categories] if isinstance(module, Model) else []
    return names[0] if len(names) == 1 else "x"


def _as_recurrent(module: Any, batch: Batch) -> tuple[Tensor, State]:
    """Call a `Recurrent` on a padded batch, from its own initial state in torch's default dtype where none is given."""
    x, state = batch.x, batch.state
    assert isinstance(x, Tensor), "a Recurrent reads one input"
    if state is None:
        state = module.initial_state(len(x), device=torch.device("cpu"), dtype=torch.get_default_dtype())
    if getattr(module, "batch_first", False):
        outputs, final = module(x, state)
        return outputs, final
    outputs, final = module(x.transpose(0, 1), state)
    return outputs.transpose(0, 1), final


def _over(known: Contract, declared: Contract) -> Contract:
    """Return what is known, except where something else was declared."""
    said = {name: value for name in declared.__struct_fields__ if (value := getattr(declared, name)) is not None}
    return msgspec.structs.replace(known, **said)
