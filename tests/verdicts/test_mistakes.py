"""Are a cost, an alert budget and a false-positive rate really judged, each with an interval that is wide enough?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.stats import binomtest  # type: ignore[import-untyped]

from statewise.evaluation import Evaluation
from statewise.verdicts import Level, Policy, Reason, judge
from statewise.verdicts._mistakes import spanned
from statewise.verdicts._policy import AlertRules, CostRules
from tests.verdicts.evidence import RARE_AND_GOOD, changed, of_counts, of_matrix, subjects

LIMITS: dict[str, float] = {"recall": 0.8}


def judged(evaluation: Evaluation, *, cost: CostRules | None = None, alerts: AlertRules | None = None) -> tuple[Level, Reason]:
    """Return the level, and the reason that is about mistakes."""
    verdict = judge(evaluation=evaluation, policy=Policy(limits={"recall": 0.0}, cost=cost, alerts=alerts))
    names = {"false-positive rate", "alerts per thousand", "cost per case"}
    (found,) = [each for each in (*verdict.reasons, *verdict.supports) if each.subject in names]
    return verdict.level, found


@pytest.mark.parametrize("given", [{"cost": CostRules(miss=500, false_alarm=10)}, {"alerts": AlertRules(max_false_positive_rate=0.03)}])
def test_a_policy_that_says_what_mistakes_cost_answers_where_positives_are_rare(given: dict[str, CostRules | AlertRules]) -> None:
    default = msgspec.structs.replace(Policy(limits={"accuracy": 0.85, "precision": 0.8, **LIMITS}), **given)
    verdict = judge(evaluation=RARE_AND_GOOD, policy=default)
    assert (verdict.level, verdict.reasons) == ("ready", ())
    assert any("limits on accuracy and precision do not fit and were not judged" in note for note in verdict.notes)
    assert any("1 % positives, as in the test data" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("limit", "level"), [(0.025, "ready"), (0.0205, "not_enough_evidence"), (0.0195, "needs_work"), (0.01, "not_ready")]
)
def test_a_false_positive_rate_is_judged_against_the_interval_of_one_minus_specificity(limit: float, level: Level) -> None:
    evaluation = RARE_AND_GOOD
    found_level, reason = judged(evaluation, alerts=AlertRules(max_false_positive_rate=limit))
    specificity = evaluation.metrics["specificity"]
    assert (found_level, reason.points_to, reason.limit_kind) == (level, level, "at most")
    assert specificity.low is not None
    assert specificity.high is not None
    assert (reason.value, reason.low, reason.high) == pytest.approx((392 / 19800, 1 - specificity.high, 1 - specificity.low))


@pytest.mark.parametrize(("limit", "level"), [(35.0, "ready"), (29.0, "not_enough_evidence"), (28.0, "needs_work"), (20.0, "not_ready")])
def test_an_alert_budget_counts_all_that_is_reported(limit: float, level: Level) -> None:
    found_level, reason = judged(RARE_AND_GOOD, alerts=AlertRules(max_per_thousand=limit))
    assert found_level == level
    assert reason.value == pytest.approx(1000 * (176 + 392) / 20_000)


@pytest.mark.parametrize(("limit", "level"), [(1.1, "ready"), (0.8, "not_enough_evidence"), (0.79, "needs_work"), (0.5, "not_ready")])
def test_a_cost_per_case_adds_up_what_misses_and_false_alarms_cost(limit: float, level: Level) -> None:
    found_level, reason = judged(RARE_AND_GOOD, cost=CostRules(miss=500, false_alarm=10, max_per_case=limit))
    assert found_level == level
    assert reason.value == pytest.approx((24 * 500 + 392 * 10) / 20_000)


@pytest.mark.parametrize(
    ("miss", "false_alarm", "level"),
    [(500.0, 10.0, "ready"), (1.0, 10.0, "not_ready"), (10_000.0, 1.0, "not_ready"), (0.0, 0.0, "not_ready")],
)
def test_without_a_limit_the_model_must_be_cheaper_than_always_giving_one_answer(miss: float, false_alarm: float, level: Level) -> None:
    found_level, reason = judged(RARE_AND_GOOD, cost=CostRules(miss=miss, false_alarm=false_alarm))
    assert (found_level, reason.limit_kind) == (level, "below")
    assert reason.limit == pytest.approx(min(0.01 * miss, 0.99 * false_alarm))
    assert "always answering negative costs" in reason.says


def test_the_interval_of_a_cost_covers_at_least_as_often_as_it_says() -> None:
    """Simulated with a known truth: a 95 % interval must hold it in at least 95 % of the samples."""
    random = np.random.default_rng(0)
    share, recall, specificity, cases, samples = 0.1, 0.85, 0.95, 600, 300
    truth = share * (1 - recall) * 20 + (1 - share) * (1 - specificity) * 3
    held = 0
    for _ in range(samples):
        evaluation = of_counts(54, 6, 27, 513)
        for metric, rate, size in (("recall", recall, int(share * cases)), ("specificity", specificity, int((1 - share) * cases))):
            hits = int(random.binomial(size, rate))
            interval = binomtest(hits, size).proportion_ci(0.95)
            evaluation = changed(evaluation, metric, hits / size, float(interval.low), float(interval.high))
        found = spanned(evaluation, lambda r, s: share * (1 - r) * 20 + (1 - share) * (1 - s) * 3)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held >= 0.95 * samples


def test_without_an_interval_of_recall_a_cost_is_open() -> None:
    evaluation = changed(RARE_AND_GOOD, "recall", 0.88, None, None)
    level, reason = judged(evaluation, cost=CostRules(miss=1, false_alarm=1, max_per_case=10))
    assert (level, reason.low, reason.high) == ("not_enough_evidence", None, None)
    assert "has no interval" in reason.says


def test_several_classes_have_no_miss_to_cost(tmp_path: Path) -> None:
    evaluation = of_matrix(tmp_path, [[40, 0, 0], [0, 40, 0], [0, 0, 40]])
    verdict = judge(evaluation=evaluation, policy=Policy(limits=LIMITS, cost=CostRules(miss=1, false_alarm=1)))
    assert (verdict.level, subjects(verdict)) == ("not_enough_evidence", ["cost of mistakes"])
