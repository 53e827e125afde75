"""Which sequence lies on which lane, and where? Streams are laid end to end on lanes that are about equally long.

What a window is, is `_windows`'.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from statewise.sequences._ragged import Ragged
from statewise.sequences._sequences import Sequences

_EVEN = 1.1
"""Lanes of which the longest has no more than so many times an equal share of all steps are even enough."""
_FINEST = 4
"""No piece is cut into fewer steps than an equal share by this, to make lanes even: each cut forgets what came before it."""


class _Piece(NamedTuple):
    """Steps of one sequence: how many, from where in the flat values, and of which."""

    length: int
    first: int
    row: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Runs:
    """What lies on the lanes in a span of time: unbroken runs of steps of one sequence, lane by lane, in order.

    Attributes:
        first: `[runs]`, the place of each one's first step in the flat values.
        lengths: `[runs]`, one or more.
        lane: `[runs]`, the lane that each lies on.
        row: `[runs]`, the sequence that each is of.
        is_new: `[runs]`, whether it begins from the initial state; else it goes on from what its lane carries.
        time: `[runs]`, when each begins on its lane.
    """

    first: Int[Tensor, " runs"]
    lengths: Int[Tensor, " runs"]
    lane: Int[Tensor, " runs"]
    row: Int[Tensor, " runs"]
    is_new: Bool[Tensor, " runs"]
    time: Int[Tensor, " runs"]

    @property
    def last(self) -> Int[Tensor, " lanes"]:
        """The run that each lane which has one ends with."""
        return torch.cat([(self.lane.diff() != 0).nonzero().flatten(), torch.tensor([len(self.lane) - 1])])

    @cached_property
    def positions(self) -> Int[Tensor, " steps"]:
        """The position of each step in its run."""
        offsets = self.lengths.cumsum(0) - self.lengths
        return torch.arange(int(self.lengths.sum())) - offsets.repeat_interleave(self.lengths)

    @cached_property
    def places(self) -> Int[Tensor, " steps"]:
        """The place of each step in the flat values."""
        return self.first.repeat_interleave(self.lengths) + self.positions

    @property
    def times(self) -> Int[Tensor, " steps"]:
        """When each step comes on its lane."""
        return self.time.repeat_interleave(self.lengths) + self.positions

    def select(self, chosen: Int[Tensor, " some"]) -> Runs:
        """Return some of the runs, in the order asked."""
        return Runs(**{name: getattr(self, name)[chosen] for name in ("first", "lengths", "lane", "row", "is_new", "time")})


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense:
    """What lies on the lanes in a span of time, step by step.

    Attributes:
        places: `[time, lanes]`, the place of each step in the flat values. A lane that has ended repeats its last step.
        row: `[time, lanes]`, the sequence that each step is of.
        valid: `[time, lanes]`, false where a lane has ended.
        is_first: `[time, lanes]`, whether a step begins from the initial state; what is repeated begins once in each span.
    """

    places: Int[Tensor, "time lanes"]
    row: Int[Tensor, "time lanes"]
    valid: Bool[Tensor, "time lanes"]
    is_first: Bool[Tensor, "time lanes"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Lanes:
    """Streams, or pieces of them, laid end to end on lanes.

    Attributes:
        first: `[pieces]`, where each piece begins in the flat values; pieces stand lane by lane, in order.
        row: `[pieces]`, the sequence that each is of.
        begins: `[pieces + 1]`, where each begins when all lanes are laid one after another, and the end of the last.
        offsets: `[lanes + 1]`, where each lane begins there, and the end of the last.
    """

    first: Int[Tensor, " pieces"]
    row: Int[Tensor, " pieces"]
    begins: Int[Tensor, " pieces_plus_one"]
    offsets: Int[Tensor, " lanes_plus_one"]

    def __len__(self) -> int:
        """Return the number of lanes."""
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> Int[Tensor, " lanes"]:
        """Number of steps on each lane."""
        return self.offsets.diff()

    @cached_property
    def time(self) -> int:
        """Number of steps of the longest lane."""
        return int(self.lengths.max())

    def dense(self, start: int, end: int) -> Dense:
        """Return what lies between two times, none of them beyond the longest lane's end."""
        time = torch.arange(start, end)[:, None]
        valid = time < self.lengths
        there = self.offsets[:-1] + torch.minimum(time, self.lengths - 1)
        piece = torch.searchsorted(self.begins, there, right=True) - 1
        within = there - self.begins[piece]
        repeated = ~valid & (time == self.lengths.clamp(min=start))
        return Dense(places=self.first[piece] + within, row=self.row[piece], valid=valid, is_first=((within == 0) & valid) | repeated)

    def runs(self, start: int, end: int) -> Runs:
        """Return what lies between two times; a lane that has ended before has no part in it.

        Example:
            >>> lanes = laid(torch.tensor([5, 3]), lanes=1, seed=None)
            >>> found = lanes.runs(3, 7)
            >>> found.first.tolist(), found.lengths.tolist(), found.is_new.tolist()
            ([3, 5], [2, 2], [False, True])
        """
        begin = torch.minimum(self.offsets[:-1] + start, self.offsets[1:])
        stop = torch.minimum(self.offsets[:-1] + end, self.offsets[1:])
        present = (begin < stop).nonzero().flatten()
        begin, stop = begin[present], stop[present]
        low = torch.searchsorted(self.begins, begin, right=True) - 1
        counts = torch.searchsorted(self.begins, stop, right=False) - low
        lane = torch.arange(len(present)).repeat_interleave(counts)
        piece = low[lane] + torch.arange(len(lane)) - (counts.cumsum(0) - counts)[lane]
        opened = torch.maximum(self.begins[piece], begin[lane])
        closed = torch.minimum(self.begins[piece + 1], stop[lane])
        within = opened - self.begins[piece]
        return Runs(
            first=self.first[piece] + within,
            lengths=closed - opened,
            lane=present[lane],
            row=self.row[piece],
            is_new=within == 0,
            time=opened - self.offsets[present[lane]],
        )


