"""Which figures of a confusion matrix are no plain share of rows? Matthews' correlation, averages weighted by class, weighted rows.

mcc                   Matthews' correlation of targets and answers: 0 for guessing, also where one class is rare; 1 is without error
micro average         all classes counted together: of one label a row it is the accuracy
weighted average      of the classes, each by how often it occurs; an undefined precision among them counts as 0

Each is a function of counts, so that an interval is made by leaving out each unit in turn; the counts may be weights of rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from statewise.evaluation._estimate import Estimate
from statewise.evaluation._intervals import clopper_pearson
from statewise.evaluation._jackknife import UNDEFINED, Scale, estimate_left
from statewise.evaluation._metrics import Tallies, divide, overall, per_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.evaluation._intervals import Units

AVERAGED = ("precision", "recall", "f1")
_CHUNK = 1 << 20


def mcc(counts: Tallies) -> np.ndarray:
    """Return Matthews' correlation; NaN where all targets, or all answers, are of one class.

    Example:
        >>> from statewise.evaluation._metrics import tally
        >>> float(mcc(tally(np.array([[35, 5], [10, 50]]))).round(4))
        0.6975
    """
    hits, actual, predicted = (np.asarray(part, dtype=np.float64) for part in counts)
    total = actual.sum(axis=-1)
    together = total * hits.sum(axis=-1) - (actual * predicted).sum(axis=-1)
    spread = (total**2 - (actual**2).sum(axis=-1)) * (total**2 - (predicted**2).sum(axis=-1))
    return divide(together, np.sqrt(np.maximum(spread, 0.0)))


def weighted(name: str) -> Callable[[Tallies], np.ndarray]:
    """Return the function from counts to the mean of a metric of a class, each class by how often it occurs."""

    def mean(counts: Tallies) -> np.ndarray:
        figures = np.nan_to_num(per_class(counts)[name])
        return divide((figures * counts.actual).sum(axis=-1), counts.actual.sum(axis=-1))

    return mean


def of_all(name: str, positive: int | None) -> Callable[[Tallies], np.ndarray]:
    """Return the function from counts to one metric of `_metrics.METRICS`, or Matthews' correlation."""
    return mcc if name == "mcc" else lambda counts: overall(counts, positive)[name]


def estimate_tallies(units: Units, of: Callable[[Tallies], np.ndarray], *, scale: Scale = "logit") -> Estimate:
    """Return a figure of counts with its interval.

    A share of 0 or 1 gets that of as many cases as there are units; a correlation of 1 has none.

    Args:
        units: the counts of each unit, whole or weighted; like units told once.
        of: the figure, from counts of any shape `[*batch, classes]`.
        scale: on which the interval is made.
    """
    value, words = float(of(units.total)), f"{units.name}s"
    if math.isnan(value):
        return Estimate(value=value, low=None, high=None, units=0, method=UNDEFINED)
    number = units.num_units
    if scale == "logit" and number > 1 and (value <= 1e-12 or value >= 1 - 1e-12):
        low, high = clopper_pearson(round(value) * float(number), float(number))
        return Estimate(value=value, low=low, high=high, units=number, method=f"exact for as many cases as there are {words}")
    size = max(_CHUNK // units.counts.hits.shape[1], 1)
    parts = [Tallies(*(each[start : start + size] for each in units.counts)) for start in range(0, len(units.repeats), size)]
    left = np.concatenate([of(units.total - part) for part in parts])
    return estimate_left(value, np.repeat(left, units.repeats), scale=scale, words=words, is_share=True)


def averages(units: Units, accuracy: Estimate, macro: dict[str, Estimate]) -> dict[str, dict[str, Estimate]]:
    """Return precision, recall and f1 of several classes, averaged in three ways."""
    return {
        "macro": {name: macro[name] for name in AVERAGED},
        "micro": dict.fromkeys(AVERAGED, accuracy),
        "weighted": {name: accuracy if name == "recall" else estimate_tallies(units, weighted(name)) for name in AVERAGED},
    }
