"""Are the errors of values those of scikit-learn, and is skill told against the naive method that is hardest to beat?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle  # type: ignore[import-untyped]

from statewise.errors import DataError, OptionError
from statewise.evaluation import Predictions, evaluate


def values(actual: np.ndarray, predicted: np.ndarray, **more: object) -> Predictions:
    key = np.array([f"s{number}" for number in range(len(actual))])
    return Predictions(task="regress", key=key, actual=actual, predicted=predicted, **more)  # type: ignore[arg-type]


def forecasts(num_steps: int = 400, horizon: int = 3, noise: float = 0.5, **more: object) -> Predictions:
    random = np.random.default_rng(0)
    series = np.cumsum(random.normal(size=num_steps + horizon))
    step, ahead = np.repeat(np.arange(num_steps), horizon), np.tile(np.arange(1, horizon + 1), num_steps)
    actual = series[step + ahead]
    columns = {"step": step, "ahead": ahead, "target": actual, "prediction": actual + noise * random.normal(size=len(actual)) * ahead}
    return Predictions.from_columns({**columns, **more})


@settings(max_examples=30)
@given(st.integers(2, 60), st.integers(0, 10**6), st.floats(-100, 100))
def test_errors_equal_scikit_learns(rows: int, seed: int, shift: float) -> None:
    random = np.random.default_rng(seed)
    actual = random.normal(size=rows) + shift
    predicted = actual + random.normal(size=rows)
    found = evaluate(values(actual, predicted, baselines={"mean": np.full(rows, shift)})).metrics
    assert found["mse"].value == pytest.approx(oracle.mean_squared_error(actual, predicted))
    assert found["rmse"].value == pytest.approx(oracle.root_mean_squared_error(actual, predicted))
    assert found["mae"].value == pytest.approx(oracle.mean_absolute_error(actual, predicted))
    assert found["r2"].value == pytest.approx(oracle.r2_score(actual, predicted), abs=1e-6)
    naive = oracle.mean_squared_error(actual, np.full(rows, shift))
    assert found["skill"].value == pytest.approx(1 - oracle.mean_squared_error(actual, predicted) / naive)


def test_skill_is_against_the_naive_method_with_the_lowest_mse() -> None:
    actual = np.arange(20.0)
    naive = {"far": actual + 10, "near": actual + np.where(np.arange(20) % 2, 1.0, 2.0)}
    found = evaluate(values(actual, actual + np.linspace(0.5, 0.6, 20), baselines=naive))
    assert found.judged_baseline == "near"
    assert found.metrics["skill"] == found.baselines["near"].skill
    assert found.baselines["far"].figures == {"mse": 100.0, "rmse": 10.0, "mae": 10.0}
    assert found.metrics["skill"].value < found.baselines["far"].skill.value


def test_a_baseline_is_compared_on_the_rows_for_which_it_has_an_answer() -> None:
    actual, predicted = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 2.5, 3.25, 9.0])
    naive = np.array([2.0, 3.0, 5.0, np.nan])
    found = evaluate(values(actual, predicted, baselines={"persistence": naive, "none": np.full(4, np.nan)}))
    assert list(found.baselines) == ["persistence"]
    assert found.baselines["persistence"].num_scored == 3
    assert found.metrics["skill"].value == pytest.approx(1 - oracle.mean_squared_error(actual[:3], predicted[:3]) / (6 / 3))
    assert "an answer for 3 of 4 scored rows" in "\n".join(found.notes)


def test_targets_that_are_not_known_and_rows_of_weight_0_are_never_scored() -> None:
    actual, predicted = np.array([1.0, np.nan, 3.0, 4.0]), np.array([1.0, 7.0, 4.0, 1e9])
    found = evaluate(values(actual, predicted, weight=np.array([1.0, 1.0, 1.0, 0.0])))
    assert (found.num_scored, found.metrics["mse"].value) == (2, 0.5)
    notes = "\n".join(found.notes)
    assert "1 of 4 rows of weight 0 are not scored" in notes
    assert "1 of 4 rows without a known target are not scored" in notes
    assert "no baseline" in notes
    with pytest.raises(DataError, match="4 of 4 rows of weight 0"):
        evaluate(values(actual, predicted, weight=np.zeros(4)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_a_prediction_that_is_not_finite_is_refused_with_its_sequence(bad: float) -> None:
    with pytest.raises(DataError) as caught:
        evaluate(values(np.array([1.0, 2.0]), np.array([1.0, bad])))
    assert "column 'prediction'" in caught.value.where
    assert "'s1'" in caught.value.where
    assert str(bad) in caught.value.arrived
    with pytest.raises(DataError, match="column 'target'"):
        evaluate(values(np.array([1.0, np.inf]), np.array([1.0, 2.0])))


def test_a_positive_class_of_values_is_refused() -> None:
    with pytest.raises(OptionError, match="a task of values"):
        evaluate(values(np.array([1.0, 2.0]), np.array([1.0, 2.0])), positive="1")


def test_forecasts_are_scored_by_how_far_ahead_and_the_whole_is_their_mean() -> None:
    found = evaluate(forecasts())
    assert (found.task, found.unit, found.num_units, found.counted) == ("forecast", "block", 13, "forecasts")
    assert sorted(found.by_ahead) == [1, 2, 3]
    squares = [found.by_ahead[ahead]["rmse"].value ** 2 for ahead in (1, 2, 3)]
    assert found.metrics["mse"].value == pytest.approx(np.mean(squares))
    assert squares == sorted(squares)
    assert found.by_ahead[1]["skill"].units == 13


def test_persistence_and_seasonal_are_read_off_a_file_as_numpy_shifts_them() -> None:
    rows = forecasts(horizon=2)
    assert rows.actual is not None
    series = np.append(rows.actual[::2], rows.actual[-1])  # value of steps 1, 2, ...
    found = rows.baselines["persistence"].reshape(-1, 2)
    assert np.isnan(found[0]).all()
    assert found[1:, 0].tolist() == found[1:, 1].tolist() == series[:-2].tolist()
    seasonal = forecasts_with_season(4).baselines["seasonal"].reshape(-1, 2)
    assert np.isnan(seasonal[:4, 0]).all()
    assert seasonal[4:, 0].tolist() == series[: len(seasonal) - 4].tolist()  # for step t + 1: that of t - 3
    assert seasonal[4:, 1].tolist() == series[1 : len(seasonal) - 3].tolist()


def forecasts_with_season(season: int) -> Predictions:
    columns = {name: column for name, column in forecasts(horizon=2).columns().items() if not name.startswith("baseline_")}
    return Predictions.from_columns(columns, season=season)


def test_the_shape_of_a_famous_tutorial_has_no_skill() -> None:
    """One hour ahead on one long stream: an RMSE of 26.50 beside 26.56 of persistence, errors that go together."""
    random = np.random.default_rng(3)
    num_steps = 20_000
    naive_error = random.standard_t(4, num_steps)
    error = 0.97 * naive_error + 0.26 * random.standard_t(4, num_steps)
    naive_error *= 26.559 / np.sqrt((naive_error**2).mean())
    error *= 26.496 / np.sqrt((error**2).mean())
    actual = 100 + random.normal(size=num_steps)
    found = evaluate(
        Predictions(
            task="forecast",
            key=np.array(["beijing"] * num_steps),
            step=np.arange(num_steps),
            ahead=np.ones(num_steps),
            actual=actual,
            predicted=actual + error,
            baselines={"persistence": actual + naive_error},
        )
    )
    assert found.metrics["rmse"].value == pytest.approx(26.496)
    assert found.baselines["persistence"].figures["rmse"] == pytest.approx(26.559)
    skill = found.metrics["skill"]
    assert skill.value == pytest.approx(1 - (26.496 / 26.559) ** 2)
    assert skill.low is not None
    assert skill.low < 0 < skill.value


def test_a_naive_answer_beyond_all_squares_is_none() -> None:
    actual = np.arange(4.0)
    found = evaluate(values(actual, actual + 1, baselines={"wild": np.array([1e200, np.inf, 2.0, 3.5])}))
    assert found.baselines["wild"].num_scored == 2
    assert found.baselines["wild"].figures["mae"] == 0.25


def test_points_to_draw_are_few_and_true() -> None:
    rows = forecasts(num_steps=3000)
    found = evaluate(rows).points
    assert len(found.actual) == len(found.predicted) == len(found.ahead) == 400
    assert set(found.ahead) == {1, 3}
    assert rows.actual is not None
    assert rows.ahead is not None
    known = set(zip(rows.actual.tolist(), rows.predicted.tolist(), rows.ahead.tolist(), strict=True))
    assert set(zip(found.actual, found.predicted, found.ahead, strict=True)) <= known


def test_the_history_of_scored_steps_is_told() -> None:
    history = np.repeat(np.arange(400), 3)
    notes = "\n".join(evaluate(forecasts(history=history)).notes)
    assert "of 400 scored steps, 3 had fewer than 3 steps of history, the horizon" in notes
    assert "at least 0, quartiles 100, 200, 299" in notes
    labelled = Predictions.from_columns({"step": [0, 1, 2], "target": [0, 1, 1], "prediction": [0, 1, 0], "history": [0, 4, 8]})
    assert "of 3 scored steps, 1 had no history" in "\n".join(evaluate(labelled).notes)


def test_a_constant_target_leaves_ratios_undefined_and_errors_told() -> None:
    found = evaluate(values(np.full(9, 2.0), np.linspace(1, 3, 9), baselines={"mean": np.full(9, 2.0)}))
    assert np.isnan(found.metrics["skill"].value)
    assert np.isnan(found.metrics["r2"].value)
    assert found.metrics["mae"].value == pytest.approx(5 / 9)


def test_mase_is_the_error_over_the_change_of_training() -> None:
    """By hand: errors 1, 2, 3 of a series that changes by 4 a step in training; and over its own changes where that is not known."""
    columns = {"step": [0, 1, 2], "ahead": [1, 1, 1], "target": [10.0, 14.0, 12.0], "prediction": [11.0, 12.0, 15.0]}
    assert evaluate(Predictions.from_columns(columns | {"change": [4.0] * 3})).metrics["mase"].value == pytest.approx(2 / 4)
    found = evaluate(Predictions.from_columns(columns))
    assert found.metrics["mase"].value == pytest.approx(2 / 3)  # changes of 4 and 2
    assert any("MASE divides by the change of these targets" in note for note in found.notes)


def test_mase_of_a_season_divides_by_the_change_to_a_season_later() -> None:
    columns = {"step": range(6), "ahead": [1] * 6, "target": [1.0, 5.0, 2.0, 7.0, 3.0, 9.0], "prediction": [2.0, 6.0, 3.0, 8.0, 4.0, 10.0]}
    assert evaluate(Predictions.from_columns(columns, season=2)).metrics["mase"].value == pytest.approx(1 / 1.5)


def test_mase_is_absent_where_the_series_never_changes_or_nothing_is_ahead() -> None:
    columns = {"step": [0, 1, 2], "ahead": [1, 1, 1], "target": [4.0, 4.0, 4.0], "prediction": [4.5, 4.0, 4.0]}
    assert "mase" not in evaluate(Predictions.from_columns(columns)).metrics
    assert "mase" not in evaluate(values(np.arange(3.0), np.arange(3.0) + 0.5)).metrics
