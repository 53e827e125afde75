"""Does an evaluation come back from JSON as it went, undefined figures too, and is damage noticed?"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from statewise.errors import RunError
from statewise.evaluation import Counts, Estimate, Predictions, evaluate, read_evaluation, write_evaluation

NEVER_POSITIVE = Counts(tp=0, fn=5, fp=0, tn=95)


def test_an_evaluation_comes_back_as_it_went(tmp_path: Path) -> None:
    evaluation = evaluate(Counts(tp=50, fn=10, fp=5, tn=35))
    assert read_evaluation(write_evaluation(evaluation, tmp_path / "new" / "evaluation.json")) == evaluation


@pytest.mark.parametrize("constant", [False, True])
def test_figures_of_values_against_baselines_and_by_ahead_come_back_too(tmp_path: Path, constant: bool) -> None:  # noqa: FBT001
    target = [2.5] * 40 if constant else [n % 7 + 0.5 for n in range(40)]
    columns = {"step": [n // 2 for n in range(40)], "ahead": [1, 2] * 20, "target": target, "prediction": [3.0] * 40}
    evaluation = evaluate(Predictions.from_columns(columns))
    back = read_evaluation(write_evaluation(evaluation, tmp_path / "e.json"))
    assert str(back) == str(evaluation)
    assert sorted(back.by_ahead) == [1, 2]
    assert math.isnan(back.by_ahead[1]["skill"].value) == constant
    assert back.points == evaluation.points


@pytest.mark.parametrize(("positives", "small"), [(199, True), (200, False)])
def test_a_small_sample_is_marked_in_json_and_whatever_a_file_says(tmp_path: Path, positives: int, small: bool) -> None:  # noqa: FBT001
    path = write_evaluation(evaluate(Counts(tp=positives - 50, fn=50, fp=5, tn=995)), tmp_path / "e.json")
    document = json.loads(path.read_text())
    assert document["metrics"]["recall"]["small"] is small
    assert document["metrics"]["accuracy"]["small"] is False
    document["metrics"]["recall"]["small"] = not small
    path.write_text(json.dumps(document))
    assert read_evaluation(path).metrics["recall"].small is small


def test_a_figure_without_an_interval_is_no_small_sample() -> None:
    assert not Estimate(value=0.5, low=None, high=None, units=1, method="no interval: it rests on one group").small


def test_an_undefined_figure_is_null_in_json_and_undefined_again_after(tmp_path: Path) -> None:
    path = write_evaluation(evaluate(NEVER_POSITIVE), tmp_path / "e.json")
    assert json.loads(path.read_text())["metrics"]["precision"]["value"] is None
    back = read_evaluation(path)
    assert math.isnan(back.metrics["precision"].value)
    assert math.isnan(back.per_class["positive"]["precision"].value)
    assert str(back) == str(evaluate(NEVER_POSITIVE))


@pytest.mark.parametrize(
    ("content", "arrived"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"schema": 2}', "schema 2"),
        ("{}", "schema None"),
        ('{"schema": 1}', "damaged"),
        ('{"schema": 1, "metrics": {"a": 1}, "per_class": {}}', "damaged"),
        ('{"schema": 1, "metrics": [], "per_class": {}}', "damaged"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path, content: str, arrived: str) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(content)
    with pytest.raises(RunError) as caught:
        read_evaluation(path)
    assert caught.value.asked == "read an evaluation"
    assert str(path) in caught.value.where
    assert arrived in caught.value.arrived
    assert caught.value.hint


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file"):
        read_evaluation(tmp_path / "no.json")


def test_an_estimate_is_told_in_words() -> None:
    estimate = Estimate(value=0.99999, low=0.5, high=1.0, units=3, method="m")
    assert (str(estimate), estimate.interval) == (">0.999 (0.500 to 1.000)", "0.500 to 1.000")
    assert str(Estimate(value=0.0001, low=None, high=None, units=1, method="m")) == "<0.001"
    assert str(Estimate(value=math.nan, low=None, high=None, units=0, method="m")) == "undefined"
