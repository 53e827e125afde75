"""Do the intervals cover the truth as often as they promise, and is what is dependent not counted twice?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from scipy.special import expit, logit  # type: ignore[import-untyped]

from statewise.evaluation._estimate import Estimate
from statewise.evaluation._intervals import (
    EXACT,
    EXACT_F1,
    Units,
    accuracy_over_units,
    clopper_pearson,
    estimate_all,
    units_of_confusion,
    units_of_rows,
)
from statewise.evaluation._metrics import METRICS, overall, per_class, tally
from tests._unchecked import unchecked
from tests.evaluation._left_out import ends


def units_from(actual: np.ndarray, predicted: np.ndarray, of_unit: np.ndarray, classes: int) -> Units:
    return units_of_rows(np.asarray(actual), np.asarray(predicted), of_unit=np.asarray(of_unit), num_classes=classes, unit="group")


def contains(estimate: Estimate, truth: float) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


@given(st.integers(1, 5000), st.data())
def test_exact_intervals_equal_scipys(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
    found = clopper_pearson(float(successes), float(trials))
    assert found == pytest.approx((float(expected.low), float(expected.high)), rel=1e-6, abs=1e-12)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 30), min_size=4, max_size=4).filter(any))
def test_one_row_a_unit_makes_each_figure_of_a_class_exact(cells: list[int]) -> None:
    confusion = np.array(cells).reshape(2, 2)
    found = estimate_all(units_of_confusion(confusion, "sequence"), 1)
    recall, positives = found.metrics["recall"], cells[2] + cells[3]
    if positives > 1:
        assert recall.method == EXACT
        assert recall.units == positives
        assert (recall.low, recall.high) == pytest.approx(clopper_pearson(float(cells[3]), float(positives)))
    if cells[1] + cells[2] + cells[3] > 1:
        assert found.metrics["f1"].method == EXACT_F1


@settings(max_examples=40)
@given(st.integers(2, 4), st.integers(1, 12), st.integers(1, 60), st.integers(0, 10**6), st.sampled_from([None, 0, 1]))
def test_an_interval_contains_its_value_and_stays_within_0_and_1(
    classes: int, num_units: int, rows: int, seed: int, positive: int | None
) -> None:
    random = np.random.default_rng(seed)
    actual, predicted = random.integers(0, classes, (2, rows))
    of_unit = np.unique(random.integers(0, num_units, rows), return_inverse=True)[1]
    found = estimate_all(units_from(actual, predicted, of_unit, classes), positive)
    for estimate in [*found.metrics.values(), *(each for column in found.per_class.values() for each in column)]:
        assert estimate.method
        if estimate.low is not None and estimate.high is not None:
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
            assert estimate.low < estimate.high
        else:
            assert estimate.units < 2 or math.isnan(estimate.value)


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(2, 40), st.integers(0, 10**6))
def test_values_are_those_of_all_rows_together(classes: int, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    actual, predicted = random.integers(0, classes, (2, rows))
    units = units_from(actual, predicted, np.arange(rows) // 2, classes)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (actual, predicted), 1)
    found = estimate_all(units, None)
    expected, of_class = overall(tally(confusion), None), per_class(tally(confusion))
    assert [found.metrics[name].value for name in METRICS] == pytest.approx([float(expected[name]) for name in METRICS], nan_ok=True)
    assert [each.value for each in found.per_class["f1"]] == pytest.approx(of_class["f1"].tolist(), nan_ok=True)


def test_the_jackknife_equals_one_written_as_a_loop() -> None:
    random = np.random.default_rng(3)
    actual, predicted, of_unit = random.integers(0, 2, 200), random.integers(0, 2, 200), np.arange(200) % 10
    found = estimate_all(units_from(actual, predicted, of_unit, 2), 1).metrics["recall"]
    hits = (actual == 1) & (predicted == 1)
    left = np.array([hits[of_unit != unit].sum() / (actual[of_unit != unit] == 1).sum() for unit in range(10)])
    value = hits.sum() / (actual == 1).sum()
    assert found.value == pytest.approx(value)
    assert found.units == 10
    assert [found.low, found.high] == pytest.approx(expit(ends(float(logit(value)), logit(left))))


def test_all_errors_in_one_unit_leave_open_what_as_many_cases_would() -> None:
    of_unit = np.repeat(np.arange(12), 5)
    found = estimate_all(units_from(np.zeros(60, dtype=np.int64), (of_unit == 3).astype(np.int64), of_unit, 2), None).metrics["accuracy"]
    assert (found.low, found.high) == pytest.approx(clopper_pearson(11.0, 12.0))
    assert found.method == "exact for as many cases as equal groups"


@settings(max_examples=20)
@given(st.integers(2, 60), st.integers(2, 20), st.booleans())
def test_a_sample_without_errors_is_as_sure_as_its_units_are_many(num_units: int, rows_each: int, right: bool) -> None:  # noqa: FBT001
    actual = np.tile([0, 1], num_units * rows_each)
    of_unit = np.repeat(np.arange(num_units), 2 * rows_each)
    accuracy = estimate_all(units_from(actual, actual if right else 1 - actual, of_unit, 2), 1).metrics["accuracy"]
    expected = clopper_pearson(float(num_units if right else 0), float(num_units))
    assert accuracy.units == num_units
    assert (accuracy.low, accuracy.high) == pytest.approx(expected)


def test_repeating_the_rows_of_each_unit_makes_no_figure_surer() -> None:
    random = np.random.default_rng(0)
    actual, predicted, of_unit = random.integers(0, 3, 120), random.integers(0, 3, 120), np.arange(120) % 12
    once = estimate_all(units_from(actual, predicted, of_unit, 3), None)
    often = estimate_all(units_from(np.tile(actual, 50), np.tile(predicted, 50), np.tile(of_unit, 50), 3), None)
    for name, estimate in once.metrics.items():
        assert often.metrics[name].low == pytest.approx(estimate.low), name
        assert often.metrics[name].high == pytest.approx(estimate.high), name


def test_one_unit_has_no_interval_and_says_why() -> None:
    found = estimate_all(units_from(np.array([0, 1, 1]), np.array([0, 1, 0]), np.zeros(3, dtype=np.int64), 2), 1).metrics
    for estimate in found.values():
        assert (estimate.low, estimate.high) == (None, None)
    assert found["accuracy"].method == found["balanced_accuracy"].method == "no interval: it rests on one group"


def test_an_undefined_figure_has_no_interval_and_rests_on_nothing() -> None:
    precision = estimate_all(units_of_confusion(np.array([[5, 0], [3, 0]]), "sequence"), 1).metrics["precision"]
    assert math.isnan(precision.value)
    assert (precision.low, precision.high, precision.units, precision.method) == (None, None, 0, "undefined: 0 of 0")


def test_always_the_majority_class_is_not_above_chance() -> None:
    found = estimate_all(units_of_confusion(np.array([[900, 0], [100, 0]]), "sequence"), 1).metrics["balanced_accuracy"]
    assert found.low is not None
    assert found.low < found.value == 0.5


def test_many_kinds_of_units_are_taken_in_chunks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    units = units_from(random.integers(0, 3, 300), random.integers(0, 3, 300), np.arange(300) % 30, 3)
    whole = estimate_all(units, None)
    monkeypatch.setattr("statewise.evaluation._intervals._CHUNK", 12)
    for name, estimate in estimate_all(units, None).metrics.items():
        assert estimate.low == pytest.approx(whole.metrics[name].low)


def test_accuracy_over_units_counts_units_and_not_rows() -> None:
    estimate = accuracy_over_units(np.array([1, 1, 0, 1]), ("a", "a", "b", "b"))
    assert (estimate.value, estimate.units) == (0.75, 2)
    assert math.isnan(accuracy_over_units(np.array([]), ()).value)


@pytest.mark.parametrize(("num_units", "share", "least"), [(5, 0.9, 0.90), (8, 0.7, 0.90), (20, 0.9, 0.90), (50, 0.9, 0.90)])
def test_accuracy_of_clustered_rows_is_covered(num_units: int, share: float, least: float) -> None:
    random = np.random.default_rng(num_units)
    covered = []
    with unchecked():
        for _ in range(100):
            sizes = random.integers(5, 40, num_units)
            right = random.beta(9 * share, 9 * (1 - share), num_units)
            correct = random.random(sizes.sum()) < np.repeat(right, sizes)
            covered.append(contains(accuracy_over_units(correct, np.repeat(np.arange(num_units), sizes)), share))
    assert np.mean(covered) >= least


TRUTHS = {
    "balanced": np.array([[0.425, 0.075], [0.075, 0.425]]),
    "rare": np.array([[0.94, 0.02], [0.008, 0.032]]),
    "no skill": np.array([[0.81, 0.09], [0.09, 0.01]]),
    "three classes": np.array([[0.3, 0.02, 0.02], [0.02, 0.3, 0.01], [0.02, 0.01, 0.3]]),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_every_metric_of_independent_rows_is_covered(name: str) -> None:
    truth, random = TRUTHS[name], np.random.default_rng(7)
    positive = 1 if len(truth) == 2 else None
    expected = overall(tally(truth), positive)
    covered: dict[str, list[bool]] = {metric: [] for metric in METRICS}
    with unchecked():
        for _ in range(100):
            confusion = random.multinomial(300, truth.ravel()).reshape(truth.shape)
            found = estimate_all(units_of_confusion(confusion, "sequence"), positive).metrics
            for metric in METRICS:
                covered[metric].append(found[metric].low is None or contains(found[metric], float(expected[metric])))
    assert {metric: float(np.mean(each)) for metric, each in covered.items() if np.mean(each) < 0.92} == {}
