"""Are the figures of several labels those of scikit-learn?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle  # type: ignore[import-untyped]

from statewise.evaluation import Predictions, evaluate


def labelled(rows: int, seed: int, *, right: float = 0.8, groups: int = 0) -> Predictions:
    random = np.random.default_rng(seed)
    actual = random.random((rows, 3)) < (0.5, 0.3, 0.1)
    predicted = np.where(random.random((rows, 3)) < right, actual, ~actual)
    key = np.array([f"s{number}" for number in range(rows)])
    group = np.array([f"g{number % groups}" for number in range(rows)]) if groups else None
    return Predictions(task="multilabel", class_names=("x", "y", "z"), key=key, predicted=predicted, actual=actual, group=group)


@settings(max_examples=30)
@given(st.integers(5, 60), st.integers(0, 10**6), st.sampled_from([0, 4]))
def test_figures_equal_scikit_learns(rows: int, seed: int, groups: int) -> None:
    made = labelled(rows, seed, groups=groups)
    found = evaluate(made)
    assert made.actual is not None
    assert found.metrics["subset_accuracy"].value == pytest.approx(oracle.accuracy_score(made.actual, made.predicted))
    assert found.metrics["hamming_accuracy"].value == pytest.approx(1 - oracle.hamming_loss(made.actual, made.predicted))
    occurring = np.flatnonzero(made.actual.any(axis=0))
    scores = oracle.precision_recall_fscore_support(made.actual, made.predicted, labels=occurring, zero_division=0)
    for name, of_labels in zip(("precision", "recall", "f1"), scores, strict=False):
        if len(occurring):
            assert found.metrics[name].value == pytest.approx(of_labels.mean())
        for at, value in zip(occurring, of_labels, strict=True):
            assert np.nan_to_num(found.per_class["xyz"[at]][name].value) == pytest.approx(value)
    assert list(found.support.values()) == made.actual.sum(axis=0).tolist()
    both = [at for at in occurring if not made.actual[:, at].all()]
    balanced = [oracle.balanced_accuracy_score(made.actual[:, at], made.predicted[:, at]) for at in both]
    assert found.metrics["balanced_accuracy"].value == pytest.approx(np.mean(balanced) if balanced else np.nan, nan_ok=True)


def test_every_figure_has_an_interval_that_holds_it_and_grouping_changes_the_units() -> None:
    for groups, unit, units in ((0, "sequence", 60), (12, "group", 12)):
        found = evaluate(labelled(60, 0, groups=groups))
        assert (found.unit, found.num_units, found.chance, found.average) == (unit, units, 0.5, "macro")
        for name, each in found.metrics.items():
            assert each.low is not None, name
            assert each.high is not None, name
            assert each.low <= each.value <= each.high, name


def test_intervals_of_averages_hold_the_truth_as_often_as_they_say() -> None:
    held = 0
    for seed in range(60):
        found = evaluate(labelled(60, seed)).metrics["balanced_accuracy"]
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.8 <= found.high
    assert held >= 54


def test_without_a_mistake_no_figure_is_certain() -> None:
    found = evaluate(labelled(60, 0, right=1.0))
    for name, each in found.metrics.items():
        assert each.value == 1, name
        assert each.low is not None, name
        assert each.low < 1, name


def test_labels_that_never_occur_or_are_never_given_are_noted() -> None:
    truth, given_ = np.array([[1, 0, 1], [1, 0, 0]]), np.array([[1, 0, 0], [1, 1, 0]])
    made = Predictions(task="multilabel", class_names=("x", "y", "z"), key=np.array(["a", "b"]), predicted=given_, actual=truth)
    notes = "\n".join(evaluate(made).notes)
    assert "never among the targets: 'y'" in notes
    assert "among the targets of every row: 'x'" in notes
    assert "never given: 'z'" in notes
    never = truth[:1, 1:2]
    none = evaluate(Predictions(task="multilabel", class_names=("x",), key=np.array(["a"]), predicted=never, actual=never))
    assert "worst label" not in str(none)
    assert np.isnan(none.metrics["f1"].value)
