"""In which order are rows run, and where is time cut, so that little of a dense block is wasted?

Pure arithmetic on lengths: no module, no values. Rows are sorted, longest first, and time is cut into blocks at which the batch
narrows. A row that ends inside a block runs on to the block's end over its own last step again; these *run-on* cells are
never read. The cells, block by block and in each block step by step, are in *cell order*. Without a cost time is cut
wherever a row ends: then no cell is wasted, and cell order is the packed order of a `PackedSequence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from statewise.engine._costs import Cost


class Block(NamedTuple):
    """A dense piece of work: `time` steps of the `width` longest rows."""

    time: int
    width: int


class Cells(NamedTuple):
    """What each cell is, in cell order.

    Attributes:
        time: `[cells]`, the step of its row that it reads; a run-on cell reads the last one.
        place: `[cells]`, its row, as a place in the plan's order.
        run_on: the cells that are computed and never read.
    """

    time: np.ndarray
    place: np.ndarray
    run_on: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """How rows of the given lengths are run.

    Args:
        lengths: `[n]`, int64, not negative.
        cost: of a dense block, for which the cuts are chosen; None cuts wherever a row ends.

    Example:
        >>> plan = Plan(np.array([1, 3, 0, 3]))
        >>> plan.order.tolist(), plan.blocks
        ([1, 3, 0, 2], (Block(time=1, width=3), Block(time=2, width=2)))
        >>> Plan(np.array([1, 3, 0, 3]), Cost(call=9.0, step=0.0, cell=1.0)).blocks
        (Block(time=3, width=3),)
    """

    lengths: Int[np.ndarray, " n"]
    cost: Cost | None = None

    @cached_property
    def order(self) -> np.ndarray:
        """The rows, longest first; equally long ones keep their order: `[n]`."""
        return np.argsort(-self.lengths, kind="stable")

    @property
    def is_sorted(self) -> bool:
        """Whether the rows come longest first as they are."""
        return bool((self.order[:-1] < self.order[1:]).all())

    @cached_property
    def inverse(self) -> np.ndarray:
        """The place of each row in `order`: `[n]`."""
        inverse = np.empty_like(self.order)
        inverse[self.order] = np.arange(len(inverse))
        return inverse

    @cached_property
    def sorted_lengths(self) -> np.ndarray:
        """The lengths, longest first: `[n]`."""
        lengths: np.ndarray = self.lengths[self.order]
        return lengths

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The dense blocks, in time; rows without a step are in none."""
        return cut_blocks(self.sorted_lengths.tolist(), self.cost)

    @property
    def num_cells(self) -> int:
        """Number of cells that are computed, run-on ones included."""
        return sum(block.time * block.width for block in self.blocks)

    @property
    def is_whole(self) -> bool:
        """Whether all rows are equally long and have a step, so that no row ends before the others."""
        lengths = self.sorted_lengths
        return bool(len(lengths)) and bool(lengths[0] == lengths[-1] > 0)

    @cached_property
    def widths(self) -> np.ndarray:
        """The number of rows that are run at each time (`batch_sizes` of a `PackedSequence`, without a cost): `[time]`."""
        widths: np.ndarray = np.repeat([block.width for block in self.blocks], [block.time for block in self.blocks]).astype(np.int64)
        return widths

    @cached_property
    def starts(self) -> np.ndarray:
        """The first cell of each time: `[time]`."""
        starts: np.ndarray = np.cumsum(self.widths) - self.widths
        return starts

    @cached_property
    def cells(self) -> Cells:
        """What each cell is."""
        times = np.repeat(np.arange(len(self.widths)), self.widths)
        places = np.arange(len(times)) - np.repeat(self.starts, self.widths)
        if len(times) == self.lengths.sum():
            return Cells(times, places, times[:0])
        last = self.sorted_lengths[places] - 1
        return Cells(np.minimum(times, last), places, np.flatnonzero(times > last))

    @cached_property
    def last_cells(self) -> np.ndarray:
        """The cell of the last step of each row that has one, longest first."""
        num_rows = self.blocks[0].width
        cells: np.ndarray = self.starts[self.sorted_lengths[:num_rows] - 1] + np.arange(num_rows)
        return cells

    def gather(self, first: Int[np.ndarray, " n"], stride: int) -> np.ndarray:
        """Return where the value that each cell reads is, when step t of row r is at `first[r] + t * stride`: `[cells]`."""
        index: np.ndarray = first[self.order][self.cells.place] + self.cells.time * stride
        return index

    @cached_property
    def reversal(self) -> np.ndarray:
        """The permutation of cells that reverses each row in time; it is its own inverse. Run-on cells stay: `[cells]`."""
        mirrored = self.sorted_lengths[self.cells.place] - 1 - self.cells.time
        there: np.ndarray = self.starts[mirrored] + self.cells.place
        there[self.cells.run_on] = self.cells.run_on
        return there


