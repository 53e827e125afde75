"""Do a policy's costs, budgets and share of positives choose the threshold, and are the figures at it what is judged?"""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn import metrics as oracle  # type: ignore[import-untyped]

import statewise as sw
from statewise.errors import DataError
from statewise.verdicts import Policy, choose_by_policy, judge
from statewise.verdicts._policy import AlertRules, CostRules, EvidenceRules
from statewise.verdicts._prevalence import at_prevalence
from tests.verdicts.evidence import GOOD, RARE_AND_GOOD, of_forecast


def rows(seed: int, *, number: int = 2000, share: float = 0.2) -> sw.Predictions:
    random = np.random.default_rng(seed)
    actual = random.random(number) < share
    score = 1 / (1 + np.exp(-random.normal(4.0 * actual - 2, 1.0)))
    columns = {
        "key": [f"{seed}-{row}" for row in range(number)], "target": actual.astype(int), "score": score,
        "amount": random.lognormal(3, 1, number), "time": 1_767_225_600 + 8_640 * np.arange(number),
    }  # fmt: skip
    return sw.Predictions.from_columns(columns, task="classify", source=f"part {seed}")


def policy(**tables: object) -> Policy:
    return Policy(limits={"recall": 0.0}, **tables)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "options"),
    [
        ({"cost": CostRules(miss=20, false_alarm=1)}, {"cost": sw.Cost(miss=20, false_alarm=1)}),
        ({"cost": CostRules(miss="amount", false_alarm=1)}, {"cost": sw.Cost(miss="amount", false_alarm=1)}),
        ({"alerts": AlertRules(max_per_thousand=100)}, {"max_alerts_per_thousand": 100}),
        ({"alerts": AlertRules(max_per_day=2)}, {"max_alerts_per_day": 2}),
        ({"alerts": AlertRules(max_false_positive_rate=0.01)}, {"max_false_positive_rate": 0.01}),
        (
            {"cost": CostRules(miss=20, false_alarm=1), "evidence": EvidenceRules(prevalence=0.01)},
            {"cost": sw.Cost(miss=20, false_alarm=1), "prevalence": 0.01},
        ),
    ],
)
def test_a_policy_chooses_what_its_rules_choose(rules: dict[str, object], options: dict[str, object]) -> None:
    valid = rows(0)
    assert choose_by_policy(policy(**rules), valid) == sw.choose_threshold(valid, **options)  # type: ignore[arg-type]


def test_a_policy_without_costs_or_budgets_chooses_nothing() -> None:
    assert choose_by_policy(policy(alerts=AlertRules(min_precision=0.5), evidence=EvidenceRules(prevalence=0.1)), rows(0)) is None


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="column 'loss'"):
        choose_by_policy(policy(cost=CostRules(miss="loss", false_alarm=1)), rows(0))


def test_costs_by_amount_are_judged_against_always_giving_one_answer() -> None:
    rules = policy(cost=CostRules(miss="amount", false_alarm=1))
    test = rows(1)
    evaluation = sw.evaluate(test, threshold=choose_by_policy(rules, rows(0)))
    verdict = judge(evaluation=evaluation, policy=rules)
    (found,) = [each for each in verdict.supports if each.subject == "cost per case"]
    assert test.amount is not None
    actual = np.asarray(test.actual == 1)
    assert found.limit == pytest.approx(min(test.amount[actual].sum(), (~actual).sum()) / len(test))
    assert found.value == evaluation.mistakes["cost_per_case"].value
    assert "At its 'amount' a miss and 1 a false alarm" in found.says
    assert any(note.startswith("In the test data from ") for note in verdict.notes)


def test_costs_by_amount_of_an_evaluation_made_without_them_are_no_evidence() -> None:
    verdict = judge(evaluation=sw.evaluate(rows(1)), policy=policy(cost=CostRules(miss="amount", false_alarm=1)))
    (found,) = [each for each in verdict.reasons if each.subject == "cost per case"]
    assert found.points_to == "not_enough_evidence"
    assert "was made without it" in found.says


@pytest.mark.parametrize(("limit", "subject_list"), [(30.0, "supports"), (0.5, "reasons")])
def test_alerts_a_day_are_judged(limit: float, subject_list: str) -> None:
    evaluation = sw.evaluate(rows(1), threshold=choose_by_policy(policy(alerts=AlertRules(max_per_day=2)), rows(0)))
    verdict = judge(evaluation=evaluation, policy=policy(alerts=AlertRules(max_per_day=limit)))
    (found,) = [each for each in getattr(verdict, subject_list) if each.subject == "alerts a day"]
    assert found.value == evaluation.mistakes["alerts_per_day"].value
    unknown = judge(evaluation=sw.evaluate(rows(1)), policy=policy(alerts=AlertRules(max_per_day=limit)))
    assert [each.points_to for each in unknown.reasons if each.subject == "alerts a day"] == ["not_enough_evidence"]


def test_a_threshold_chosen_on_the_rows_that_are_judged_is_no_evidence() -> None:
    rules = policy(cost=CostRules(miss=20, false_alarm=1))
    own = judge(evaluation=sw.evaluate(rows(1), threshold=choose_by_policy(rules, rows(1))), policy=rules)
    assert own.level == "not_enough_evidence"
    assert [each.subject for each in own.reasons] == ["threshold"]
    assert judge(evaluation=sw.evaluate(rows(1), threshold=choose_by_policy(rules, rows(0))), policy=rules).level == "ready"


