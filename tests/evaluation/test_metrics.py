"""Do our ratios equal those of torchmetrics and scikit-learn, one matrix or many at once, and is 0 of 0 never a 0?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle  # type: ignore[import-untyped]
from torchmetrics.functional import classification as functional

from statewise.evaluation._metrics import PER_CLASS, Tallies, divide, macro, overall, per_class, tally


@st.composite
def answers(draw: st.DrawFn) -> tuple[int, np.ndarray, np.ndarray]:
    """Return a number of classes, targets and predictions; some classes may never occur."""
    classes = draw(st.integers(2, 5))
    size = draw(st.integers(1, 40))
    numbers = st.lists(st.integers(0, classes - 1), min_size=size, max_size=size)
    return classes, np.array(draw(numbers)), np.array(draw(numbers))


def confusion_of(classes: int, actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.asarray(oracle.confusion_matrix(actual, predicted, labels=range(classes)))


@settings(max_examples=30)
@given(answers())
def test_ratios_of_each_class_equal_scikit_learns(given_: tuple[int, np.ndarray, np.ndarray]) -> None:
    classes, actual, predicted = given_
    ours = per_class(tally(confusion_of(classes, actual, predicted)))
    labels = range(classes)
    for name, score in {"precision": oracle.precision_score, "recall": oracle.recall_score, "f1": oracle.f1_score}.items():
        expected = score(actual, predicted, labels=labels, average=None, zero_division=np.nan)
        np.testing.assert_allclose(ours[name], expected, atol=1e-12)
    for number in labels:
        mirrored = [actual != number, predicted != number]
        expected = [oracle.recall_score(*mirrored, zero_division=np.nan), oracle.precision_score(*mirrored, zero_division=np.nan)]
        found = [ours[name][number] for name in ("specificity", "negative_predictive_value")]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(max_examples=30)
@given(answers())
def test_ratios_of_each_class_equal_torchmetrics_where_they_are_defined(given_: tuple[int, np.ndarray, np.ndarray]) -> None:
    classes, actual, predicted = given_
    ours = per_class(tally(confusion_of(classes, actual, predicted)))
    pair = torch.from_numpy(predicted), torch.from_numpy(actual)
    theirs = {
        "precision": functional.multiclass_precision,
        "recall": functional.multiclass_recall,
        "f1": functional.multiclass_f1_score,
        "specificity": functional.multiclass_specificity,
        "negative_predictive_value": functional.multiclass_negative_predictive_value,
    }
    for name in PER_CLASS:
        expected = theirs[name](*pair, num_classes=classes, average="none").numpy()
        np.testing.assert_allclose(np.nan_to_num(ours[name]), expected, atol=1e-6)


@settings(max_examples=30)
@given(answers())
def test_accuracy_balanced_accuracy_and_macro_recall_equal_scikit_learns(given_: tuple[int, np.ndarray, np.ndarray]) -> None:
    classes, actual, predicted = given_
    ours = overall(tally(confusion_of(classes, actual, predicted)), None)
    occurring = np.unique(actual)
    assert float(ours["accuracy"]) == pytest.approx(oracle.accuracy_score(actual, predicted))
    for name, score in {"precision": oracle.precision_score, "recall": oracle.recall_score, "f1": oracle.f1_score}.items():
        expected = score(actual, predicted, labels=occurring, average="macro", zero_division=0)
        assert float(ours[name]) == pytest.approx(expected)
    assert float(ours["balanced_accuracy"]) == float(ours["recall"])


@settings(max_examples=30)
@given(st.lists(answers().filter(lambda each: each[0] == 3), min_size=1, max_size=4), st.sampled_from([None, 0, 2]))
def test_many_matrices_at_once_give_what_each_gives_alone(many: list[tuple[int, np.ndarray, np.ndarray]], positive: int | None) -> None:
    matrices = np.stack([confusion_of(*each) for each in many])
    together = overall(tally(matrices), positive)
    for name, values in together.items():
        np.testing.assert_array_equal(values, [overall(tally(matrix), positive)[name] for matrix in matrices])


def test_a_class_that_is_never_predicted_has_no_precision_and_f1_zero() -> None:
    found = per_class(tally(np.array([[5, 0], [3, 0]])))
    assert np.isnan(found["precision"][1])
    assert found["f1"][1] == 0
    assert found["recall"][1] == 0


def test_a_class_that_never_occurs_has_no_recall_and_no_average_counts_it() -> None:
    counts = tally(np.array([[4, 0, 1], [0, 5, 0], [0, 0, 0]]))
    assert np.isnan(per_class(counts)["recall"][2])
    assert float(overall(counts, None)["recall"]) == pytest.approx((0.8 + 1.0) / 2)


def test_an_occurring_class_that_is_never_predicted_counts_as_0_in_macro_precision() -> None:
    assert float(overall(tally(np.array([[5, 0], [5, 0]])), None)["precision"]) == pytest.approx((0.5 + 0.0) / 2)


def test_no_rows_at_all_are_undefined_everywhere() -> None:
    nothing = tally(np.zeros((2, 2), dtype=np.int64))
    assert all(np.isnan(value) for value in overall(nothing, None).values())
    assert np.isnan(macro(np.array([0.5, 0.5]), np.array([0, 0])))


def test_zero_of_zero_is_nan_without_a_warning() -> None:
    np.testing.assert_array_equal(divide(np.array([0, 1]), np.array([0, 2])), [np.nan, 0.5])


def test_counts_are_subtracted_class_by_class() -> None:
    whole, part = tally(np.array([[5, 1], [2, 7]])), tally(np.array([[1, 0], [1, 1]]))
    left = whole - part
    assert isinstance(left, Tallies)
    assert left.hits.tolist() == [4, 6]
    assert left.total.tolist() == [12]
