"""Do the metrics decide as the rules say: enough cases, skill, each limit, rare positives, and the accuracy paradox?"""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec
import pytest

from statewise.evaluation import Counts, Estimate, Evaluation, Predictions, evaluate, read_predictions
from statewise.verdicts import Level, Policy, Reason, Verdict, judge, read_policy
from statewise.verdicts._policy import EvidenceRules
from statewise.verdicts._reasons import LimitKind, stand, standing_says
from tests.verdicts.evidence import FRAUD, GOOD, RARE_AND_GOOD, changed, of_counts, of_matrix, of_rows, printed, subjects

RECALL_ONLY = Policy(limits={"recall": 0.8})


def reason(verdict: Verdict, subject: str) -> Reason:
    return next(each for each in (*verdict.reasons, *verdict.supports) if each.subject == subject)


def with_recall(value: float, low: float | None, high: float | None) -> Evaluation:
    return changed(GOOD, "recall", value, low, high)


# Fit for production?


def check_paradox(verdict: Verdict) -> None:
    """The verdict on 98 % accuracy and 12 % recall, its figures parsed back from what is printed."""
    text = printed(verdict)
    assert (verdict.level, verdict.exit_code) == ("not_ready", 1)
    assert "verdict: not ready" in text
    assert re.search(r"Accuracy is 98\.0 %\s+and\s+recall 12 %", text)
    assert re.search(r"\b88 of 100\s+positives\s+are\s+missed", text)
    assert re.search(r'lways answering\s+"\w+"\s+would\s+be\s+99 %\s+accurate', text)
    found = re.search(r"recall of '\w+': ([\d.]+) \(([\d.]+) to ([\d.]+)\), needs at least ([\d.]+)", text)
    assert found is not None
    value, low, high, limit = map(float, found.groups())
    assert (value, limit) == (0.12, 0.8)
    assert low < 0.12 < high < limit
    assert "recall" in verdict.reasons[0].subject


def test_98_percent_accuracy_and_12_percent_recall_is_not_ready_from_four_counts() -> None:
    verdict = judge(evaluation=evaluate(Counts(tp=12, fn=88, fp=112, tn=9788)))
    check_paradox(verdict)
    assert printed(verdict).splitlines()[0] == "figures only: model, training and data were not examined"
    assert 'Always answering "negative" would be 99 % accurate' in verdict.reasons[0].says


