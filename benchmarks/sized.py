"""Which work is done at each size, where growth with length and batch is measured?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from benchmarks.peers.sequences import Way, ours_without_state, pack_by_index, pad_by_index
from benchmarks.rows.sequences import Draw, Work, log_normal, work_on

if TYPE_CHECKING:
    from collections.abc import Mapping

Axis = Literal["length", "batch"]
SIZE = 64
SIZES: Mapping[Axis, tuple[int, ...]] = {"length": (100, 1_000, 10_000, 100_000), "batch": (1, 8, 64, 512)}
SAYS: Mapping[Axis, str] = {"length": "two sequences, of {:,} steps and of half of them", "batch": "{} sequences of log-normal lengths"}
WAYS: Mapping[str, Way] = {"ours": ours_without_state, "packed": pack_by_index, "padded": pad_by_index}


def sized_work(axis: Axis, size: int) -> Work:
    """Return forward and backward of an LSTM on work of one size."""
    torch.manual_seed(0)
    draw: Draw = log_normal(size) if axis == "batch" else lambda _: torch.tensor([size, max(size // 2, 1)])
    return work_on(nn.LSTM(SIZE, SIZE), draw, "train", 0)
