"""Is one model better than another? The difference of a figure on the same units, with an interval over what both answered.

Both models err more on a hard unit than on an easy one. Two intervals, each over the units of one model, count that twice and are too
wide for their difference: here each unit is left out of both models at once, and the interval is that of the difference itself, on its
own scale, as told in `_reach.py`. How often it holds the true difference stands in docs/intervals.md. Where no unit differs, a share
differs by no more than what so many equal units leave open, and an error, which has no largest value, has no interval.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from statewise.errors import DataError
from statewise.evaluation._estimate import Estimate
from statewise.evaluation._intervals import Units, chunks, clopper_pearson
from statewise.evaluation._metrics import Tallies, overall
from statewise.evaluation._reach import powers, reach
from statewise.evaluation._records import Unit

if TYPE_CHECKING:
    from statewise.evaluation._jackknife import Metric, UnitSums

CountMetric: TypeAlias = Literal["accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "negative_predictive_value"]


def paired_units(
    actual: np.ndarray, first: np.ndarray, second: np.ndarray, *, of_unit: np.ndarray, num_classes: int, unit: Unit
) -> tuple[Units, Units]:
    """Return the counts of two models on the same units, kind by kind.

    Args:
        actual: class numbers, int64 `[rows]`.
        first: what the first model predicted, likewise.
        second: what the second did, of the same rows.
        of_unit: the number of the unit of each row, from 0 without gaps, int64 `[rows]`.
        num_classes: number of classes.
        unit: what a unit is.
    """
    num_units = int(of_unit.max()) + 1
    one_row = num_units == len(of_unit)
    if one_row:
        cells, repeats = np.unique((actual * num_classes + first) * num_classes + second, return_counts=True)
        actual, first, second = cells // num_classes**2, cells // num_classes % num_classes, cells % num_classes
        of_unit, num_units = np.arange(len(cells)), len(cells)
    else:
        repeats = np.ones(num_units, dtype=np.int64)

    def count(classes: np.ndarray, units: np.ndarray) -> np.ndarray:
        return np.bincount(units * num_classes + classes, minlength=num_units * num_classes).reshape(num_units, num_classes)

    def of(predicted: np.ndarray) -> Units:
        hit = actual == predicted
        counts = Tallies(count(actual[hit], of_unit[hit]), count(actual, of_unit), count(predicted, of_unit))
        return Units(counts, repeats, unit, one_row)

    return of(first), of(second)


def difference_of_counts(metric: CountMetric, first: Units, second: Units, *, positive: int | None) -> Estimate:
    """Return by how much a figure of the first model is above that of the second, both on the same units.

    Args:
        metric: the figure, as in `Evaluation.metrics`.
        first: the counts of the first model, as `paired_units` gives them.
        second: those of the second.
        positive: the class that precision and the metrics after it speak of; None for macro averages.

    Raises:
        DataError: the two were not counted on the same units.

    Example:
        >>> actual, unit = np.tile([0, 1], 20), np.arange(40) // 4
        >>> worse = np.where(np.arange(40) % 7 == 0, 1 - actual, actual)
        >>> both = paired_units(actual, actual, worse, of_unit=unit, num_classes=2, unit="group")
        >>> print(difference_of_counts("accuracy", *both, positive=1))
        0.150 (0.050 to 0.242)
    """
    _require_same_units(metric, (first.repeats, first.counts.actual), (second.repeats, second.counts.actual))
    ours, theirs = (overall(each.total, positive)[metric] for each in (first, second))
    value = float(ours - theirs)
    sums, resting = np.zeros((4, 1)), 0
    for (counts, repeats), (others, _) in zip(chunks(first), chunks(second), strict=True):
        left = overall(first.total - counts, positive)[metric] - overall(second.total - others, positive)[metric]
        changes = np.where(np.isnan(left), 0.0, left - value)
        sums += powers(changes[:, None], repeats)
        of_one, of_other = (overall(each, positive)[metric] for each in (counts, others))
        resting += int(repeats @ ~(np.isnan(of_one) & np.isnan(of_other)))
    return _estimate(value, sums[:, 0], first.num_units, resting, name=f"{first.name}s", is_share=True)


def difference_of_sums(metric: Metric, first: UnitSums, second: UnitSums) -> Estimate:
    """Return by how much an error, or a skill, of the first model is above that of the second, both on the same units.

    Args:
        metric: the figure.
        first: the sums of each unit of the first model.
        second: those of the second; each unit has the same place.

    Raises:
        DataError: the two do not rest on the same units.

    Example:
        >>> from statewise.evaluation._jackknife import Metric, ratio, sums_over
        >>> mae, rows, unit = Metric("mae", ratio("absolute", "rows")), np.ones(6), np.arange(6)
        >>> first = sums_over(unit, {"rows": rows, "absolute": np.array([2.0, 1.0, 3.0, 2.0, 1.5, 2.5])}, "groups")
        >>> second = sums_over(unit, {"rows": rows, "absolute": np.array([1.0, 0.5, 1.5, 0.5, 1.0, 1.0])}, "groups")
        >>> print(difference_of_sums(mae, first, second))
        1.083 (0.5265 to 1.599)
    """
    rests = metric.rests_on
    _require_same_units(metric.name, (first.parts[rests],), (second.parts[rests],))
    ours, theirs = (float(metric.of(each.total)) for each in (first, second))
    value, resting = ours - theirs, first.parts[rests] > 0
    if not math.isfinite(value):
        return _none(math.nan, 0, "undefined: 0 of 0, or beyond all numbers", is_share=metric.is_share)
    left = [metric.of({name: each.total[name] - part[resting] for name, part in each.parts.items()}) for each in (first, second)]
    # In units of the figures themselves, so that what is rounding does not depend on the unit of measurement.
    size = max(abs(ours), abs(theirs)) or 1.0
    sums, num_units = powers((left[0] - left[1] - value) / size), int(resting.sum())
    return _estimate(value, sums, num_units, num_units, name=first.words, is_share=metric.is_share, size=size, bounded=False)


def _require_same_units(metric: str, first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> None:
    if not all(np.array_equal(one, other) for one, other in zip(first, second, strict=True)):
        raise DataError(
            asked=f"compare the {metric} of two models",
            where="the units of the two",
            arrived="other rows, or another order of units, in one than in the other",
            hint="Compare predictions of the same rows; rows that only one model answered are left out first.",
        )


def _estimate(
    value: float, sums: np.ndarray, num_units: int, resting: int, *, name: str, is_share: bool, size: float = 1.0, bounded: bool = True
) -> Estimate:
    """Return a difference with its interval; one of shares is `bounded` by -1 and 1."""
    if math.isnan(value):
        return _none(value, 0, "undefined: 0 of 0", is_share=is_share)
    if resting < 2:
        return _none(value, resting, f"no interval: it rests on one of the {name}", is_share=is_share)
    reaches, method = reach(sums, num_units, resting), f"jackknife over {name} of the difference, Student t"
    if reaches is not None:
        low, high = value - size * reaches.below, value + size * reaches.above
    elif bounded and np.isfinite(sums).all():
        most, method = clopper_pearson(0.0, float(resting))[1], f"as much as {resting:,} equal {name} leave open"
        low, high = value - most, value + most
    else:
        return _none(value, resting, f"no interval: the two differ alike in all {name}, or in one alone", is_share=is_share)
    if bounded:
        low, high = max(low, -1.0), min(high, 1.0)
    return Estimate(value=value, low=low, high=high, units=resting, method=method, is_share=is_share)


def _none(value: float, units: int, method: str, *, is_share: bool) -> Estimate:
    return Estimate(value=value, low=None, high=None, units=units, method=method, is_share=is_share)
