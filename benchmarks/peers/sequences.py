"""How else are sequences of unequal lengths run through nn.RNN, nn.LSTM or nn.GRU?

Each way takes `(module, values, lengths)`, the steps of all sequences one after another, and gives `(outputs, final state)`, the outputs
in the same form and the rows of the state in the order given. What a conversion costs, its user pays: so it counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence, unpack_sequence

from statewise.engine import unroll
from statewise.sequences import Ragged

Module: TypeAlias = nn.RNN | nn.LSTM | nn.GRU
Way: TypeAlias = Callable[[Module, Tensor, Tensor], tuple[Tensor, Any]]


def ours(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Unroll, from new lengths each time: a batch of training comes once."""
    outputs, final = unroll(module, Ragged(values, lengths.clone()))
    return outputs.values, final


def ours_without_state(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Unroll without asking for the final state."""
    outputs, _ = unroll(module, Ragged(values, lengths.clone()), return_state=False)
    return outputs.values, None


def pack_padded(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Pad, pack, run, and pad again, as the documentation of `pack_padded_sequence` says; a mask picks the real steps."""
    padded = pad_sequence(list(torch.split(values, lengths.tolist())))
    outputs, final = module(pack_padded_sequence(padded, lengths, enforce_sorted=False))
    return _real(pad_packed_sequence(outputs)[0], lengths), final


def pack_padded_sorted(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Do the same after sorting by hand, so that torch need not, and bring the rows back into their order."""
    order = lengths.argsort(descending=True)
    parts = torch.split(values, lengths.tolist())
    padded = pad_sequence([parts[row] for row in order.tolist()])
    outputs, final = module(pack_padded_sequence(padded, lengths[order], enforce_sorted=True))
    back = order.argsort().to(values.device)
    ordered = pad_packed_sequence(outputs)[0].index_select(1, back)
    rows = tuple(part.index_select(1, back) for part in (final if isinstance(final, tuple) else (final,)))
    return _real(ordered, lengths), rows if isinstance(final, tuple) else rows[0]


def pack_list(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Pack a list of sequences, run, and unpack into a list, as the documentation of `pack_sequence` says."""
    outputs, final = module(pack_sequence(list(torch.split(values, lengths.tolist())), enforce_sorted=False))
    return torch.cat(unpack_sequence(outputs)), final


def pack_by_index(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Pack and unpack with our own conversions, which pick by index."""
    outputs, final = module(Ragged(values, lengths).to_packed())
    return Ragged.from_packed(outputs).values, final


def pad_and_mask(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Run the padded tensor, padding and all, and pick the real steps with a mask; there is no final state to be had."""
    outputs, _ = module(pad_sequence(list(torch.split(values, lengths.tolist()))))
    return _real(outputs, lengths), None


def pad_batch_first(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Do the same with the batch first, which is how most people hold a padded tensor."""
    padded = pad_sequence(list(torch.split(values, lengths.tolist())), batch_first=True)
    outputs, _ = module(padded.transpose(0, 1))
    return outputs.transpose(0, 1)[_mask(lengths).to(values.device)], None


def pad_by_index(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Pad and pick with our own conversions, which pick by index."""
    padded, _ = Ragged(values, lengths).to_padded(batch_first=False)
    outputs, _ = module(padded)
    return Ragged.from_padded(outputs, lengths, batch_first=False).values, None


def pad_and_flip(module: Module, values: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
    """Run both directions over the padded tensor, the backward one over sequences that are flipped each at its own end."""
    outputs = pad_both_ways(module, pad_sequence(list(torch.split(values, lengths.tolist()))), lengths)
    return _real(outputs, lengths), None


def pad_both_ways(module: Module, padded: Tensor, lengths: Tensor) -> Tensor:
    """Return the outputs `[time, batch, 2 * hidden]` of a layer of two directions on a padded `[time, batch, feature]`."""
    lengths = lengths.to(padded.device)
    times = torch.arange(len(padded), device=padded.device)[:, None]
    flipped = torch.where(times < lengths, lengths - 1 - times, times)
    rows = torch.arange(len(lengths), device=padded.device)
    ahead, back = _one_direction(module, padded, ""), _one_direction(module, padded[flipped, rows], "_reverse")
    return torch.cat([ahead, back[flipped, rows]], -1)


def _one_direction(module: Module, padded: Tensor, suffix: str) -> Tensor:
    """Call the function that nn.LSTM and its like call, with the weights of one direction."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    weights = [getattr(module, f"{kind}_l0{suffix}") for kind in kinds]
    zeros = padded.new_zeros(1, padded.shape[1], module.hidden_size)
    begin = (zeros, zeros) if isinstance(module, nn.LSTM) else zeros
    function = getattr(torch, module.mode.lower())  # lstm, gru, rnn_tanh
    outputs: Tensor = function(padded, begin, weights, True, 1, 0.0, module.training, False, False)[0]  # noqa: FBT003
    return outputs


PACKED: dict[str, Way] = {
    "pack_padded_sequence": pack_padded,
    "the same, sorted by hand": pack_padded_sorted,
    "pack_sequence": pack_list,
    "packed by index": pack_by_index,
}
PADDED: dict[str, Way] = {"mask": pad_and_mask, "batch first, mask": pad_batch_first, "by index": pad_by_index}
FLIPPED: dict[str, Way] = {"flipped": pad_and_flip}


def _mask(lengths: Tensor) -> Tensor:
    """Return `[batch, time]`, true at real steps."""
    return torch.arange(int(lengths.max())) < lengths[:, None]


def _real(padded: Tensor, lengths: Tensor) -> Tensor:
    """Return the real steps of `[time, batch, *]`, sequence by sequence."""
    return padded.transpose(0, 1)[_mask(lengths).to(padded.device)]