@pytest.mark.parametrize("share", [0.001, 0.01, 0.5])
def test_precision_is_recomputed_for_the_share_of_positives_in_production(share: float) -> None:
    """From test data in balance, what production would see: checked against counts weighed by hand."""
    rules = policy(alerts=AlertRules(min_precision=0.9), evidence=EvidenceRules(prevalence=share))
    verdict = judge(evaluation=GOOD, policy=rules)
    (found,) = [each for each in (*verdict.reasons, *verdict.supports) if each.subject == "precision of alerts"]
    r, fpr = 480 / 500, 20 / 500
    assert found.value == pytest.approx(r * share / (r * share + fpr * (1 - share)))
    assert found.low is not None
    assert found.high is not None
    assert found.low < (found.value or 0.0) < found.high
    assert any(f"At the {100 * share:g} % positives that the policy expects in production precision is" in note for note in verdict.notes)


def test_a_limit_on_precision_is_held_against_the_share_of_production() -> None:
    limit = msgspec.convert({"limits": {"precision": 0.9}, "evidence": {"prevalence": 0.12}}, Policy)
    assert judge(evaluation=GOOD, policy=limit).level == "not_ready"
    assert judge(evaluation=GOOD, policy=Policy(limits={"precision": 0.9})).level == "ready"


def test_positives_that_are_rare_in_production_alone_are_rare() -> None:
    rules = msgspec.convert({"limits": {"precision": 0.9, "recall": 0.8}, "evidence": {"prevalence": 0.01}}, Policy)
    verdict = judge(evaluation=GOOD, policy=rules)
    assert verdict.level == "not_enough_evidence"
    assert any("1 % in production are expected to be positive" in each.says for each in verdict.reasons)


def test_costs_and_alerts_follow_the_share_of_production() -> None:
    rules = policy(
        cost=CostRules(miss=500, false_alarm=10), alerts=AlertRules(max_per_thousand=900), evidence=EvidenceRules(prevalence=0.05)
    )
    verdict = judge(evaluation=RARE_AND_GOOD, policy=rules)
    found = {each.subject: each.value for each in (*verdict.reasons, *verdict.supports)}
    r, fpr = 176 / 200, 392 / 19800
    assert found["cost per case"] == pytest.approx(0.05 * (1 - r) * 500 + 0.95 * fpr * 10)
    assert found["alerts per thousand"] == pytest.approx(1000 * (0.05 * r + 0.95 * fpr))
    assert any("5 % positives, as the policy expects in production" in note for note in verdict.notes)


def test_a_share_of_positives_means_nothing_where_there_are_none() -> None:
    verdict = judge(
        evaluation=of_forecast(advantage=0.5), policy=msgspec.convert({"limits": {"skill": 0}, "evidence": {"prevalence": 0.1}}, Policy)
    )
    assert any("it was not used" in note for note in verdict.notes)


def test_a_cost_that_only_the_evaluation_knows_is_asked_for_in_the_policy() -> None:
    valid, test = rows(0, share=0.03), rows(1, share=0.03)
    chosen = sw.choose_threshold(valid, cost=sw.Cost(miss="amount", false_alarm=3))
    verdict = judge(evaluation=sw.evaluate(test, threshold=chosen))
    found = next(each for each in verdict.reasons if each.subject == "cost of mistakes")
    assert "was told that a miss costs its 'amount', a false alarm 3" in found.says
    assert found.do == 'Say it in the policy too: [cost] with miss = "amount" and false_alarm = 3.'
    told = judge(evaluation=sw.evaluate(test, threshold=chosen), policy=policy(cost=CostRules(miss="amount", false_alarm=3)))
    assert "cost of mistakes" not in {each.subject for each in (*told.reasons, *told.supports)}


def test_what_the_share_of_production_cannot_be_told_of_is_named() -> None:
    rules = msgspec.convert({"limits": {"mcc": 0.1, "pr_auc": 0.2, "accuracy": 0.5}, "evidence": {"prevalence": 0.01}}, Policy)
    found, notes = at_prevalence(sw.evaluate(rows(1)), rules)
    assert (found.majority_class, found.majority_accuracy) == ("0", 0.99)
    r, s = found.metrics["recall"].value, found.metrics["specificity"].value
    weighed = np.repeat([1, 1, 0, 0], 1), np.array([1, 0, 1, 0]), np.array([0.01 * r, 0.01 * (1 - r), 0.99 * (1 - s), 0.99 * s])
    assert found.metrics["mcc"].value == pytest.approx(oracle.matthews_corrcoef(weighed[0], weighed[1], sample_weight=weighed[2]))
    assert any("The limit on pr auc is judged at the share of the test data" in note for note in notes)


def test_costs_of_a_column_are_told_for_the_share_that_they_are_of() -> None:
    rules = policy(cost=CostRules(miss="amount", false_alarm=1), evidence=EvidenceRules(prevalence=0.01))
    notes = judge(evaluation=sw.evaluate(rows(1), cost=sw.Cost(miss="amount", false_alarm=1)), policy=rules).notes
    assert any("by their column, for the" in note and "of the test data" in note for note in notes)
