"""Are figures of probabilities what scikit-learn says, and do their intervals hold?"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score  # type: ignore[import-untyped]
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from statewise.evaluation import Predictions, evaluate
from statewise.evaluation._areas import pr_area, roc_area


def _binary(seed: int, rows: int, *, digits: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return targets of both classes, and scores with ties that know something of them."""
    random = np.random.default_rng(seed)
    target = np.concatenate([[0, 1], random.integers(0, 2, rows)])
    return target, np.round(np.clip(0.3 * target + 0.7 * random.random(rows + 2), 0, 1), digits)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 60), digits=st.integers(1, 6))
def test_two_classes_agree_with_scikit_learn(seed: int, rows: int, digits: int) -> None:
    target, score = _binary(seed, rows, digits=digits)
    metrics = evaluate(Predictions.from_columns({"target": target, "score": score})).metrics
    assert metrics["roc_auc"].value == pytest.approx(roc_auc_score(target, score), abs=1e-12)
    assert metrics["pr_auc"].value == pytest.approx(average_precision_score(target, score), abs=1e-12)
    assert metrics["log_loss"].value == pytest.approx(log_loss(target, score, labels=[0, 1]), rel=1e-9)
    assert metrics["brier"].value == pytest.approx(brier_score_loss(target, score), abs=1e-12)
    of_torchmetrics = binary_calibration_error(torch.from_numpy(score), torch.from_numpy(target), n_bins=15)
    on_an_edge = np.isclose(score * 15, np.round(score * 15)).any()  # there rounding decides which bin it is
    assert on_an_edge or metrics["calibration_error"].value == pytest.approx(float(of_torchmetrics), abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(5, 60))
