"""How do thousands of updates fit into a chart of some hundred dots without hiding the extremes? In bins."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_BINS = 200


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Some updates in a row: `start` to `stop` count from 0, `update` is the middle counted from 1; figures of the finite ones."""

    start: int
    stop: int
    middle: float | None
    low: float | None
    high: float | None
    num_broken: int

    @property
    def update(self) -> float:
        """The middle of the bin, counted from 1."""
        return (self.start + 1 + self.stop) / 2

    @property
    def label(self) -> str:
        """Which updates these are."""
        return str(self.stop) if self.stop - self.start == 1 else f"{self.start + 1} to {self.stop}"


def bins_of(values: Sequence[float | None], *, most: int = MOST_BINS) -> list[Bin]:
    """Cut values into at most `most` bins of nearly equal size, in order.

    Example:
        >>> [(each.label, each.middle, each.high) for each in bins_of([1.0, 2.0, 9.0, None], most=2)]
        [('1 to 2', 1.5, 2.0), ('3 to 4', 9.0, 9.0)]
    """
    number = min(most, len(values))
    cuts = [len(values) * place // number for place in range(number + 1)] if number else []
    return [_bin(values, start, stop) for start, stop in pairwise(cuts)]


def bins_by_phase(values: Sequence[float | None], border: int, *, most: int = MOST_BINS) -> list[Bin]:
    """Cut the values before and from `border` on into bins, none of which reaches over it.

    Example:
        >>> [each.label for each in bins_by_phase([1.0, 2.0, 3.0, 4.0], 3, most=2)]
        ['1 to 3', '4']
    """
    if not 0 < border < len(values):
        return bins_of(values, most=most)
    share = min(max(1, round(most * border / len(values))), most - 1)
    after = bins_of(values[border:], most=most - share)
    return [*bins_of(values[:border], most=share), *(shifted(each, border) for each in after)]


def shifted(each: Bin, by: int) -> Bin:
    """Return the bin counted from another start."""
    return msgspec.structs.replace(each, start=each.start + by, stop=each.stop + by)


def _bin(values: Sequence[float | None], start: int, stop: int) -> Bin:
    there = [value for value in values[start:stop] if value is not None and math.isfinite(value)]
    return Bin(
        start=start,
        stop=stop,
        middle=median(there) if there else None,
        low=min(there, default=None),
        high=max(there, default=None),
        num_broken=stop - start - len(there),
    )
