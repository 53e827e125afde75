"""What do sequences hold, step by step, as numbers that are equal where the steps are? And how many bits does a repeat of them carry?

A match says something only where it could not have come about by chance: a constant signal repeats itself, and so does a short text. The
bits of a step are told from the steps before it, over all parts, so that what usually follows carries few and what stays carries none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from statewise.sequences import Sequences

_A, _B, _C = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
CHANCE_BITS = 20.0
"""Bits beyond those of the number of pairs: by chance alone a match then has odds of one in a million."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """Steps and sequences as marks that are equal where what they hold is.

    Attributes:
        rows: one mark a step.
        offsets: where each sequence begins, and the total at the end.
        marks: one mark a sequence, of its steps in order and its static features.
    """

    rows: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    marks: NDArray[np.uint64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of steps of each sequence."""
        return np.diff(self.offsets)

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """The sequence of each step."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)


def content_of(data: Sequences) -> Content:
    """Return the marks of the steps and sequences of one part.

    Numbers are compared as float32; 0 and -0 are the same, and so are all NaN.

    Example:
        >>> from statewise.sequences import Ragged, Sequences
        >>> held = content_of(Sequences(inputs=Ragged(torch.tensor([[1.0], [2.0], [1.0], [2.0]]), torch.tensor([2, 2]))))
        >>> bool(held.marks[0] == held.marks[1]), bool(held.rows[0] == held.rows[1])
        (True, False)
    """
    rows = np.zeros(data.num_steps, dtype=np.uint64)
    for _, part in sorted(data.parts.items()):
        for column in _columns(part.values):
            rows = mixed(rows * _A + column)
    lengths = data.lengths.cpu().numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = (np.arange(len(rows)) - np.repeat(offsets[:-1], lengths)).astype(np.uint64)
    marks = sums_between(mixed(rows + places * _B), offsets)
    if data.static is not None:
        for column in _columns(data.static):
            marks = mixed(marks * _A + column)
    return Content(rows=rows, offsets=offsets, marks=mixed(marks + lengths.astype(np.uint64)))


def _columns(values: torch.Tensor) -> list[NDArray[np.uint64]]:
    flat = values.detach().cpu().reshape(len(values), -1)
    if not flat.dtype.is_floating_point:
        return [flat[:, place].to(torch.int64).numpy().astype(np.uint64) for place in range(flat.shape[1])]
    numbers = flat.to(torch.float32).numpy() + np.float32(0)  # -0 becomes 0
    numbers = np.where(np.isnan(numbers), np.float32(np.nan), numbers)
    return [np.ascontiguousarray(numbers[:, place]).view(np.uint32).astype(np.uint64) for place in range(flat.shape[1])]


def mixed(marks: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return marks whose bits are mixed (the finaliser of splitmix64), so that sums and differences of them tell nothing."""
    marks = marks + _A
    marks = (marks ^ (marks >> np.uint64(30))) * _B
    marks = (marks ^ (marks >> np.uint64(27))) * _C
    return np.asarray(marks ^ (marks >> np.uint64(31)), dtype=np.uint64)


def sums_between(values: NDArray[np.uint64], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the sum between neighbouring offsets; of nothing it is 0."""
    total = np.concatenate([np.zeros(1, dtype=values.dtype), np.cumsum(values, dtype=values.dtype)])
    return np.asarray(total[offsets[1:]] - total[offsets[:-1]])


def windows_of(held: Content, size: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return a mark for each window of so many steps that lies in one sequence, and the step that it begins at.

    Args:
        held: the steps.
        size: of a window, a power of two.
    """
    marks, reach = held.rows, 1
    while reach < size:
        marks = mixed(marks[:-reach] * _A + marks[reach:]) if len(marks) > reach else marks[:0]
        reach *= 2
    ends = held.offsets[1:][held.owners]
    begins = np.arange(len(marks))
    begins = begins[begins + size <= ends[: len(marks)]]
    return marks[begins], begins


def bits_of(parts: Sequence[Content]) -> list[NDArray[np.float64]]:
    """Return how many bits each step of each part carries, given the one before it.

    A step that is like the one before carries none. What follows a step is counted once for each different step before that, and
    the case itself is left out: so the same window, there a hundred times because windows overlap, counts as one case, and steps
    that have followed each other in other surroundings count as expected.

    Args:
        parts: all parts, over which is counted.
    """
    rows = np.concatenate([part.rows for part in parts])
    if not len(rows):
        return [np.zeros(0) for _ in parts]
    begins = np.zeros(len(rows), dtype=bool)
    base = 0
    for part in parts:
        starts = part.offsets[:-1][part.lengths > 0] + base
        begins[starts] = True
        base += len(part.rows)
    ids = np.unique(rows, return_inverse=True)[1].astype(np.int64)
    moved = begins | np.concatenate([[True], ids[1:] != ids[:-1]])
    bits = np.zeros(len(rows))
    bits[moved] = _bits_of_chain(ids[moved], begins[moved])
    return np.split(bits, np.cumsum([len(part.rows) for part in parts])[:-1])


def _bits_of_chain(chain: NDArray[np.int64], begins: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the bits of each step of sequences in which no step is like the one before."""
    share = np.bincount(chain)[chain] / len(chain)
    most = np.log2(len(chain)) if len(chain) > 1 else 0.0
    if len(chain) < 3:
        return np.asarray(np.minimum(-np.log2(share), most))
    kinds = int(chain.max()) + 1
    pairs = np.concatenate([[-1], chain[:-1] * kinds + chain[1:]])
    inner = ~begins[2:] & ~begins[1:-1]
    triples = mixed(pairs[1:-1].astype(np.uint64) * _A + chain[2:].astype(np.uint64))[inner]
    cases = np.flatnonzero(inner)[np.unique(triples, return_index=True)[1]] + 2
    known, counts = np.unique(pairs[cases], return_counts=True)
    of_pair = _counted(known, counts, pairs)
    of_before = np.bincount(chain[cases - 1], minlength=kinds)[np.concatenate([[0], chain[:-1]])]
    expected = (np.maximum(of_pair - 1, 0) + share) / (np.maximum(of_before - 1, 0) + 1)
    # Never more than without the step before: of few cases, that something has not followed yet says little.
    return np.asarray(np.clip(-np.log2(np.where(begins, share, np.maximum(expected, share))), 0.0, most))


def _counted(known: NDArray[np.int64], counts: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often each was counted; 0 for what never was."""
    if not len(known):
        return np.zeros(len(asked), dtype=np.int64)
    places = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.asarray(np.where(known[places] == asked, counts[places], 0))


def enough_bits(num_pairs: float) -> float:
    """Return how many bits a match must carry to say something, where so many pairs are compared."""
    return float(np.log2(max(num_pairs, 1.0)) + CHANCE_BITS)
