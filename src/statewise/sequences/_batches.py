"""Which sequences go into a batch together? As many as fit a budget of real steps, in an order drawn anew each epoch."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from statewise.sequences import Sequences


def batch_rows(lengths: Tensor, steps: int, *, seed: int | None = None, epoch: int = 0) -> Iterator[Tensor]:
    """Yield the row numbers of each batch; every row once.

    Args:
        lengths: `[n]`.
        steps: real steps in a batch at most; a longer sequence makes a batch alone.
        seed: draws the order, together with `epoch`; None keeps the order of the data.
        epoch: the epoch; the order of one does not depend on those before, so that a run can be resumed anywhere.

    Example:
        >>> [rows.tolist() for rows in batch_rows(torch.tensor([2, 2, 5, 1]), 4)]
        [[0, 1], [2], [3]]
    """
    order = torch.arange(len(lengths))
    if seed is not None:
        order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
    begin, filled = 0, 0
    for place, length in enumerate(lengths[order].tolist()):
        if place > begin and filled + length > steps:
            yield order[begin:place]
            begin, filled = place, 0
        filled += length
    if begin < len(order):
        yield order[begin:]


def batches(data: Sequences, steps: int = 20_000, *, seed: int | None = 0, epoch: int = 0, start: int = 0) -> Iterator[Sequences]:
    """Yield the sequences in batches of about equally many real steps; each sequence comes once.

    Args:
        data: the sequences.
        steps: real steps in a batch at most; a longer sequence makes a batch alone.
        seed: draws the order, together with `epoch`; None keeps the order of the data.
        epoch: give another number each time round for another order.
        start: batches to leave out at the beginning, to go on in the middle of an epoch.
    """
    for rows in islice(batch_rows(data.lengths, steps, seed=seed, epoch=epoch), start, None):
        yield data.select(rows)
