"""How sure is a figure that is made of sums over units, such as an error or the ratio of two?

Each unit is left out in turn, on a scale on which the figure is about symmetric: the logarithm of an error, of 1 - skill, the logit of
a share. How far the interval reaches there is told in `_reach.py`, and docs/intervals.md says how often it holds the truth. Errors whose
squares have an infinite variance are covered less often than it says, for which no method is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from statewise.evaluation._estimate import Estimate
from statewise.evaluation._metrics import divide
from statewise.evaluation._reach import powers, reach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Sums: TypeAlias = "Mapping[str, np.ndarray]"
Scale: TypeAlias = Literal["log", "log of 1 - x", "log of log", "logit", "arctanh", "linear"]
"""Where a figure is about symmetric: log of errors, log of 1 - x of skills, logit of shares, arctanh of correlations, linear of times."""

UNDEFINED = "undefined: 0 of 0, or beyond all numbers"

_FORWARD: dict[Scale, Callable[[np.ndarray], np.ndarray]] = {
    "log": np.log,
    "log of 1 - x": lambda x: np.log(1 - x),
    "log of log": lambda x: np.log(np.log(x)),
    "logit": lambda x: np.log(x / (1 - x)),
    "arctanh": np.arctanh,
    "linear": np.asarray,
}
_BACK: dict[Scale, Callable[[float], float]] = {
    "log": math.exp,
    "log of 1 - x": lambda z: 1 - math.exp(z),
    "log of log": lambda z: math.exp(math.exp(z)),
    "logit": lambda z: (1 + math.tanh(z / 2)) / 2,
    "arctanh": math.tanh,
    "linear": float,
}
_CALLED: dict[Scale, str] = {"logit": "logit", "arctanh": "arctanh", "linear": "linear"}


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
    scale: Scale = "log"
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

    if math.isnan(value):
        return Estimate(value=value, low=None, high=None, units=num_units, method=UNDEFINED, is_share=metric.is_share)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        left = metric.of({name: total[name] - part[resting] for name, part in sums.parts.items()})
    return estimate_left(value, left, scale=metric.scale, words=sums.words, is_share=metric.is_share)


def estimate_left(value: float, left: np.ndarray, *, scale: Scale, words: str, is_share: bool) -> Estimate:
    """Return a figure with its interval, from what it would be without each unit.

    Args:
        value: the figure, not NaN.
        left: the figure without each of the units that it rests on: `[units]`; NaN where it would be undefined.
        scale: on which the interval is made.
        words: what the units are called.
        is_share: how it is written.
    """
    num_units = len(left)

    def found(low: float | None, high: float | None, method: str) -> Estimate:
        return Estimate(value=value, low=low, high=high, units=num_units, method=method, is_share=is_share)

    if num_units < 2:
        return found(None, None, f"no interval: it rests on one of the {words}")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        centre, without = float(_FORWARD[scale](np.asarray(value))), _FORWARD[scale](left)
    if not (math.isfinite(centre) and np.isfinite(without).all()):
        return found(None, None, f"no interval: without error, or all of it in one of the {words}")
    reaches = reach(powers(without - centre), num_units, num_units)
    if reaches is None:
        return found(value, value, f"the same in each of the {words}")
    try:
        ends = [_BACK[scale](z) for z in (centre - reaches.below, centre + reaches.above)]
    except OverflowError:
        return found(None, None, f"no interval: too few {words}, which differ too much")
    return found(min(*ends, value), max(*ends, value), f"jackknife over {words}, Student t on the {_CALLED.get(scale, 'log')} scale")