def cut_blocks(descending: list[int], cost: Cost | None) -> tuple[Block, ...]:
    """Return the blocks of rows of the given lengths, longest first.

    Without a cost there is a cut wherever a row ends. With one, the cuts are those of least cost, by dynamic programming: a block
    from time s to t costs `call + (t - s) * (step + cell * width(s))`, which for each s is a line in t. Lines come in falling
    slope and are asked at growing t, so the lowest is found in one pass (convex hull trick).
    """
    times, widths = _narrowings(descending)
    if cost is None:
        return tuple(Block(time=end - begin, width=width) for begin, end, width in zip(times, times[1:], widths, strict=False))
    slopes = [cost.step + cost.cell * width for width in widths]
    least, came_from = [0.0], [0]
    hull: list[int] = []  # places of lines that are lowest somewhere ahead, in falling slope
    heights: list[float] = []  # their values at time 0
    lowest = 0
    for place in range(1, len(times)):
        new = place - 1
        height = least[new] - times[new] * slopes[new]
        while len(hull) > lowest + 1 and _is_hidden(slopes, hull, heights, new, height):
            hull.pop()
            heights.pop()
        hull.append(new)
        heights.append(height)
        lowest = min(lowest, len(hull) - 1)
        time = times[place]
        while (
            lowest + 1 < len(hull)
            and heights[lowest + 1] + slopes[hull[lowest + 1]] * time <= heights[lowest] + slopes[hull[lowest]] * time
        ):
            lowest += 1
        least.append(cost.call + heights[lowest] + slopes[hull[lowest]] * time)
        came_from.append(hull[lowest])
    return _blocks_back(times, widths, came_from, cost.most_cells)


def _narrowings(descending: list[int]) -> tuple[list[int], list[int]]:
    """Return 0 and the times at which rows end, and the number of rows that go on from each."""
    times, widths = [0], []
    for width in range(len(descending), 0, -1):
        end = descending[width - 1]
        if end > times[-1]:
            times.append(end)
            widths.append(width)
    return times, widths


def _is_hidden(slopes: list[float], hull: list[int], heights: list[float], new: int, height: float) -> bool:
    """Whether the last line of the hull is nowhere lowest once a new one has come."""
    before, last = slopes[hull[-2]], slopes[hull[-1]]
    return (height - heights[-2]) * (before - last) <= (heights[-1] - heights[-2]) * (before - slopes[new])


def _blocks_back(times: list[int], widths: list[int], came_from: list[int], most_cells: int) -> tuple[Block, ...]:
    """Return the blocks that lead to the last time, those of too many cells cut evenly in time."""
    blocks: list[Block] = []
    place = len(times) - 1
    while place:
        begin = came_from[place]
        time, width = times[place] - times[begin], widths[begin]
        parts = min(time, -(-time * width // most_cells))
        edges = [time * part // parts for part in range(parts + 1)]
        blocks += [Block(time=edges[part] - edges[part - 1], width=width) for part in range(parts, 0, -1)]
        place = begin
    return tuple(reversed(blocks))