def laid(lengths: Int[Tensor, " n"], *, lanes: int, seed: int | None = 0, epoch: int = 0, cut: bool = False, shortest: int = 1) -> Lanes:
    """Return the sequences laid on lanes: the longest first, each on the lane that is the shortest so far; then each lane is shuffled.

    Args:
        lengths: of the sequences; one without a step lies nowhere.
        lanes: as many at most; never more than there are pieces.
        seed: draws, together with `epoch`, which of equally long ones comes first, and the order on each lane; None: the order of the data.
        epoch: another number gives another order.
        cut: cut a sequence that is longer than an equal share of all steps into pieces of about that share; where lanes would be uneven
            all the same, into pieces of a half, a third or a quarter of it. Where none is longer, none is cut.
        shortest: steps of such a piece at least.
    """
    share = max(shortest, -(-int(lengths.sum()) // lanes))
    best: tuple[int, list[_Piece], list[list[int]], dict[int, int]] | None = None
    cut = cut and bool((lengths > share).any())
    for parts in range(1, _FINEST + 1 if cut else 2):
        pieces = _pieces(lengths, most=max(shortest, -(-share // parts)) if cut else None, shortest=shortest)
        order = list(range(len(pieces)))
        if seed is not None:
            order = torch.randperm(len(pieces), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch)).tolist()
        dealt = _dealt([piece.length for piece in pieces], order, min(lanes, len(pieces)))
        longest = max((sum(pieces[piece].length for piece in lane) for lane in dealt), default=0)
        if best is None or longest < best[0]:
            best = (longest, pieces, dealt, {piece: number for number, piece in enumerate(order)})
        if longest <= _EVEN * share:
            break
    assert best is not None, "the first way is always taken"
    _, pieces, chosen, place = best
    queue = [sorted(lane, key=place.__getitem__) for lane in chosen]
    flat = torch.tensor([pieces[piece] for lane in queue for piece in lane], dtype=torch.int64).view(-1, 3)
    begins = torch.nn.functional.pad(flat[:, 0].cumsum(0), (1, 0))
    counts = torch.tensor([len(lane) for lane in queue], dtype=torch.int64)
    return Lanes(first=flat[:, 1], row=flat[:, 2], begins=begins, offsets=begins[torch.nn.functional.pad(counts.cumsum(0), (1, 0))])


def side_by_side(lengths: Int[Tensor, " n"], rows: Int[Tensor, " lanes"], *, most: int | None = None) -> Lanes:
    """Return some sequences, none of them empty, each on a lane of its own, in the order asked.

    Args:
        lengths: of all sequences.
        rows: those that are laid down.
        most: steps of each at most, from its beginning.
    """
    chosen = lengths[rows] if most is None else lengths[rows].clamp(max=most)
    begins = torch.nn.functional.pad(chosen.cumsum(0), (1, 0))
    return Lanes(first=(lengths.cumsum(0) - lengths)[rows], row=rows, begins=begins, offsets=begins)


def pieces_of(data: Sequences, runs: Runs, *, beyond: int = 0) -> Sequences:
    """Return the runs as sequences of their own, without targets, weights and times.

    Args:
        data: what the runs are of.
        runs: at least one.
        beyond: so many steps that follow each run, as far as its sequence reaches, come after it.
    """
    lengths = runs.lengths
    if beyond:
        lengths = torch.minimum(lengths + beyond, data.lengths.cumsum(0)[runs.row] - runs.first)
    places = replace(runs, lengths=lengths).places
    inputs: Any = {name: Ragged(part.values[places.to(part.values.device)], lengths) for name, part in data.parts.items()}
    rows = runs.row.tolist()
    return replace(
        data,
        inputs=inputs["x"] if isinstance(data.inputs, Ragged) else inputs,
        keys=None if data.keys is None else [data.keys[row] for row in rows],
        groups=None,
        static=None if data.static is None else data.static[runs.row],
        targets=None,
        weights=None,
        times=None,
    )


def _pieces(lengths: Int[Tensor, " n"], *, most: int | None, shortest: int) -> list[_Piece]:
    """Return the sequences that have a step, each longer than `most` in equal pieces of about that and of at least `shortest` steps."""
    found, first = [], 0
    for row, length in enumerate(lengths.tolist()):
        number = 1 if most is None else max(min(-(-length // most), length // shortest), 1)
        edges = [first + length * edge // number for edge in range(number + 1)]
        found += [_Piece(end - begin, begin, row) for begin, end in pairwise(edges) if end > begin]
        first += length
    return found


def _dealt(lengths: list[int], order: list[int], lanes: int) -> list[list[int]]:
    """Return the pieces of each lane; in order of their length, each goes to the lane that has the fewest steps."""
    shortest = [(0, lane) for lane in range(lanes)]
    dealt: list[list[int]] = [[] for _ in range(lanes)]
    for piece in sorted(order, key=lambda piece: -lengths[piece]):
        steps, lane = heapq.heappop(shortest)
        dealt[lane].append(piece)
        heapq.heappush(shortest, (steps + lengths[piece], lane))
    return dealt