def test_several_classes_agree_with_scikit_learn(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    target = np.concatenate([[0, 1, 2], random.integers(0, 3, rows)])
    chances = random.dirichlet([1, 1, 1], rows + 3)
    columns = {"target": target, **{f"p_{number}": chances[:, number] for number in range(3)}}
    metrics = evaluate(Predictions.from_columns(columns)).metrics
    one_hot = np.eye(3)[target]
    assert metrics["roc_auc"].value == pytest.approx(roc_auc_score(target, chances, multi_class="ovr", average="macro"), abs=1e-12)
    assert metrics["pr_auc"].value == pytest.approx(average_precision_score(one_hot, chances, average="macro"), abs=1e-12)
    assert metrics["log_loss"].value == pytest.approx(log_loss(target, chances), rel=1e-9)
    assert metrics["brier"].value == pytest.approx(((chances - one_hot) ** 2).sum(axis=1).mean(), abs=1e-12)
    of_torchmetrics = multiclass_calibration_error(torch.from_numpy(chances), torch.from_numpy(target), 3, n_bins=15)
    assert metrics["calibration_error"].value == pytest.approx(float(of_torchmetrics), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(6, 80), units=st.integers(3, 20))
def test_leaving_out_a_unit_is_what_it_says(seed: int, rows: int, units: int) -> None:
    target, score = _binary(seed, rows)
    of_unit = np.unique(np.random.default_rng(seed).integers(0, units, rows + 2), return_inverse=True)[1].reshape(-1)
    _, left = roc_area(score, target == 1, of_unit)
    for unit, figure in enumerate(left.tolist()):
        kept = of_unit != unit
        if len(set(target[kept].tolist())) < 2:
            assert math.isnan(figure)
        else:
            assert figure == pytest.approx(roc_auc_score(target[kept], score[kept]), abs=1e-12)


def test_the_approximate_jackknife_of_average_precision_is_as_wide_as_the_exact_one() -> None:
    target, score = _binary(1, 600)
    of_unit = np.arange(602) // 6
    _, left = pr_area(score, target == 1, np.unique(of_unit, return_inverse=True)[1])
    exact = np.array([average_precision_score(target[of_unit != unit], score[of_unit != unit]) for unit in np.unique(of_unit)])
    assert np.std(left) == pytest.approx(np.std(exact), rel=0.05)
    assert np.corrcoef(left, exact)[0, 1] > 0.99


def test_a_perfect_ranking_has_an_interval_below_one() -> None:
    target = np.repeat([0, 1], [40, 10])
    metrics = evaluate(Predictions.from_columns({"target": target, "score": 0.2 + 0.6 * target})).metrics
    for name in ("roc_auc", "pr_auc"):
        assert metrics[name].value == 1
        assert metrics[name].low == pytest.approx(0.025 ** (1 / 10))
        assert metrics[name].high == 1


def test_a_probability_of_zero_for_what_came_is_told_and_counts_as_in_scikit_learn() -> None:
    target, score = np.array([0, 1, 1, 0]), np.array([0.1, 0.0, 0.9, 0.2])
    found = evaluate(Predictions.from_columns({"target": target, "score": score, "prediction": [0, 0, 1, 0]}))
    assert found.metrics["log_loss"].value == pytest.approx(log_loss(target, score), rel=1e-9)
    assert any("probability of 0" in note for note in found.notes)


def test_probabilities_that_do_not_sum_to_one_are_told() -> None:
    columns = {"target": ["a", "b", "a"], "p_a": [0.5, 0.2, 0.9], "p_b": [0.6, 0.8, 0.1]}
    found = evaluate(Predictions.from_columns(columns))
    assert any("1 of 3 rows the probabilities do not sum to 1" in note for note in found.notes)
    assert found.metrics["log_loss"].value == pytest.approx(-np.log([0.5 / 1.1, 0.8, 0.9]).mean())


def test_labels_without_probabilities_have_no_such_figures() -> None:
    metrics = evaluate(Predictions.from_columns({"target": [0, 1], "prediction": [0, 1]})).metrics
    assert not {"log_loss", "brier", "calibration_error", "roc_auc", "pr_auc"} & set(metrics)


def test_with_very_many_classes_no_areas_are_drawn_and_that_is_told() -> None:
    random = np.random.default_rng(0)
    chances = random.dirichlet(np.ones(101), 303)
    columns = {"target": np.tile(np.arange(101), 3), **{f"p_{number}": chances[:, number] for number in range(101)}}
    found = evaluate(Predictions.from_columns(columns))
    assert "roc_auc" not in found.metrics
    assert any("no areas under curves" in note for note in found.notes)


@pytest.mark.parametrize("name", ["roc_auc", "pr_auc", "brier", "log_loss"])
def test_intervals_hold_the_true_figure_where_rows_cluster(name: str) -> None:
    """The figure of very many units stands for the true one; 40 units of 1 to 30 rows that share a shift."""

    def draw(random: np.random.Generator, units: int) -> dict[str, np.ndarray]:
        rows = random.integers(1, 30, units)
        unit = np.repeat(np.arange(units), rows)
        target = random.random(len(unit)) < 0.3
        raised = random.normal(size=units)[unit] + random.normal(size=len(unit)) + 1.5 * target - 1.0
        return {"target": target.astype(int), "score": 1 / (1 + np.exp(-raised)), "group": unit}

    true = evaluate(Predictions.from_columns(draw(np.random.default_rng(0), 4000)), by=()).metrics[name].value
    held = 0
    for seed in range(1, 101):
        found = evaluate(Predictions.from_columns(draw(np.random.default_rng(seed), 40)), by=()).metrics[name]
        assert found.low is not None
        assert found.high is not None
        held += found.low <= true <= found.high
    assert held >= 88  # 95 are expected; fewer than 88 of 100 would have a probability under 0.002


def test_a_perfect_ranking_has_an_interval_where_a_class_never_occurs() -> None:
    probabilities = {"p_a": [0.8, 0.1] * 20, "p_b": [0.1, 0.8] * 20, "p_c": [0.1, 0.1] * 20}
    found = evaluate(Predictions.from_columns({"target": ["a", "b"] * 20, **probabilities})).metrics["roc_auc"]
    assert (found.value, found.units) == (1.0, 20)
    assert found.low is not None
