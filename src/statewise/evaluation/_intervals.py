"""How sure is a figure? A 95 % interval over independent units: groups where they exist, else sequences, never steps.

What is independent is counted: rows of one unit rise and fall together, and an interval over rows would be too narrow.

- **Each unit has one row**: every metric of a class is k of m rows (f1 through tp / (tp + fp + fn), of which it is a monotone
  function), so the exact interval of Clopper and Pearson holds.
- **Units have several rows**: each unit is left out in turn, and Student's t holds on the logit scale, as told in `_reach.py`. Where that
  says nothing, as for a sample without errors or with all of them in one unit, the exact interval for as many cases as there are units.
- **Macro averages**: the wider, at each end, of the jackknife of the average and of the classes' own intervals combined as independent
  (their deviations added in squares: Zou and Donner 2008). The first sees classes that err together, the second rare ones.

No random numbers take part: the same counts always give the same interval. How often these hold the true figure, beside those of other
methods, stands in docs/intervals.md. A figure that rests on one unit has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from statewise.evaluation._labels import numbered
from statewise.evaluation._metrics import METRICS, PER_CLASS, Tallies, divide, overall, per_class, ratios, tally
from statewise.evaluation._quantiles import beta_quantile
from statewise.evaluation._reach import Reach, powers, reach
from statewise.evaluation._records import Estimate, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXACT = "exact (Clopper-Pearson)"
EXACT_F1 = "exact (Clopper-Pearson on tp / (tp + fp + fn))"
_CHUNK = 1 << 20

_Ends: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Units:
    """The counts of each independent unit, like units told once.

    Args:
        counts: `[kinds, classes]`.
        repeats: how many units of each kind there are: `[kinds]`.
        unit: what a unit is.
        one_row: each unit has one row.
    """

    counts: Tallies
    repeats: np.ndarray
    unit: Unit
    one_row: bool

    @property
    def num_units(self) -> int:
        """Number of independent units."""
        return int(self.repeats.sum())

    @cached_property
    def total(self) -> Tallies:
        """The counts of all units together: `[classes]`."""
        return Tallies(*(self.repeats @ part for part in self.counts))

    @property
    def name(self) -> str:
        """What a unit is called in a sentence."""
        return "case" if self.unit == "count" else self.unit


class Estimates(NamedTuple):
    """The metrics of a set of predictions, overall and of each class."""

    metrics: dict[str, Estimate]
    per_class: dict[str, list[Estimate]]


def units_of_rows(actual: np.ndarray, predicted: np.ndarray, of_unit: np.ndarray, num_classes: int, unit: Unit) -> Units:
    """Return the counts of each unit.

    Args:
        actual: class numbers, int64 `[rows]`.
        predicted: likewise.
        of_unit: the number of the unit of each row, from 0 without gaps, int64 `[rows]`.
        num_classes: number of classes.
        unit: what a unit is.
    """
    num_units = int(of_unit.max()) + 1
    if num_units == len(of_unit):
        confusion = np.bincount(actual * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)
        return units_of_confusion(confusion, unit)

    def count(classes: np.ndarray, units: np.ndarray) -> np.ndarray:
        return np.bincount(units * num_classes + classes, minlength=num_units * num_classes).reshape(num_units, num_classes)

    hit = actual == predicted
    counts = Tallies(count(actual[hit], of_unit[hit]), count(actual, of_unit), count(predicted, of_unit))
    return Units(counts, np.ones(num_units, dtype=np.int64), unit, one_row=False)


def units_of_confusion(confusion: np.ndarray, unit: Unit) -> Units:
    """Return units of one row each, a kind for each cell `[classes, classes]` of the confusion matrix that is not empty."""
    rows, columns = np.nonzero(confusion)
    kinds = np.zeros((len(rows), *confusion.shape), dtype=np.int64)
    kinds[np.arange(len(rows)), rows, columns] = 1
    return Units(tally(kinds), confusion[rows, columns], unit, one_row=True)


def estimate_all(units: Units, positive: int | None) -> Estimates:
    """Return each metric with its interval.

    Args:
        units: the counts of each unit.
        positive: the class that precision and the metrics after it speak of; None for macro averages.
    """
    spread = _Spread.of(units, positive)
    values = per_class(units.total)
    of_class = {name: [_class_estimate(units, spread, name, each) for each in range(len(values[name]))] for name in PER_CLASS}
    whole = overall(units.total, positive)
    metrics = {"accuracy": _accuracy(units, spread.overall["accuracy"])}
    for name in METRICS[1:]:
        if positive is not None and name != "balanced_accuracy":
            metrics[name] = of_class[name][positive]
        else:
            part = "recall" if name == "balanced_accuracy" else name
            metrics[name] = _average(float(whole[name]), of_class[part], units, spread.overall[name])
    return Estimates(metrics, of_class)


def _accuracy(units: Units, reaches: Reach | None) -> Estimate:
    hits, rows = int(units.total.hits.sum()), int(units.total.total[0])
    return _Ratio(float(overall(units.total, None)["accuracy"]), hits, rows, reaches, units.num_units).estimate(units)


def accuracy_over_units(correct: np.ndarray, units: Sequence[str] | np.ndarray) -> Estimate:
    """Return the share of correct answers with its interval.

    Args:
        correct: whether each row is right, `[rows]`.
        units: the unit of each row, which is a sequence or a group.

    Example:
        >>> print(accuracy_over_units(np.array([True, True, True, False]), ["a", "b", "c", "d"]))
        0.750 (0.194 to 0.994)
    """
    if not len(correct):
        return Estimate(value=math.nan, low=None, high=None, units=0, method="undefined: 0 of 0")
    of_unit, _ = numbered(np.asarray(units, dtype=object))
    right = np.zeros(len(correct), dtype=np.int64)
    predicted = 1 - np.asarray(correct).astype(bool).astype(np.int64)
    counted = units_of_rows(right, predicted, of_unit, 2, "sequence")
    # Where each unit has one row the interval is exact, and no unit need be left out; this is asked after every epoch.
    return _accuracy(counted, None if counted.one_row else _Spread.of(counted, None).overall["accuracy"])


def clopper_pearson(k: float, m: float) -> _Ends:
    """Return the exact 95 % interval of a probability after `k` successes in `m` trials; `k` need not be whole.

    Example:
        >>> [round(end, 4) for end in clopper_pearson(0.0, 10.0)]
        [0.0, 0.3085]
    """
    low = beta_quantile(0.025, k, m - k + 1) if k > 0 else 0.0
    high = beta_quantile(0.975, k + 1, m - k) if k < m else 1.0
    return low, high


@dataclass(frozen=True)
class _Spread:
    """How far the interval of each metric reaches on the logit scale, and how many units each metric of a class rests on."""

    overall: dict[str, Reach | None]
    of_class: dict[str, list[Reach | None]]
    resting: dict[str, np.ndarray]

    @classmethod
    def of(cls, units: Units, positive: int | None) -> _Spread:
        """Leave out each unit in turn."""
        whole = {**_shared(overall(units.total, positive)), **per_class(units.total)}
        sums = {name: np.zeros((4, *value.shape)) for name, value in whole.items()}
        resting = {name: np.zeros(units.counts.hits.shape[1]) for name in PER_CLASS}
        for counts, repeats in chunks(units):
            left = units.total - counts
            for name, values in {**_shared(overall(left, positive)), **per_class(left)}.items():
                sums[name] += powers(logit_changes(values, whole[name]), repeats)
            for name, (_, denominator) in ratios(counts).items():
                resting[name] += repeats @ (denominator > 0)
        n = units.num_units
        shared = {name: reach(sums[f"all {name}"], n, n) for name in METRICS}
        of_class = {name: [reach(of, n, int(rest)) for of, rest in zip(sums[name].T, resting[name], strict=True)] for name in PER_CLASS}
        return cls(shared, of_class, resting)


def logit_changes(left: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return what leaving each unit out changes on the logit scale: 0 where the figure is undefined, infinite where it becomes 0 or 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        changes = np.log(left / (1 - left)) - np.log(whole / (1 - whole))
    found: np.ndarray = np.where(np.isnan(left) | ((whole <= 0) | (whole >= 1)), 0.0, changes)
    return found


def _shared(metrics: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"all {name}": value for name, value in metrics.items()}


def chunks(units: Units) -> Iterator[tuple[Tallies, np.ndarray]]:
    """Yield counts and repeats of some kinds at a time, so that memory stays bounded."""
    size = max(_CHUNK // units.counts.hits.shape[1], 1)
    for start in range(0, len(units.repeats), size):
        part = slice(start, start + size)
        yield Tallies(*(counts[part] for counts in units.counts)), units.repeats[part]


def _class_estimate(units: Units, spread: _Spread, name: str, number: int) -> Estimate:
    """Return one metric of one class."""
    numerator, denominator = (part[number] for part in ratios(units.total)[name])
    value, reaches = float(divide(numerator, denominator)), spread.of_class[name][number]
    ratio = _Ratio(value, int(numerator), int(denominator), reaches, int(spread.resting[name][number]))
    if name != "f1" or not units.one_row:
        return ratio.estimate(units)
    # 2k / (2k + errors) is 2j / (1 + j) of j = k / (k + errors), which is a plain share of rows.
    hits = ratio.k // 2
    plain = _Ratio(value, hits, ratio.m - hits, reaches, ratio.resting).estimate(units)
    if plain.low is None or plain.high is None:
        return plain
    low, high = (2 * end / (1 + end) for end in clopper_pearson(float(hits), float(ratio.m - hits)))
    return Estimate(value=value, low=min(low, value), high=max(high, value), units=ratio.resting, method=EXACT_F1)


class _Ratio(NamedTuple):
    """A metric that is k of m rows, how far its interval reaches, and the number of units that it rests on."""

    value: float
    k: int
    m: int
    reaches: Reach | None
    resting: int

    def estimate(self, units: Units) -> Estimate:
        """Return it with its interval: exact where each unit has one row, else by the jackknife."""
        if self.m == 0:
            return Estimate(value=math.nan, low=None, high=None, units=0, method="undefined: 0 of 0")
        if self.resting < 2:
            return Estimate(value=self.value, low=None, high=None, units=self.resting, method=_one_unit(units))
        if units.one_row:
            ends, method = clopper_pearson(float(self.k), float(self.m)), EXACT
        else:
            ends, method = _jackknife(self.value, self.reaches, self.resting, units)
        # Where the value is exactly an end, rounding must not push it outside.
        return Estimate(value=self.value, low=min(ends[0], self.value), high=max(ends[1], self.value), units=self.resting, method=method)


def _one_unit(units: Units) -> str:
    return f"no interval: it rests on one {units.name}"


def _jackknife(value: float, reaches: Reach | None, resting: int, units: Units) -> tuple[_Ends, str]:
    """Return the value less and plus what its interval reaches on the logit scale, which keeps within 0 and 1."""
    if reaches is None or not 0 < value < 1:
        return clopper_pearson(value * resting, float(resting)), f"exact for as many cases as there are {units.name}s"
    centre = math.log(value / (1 - value))
    low, high = ((1 + math.tanh(z / 2)) / 2 for z in (centre - reaches.below, centre + reaches.above))
    return (low, high), f"jackknife over {units.name}s, Student t on the logit scale"


def _average(value: float, of_class: list[Estimate], units: Units, reaches: Reach | None) -> Estimate:
    """Return a macro average with the wider, at each end, of two intervals."""
    resting = units.num_units
    if resting < 2:
        return Estimate(value=value, low=None, high=None, units=resting, method=_one_unit(units))
    occurring = [each for each, count in zip(of_class, units.total.actual, strict=True) if count]
    (low, high), _ = _jackknife(value, reaches, resting, units)
    below, above = (combined(occurring, side) for side in ("low", "high"))
    return Estimate(
        value=value,
        low=max(min(low, value - below), 0.0),
        high=min(max(high, value + above), 1.0),
        units=resting,
        method=f"the wider of jackknife over {units.name}s and classes' intervals combined",
    )


def combined(of_class: list[Estimate], side: str) -> float:
    """Return how far the mean of independent figures may lie to one side: the root of the sum of squared deviations, over their number."""
    end = {"low": 0.0, "high": 1.0}[side]
    values = [0.0 if math.isnan(each.value) else each.value for each in of_class]
    ends = [end if (told := getattr(each, side)) is None else told for each in of_class]
    return math.dist(values, ends) / len(values)