def test_98_percent_accuracy_and_12_percent_recall_is_not_ready_from_a_predictions_file(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    cells = [("yes", "yes", 12), ("yes", "no", 88), ("no", "yes", 112), ("no", "no", 9788)]
    rows = [f"{target},{prediction}" for target, prediction, count in cells for _ in range(count)]
    path.write_text("key,target,prediction\n" + "".join(f"{number},{row}\n" for number, row in enumerate(rows)))
    verdict = judge(evaluation=evaluate(read_predictions(path)))
    check_paradox(verdict)
    assert verdict.header.startswith("figures only")


@pytest.mark.parametrize("policy", ["default", "lenient", "recall-first", "precision-first"])
def test_12_percent_recall_is_not_ready_under_any_preset(policy: str) -> None:
    assert judge(evaluation=FRAUD, policy=policy).level == "not_ready"


def test_few_positives_found_with_31_times_the_precision_of_guessing_is_a_question_of_cost() -> None:
    verdict = judge(evaluation=RARE_AND_GOOD)
    assert (verdict.level, verdict.exit_code) == ("not_enough_evidence", 3)
    assert subjects(verdict) == ["cost of mistakes"]
    text = printed(verdict)
    assert "What does a miss cost?" in text
    assert "31 times" in text
    assert "1 % of the 20,000" in text
    assert reason(verdict, "recall of 'positive'").points_to == "ready"
    assert not {"accuracy", "precision of 'positive'", "F1 of 'positive'"} & {each.subject for each in verdict.supports}


@pytest.mark.parametrize(("negatives", "asks"), [(901, True), (900, False)])
def test_limits_for_balanced_classes_are_dropped_only_below_a_tenth_of_positives(negatives: int, *, asks: bool) -> None:
    verdict = judge(evaluation=of_counts(100, 0, 0, negatives))
    assert ("cost of mistakes" in subjects(verdict)) is asks
    assert verdict.level == ("not_enough_evidence" if asks else "ready")


def test_a_policy_without_limits_for_balanced_classes_has_none_to_drop() -> None:
    assert judge(evaluation=RARE_AND_GOOD, policy=RECALL_ONLY).level == "ready"


# The bands


def test_a_good_figure_of_too_few_cases_is_open(tmp_path: Path) -> None:
    verdict = judge(evaluation=of_counts(50, 10, 5, 35))
    assert verdict.level == "not_enough_evidence"
    text = printed(verdict)
    found = dict(re.findall(r"(accuracy|recall|precision|F1)(?: of 'positive')?: (\d\.\d+)", text))
    assert {name: round(float(value), 2) for name, value in found.items()} == {
        "accuracy": 0.85,
        "recall": 0.83,
        "precision": 0.91,
        "F1": 0.87,
    }
    assert judge(evaluation=of_counts(50, 10, 5, 35), policy="lenient").level == "ready"


@pytest.mark.parametrize(
    ("policy", "fires", "stays_silent"),
    [
        ("default", (480, 120, 120, 480), GOOD),
        ("lenient", (370, 130, 110, 390), of_counts(410, 90, 90, 410)),
        ("recall-first", (430, 70, 20, 480), of_counts(480, 20, 250, 250)),
        ("precision-first", (480, 20, 40, 460), of_counts(300, 200, 3, 497)),
    ],
)
def test_each_preset_fires_and_stays_silent(policy: str, fires: tuple[int, int, int, int], stays_silent: Evaluation) -> None:
    assert judge(evaluation=of_counts(*fires), policy=policy).level == "not_ready"
    verdict = judge(evaluation=stays_silent, policy=policy)
    assert (verdict.level, verdict.policy, verdict.reasons) == ("ready", policy, ())
    assert verdict.policy_hash == read_policy(policy).sha256


@pytest.mark.parametrize(
    ("value", "low", "high", "level"),
    [
        (0.85, 0.80, 0.90, "ready"),
        (0.85, 0.7999, 0.90, "not_enough_evidence"),
        (0.80, 0.75, 0.85, "not_enough_evidence"),
        (0.7999, 0.75, 0.85, "needs_work"),
        (0.75, 0.70, 0.80, "needs_work"),
        (0.75, 0.70, 0.7999, "not_ready"),
        (0.85, None, None, "not_enough_evidence"),
        (0.75, None, None, "needs_work"),
        (math.nan, None, None, "not_enough_evidence"),
    ],
)
def test_a_limit_is_met_open_or_missed_by_the_ends_of_the_interval(
    value: float, low: float | None, high: float | None, level: Level
) -> None:
    verdict = judge(evaluation=with_recall(value, low, high), policy=RECALL_ONLY)
    assert verdict.level == level
    found = reason(verdict, "recall of 'positive'")
    assert (found.points_to, found.low, found.high, found.limit) == (level, low, high, 0.8)
    assert found.value == (None if math.isnan(value) else value)
    assert bool(found.do) == (level != "ready")
    assert found.says


@pytest.mark.parametrize(
    ("value", "low", "high", "level"),
    [
        (0.80, 0.10, 0.90, "ready"),
        (0.79, 0.70, 0.99, "not_ready"),
        (0.80, None, None, "not_enough_evidence"),
        (0.79, None, None, "needs_work"),
    ],
)
def test_a_lenient_policy_judges_figures_but_wants_an_interval(value: float, low: float | None, high: float | None, level: Level) -> None:
    points = msgspec.structs.replace(RECALL_ONLY, bounds=False)
    assert judge(evaluation=with_recall(value, low, high), policy=points).level == level


@pytest.mark.parametrize(
    ("kind", "standings"),
    [
        ("at least", ["met", "met", "open, reaches", "open, does not reach", "open, does not reach", "missed"]),
        ("above", ["met", "open, reaches", "open, does not reach", "open, does not reach", "missed", "missed"]),
        ("at most", ["missed", "open, does not reach", "open, reaches", "open, reaches", "met", "met"]),
        ("below", ["missed", "missed", "open, does not reach", "open, reaches", "open, reaches", "met"]),
    ],
)
def test_standings_cover_every_place_of_the_limit_for_every_kind_of_limit(kind: LimitKind, standings: list[str]) -> None:
    estimate = Estimate(value=0.5, low=0.25, high=0.75, units=9, method="exact")
    limits = [0.1, 0.25, 0.5, 0.6, 0.75, 0.9]
    assert [stand(estimate, limit, kind=kind) for limit in limits] == standings
    assert all(standing_says(stand(estimate, limit, kind=kind), estimate).endswith(".") for limit in limits)


# Skill


def test_answers_at_chance_have_no_skill() -> None:
    verdict = judge(evaluation=of_counts(50, 50, 50, 50))
    assert verdict.level == "not_ready"
    assert verdict.reasons[0].subject == "skill"
    assert (verdict.reasons[0].value, verdict.reasons[0].limit) == (0.5, 0.5)
    text = printed(verdict)
    assert "No skill" in text
    assert "near chance" in text
    assert "Below 0.60 is bad" in text


def test_a_high_figure_whose_interval_reaches_down_to_chance_is_not_called_guessing() -> None:
    found = judge(evaluation=changed(GOOD, "balanced_accuracy", 0.9, 0.45, 0.99)).reasons[0]
    assert (found.subject, found.points_to) == ("skill", "not_ready")
    assert "Skill is not shown" in found.says
    assert "guesses" not in found.says
    assert "Test on more cases: about 1.3 times as many" in found.do


@pytest.mark.parametrize(
    ("value", "low", "high", "level"),
    [
        (0.6, 0.5, 0.7, "not_ready"),
        (0.6, 0.5001, 0.7, "ready"),
        (0.5, None, None, "not_ready"),
        (0.6, None, None, "not_enough_evidence"),
        (math.nan, None, None, "not_enough_evidence"),
    ],
)
def test_skill_wants_the_whole_interval_of_balanced_accuracy_above_chance(
    value: float, low: float | None, high: float | None, level: Level
) -> None:
    verdict = judge(evaluation=changed(GOOD, "balanced_accuracy", value, low, high))
    assert verdict.level == level
    assert reason(verdict, "skill").points_to == level
    if low is None and not math.isnan(value):
        assert "no interval" in reason(verdict, "skill").says


def test_chance_is_one_of_the_number_of_classes(tmp_path: Path) -> None:
    guessing = [[20, 20, 20] for _ in range(3)]
    verdict = judge(evaluation=of_matrix(tmp_path, guessing))
    assert verdict.reasons[0].subject == "skill"
    assert verdict.reasons[0].limit == pytest.approx(1 / 3)
    assert "guessing among 3 classes" in verdict.reasons[0].says


# Enough


@pytest.mark.parametrize(("cases", "level"), [(49, "not_enough_evidence"), (50, "ready")])
def test_fifty_independent_units_are_needed(tmp_path: Path, cases: int, level: Level) -> None:
    rows = [(f"g{number}", "yes", "yes") if number < 30 else (f"g{number}", "no", "no") for number in range(cases)]
    verdict = judge(evaluation=of_rows(tmp_path, rows), policy=Policy(limits={"recall": 0.5}))
    assert verdict.level == level
    assert reason(verdict, "independent groups").value == cases


@pytest.mark.parametrize(("positives", "level"), [(29, "not_enough_evidence"), (30, "ready")])
def test_thirty_positives_are_needed(positives: int, level: Level) -> None:
    verdict = judge(evaluation=of_counts(positives, 0, 0, 60), policy=Policy(limits={"recall": 0.5}))
    assert verdict.level == level
    assert reason(verdict, "positives").value == positives


def test_positives_of_one_group_are_one_positive(tmp_path: Path) -> None:
    rows = [(f"p{number % 20}", "yes", "yes") for number in range(60)] + [(f"n{number}", "no", "no") for number in range(60)]
    verdict = judge(evaluation=of_rows(tmp_path, rows), policy=Policy(limits={"recall": 0.5}))
    assert verdict.level == "not_enough_evidence"
    assert reason(verdict, "independent groups with positives").value == 20


def test_several_classes_need_thirty_of_each_on_average_and_each_class_at_all(tmp_path: Path) -> None:
    def level_of(*support: int) -> tuple[Level, list[str]]:
        matrix = [[count if a == b else 0 for b in range(len(support))] for a, count in enumerate(support)]
        verdict = judge(evaluation=of_matrix(tmp_path, matrix))
        return verdict.level, subjects(verdict)

    assert level_of(60, 20, 20) == ("ready", [])
    subject = "independent groups of each class, on average"
    assert level_of(40, 20, 20) == ("not_enough_evidence", [subject])
    evaluation = of_matrix(tmp_path, [[60, 0, 0], [0, 60, 0], [0, 0, 20]])
    assert any("1 class has fewer than 30 test cases" in note for note in judge(evaluation=evaluation).notes)


def test_a_class_that_never_occurs_in_the_test_data_is_not_judged_by_the_others(tmp_path: Path) -> None:
    # Predicted once, so it is known, but never tested.
    verdict = judge(evaluation=of_matrix(tmp_path, [[60, 0, 0], [0, 59, 1], [0, 0, 0]]), policy="lenient")
    assert "classes" in subjects(verdict, "not_enough_evidence")
    assert "'c'" in reason(verdict, "classes").says


# What is missing


def test_a_limit_on_a_metric_that_is_not_there_is_absent_evidence() -> None:
    evaluation = GOOD
    without = msgspec.structs.replace(evaluation, metrics={name: each for name, each in evaluation.metrics.items() if name != "recall"})
    verdict = judge(evaluation=without)
    assert verdict.level == "not_enough_evidence"
    assert subjects(verdict) == ["recall of 'positive'", "positives"]


def test_without_balanced_accuracy_skill_is_not_known() -> None:
    evaluation = GOOD
    metrics = {name: each for name, each in evaluation.metrics.items() if name != "balanced_accuracy"}
    verdict = judge(evaluation=msgspec.structs.replace(evaluation, metrics=metrics))
    assert (verdict.level, subjects(verdict)) == ("not_enough_evidence", ["skill"])


# Words


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((60, 60, 5, 75), "60 of 120 positives are missed"),
        ((100, 20, 60, 20), "60 of 160 alarms are false"),
        ((0, 60, 0, 60), "There is no alarm at all"),
        ((60, 40, 60, 40), "100 of 200 answers are wrong"),
        ((20, 80, 10, 90), "Below 0.50 is bad."),
        ((2, 58, 6, 434), "high only because positives are rare"),
    ],
)
def test_a_reason_says_what_the_figure_means_in_counts(counts: tuple[int, int, int, int], words: str) -> None:
    assert words in " ".join(printed(judge(evaluation=of_counts(*counts))).split())


