"""What would other methods say? The percentile bootstrap over units, Student's t on the plain scale, and rows taken as independent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Figure = Callable[[Mapping[str, np.ndarray]], np.ndarray]

RESAMPLES = 400
_CELLS = 1 << 23
"""Of the matrix of how often each kind is drawn, at a time."""


class Sums(NamedTuple):
    """Columns of sums, one row a unit or a kind of rows; `repeats` is how many each stands for."""

    columns: Mapping[str, np.ndarray]
    repeats: np.ndarray

    @property
    def total(self) -> dict[str, np.ndarray]:
        """The sums over all."""
        return {name: self.repeats @ column for name, column in self.columns.items()}


def told_once(columns: Mapping[str, np.ndarray]) -> Sums:
    """Return units of whole numbers with like ones told once: many short units are of few kinds."""
    codes = np.zeros(len(next(iter(columns.values()))), dtype=np.int64)
    for column in columns.values():
        codes = np.unique(codes * (int(column.max()) + 1) + column, return_inverse=True)[1]
    _, first, repeats = np.unique(codes, return_index=True, return_counts=True)
    return Sums({name: column[first] for name, column in columns.items()}, repeats)


def resampled(units: Sums, figures: Mapping[str, Figure], random: np.random.Generator, resamples: int = RESAMPLES) -> dict[str, np.ndarray]:
    """Return each figure of resamples of the units, with replacement: `[resamples]`.

    How often each kind of unit is drawn is multinomial, so that a resample of many units of few kinds is one row of a small matrix,
    and many resamples together one product of matrices.
    """
    number = int(units.repeats.sum())
    columns = np.stack(list(units.columns.values()), axis=1).astype(np.float64)
    at_once = max(_CELLS // len(units.repeats), 1)
    parts = [
        random.multinomial(number, units.repeats / number, size=min(at_once, resamples - done)) @ columns
        for done in range(0, resamples, at_once)
    ]
    again = dict(zip(units.columns, np.concatenate(parts).T, strict=True))
    return {name: figure(again) for name, figure in figures.items()}


def percentiles(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of the percentile interval; resamples in which the figure is undefined say nothing."""
    known = values[np.isfinite(values)]
    if not len(known):
        return -np.inf, np.inf
    low, high = np.quantile(known, (0.025, 0.975)).tolist()
    return low, high


def standard_error(units: Sums, figure: Figure) -> float:
    """Return the standard error of a figure, each unit (or row) being left out in turn."""
    total = units.total
    changes = figure({name: total[name] - column for name, column in units.columns.items()}) - figure(total)
    changes = np.where(np.isfinite(changes), changes, 0.0)
    number = float(units.repeats.sum())
    squares = float(units.repeats @ changes**2) - float(units.repeats @ changes) ** 2 / number
    return float(np.sqrt(max(squares, 0.0) * (number - 1) / number))
