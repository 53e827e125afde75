"""By how much does each figure of B differ from that of A, on the same rows? One list for each kind of answer.

The unit of both is left out at once, as told in `_paired`. What is no function of counts or sums, such as the area under a curve, is
left out likewise, on its own scale.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from statewise.evaluation._estimate import Estimate
from statewise.evaluation._intervals import chunks
from statewise.evaluation._jackknife import UNDEFINED, Metric, UnitSums, estimate_left, ratio, sums_over
from statewise.evaluation._metrics import overall
from statewise.evaluation._multilabel import label_sums
from statewise.evaluation._paired import difference_of_counts, difference_of_sums, paired_units
from statewise.evaluation._scores import AREAS, MOST_CLASSES, mean_area, probabilities_of, score_sums
from statewise.evaluation._tally_metrics import mcc
from statewise.evaluation._tokens import CODE_LENGTHS
from statewise.evaluation._values import ERRORS, MASE, R2

if TYPE_CHECKING:
    from statewise.evaluation._blocks import RowUnits
    from statewise.evaluation._intervals import Units
    from statewise.evaluation._paired import CountMetric
    from statewise.evaluation._predictions import Predictions

_COUNTED: tuple[CountMetric, ...] = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity")


class Pair(NamedTuple):
    """A figure of A and of B, and what the second is more, with its interval."""

    a: float
    b: float
    difference: Estimate


def differences_of(a: Predictions, b: Predictions, units: RowUnits, *, place: int | None) -> dict[str, Pair]:
    """Return each figure of two models on the same rows.

    Args:
        a: the answers of one.
        b: those of the other, row by row to the same question.
        units: the unit of each row.
        place: the number of the positive class of a binary task.

    Example:
        >>> from statewise.evaluation import Predictions
        >>> from statewise.evaluation._blocks import units_of
        >>> a, b = (Predictions.from_columns({"target": [1.5, 2.0, 4.0, 1.0], "prediction": p}) for p in ([1, 2, 3, 2], [1, 2, 4, 2]))
        >>> found = differences_of(a, b, units_of(a, a.predicted - b.predicted), place=None)
        >>> found["mae"].a, found["mae"].b, found["mae"].difference.value
        (0.625, 0.375, -0.25)
    """
    if a.holds == "values":
        return _of_values(a, b, units)
    if a.holds == "labels":
        return _of_labels(a, b, units)
    return _of_tokens(a, b, units) if a.task == "next" else _of_classes(a, b, units, place)


def _of_sums(metric: Metric, a: UnitSums, b: UnitSums) -> Pair:
    with np.errstate(over="ignore"):
        ours, theirs = (float(metric.of(each.total)) for each in (a, b))
    return Pair(ours, theirs, difference_of_sums(metric, b, a))


def _of_left(a: tuple[float, np.ndarray], b: tuple[float, np.ndarray], words: str) -> Pair:
    """Return the difference of two figures between -1 and 1 that are known with each unit left out."""
    value = b[0] - a[0]
    if math.isnan(value):
        return Pair(a[0], b[0], Estimate(value=math.nan, low=None, high=None, units=0, method=UNDEFINED))
    left = b[1] - a[1]
    known = left[~np.isnan(left)]
    if len(known) < 2:
        method = f"no interval: fewer than two of the {words} can be left out"
        return Pair(a[0], b[0], Estimate(value=value, low=None, high=None, units=len(known), method=method))
    if not np.ptp(known):
        method = f"no interval: the two differ alike in all {words}"
        return Pair(a[0], b[0], Estimate(value=value, low=None, high=None, units=len(left), method=method))
    found = estimate_left(value, known, scale="linear", words=words, is_share=True)
    ends = {name: None if end is None else min(max(end, -1.0), 1.0) for name, end in (("low", found.low), ("high", found.high))}
    method = found.method if found.low is None else f"jackknife over {words} of the difference, Student t"
    return Pair(a[0], b[0], msgspec.structs.replace(found, **ends, method=method))


def _of_counts(name: CountMetric, a: Units, b: Units, place: int | None) -> Pair:
    ours, theirs = (float(overall(each.total, place)[name]) for each in (a, b))
    return Pair(ours, theirs, difference_of_counts(name, b, a, positive=place))


def _of_classes(a: Predictions, b: Predictions, units: RowUnits, place: int | None) -> dict[str, Pair]:
    assert a.actual is not None
    size = len(a.class_names)
    both = paired_units(a.actual, a.predicted, b.predicted, of_unit=units.of_unit, num_classes=size, unit=units.unit)
    found: dict[str, Pair] = {name: _of_counts(name, *both, place) for name in _COUNTED}
    found["mcc"] = _of_left(_correlation(both[0]), _correlation(both[1]), units.words)
    made = probabilities_of(a), probabilities_of(b)
    if made[0] is None or made[1] is None:
        return found
    return found | _of_scores(made[0][0], made[1][0], a.actual, units, place)


def _correlation(units: Units) -> tuple[float, np.ndarray]:
    """Return Matthews' correlation, and what it would be without each unit."""
    left = [np.repeat(mcc(units.total - counts), repeats) for counts, repeats in chunks(units)]
    return float(mcc(units.total)), np.concatenate(left)


