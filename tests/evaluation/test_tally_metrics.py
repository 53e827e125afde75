"""Are correlations, weighted averages and figures by sequence what scikit-learn and hand computation say?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef, precision_score, recall_score  # type: ignore[import-untyped]

from statewise.evaluation import Counts, Predictions, evaluate


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(3, 80), classes=st.integers(2, 5))
def test_correlation_and_averages_agree_with_scikit_learn(seed: int, rows: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    target = np.concatenate([np.arange(classes), random.integers(0, classes, rows)])
    prediction = np.where(random.random(len(target)) < 0.6, target, random.integers(0, classes, len(target)))
    found = evaluate(Predictions.from_columns({"target": target, "prediction": prediction}))
    if len(set(prediction.tolist())) > 1:
        assert found.metrics["mcc"].value == pytest.approx(matthews_corrcoef(target, prediction), abs=1e-12)
    if classes == 2:
        assert found.averages == {}
        return
    for way in ("macro", "micro", "weighted"):
        scores = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
        for name, score in scores.items():
            assert found.averages[way][name].value == pytest.approx(score(target, prediction, average=way, zero_division=0), abs=1e-12)


def test_a_correlation_of_one_class_alone_is_undefined_and_of_counts_it_is_told() -> None:
    assert np.isnan(evaluate(Predictions.from_columns({"target": [0, 1, 1], "prediction": [1, 1, 1]})).metrics["mcc"].value)
    found = evaluate(Counts(tp=50, fn=10, fp=5, tn=35)).metrics["mcc"]
    assert found.value == pytest.approx((50 * 35 - 5 * 10) / np.sqrt(55 * 60 * 40 * 45))
    assert found.low is not None
    assert 0.4 < found.low < found.value


def test_a_correlation_without_a_mistake_has_no_interval_rather_than_one_without_width() -> None:
    found = evaluate(Counts(tp=10, fn=0, fp=0, tn=10)).metrics["mcc"]
    assert (found.value, found.low) == (1.0, None)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_by_sequence_is_scikit_learn_with_each_row_weighted_by_its_sequence(seed: int) -> None:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 30, 12)
    key, step = np.repeat(np.arange(12), lengths), np.concatenate([np.arange(length) for length in lengths])
    target = random.integers(0, 2, len(key))
    target[:2] = 0, 1
    prediction = np.where(random.random(len(key)) < 0.7, target, 1 - target)
    found = evaluate(Predictions.from_columns({"key": key, "step": step, "target": target, "prediction": prediction}))
    weights = 1 / lengths[key]
    right = (target == prediction).astype(float)
    assert found.by_sequence["accuracy"].value == pytest.approx(np.mean([right[key == each].mean() for each in range(12)]), abs=1e-12)
    assert found.metrics["accuracy"].value == pytest.approx(right.mean(), abs=1e-12)
    for name, score in (("f1", f1_score), ("recall", recall_score), ("balanced_accuracy", balanced_accuracy_score)):
        assert found.by_sequence[name].value == pytest.approx(score(target, prediction, sample_weight=weights), abs=1e-12)


def test_by_sequence_of_values_tokens_and_labels_counts_each_sequence_once() -> None:
    key, step = ["a", "a", "a", "b"], [0, 1, 2, 0]
    values = {"key": key, "step": step, "target": [1.5, 1.0, 1.0, 4.0], "prediction": [1.5, 1.0, 1.0, 2.0]}
    assert evaluate(Predictions.from_columns(values, task="regress")).by_sequence["mae"].value == 1.0
    tokens = {"key": key, "step": step, "target": list("xyxx"), "prediction": list("xyxy"), "nll": [1.0, 1.0, 1.0, 3.0]}
    found = evaluate(Predictions.from_columns(tokens))
    assert (found.by_sequence["cross_entropy"].value, found.by_sequence["accuracy"].value) == (2.0, 0.5)
    labels = {"key": key, "step": step, "target_u": [1, 1, 1, 0], "p_u": [0.9, 0.9, 0.9, 0.9], "target_v": [0, 0, 0, 1], "p_v": [0.1] * 4}
    assert evaluate(Predictions.from_columns(labels)).by_sequence["subset_accuracy"].value == 0.5


def test_where_each_sequence_has_one_row_nothing_is_told_twice() -> None:
    assert evaluate(Predictions.from_columns({"target": [0, 1], "prediction": [0, 1]})).by_sequence == {}


def test_micro_averages_of_labels_count_all_labels_together() -> None:
    truth = np.array([[1, 0], [1, 1], [0, 0], [1, 0]])
    given_ = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    columns = {f"target_{name}": truth[:, at] for at, name in enumerate("uv")} | {
        f"prediction_{name}": given_[:, at] for at, name in enumerate("uv")
    }
    found = evaluate(Predictions.from_columns(columns)).averages["micro"]
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        assert found[name].value == pytest.approx(score(truth, given_, average="micro"))
