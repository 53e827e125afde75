"""What was c of an LSTM at an end inside a block, when the kernel hands out c only at the block's own end?

It is computed anew from the outputs: all gates of the row's steps in that block in one product, and c = f c + i g folded over the steps,
two neighbours at a time. Each row is folded by itself, so that a NaN in one stays there, in the gradients too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from statewise.engine._moves import on_device

if TYPE_CHECKING:
    from statewise.engine._plan import Plan
    from statewise.engine._scans import Weights


class Known(NamedTuple):
    """What is known after all blocks: data and outputs of all cells, h and c at the beginning, c at the end of each block."""

    data: Tensor
    outputs: Tensor
    h: Tensor
    c: Tensor
    carried: Tensor


def c_at_ends(known: Known, weights: Weights, plan: Plan, ends: np.ndarray) -> Tensor:
    """Return c of the rows `ends` at their own ends.

    A row starts from the last c known of it, at a block's end or its beginning, and runs through the gates of the steps since.
    """
    widths = np.array([block.width for block in plan.blocks])
    until = np.cumsum([block.time for block in plan.blocks])
    lengths = plan.sorted_lengths[ends]
    inside = np.searchsorted(until, lengths, side="right")  # the block in which the row ends, or the next one if it ends with it
    since = np.concatenate([[0], until])[inside]  # the time at which c is last known
    offsets = np.concatenate([[0], len(known.c) + np.cumsum(widths) - widths])
    device = known.outputs.device
    c = torch.cat([known.c, known.carried]).index_select(0, *on_device(device, offsets[inside] + ends))
    moving = np.flatnonzero(lengths > since)
    if not len(moving):
        return c
    moving = moving[np.argsort(since[moving] - lengths[moving], kind="stable")]  # those of most steps first
    begin, num_steps, places = since[moving], (lengths - since)[moving], ends[moving]
    which = np.repeat(np.arange(len(moving)), num_steps)
    step = begin[which] + np.arange(len(which)) - (np.cumsum(num_steps) - num_steps)[which]
    is_begin = np.flatnonzero(step == 0)
    rows, cells, before, at_begin, begun = on_device(
        device,
        moving,
        plan.starts[step] + places[which],
        plan.starts[np.maximum(step - 1, 0)] + places[which],
        is_begin,
        places[which][is_begin],
    )
    h_before = known.outputs.index_select(0, before)
    if len(is_begin):
        h_before = h_before.index_copy(0, at_begin, known.h.index_select(0, begun).to(h_before.dtype))
    after = _run_through(c.index_select(0, rows), known.data.index_select(0, cells), h_before, weights, num_steps)
    return c.index_copy(0, rows, after.to(c.dtype))


def _run_through(c: Tensor, data: Tensor, h_before: Tensor, weights: Weights, num_steps: np.ndarray) -> Tensor:
    """Return c after the steps `[steps, *]` of some rows, row after row, those of most steps first; in float32 at least.

    Each row's steps are filled up in front, to a power of two, with steps that change nothing.
    """
    units = c.shape[1]
    w_ih, w_hh, b_ih, b_hh = (weight[: 3 * units].to(h_before.dtype) for weight in weights)  # input, forget and cell gate
    sums = functional.linear(data.to(h_before.dtype), w_ih, b_ih) + functional.linear(h_before, w_hh, b_hh)
    entering, forgetting, new = sums.to(torch.promote_types(c.dtype, torch.float32)).split(units, 1)
    kept, entered = forgetting.sigmoid(), entering.sigmoid() * new.tanh()
    sizes = 1 << np.ceil(np.log2(num_steps)).astype(np.int64)
    if (sizes != num_steps).any():
        shifts = np.cumsum(sizes - num_steps)
        (places,) = on_device(c.device, np.arange(len(data)) + np.repeat(shifts, num_steps))
        filled = int(sizes.sum()), units
        kept = kept.new_ones(filled).index_copy(0, places, kept)
        entered = entered.new_zeros(filled).index_copy(0, places, entered)
    kept, entered = _folded(kept, entered, sizes)
    return torch.addcmul(entered, kept, c)


def _folded(kept: Tensor, entered: Tensor, sizes: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return, for each row, which part of c its steps keep, and what they add; rows of so many steps, powers of two, longest first."""
    units = kept.shape[1]
    # A processor takes several times as long over numbers near the smallest that there are, here and in the backward pass.
    is_cpu, least = kept.device.type == "cpu", torch.finfo(kept.dtype).tiny ** 0.5
    ended: list[tuple[Tensor, Tensor]] = []
    while len(sizes):
        num_going = int((sizes > 1).sum())
        going = len(kept) - (len(sizes) - num_going)
        if going < len(kept):
            (kept, last_kept), (entered, last_entered) = (part.split([going, len(part) - going]) for part in (kept, entered))
            ended.append((last_kept, last_entered))
        sizes = sizes[:num_going] // 2
        if num_going:
            (kept, then_kept), (entered, then_entered) = (part.reshape(-1, 2, units).unbind(1) for part in (kept, entered))
            kept, entered = kept * then_kept, torch.addcmul(then_entered, entered, then_kept)
            if is_cpu:
                kept = kept.masked_fill(kept < least, 0.0)
    if len(ended) == 1:
        return ended[0]
    return torch.cat([part for part, _ in reversed(ended)]), torch.cat([part for _, part in reversed(ended)])