def test_accuracy_is_not_called_high_where_it_is_not() -> None:
    text = printed(judge(evaluation=of_counts(20, 40, 30, 60)))
    assert "high only because" not in text
    assert "no less than this model" in " ".join(text.split())


def test_the_majority_is_not_quoted_where_it_is_the_positive_class() -> None:
    says = reason(judge(evaluation=of_counts(100, 100, 20, 80)), "recall of 'positive'").says
    assert "100 of 200 positives are missed" in says
    assert "Always answering" not in says


def test_several_classes_name_their_worst(tmp_path: Path) -> None:
    matrix = [[58, 1, 1], [30, 28, 2], [1, 1, 58]]
    text = " ".join(printed(judge(evaluation=of_matrix(tmp_path, matrix))).split())
    assert "recall, mean of classes: 0.800" in text
    assert "The worst class is 'b', with recall 0.467." in text
    assert "Look at the worst class" in text


def test_an_open_figure_says_how_much_more_data_would_settle_it() -> None:
    found = reason(judge(evaluation=with_recall(0.90, 0.70, 0.95), policy=RECALL_ONLY), "recall of 'positive'")
    assert "about 4 times as many" in found.do
    close = reason(judge(evaluation=with_recall(0.801, 0.70, 0.95), policy=RECALL_ONLY), "recall of 'positive'")
    assert "more than 100 times as many" in close.do
    at_the_limit = reason(judge(evaluation=with_recall(0.80, 0.70, 0.95), policy=RECALL_ONLY), "recall of 'positive'")
    assert at_the_limit.do == "Test on more cases."


