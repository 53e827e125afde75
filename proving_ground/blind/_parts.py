"""What the modules of the blind round share: packing, and what nearly all of them promise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from statewise.contracts import Contract

if TYPE_CHECKING:
    from collections.abc import Callable


def pack(x: Tensor, lengths: Tensor) -> PackedSequence:
    """Return rows `[batch, time, ...]` of these lengths, packed."""
    return pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)


def unpack(packed: PackedSequence, time: int) -> Tensor:
    """Return packed rows as `[batch, time, ...]`."""
    return pad_packed_sequence(packed, batch_first=True, total_length=time)[0]


def valid_steps(lengths: Tensor, time: int, device: torch.device) -> Tensor:
    """Return `[batch, time]`: which steps are real."""
    return torch.arange(time, device=device)[None, :] < lengths.to(device)[:, None]


_USUAL: Callable[..., Contract] = partial(
    Contract, batch_first=True, padding="right", stateful=False, returns_state=False, order_matters=True
)
SEQUENCE: Callable[..., Contract] = partial(_USUAL, each="sequence", causal=False)
STEP: Callable[..., Contract] = partial(_USUAL, each="step", causal=True)
CARRIES: Callable[..., Contract] = partial(STEP, initial_state="initial_state", returns_state=True)
