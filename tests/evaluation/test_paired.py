"""Is the difference of two models on the same units told with the interval that it deserves?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score  # type: ignore[import-untyped]

from statewise.errors import DataError
from statewise.evaluation._estimate import Estimate
from statewise.evaluation._intervals import Units, clopper_pearson, estimate_all, units_of_rows
from statewise.evaluation._jackknife import Metric, UnitSums, ratio, sums_over
from statewise.evaluation._paired import CountMetric, difference_of_counts, difference_of_sums, paired_units
from statewise.evaluation._values import SKILL
from tests._unchecked import unchecked
from tests.evaluation._left_out import ends

MAE = Metric("mae", ratio("absolute", "rows"))


def two_models(seed: int, rows: int = 400, units: int = 20, classes: int = 2) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    actual = random.integers(0, classes, rows)
    first, second = (np.where(random.random(rows) < right, actual, random.integers(0, classes, rows)) for right in (0.8, 0.6))
    return actual, first, second, np.arange(rows) % units


def pair(actual: np.ndarray, first: np.ndarray, second: np.ndarray, of_unit: np.ndarray, classes: int = 2) -> tuple[Units, Units]:
    return paired_units(actual, first, second, of_unit=of_unit, num_classes=classes, unit="group")


def errors_of(absolute: np.ndarray, of_unit: np.ndarray) -> UnitSums:
    return sums_over(of_unit, {"rows": np.ones(len(absolute)), "absolute": absolute}, "groups")


def interval_of(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def test_a_difference_of_f1_equals_one_written_as_a_loop_with_scikit_learn() -> None:
    actual, first, second, of_unit = two_models(0)

    def difference(rows: np.ndarray) -> float:
        return float(f1_score(actual[rows], first[rows]) - f1_score(actual[rows], second[rows]))

    found = difference_of_counts("f1", *pair(actual, first, second, of_unit), positive=1)
    value, left = difference(of_unit >= 0), np.array([difference(of_unit != unit) for unit in range(20)])
    assert found.value == pytest.approx(value)
    assert interval_of(found) == pytest.approx(ends(value, left))
    assert found.units == 20


def test_a_difference_of_errors_equals_one_written_as_a_loop() -> None:
    random = np.random.default_rng(0)
    of_unit = np.arange(60) % 12
    first, second = random.exponential(size=(2, 60))
    left = np.array([(first - second)[of_unit != unit].mean() for unit in range(12)])
    value = float((first - second).mean())
    for size in (1.0, 1e-9, 1e9):
        found = difference_of_sums(MAE, errors_of(size * first, of_unit), errors_of(size * second, of_unit))
        assert found.value == pytest.approx(size * value)
        assert interval_of(found) == pytest.approx([size * end for end in ends(value, left)])
        assert not found.is_share


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 4), st.sampled_from(["accuracy", "recall", "precision", "f1", "balanced_accuracy"]))
def test_turning_the_two_around_turns_the_interval_around(seed: int, classes: int, metric: CountMetric) -> None:
    actual, first, second, of_unit = two_models(seed, rows=60, units=6, classes=classes)
    positive = 1 if classes == 2 else None
    one = difference_of_counts(metric, *pair(actual, first, second, of_unit, classes), positive=positive)
    other = difference_of_counts(metric, *pair(actual, second, first, of_unit, classes), positive=positive)
    low, high = interval_of(one)
    assert -1 <= low <= one.value <= high <= 1
    assert low < high
    assert (-other.value, *(-end for end in interval_of(other))) == pytest.approx((one.value, high, low))


def test_rows_that_are_units_told_once_a_kind_give_what_each_row_by_itself_gives() -> None:
    actual, first, second, _ = two_models(1, classes=3)
    kinds = pair(actual, first, second, np.arange(400), 3)
    assert len(kinds[0].repeats) <= 27
    rows = tuple(units_of_rows(actual, each, of_unit=np.arange(400), num_classes=3, unit="group") for each in (first, second))
    assert kinds[0].num_units == rows[0].num_units == 400
    each_row = pair(np.repeat(actual, 2), np.repeat(first, 2), np.repeat(second, 2), np.repeat(np.arange(400), 2), 3)
    for metric in ("accuracy", "f1", "recall"):
        once, twice = (difference_of_counts(metric, *both, positive=None) for both in (kinds, each_row))
        assert once.value == pytest.approx(twice.value)
        assert interval_of(once) == pytest.approx(interval_of(twice))


def test_two_models_that_say_the_same_differ_by_no_more_than_their_units_leave_open() -> None:
    actual, first, _, of_unit = two_models(2)
    found = difference_of_counts("accuracy", *pair(actual, first, first, of_unit), positive=1)
    most = clopper_pearson(0.0, 20.0)[1]
    assert (found.value, *interval_of(found)) == pytest.approx((0.0, -most, most))
    errors = errors_of(np.abs(np.random.default_rng(0).normal(size=400)), of_unit)
    alike = difference_of_sums(MAE, errors, errors)
    assert (alike.value, alike.low, alike.high) == (0.0, None, None)
    assert alike.method == "no interval: the two differ alike in all groups, or in one alone"


def test_what_is_undefined_or_rests_on_one_unit_has_no_interval() -> None:
    zeros, ones = np.zeros(4, dtype=np.int64), np.ones(4, dtype=np.int64)
    never = difference_of_counts("precision", *pair(ones, zeros, ones, np.arange(4) // 2), positive=1)
    assert (math.isnan(never.value), never.low, never.method) == (True, None, "undefined: 0 of 0")
    alone = difference_of_counts("accuracy", *pair(ones, zeros, ones, zeros), positive=1)
    assert (alone.value, alone.low, alone.method) == (-1.0, None, "no interval: it rests on one of the groups")
    without = sums_over(zeros, {"naive rows": ones, "shared": ones, "naive squared": zeros.astype(float)}, "groups")
    assert difference_of_sums(SKILL, without, without).method == "undefined: 0 of 0, or beyond all numbers"


def test_other_units_are_refused() -> None:
    actual, first, second, of_unit = two_models(3)
    others = pair(actual[::-1], second, second, of_unit)[1]
    with pytest.raises(DataError, match="compare the f1 of two models: the units of the two"):
        difference_of_counts("f1", pair(actual, first, second, of_unit)[0], others, positive=1)
    with pytest.raises(DataError, match="Compare predictions of the same rows"):
        difference_of_sums(MAE, errors_of(np.ones(6), np.arange(6) // 2), errors_of(np.ones(6), np.arange(6) // 3))


@pytest.mark.parametrize("num_units", [10, 40])
def test_the_true_difference_is_held_and_better_known_than_from_two_intervals(num_units: int) -> None:
    random = np.random.default_rng(num_units)
    of_unit, held, narrower = np.repeat(np.arange(num_units), 20), [], []
    with unchecked():
        for _ in range(200):
            easy = np.repeat(random.beta(4, 1, num_units), 20)
            wrong = [(random.random(len(easy)) > easy * share).astype(np.int64) for share in (1.0, 0.9)]
            both = pair(np.zeros(len(easy), dtype=np.int64), wrong[0], wrong[1], of_unit)
            low, high = interval_of(difference_of_counts("accuracy", *both, positive=None))
            held.append(low <= 0.8 * (1.0 - 0.9) <= high)
            each = [interval_of(estimate_all(model, None).metrics["accuracy"]) for model in both]
            narrower.append(high - low < math.hypot(*(above - below for below, above in each)))
    assert np.mean(held) > 0.9
    assert np.mean(narrower) > 0.9