def test_a_figure_close_to_its_limit_is_never_printed_as_the_limit() -> None:
    text = printed(judge(evaluation=with_recall(0.79996, 0.75, 0.85), policy=RECALL_ONLY))
    assert "0.79996 (0.75000 to 0.85000), needs at least 0.80000" in text


def test_remarks_of_the_evaluation_are_handed_on(tmp_path: Path) -> None:
    rows = [(f"g{number}", target, target) for number, target in enumerate(["cat", "dog"] * 40)]
    verdict = judge(evaluation=of_rows(tmp_path, rows))
    assert any("positive class is 'dog'" in note for note in verdict.notes)


def test_numbers_of_cases_come_from_the_policy() -> None:
    strict = Policy(limits={"recall": 0.5}, evidence=EvidenceRules(min_units=2000, min_positives=900))
    assert subjects(judge(evaluation=GOOD, policy=strict)) == ["independent cases", "positives"]


def test_without_any_positive_no_share_of_them_is_told() -> None:
    text = printed(judge(evaluation=evaluate(Predictions.from_columns({"target": [0] * 99 + [0], "prediction": [0] * 98 + [1, 1]}))))
    assert "There is no positive ('1') in the test data." in " ".join(text.split())
    assert "nan" not in text


def test_answers_without_scores_have_no_threshold_to_move() -> None:
    columns = {"target": [0, 1] * 100, "prediction": [0, 0, 1, 1] * 50}
    reasons = judge(evaluation=evaluate(Predictions.from_columns(columns))).reasons
    assert not any("decision threshold" in reason.do for reason in reasons)
