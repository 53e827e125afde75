"""How sure is a figure? A 95 % interval over independent units: groups where they exist, else sequences, never steps.

What is independent is counted: rows of one unit rise and fall together, and an interval over rows would be too narrow.

- **Each unit has one row**: every metric of a class is k of m rows (f1 through tp / (tp + fp + fn), of which it is a monotone
  function), so the exact interval of Clopper and Pearson holds.
- **Units have several rows**: each unit is left out in turn, and Student's t holds on the logit scale, as told in `_reach.py`; but no end
  lies farther out than that of the exact interval for *equal units*, (sum m)^2 / sum m^2 of the rows m of each unit, as many units of
  one size as say as much: rows of a unit can do no more than all be alike. That interval also stands where leaving out units says
  nothing, as for a sample without errors or with all of them in one unit.
- **Macro averages**: the jackknife of the average, which sees classes that err together; at each end no nearer than the classes' own
  intervals combined as independent, which sees rare classes (their deviations added in squares: Zou and Donner 2008), and no farther than
  these combined as if all classes lay at their ends at once.

No random numbers take part: the same counts always give the same interval. How often these hold the true figure, beside those of other
methods, stands in docs/intervals.md. A figure that rests on one unit has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from statewise.evaluation._estimate import Estimate
from statewise.evaluation._labels import numbered
from statewise.evaluation._metrics import METRICS, PER_CLASS, Tallies, divide, overall, per_class, ratios, tally
from statewise.evaluation._quantiles import beta_quantile
from statewise.evaluation._reach import Reach, powers, reach
from statewise.evaluation._records import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXACT = "exact (Clopper-Pearson)"
EXACT_F1 = "exact (Clopper-Pearson on tp / (tp + fp + fn))"
_CHUNK = 1 << 20

_Ends: TypeAlias = tuple[float, float]
_Side: TypeAlias = Literal["low", "high"]

_SIDES: tuple[_Side, ...] = ("low", "high")


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


def units_of_rows(actual: np.ndarray, predicted: np.ndarray, *, of_unit: np.ndarray, num_classes: int, unit: Unit) -> Units:
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


def share_of_right(right: np.ndarray, of_unit: np.ndarray, *, unit: Unit) -> Estimate:
    """Return the share of rows that are right, or have any other property, with its interval.

    Args:
        right: bool `[rows]`, one at least.
        of_unit: the number of the unit of each row, from 0 without gaps, int64 `[rows]`.
        unit: what a unit is.
    """
    return estimate_all(_units_of_right(right, of_unit, unit), None).metrics["accuracy"]


def _units_of_right(right: np.ndarray, of_unit: np.ndarray, unit: Unit) -> Units:
    """Return counts whose accuracy is the share of what is right: as if all were of class 0, and what is wrong were called class 1."""
    wrong = (~right).astype(np.int64)
    return units_of_rows(np.zeros_like(wrong), wrong, of_unit=of_unit, num_classes=2, unit=unit)


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
    metrics = {"accuracy": _accuracy(units, spread)}
    for name in METRICS[1:]:
        if positive is not None and name != "balanced_accuracy":
            metrics[name] = of_class[name][positive]
        else:
            part = "recall" if name == "balanced_accuracy" else name
            metrics[name] = _average(float(whole[name]), of_class[part], units, spread.overall[name])
    return Estimates(metrics, of_class)


def _accuracy(units: Units, spread: _Spread | None) -> Estimate:
    hits, rows = int(units.total.hits.sum()), int(units.total.total[0])
    value, num_units = float(overall(units.total, None)["accuracy"]), units.num_units
    ratio = _Ratio(value, hits, rows, None, num_units, float(num_units))
    if spread is not None:
        ratio = ratio._replace(reaches=spread.overall["accuracy"], equal=spread.equal_units)
    return ratio.estimate(units)


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
    counted = _units_of_right(np.asarray(correct, dtype=bool), of_unit, "sequence")
    # Where each unit has one row the interval is exact, and no unit need be left out; this is asked after every epoch.
    return _accuracy(counted, None if counted.one_row else _Spread.of(counted, None))


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
    """How far the interval of each metric reaches on the logit scale, and on how many units it rests.

    Attributes:
        overall: the reach of each metric.
        of_class: that of each class.
        resting: how many units each metric of a class rests on.
        equal: how many equal units these amount to; `equal_units` is the same of all rows.
    """

    overall: dict[str, Reach | None]
    of_class: dict[str, list[Reach | None]]
    resting: dict[str, np.ndarray]
    equal: dict[str, np.ndarray]
    equal_units: float

    @classmethod
    def of(cls, units: Units, positive: int | None) -> _Spread:
        """Leave out each unit in turn."""
        whole = {**_shared(overall(units.total, positive)), **per_class(units.total)}
        sums = {name: np.zeros((4, *value.shape)) for name, value in whole.items()}
        resting, squares = ({name: np.zeros(units.counts.hits.shape[1]) for name in PER_CLASS} for _ in range(2))
        squared_rows = 0.0
        for counts, repeats in chunks(units):
            left = units.total - counts
            for name, values in {**_shared(overall(left, positive)), **per_class(left)}.items():
                sums[name] += powers(logit_changes(values, whole[name]), repeats)
            for name, (_, denominator) in ratios(counts).items():
                resting[name] += repeats @ (denominator > 0)
                squares[name] += repeats @ np.square(denominator, dtype=np.float64)
            squared_rows += float(repeats @ np.square(counts.total[:, 0], dtype=np.float64))
        n = units.num_units
        return cls(
            overall={name: reach(sums[f"all {name}"], n, n) for name in METRICS},
            of_class={name: [reach(of, n, int(on)) for of, on in zip(sums[name].T, resting[name], strict=True)] for name in PER_CLASS},
            resting=resting,
            equal={name: divide(np.square(rows, dtype=np.float64), squares[name]) for name, (_, rows) in ratios(units.total).items()},
            equal_units=float(units.total.total[0]) ** 2 / squared_rows,
        )


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
    equal = float(spread.equal[name][number])
    ratio = _Ratio(value, int(numerator), int(denominator), reaches, int(spread.resting[name][number]), equal)
    if name != "f1" or not units.one_row:
        return ratio.estimate(units)
    # 2k / (2k + errors) is 2j / (1 + j) of j = k / (k + errors), which is a plain share of rows.
    hits = ratio.k // 2
    plain = _Ratio(value, hits, ratio.m - hits, reaches, ratio.resting, equal).estimate(units)
    if plain.low is None or plain.high is None:
        return plain
    low, high = (2 * end / (1 + end) for end in clopper_pearson(float(hits), float(ratio.m - hits)))
    return Estimate(value=value, low=min(low, value), high=max(high, value), units=ratio.resting, method=EXACT_F1)


class _Ratio(NamedTuple):
    """A metric that is k of m rows, how far its interval reaches, the number of units that it rests on, and of equal ones."""

    value: float
    k: int
    m: int
    reaches: Reach | None
    resting: int
    equal: float

    def estimate(self, units: Units) -> Estimate:
        """Return it with its interval: exact where each unit has one row, else by the jackknife."""
        if self.m == 0:
            return Estimate(value=math.nan, low=None, high=None, units=0, method="undefined: 0 of 0")
        if self.resting < 2:
            return Estimate(value=self.value, low=None, high=None, units=self.resting, method=_one_unit(units))
        if units.one_row:
            ends, method = clopper_pearson(float(self.k), float(self.m)), EXACT
        else:
            ends, method = _jackknife(self.value, self.reaches, self.equal, units)
        # Where the value is exactly an end, rounding must not push it outside.
        return Estimate(value=self.value, low=min(ends[0], self.value), high=max(ends[1], self.value), units=self.resting, method=method)


def _one_unit(units: Units) -> str:
    return f"no interval: it rests on one {units.name}"


def _jackknife(value: float, reaches: Reach | None, equal: float, units: Units) -> tuple[_Ends, str]:
    """Return the value less and plus what its interval reaches on the logit scale, no farther out than for so many equal units."""
    least, most = clopper_pearson(value * equal, equal)
    if reaches is None or not 0 < value < 1:
        return (least, most), f"exact for as many cases as equal {units.name}s"
    centre = math.log(value / (1 - value))
    low, high = ((1 + math.tanh(z / 2)) / 2 for z in (centre - reaches.below, centre + reaches.above))
    return (max(low, least), min(high, most)), f"jackknife over {units.name}s, Student t on the logit scale"


def _average(value: float, of_class: list[Estimate], units: Units, reaches: Reach | None) -> Estimate:
    """Return a macro average with its interval."""
    resting = units.num_units
    if resting < 2:
        return Estimate(value=value, low=None, high=None, units=resting, method=_one_unit(units))
    occurring = [each for each, count in zip(of_class, units.total.actual, strict=True) if count]
    ends, _ = _jackknife(value, reaches, float(resting), units)
    low, high = between(value, ends, occurring)
    method = f"jackknife over {units.name}s, within the classes' intervals combined"
    return Estimate(value=value, low=low, high=high, units=resting, method=method)


def between(value: float, ends: _Ends | None, of_class: list[Estimate]) -> _Ends:
    """Return the ends for a mean of figures: those of the mean itself, within what the intervals of the figures allow.

    Args:
        value: the mean.
        ends: what leaving out units says; None where it says nothing, and the figures may all lie at their ends at once.
        of_class: the figures.
    """
    found = []
    for place, side in enumerate(_SIDES):
        least, most = combined(of_class, side, 2), combined(of_class, side, 1)
        away = most if ends is None else min(max(abs(ends[place] - value), least), most)
        found.append(min(max(value + (away if place else -away), 0.0), 1.0))
    return found[0], found[1]


def combined(of_class: list[Estimate], side: _Side, power: Literal[1, 2]) -> float:
    """Return how far the mean of some figures may lie to one side, from how far each may.

    Args:
        of_class: the figures.
        side: which end of their intervals.
        power: 2 where they err independently of each other (the root of the sum of squares, over their number), 1 where all may lie
            at their ends at once (the mean).
    """
    end = {"low": 0.0, "high": 1.0}[side]
    values = [0.0 if math.isnan(each.value) else each.value for each in of_class]
    ends = [end if (told := getattr(each, side)) is None else told for each in of_class]
    together = math.dist(values, ends) if power == 2 else sum(abs(a - b) for a, b in zip(values, ends, strict=True))
    return together / len(values)
