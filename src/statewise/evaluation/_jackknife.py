"""How sure is a figure that is made of sums over units, such as an error or the ratio of two?

Each unit is left out in turn, on a scale on which the figure is about symmetric: the logarithm of an error, of 1 - skill, the logit of
a share. How far the interval reaches there is told in `_reach.py`, and how often it holds the truth in docs/intervals.md. Errors whose
squares have an infinite variance are covered less often than it says, for which no method is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from statewise.evaluation._metrics import divide
from statewise.evaluation._reach import powers, reach
from statewise.evaluation._records import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Sums: TypeAlias = "Mapping[str, np.ndarray]"
_Scale: TypeAlias = Literal["log", "log of 1 - x", "log of log", "logit"]

_FORWARD: dict[_Scale, Callable[[np.ndarray], np.ndarray]] = {
    "log": np.log,
    "log of 1 - x": lambda x: np.log(1 - x),
    "log of log": lambda x: np.log(np.log(x)),
    "logit": lambda x: np.log(x / (1 - x)),
}
_BACK: dict[_Scale, Callable[[float], float]] = {
    "log": math.exp,
    "log of 1 - x": lambda z: 1 - math.exp(z),
    "log of log": lambda z: math.exp(math.exp(z)),
    "logit": lambda z: (1 + math.tanh(z / 2)) / 2,
}


class Metric(NamedTuple):
    """A figure that is a function of sums over units.

    Attributes:
        name: its name in `Evaluation.metrics`.
        of: the figure, from sums of any shape; NaN where it is undefined.
        scale: on which its interval is made.
        is_share: how it is written.
        rests_on: the sum that is above 0 in each unit that it rests on.
    """

    name: str
    of: Callable[[Sums], np.ndarray]
    scale: _Scale = "log"
    is_share: bool = False
    rests_on: str = "rows"


@dataclass(frozen=True)
class UnitSums:
    """Sums of each unit, by name: `[units]`; `words` is what the units are called."""

    parts: Sums
    words: str

    @property
    def total(self) -> Sums:
        """The sums of all units together."""
        return {name: np.asarray(part.sum()) for name, part in self.parts.items()}


def sums_over(of_unit: np.ndarray, columns: Mapping[str, np.ndarray], words: str) -> UnitSums:
    """Return the sums of some columns `[rows]` over the rows of each unit."""
    num_units = int(of_unit.max()) + 1
    return UnitSums({name: np.bincount(of_unit, weights=column, minlength=num_units) for name, column in columns.items()}, words)


def ratio(numerator: str, denominator: str) -> Callable[[Sums], np.ndarray]:
    """Return the function that divides one sum by another."""
    return lambda sums: divide(sums[numerator], sums[denominator])


def estimate(metric: Metric, sums: UnitSums) -> Estimate:
    """Return a figure with its interval.

    Example:
        >>> sums = sums_over(np.arange(4), {"rows": np.ones(4), "squared": np.array([1.0, 2.0, 1.5, 0.5])}, "sequences")
        >>> print(estimate(Metric("mse", ratio("squared", "rows")), sums))
        1.250 (0.5432 to 2.959)
    """
    total = sums.total
    with np.errstate(over="ignore"):
        value = float(metric.of(total))
    value = value if math.isfinite(value) else math.nan
    resting = sums.parts[metric.rests_on] > 0
    num_units = int(resting.sum())

    def found(low: float | None, high: float | None, method: str) -> Estimate:
        return Estimate(value=value, low=low, high=high, units=num_units, method=method, is_share=metric.is_share)

    if math.isnan(value):
        return found(None, None, "undefined: 0 of 0, or beyond all numbers")
    if num_units < 2:
        return found(None, None, f"no interval: it rests on one of the {sums.words}")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        centre = float(_FORWARD[metric.scale](np.asarray(value)))
        left = _FORWARD[metric.scale](metric.of({name: total[name] - part[resting] for name, part in sums.parts.items()}))
    if not (math.isfinite(centre) and np.isfinite(left).all()):
        return found(None, None, f"no interval: without error, or all of it in one of the {sums.words}")
    reaches = reach(powers(left - centre), num_units, num_units)
    if reaches is None:
        return found(value, value, f"the same in each of the {sums.words}")
    try:
        ends = [_BACK[metric.scale](z) for z in (centre - reaches.below, centre + reaches.above)]
    except OverflowError:
        return found(None, None, f"no interval: too few {sums.words}, which differ too much")
    scale = "logit" if metric.scale == "logit" else "log"
    return found(min(*ends, value), max(*ends, value), f"jackknife over {sums.words}, Student t on the {scale} scale")