def _of_scores(of_a: np.ndarray, of_b: np.ndarray, actual: np.ndarray, units: RowUnits, place: int | None) -> dict[str, Pair]:
    """Return the figures of probabilities `[rows, classes]`."""
    found = {}
    for (metric, sums_a), (of_other, sums_b) in zip(*(score_sums(each, actual, units, place=place) for each in (of_a, of_b)), strict=True):
        if metric.name == "calibration_error":  # each has bins of its own
            found[metric.name] = _of_left(_left(metric, sums_a), _left(of_other, sums_b), units.words)
        else:
            found[metric.name] = _of_sums(metric, sums_a, sums_b)
    classes = [place] if place is not None else range(of_a.shape[1])
    for name, area in AREAS.items() if of_a.shape[1] <= MOST_CLASSES else ():
        made = [mean_area(area, each, actual, classes=classes, of_unit=units.of_unit) for each in (of_a, of_b)]
        if made[0] is not None and made[1] is not None:
            found[name] = _of_left(made[0], made[1], units.words)
    return found


def _left(metric: Metric, sums: UnitSums) -> tuple[float, np.ndarray]:
    total = sums.total
    return float(metric.of(total)), metric.of({name: total[name] - part for name, part in sums.parts.items()})


def _of_values(a: Predictions, b: Predictions, units: RowUnits) -> dict[str, Pair]:
    assert a.actual is not None
    target, ones = a.actual - a.actual.mean(), np.ones(len(a))

    def sums(predicted: np.ndarray) -> UnitSums:
        error = predicted - a.actual
        columns = {"rows": ones, "squared": error**2, "absolute": np.abs(error), "target": target, "target squared": target**2}
        if a.change is not None:
            there = np.isfinite(a.change) & (a.change > 0)
            columns["changing"] = there.astype(np.float64)
            columns["scaled"] = np.where(there, columns["absolute"] / np.where(there, a.change, 1.0), 0.0)
        return sums_over(units.of_unit, columns, units.words)

    both = sums(a.predicted), sums(b.predicted)
    metrics = (*ERRORS, R2, *(() if a.change is None else (MASE,)))
    return {metric.name: _of_sums(metric, *both) for metric in metrics}


def _of_tokens(a: Predictions, b: Predictions, units: RowUnits) -> dict[str, Pair]:
    assert a.nll is not None, "refused before"
    assert b.nll is not None, "refused before"
    ones = np.ones(len(a))
    both = [sums_over(units.of_unit, {"rows": ones, "nll": np.maximum(nll, 0.0)}, units.words) for nll in (a.nll, b.nll)]
    found = {metric.name: _of_sums(metric, both[0], both[1]) for metric in CODE_LENGTHS}
    return found | {"accuracy": _of_right(a.predicted == a.actual, b.predicted == a.actual, units)}


def _of_right(a: np.ndarray, b: np.ndarray, units: RowUnits) -> Pair:
    """Return the share of rows that are right."""
    right = np.zeros(len(a), dtype=np.int64)
    wrong = (~a).astype(np.int64), (~b).astype(np.int64)
    return _of_counts("accuracy", *paired_units(right, *wrong, of_unit=units.of_unit, num_classes=2, unit=units.unit), None)


def _of_labels(a: Predictions, b: Predictions, units: RowUnits) -> dict[str, Pair]:
    assert a.actual is not None
    right = a.predicted == a.actual, b.predicted == a.actual
    found = {"subset_accuracy": _of_right(right[0].all(axis=1), right[1].all(axis=1), units)}
    hamming = Metric("hamming_accuracy", ratio("right", "rows"), scale="logit", is_share=True)
    both = [sums_over(units.of_unit, {"rows": np.ones(len(a)), "right": each.mean(axis=1)}, units.words) for each in right]
    found[hamming.name] = _of_sums(hamming, both[0], both[1])
    pairs = zip(label_sums(a.actual, a.predicted, units), label_sums(a.actual, b.predicted, units), strict=True)
    return found | {metric.name: _of_sums(metric, of_a, of_b) for (metric, of_a), (_, of_b) in pairs}
