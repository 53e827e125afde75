"""In which order are rows run, and where is time cut, so that no cell of a dense block is wasted?

Pure integer arithmetic on lengths: no module, no values. Rows are sorted, longest first, and time is cut at each
distinct length, where the batch narrows. The cells, block by block and in each block step by step, are in *packed order*:
all rows of step 0, all rows that have a step 1, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Block:
    """A dense piece of work: `time` steps of the `width` longest rows."""

    time: int
    width: int


@dataclass(frozen=True, eq=False)
class Plan:
    """How rows of the given lengths are run.

    Args:
        lengths: `[n]`, int64 on the CPU, not negative.

    Example:
        >>> plan = Plan(torch.tensor([1, 3, 0, 3]))
        >>> plan.order.tolist(), plan.blocks
        ([1, 3, 0, 2], (Block(time=1, width=3), Block(time=2, width=2)))
    """

    lengths: Int[Tensor, " n"]

    @cached_property
    def order(self) -> Int[Tensor, " n"]:
        """The rows, longest first; equally long ones keep their order."""
        return self.lengths.argsort(descending=True, stable=True)

    @cached_property
    def inverse(self) -> Int[Tensor, " n"]:
        """The place of each row in `order`."""
        return self.order.argsort()

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The dense blocks, in time; rows without a step are in none."""
        return cut_blocks(self.lengths[self.order].tolist())

    @cached_property
    def widths(self) -> Int[Tensor, " time"]:
        """The number of rows that have a step at each time (`batch_sizes` of a `PackedSequence`)."""
        times, widths = (torch.tensor([getattr(block, name) for block in self.blocks], dtype=torch.int64) for name in ("time", "width"))
        return widths.repeat_interleave(times)

    @property
    def is_whole(self) -> bool:
        """Whether all rows are equally long and have a step, so that one dense call does it."""
        return len(self.blocks) == 1 and self.blocks[0].width == len(self.lengths)

    @cached_property
    def _cells(self) -> tuple[Tensor, Tensor, Tensor]:
        """The time and the place in `order` of each cell in packed order, and where each time begins."""
        starts = self.widths.cumsum(0) - self.widths
        times = torch.arange(len(self.widths)).repeat_interleave(self.widths)
        return times, torch.arange(len(times)) - starts[times], starts

    def gather(self, first: Int[Tensor, " n"], stride: int) -> Int[Tensor, " cells"]:
        """Return where the value of each cell is, when step t of row r is at `first[r] + t * stride`."""
        times, places, _ = self._cells
        return first[self.order][places] + times * stride

    @cached_property
    def reversal(self) -> Int[Tensor, " cells"]:
        """The permutation of packed cells that reverses each row in time; it is its own inverse."""
        times, places, starts = self._cells
        mirrored = self.lengths[self.order][places] - 1 - times
        return starts[mirrored] + places


def cut_blocks(descending: list[int]) -> tuple[Block, ...]:
    """Return the blocks of rows of the given lengths, longest first: a cut wherever a row ends."""
    blocks, done = [], 0
    for width in range(len(descending), 0, -1):
        end = descending[width - 1]
        if end > done:
            blocks.append(Block(time=end - done, width=width))
            done = end
    return tuple(blocks)


def inverse_of(permutation: Int[Tensor, " cells"]) -> Int[Tensor, " cells"]:
    """Return the permutation that undoes another."""
    undone = torch.empty_like(permutation)
    undone[permutation] = torch.arange(len(permutation), device=permutation.device)
    return undone
