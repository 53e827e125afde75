"""Does a verdict tell skill from none, for every task, and hold errors against limits from the right side?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from statewise.errors import OptionError
from statewise.evaluation import Evaluation, Predictions, evaluate, read_evaluation, write_evaluation
from statewise.verdicts import Policy, judge, read_policy
from tests.verdicts.evidence import changed, of_counts, of_forecast, of_labels, of_tokens, printed, subjects

GOOD_FORECAST = of_forecast(advantage=0.4)
NAIVE_FORECAST = of_forecast(advantage=0.0)


def with_limits(tmp_path: Path, limits: str) -> Policy:
    path = tmp_path / "own.toml"
    path.write_text(f'extends = "default"\n[limits]\n{limits}\n')
    return read_policy(path)


def test_a_forecast_that_beats_the_naive_one_is_ready_and_one_that_does_not_is_not() -> None:
    good, naive = judge(evaluation=GOOD_FORECAST), judge(evaluation=NAIVE_FORECAST)
    assert (good.level, good.exit_code) == ("ready", 0)
    assert [reason.subject for reason in good.supports] == ["skill", "independent blocks of steps"]
    assert (naive.level, naive.exit_code, subjects(naive)) == ("not_ready", 1, ["skill"])
    assert "No skill" in naive.reasons[0].says
    assert "persistence" in naive.reasons[0].says
    assert "independent blocks of steps" in printed(naive)


def test_an_advantage_whose_interval_includes_nothing_is_no_skill() -> None:
    """As of a famous tutorial: an RMSE of 26.496 an hour ahead, where persistence has 26.559."""
    found = changed(GOOD_FORECAST, "skill", 1 - (26.496 / 26.559) ** 2, -0.021, 0.029)
    verdict = judge(evaluation=found)
    assert (verdict.level, subjects(verdict)) == ("not_ready", ["skill"])
    reason = verdict.reasons[0]
    assert reason.value == pytest.approx(0.0047, abs=1e-4)
    assert (reason.low, reason.limit, reason.limit_kind) == (-0.021, 0.0, "above")
    assert "No skill is shown: luck alone could have given this advantage over persistence" in reason.says
    assert "times as many would settle it" in reason.do
    assert "0.005 (-0.021 to 0.029), needs above 0.000" in printed(verdict)


def test_limits_of_classes_say_nothing_of_values_and_the_verdict_says_so() -> None:
    notes = " ".join(judge(evaluation=GOOD_FORECAST).notes)
    assert "limits on accuracy, precision, recall and F1 are of classes and were not judged" in notes
    assert "skill suffices" in notes


@pytest.mark.parametrize("metric", ["mse", "rmse", "mae"])
@pytest.mark.parametrize(
    ("place", "level"),
    [(1.2, "ready"), (1.001, "not_enough_evidence"), (0.999, "needs_work"), (0.8, "not_ready")],
)
def test_an_error_is_met_when_its_upper_end_is_below_the_limit(tmp_path: Path, metric: str, place: float, level: str) -> None:
    limit = GOOD_FORECAST.metrics[metric].value * place
    verdict = judge(evaluation=GOOD_FORECAST, policy=with_limits(tmp_path, f"{metric} = {limit}"))
    assert verdict.level == level
    (reason,) = (each for each in (*verdict.reasons, *verdict.supports) if each.subject == metric.upper())
    assert reason.limit == pytest.approx(limit)
    assert reason.limit_kind == "at most"


def test_a_policy_can_ask_for_more_skill_than_none(tmp_path: Path) -> None:
    policy = with_limits(tmp_path, "skill = 0.9")
    assert subjects(judge(evaluation=GOOD_FORECAST, policy=policy)) == ["skill against persistence"]
    assert judge(evaluation=GOOD_FORECAST, policy=with_limits(tmp_path, "skill = 0.5")).level == "ready"


def test_a_limit_that_the_evaluation_does_not_know_is_absent_evidence(tmp_path: Path) -> None:
    for evaluation, limit in ((of_counts(480, 20, 20, 480), "rmse = 3"), (GOOD_FORECAST, "bits = 2")):
        verdict = judge(evaluation=evaluation, policy=with_limits(tmp_path, limit))
        assert verdict.level == "not_enough_evidence"
        assert "the evaluation has no such figure" in verdict.reasons[0].says


def test_few_blocks_are_not_enough() -> None:
    verdict = judge(evaluation=of_forecast(advantage=0.4, num_steps=600))
    assert (verdict.level, subjects(verdict)) == ("not_enough_evidence", ["independent blocks of steps"])


def without_baseline() -> Evaluation:
    columns = {"target": [0.5 * n for n in range(60)], "prediction": [0.5 * n + 0.1 for n in range(60)]}
    made = Predictions.from_columns(columns)
    object.__setattr__(made, "baselines", {})
    return evaluate(made)


def test_without_a_baseline_nothing_is_known() -> None:
    verdict = judge(evaluation=without_baseline())
    assert (verdict.level, subjects(verdict)) == ("not_enough_evidence", ["skill"])
    assert "no baseline is known" in verdict.reasons[0].says
    assert "baseline_<name>" in verdict.reasons[0].do
    constant = {"target": [2.5] * 60, "prediction": [2.5 + 0.01 * n for n in range(60)]}
    perfect = judge(evaluation=evaluate(Predictions.from_columns(constant)))
    assert perfect.level == "not_enough_evidence"
    assert "mean makes no error itself" in perfect.reasons[0].says


def test_next_tokens_are_judged_by_bits_saved(tmp_path: Path) -> None:
    good, none = of_tokens(better=0.5), of_tokens(better=0.0)
    assert judge(evaluation=good).level == "ready"
    assert (judge(evaluation=none).level, subjects(judge(evaluation=none))) == ("not_ready", ["skill"])
    assert "bits" in judge(evaluation=none).reasons[0].says
    bits = good.metrics["bits"].value
    assert judge(evaluation=good, policy=with_limits(tmp_path, f"bits = {bits * 1.2}")).level == "ready"
    missed = judge(evaluation=good, policy=with_limits(tmp_path, f"bits = {bits * 0.8}"))
    assert subjects(missed, "not_ready") == ["bits a token"]


def test_labels_are_judged_by_their_averages_and_by_guessing() -> None:
    good = judge(evaluation=of_labels(right=0.97))
    assert good.level == "ready"
    assert {"skill", "precision, mean of labels", "recall, mean of labels", "F1, mean of labels"} <= {
        each.subject for each in good.supports
    }
    assert "subset_accuracy and hamming_accuracy" in " ".join(good.notes)
    guessed = judge(evaluation=of_labels(right=0.45))
    assert guessed.level == "not_ready"
    assert subjects(guessed, "not_ready")[0] == "skill"
    assert "The worst label is" in printed(guessed)
    rare = judge(evaluation=of_labels(right=0.97, shares=(0.5, 0.4, 0.0)))
    assert "labels" in subjects(rare, "not_enough_evidence")


def test_a_limit_on_whole_rows_of_labels(tmp_path: Path) -> None:
    verdict = judge(evaluation=of_labels(right=0.97), policy=with_limits(tmp_path, "subset_accuracy = 0.99"))
    assert subjects(verdict, "not_ready") == ["subset accuracy"]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("rmes = 3", "Did you mean 'rmse'"),
        ("skil = 0.1", "Did you mean 'skill'"),
        ("rmse = -1", "Give a number from 0 to inf"),
        ("skill = 1.5", "Give a number from -inf to 1"),
        ("subset_accuracy = 2", "Give a number from 0 to 1"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(tmp_path: Path, limits: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        with_limits(tmp_path, limits)


def test_a_cost_of_mistakes_needs_two_classes(tmp_path: Path) -> None:
    path = tmp_path / "cost.toml"
    path.write_text('extends = "default"\n[cost]\nmiss = 5\nfalse_alarm = 1\n')
    verdict = judge(evaluation=GOOD_FORECAST, policy=path)
    assert (verdict.level, subjects(verdict)) == ("not_enough_evidence", ["cost of mistakes"])


def test_a_kept_evaluation_is_judged_as_the_one_in_memory(tmp_path: Path) -> None:
    for evaluation in (GOOD_FORECAST, NAIVE_FORECAST, of_tokens(better=0.5), of_labels(right=0.97)):
        back = read_evaluation(write_evaluation(evaluation, tmp_path / "e.json"))
        assert judge(evaluation=back) == judge(evaluation=evaluation)


def test_a_skill_without_interval_cannot_be_told_from_luck() -> None:
    estimate = msgspec.structs.replace(GOOD_FORECAST.metrics["skill"], low=None, high=None, method="no interval: why")
    verdict = judge(evaluation=msgspec.structs.replace(GOOD_FORECAST, metrics=GOOD_FORECAST.metrics | {"skill": estimate}))
    assert verdict.level == "not_enough_evidence"
    assert "no interval: why" in verdict.reasons[0].says
