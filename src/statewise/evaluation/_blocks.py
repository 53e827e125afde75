"""Which rows are independent of each other? Groups where they exist, else sequences; where those are few, blocks of steps.

One long stream, or a handful, leaves no units to compare. Then its steps are cut into blocks of consecutive steps of about one
length, and the blocks are the units. A block is long enough that what happens in one says little of the next: the longest of
10 horizons and the lag at which the error's autocorrelation falls under 0.1. In simulations of streams of 2,000 to 20,000 steps
whose errors follow an autoregression with coefficient 0 to 0.95, 89 to 95 % of the intervals of a mean squared error held the true
one, and 91 to 96 % of those of a skill.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from statewise.evaluation._labels import step_numbers
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from statewise.evaluation._predictions import Predictions
    from statewise.evaluation._records import Unit

MIN_UNITS = 8
"""Fewer groups or sequences of ordered steps than this are cut into blocks."""

_HORIZONS = 10
_INDEPENDENT_BELOW = 0.1


class RowUnits(NamedTuple):
    """The unit of each row.

    Attributes:
        of_unit: its number, from 0 without gaps: int64 `[rows]`.
        unit: what a unit is.
        words: what the units are called in a sentence.
        notes: what should be known about them.
    """

    of_unit: np.ndarray
    unit: Unit
    words: str
    notes: tuple[str, ...] = ()

    @property
    def num_units(self) -> int:
        """Number of independent units."""
        return int(self.of_unit.max()) + 1


def units_of(predictions: Predictions, error: np.ndarray) -> RowUnits:
    """Return the unit of each row.

    Args:
        predictions: those rows that are scored, at least one.
        error: how wrong each row is, with its sign where it has one: `[rows]`.

    Example:
        >>> from statewise.evaluation import Predictions
        >>> rows = Predictions(task="regress", key=np.array(["a"] * 100), step=np.arange(100), predicted=np.zeros(100))
        >>> found = units_of(rows, np.random.default_rng(0).normal(size=100))
        >>> found.num_units, found.words
        (10, 'blocks of 10 steps')
    """
    of_stream = predictions.unit_numbers()
    whole = RowUnits(of_stream, predictions.unit, f"{predictions.unit}s")
    if whole.num_units >= MIN_UNITS or not (predictions.step is not None or TASKS[predictions.task].ahead):
        return whole
    place, num_steps = _places(predictions, of_stream)
    horizon = 1 if predictions.ahead is None else int(predictions.ahead.max())
    length = max(_HORIZONS * horizon, _lag(error, of_stream, place, num_steps))
    blocks = np.maximum(num_steps // length, 1)
    if blocks.sum() <= whole.num_units:
        return whole
    first = np.concatenate([[0], np.cumsum(blocks)[:-1]])
    of_unit = first[of_stream] + place * blocks[of_stream] // num_steps[of_stream]
    streams = "one" if whole.num_units == 1 else f"{whole.num_units}"
    note = (
        f"{streams} {predictions.unit if whole.num_units == 1 else whole.words} of ordered steps: the independent units are "
        f"{int(blocks.sum()):,} blocks of {length:,} or more consecutive steps, so that the intervals speak of other times of "
        f"the same {predictions.unit if whole.num_units == 1 else whole.words}, not of others"
    )
    return RowUnits(of_unit, "block", f"blocks of {length:,} steps", (note,))


def _places(predictions: Predictions, of_stream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many steps of its stream come before each row's, and the number of steps of each stream.

    The sequences of a group follow each other as they do in the rows. Rows of one step, of several horizons, have one place.
    """
    of_key = predictions.key_numbers
    rank = np.arange(len(predictions)) if predictions.step is None else step_numbers(predictions.step)
    order = np.lexsort((rank, of_key, of_stream))
    sorted_rows = np.stack([of_stream[order], of_key[order], rank[order]])
    begins = np.concatenate([[True], (sorted_rows[:, 1:] != sorted_rows[:, :-1]).any(axis=0)])
    counted = np.cumsum(begins) - 1
    num_steps = np.bincount(sorted_rows[0][begins])
    place = np.empty(len(order), dtype=np.int64)
    place[order] = counted - np.concatenate([[0], np.cumsum(num_steps)[:-1]])[sorted_rows[0]]
    return place, num_steps


def _lag(error: np.ndarray, of_stream: np.ndarray, place: np.ndarray, num_steps: np.ndarray) -> int:
    """Return the first lag at which the autocorrelation of the error, its mean over horizons, is under 0.1."""
    starts = np.concatenate([[0], np.cumsum(num_steps)])
    at = starts[of_stream] + place
    mean = np.bincount(at, weights=error - error.mean()) / np.bincount(at)
    size = 1 << int(2 * num_steps.max() - 1).bit_length()
    power = np.zeros(size // 2 + 1)
    for start, stop in pairwise(starts.tolist()):
        power += np.abs(np.fft.rfft(mean[start:stop], size)) ** 2
    covariance = np.fft.irfft(power, size)[: int(num_steps.max())]
    if covariance[0] <= 0:
        return 1
    under = np.flatnonzero(covariance < _INDEPENDENT_BELOW * covariance[0])
    return int(under[0]) if len(under) else int(num_steps.max())
