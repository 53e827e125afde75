"""What do mistakes cost, and can the alarms be handled? The policy's cost, alert budget and false-positive rate.

All follow from three figures: recall r, specificity s, and the share of positives p as it is in the test data.
    false-positive rate      1 - s
    alerts a case            p r + (1 - p)(1 - s)
    cost a case              p (1 - r) miss + (1 - p)(1 - s) false_alarm
Where the evaluation was told the same cost, or its threshold was chosen, its own figures are taken, which were counted row by row; so
are costs that stand in a column. Else each rises or falls with r and with s, so its interval is spanned by the ends of theirs. That
is wider than needed: the sum of two half-widths is never below the half-width of a sum, whatever the dependence between the two.
That p itself is an estimate, and may be another in production, is left out, and said; a policy can state the p of production.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from statewise.evaluation import Estimate, saving_says
from statewise.verdicts._policy import AlertRules
from statewise.verdicts._reasons import POINTS_TO, Findings, LimitKind, Reason, percent, quoted, stand, standing_says
from statewise.verdicts._skill import unit_words
from statewise.verdicts._threshold import cost_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statewise.evaluation import Evaluation
    from statewise.verdicts._policy import CostRules, Policy

_METHOD = "spanned by the intervals of recall and specificity"


def judge_mistakes(evaluation: Evaluation, policy: Policy) -> Findings:
    """Judge what the policy says about mistakes; nothing where it says nothing."""
    if policy.cost is None and policy.alerts in (None, AlertRules()):
        return Findings()
    rates = [evaluation.metrics.get(metric) for metric in ("recall", "specificity")]
    missing = evaluation.positive is None or evaluation.prevalence is None or None in rates
    if missing:
        says = "The policy says what a mistake costs, and that needs a positive class with its recall and specificity."
        do = "Take [cost] and [alerts] out of the policy for any task but two classes."
        return Findings(reasons=(Reason(subject="cost of mistakes", points_to="not_enough_evidence", says=says, do=do),))
    reasons = [*_seen(evaluation), *_alerts(evaluation, policy.alerts, policy), *_cost(evaluation, policy.cost, policy)]
    return Findings(reasons=tuple(reasons), notes=tuple(_notes(evaluation, policy)))


def share_of_positives(evaluation: Evaluation, policy: Policy) -> float:
    """Return the share of positives that costs and alerts are told for: the one the policy states, else that of the test data."""
    stated = policy.evidence.prevalence
    return stated if stated is not None else evaluation.prevalence or 0.0


def _notes(evaluation: Evaluation, policy: Policy) -> Iterator[str]:
    share = percent(share_of_positives(evaluation, policy))
    if policy.evidence.prevalence is None:
        yield f"Costs and alerts are told for {share} positives, as in the test data: another share in production changes them."
    else:
        rules = policy.cost
        of_columns = rules is not None and (isinstance(rules.miss, str) or isinstance(rules.false_alarm, str))
        tested = percent(evaluation.prevalence or 0.0)
        but = f"; what mistakes cost by their column, for the {tested} of the test data" if of_columns else ""
        yield f"Costs and alerts are told for {share} positives, as the policy expects in production{but}."
    if evaluation.chosen is not None:
        yield f"The threshold: {evaluation.chosen}."
        said = saving_says(evaluation)
        yield from [f"In the test data {said}."] if said else []
    elif evaluation.trade_off is not None:
        yield "The threshold was not chosen by what mistakes cost on validation data (--valid FILE): another may be better."


def _seen(evaluation: Evaluation) -> Iterator[Reason]:
    """Yield that the threshold was chosen on rows that are judged, where it was."""
    if evaluation.chosen is None or not evaluation.chosen.overlap:
        return
    says = "The threshold was chosen on rows that are judged here: what is told of it is too good."
    do = "Choose it on validation rows, and judge others."
    yield Reason(subject="threshold", points_to="not_enough_evidence", says=says, do=do)


def _alerts(evaluation: Evaluation, rules: AlertRules | None, policy: Policy) -> Iterator[Reason]:
    if rules is None:
        return
    do = "Raise the decision threshold (chosen on validation data), or make room for more alarms."
    if rules.max_false_positive_rate is not None:
        rate = evaluation.mistakes.get("false_positive_rate") or spanned(evaluation, lambda _, s: 1 - s)
        says = "Share of the negatives that raise an alarm."
        yield _reason(evaluation, policy, "false-positive rate", rate, rules.max_false_positive_rate, says=says, do=do)
    if rules.max_per_thousand is not None:
        says = "Cases of each thousand that are reported as positive."
        yield _reason(
            evaluation, policy, "alerts per thousand", _per_thousand(evaluation, policy), rules.max_per_thousand, says=says, do=do
        )
    if rules.max_per_day is not None:
        yield _a_day(evaluation, policy, rules.max_per_day, do)
    if rules.min_precision is not None:
        says = f"Share of the alerts that are right, at {percent(share_of_positives(evaluation, policy))} positives."
        do = "Raise the decision threshold (chosen on validation data), or bring examples like the false alarms."
        precision = evaluation.metrics["precision"]
        yield _reason(evaluation, policy, "precision of alerts", precision, rules.min_precision, says=says, do=do, kind="at least")


def _per_thousand(evaluation: Evaluation, policy: Policy) -> Estimate:
    """Return the alerts per thousand: as they were counted, or at another share of positives as recall and specificity have them."""
    counted = evaluation.mistakes.get("alerts_per_thousand")
    if counted is not None and policy.evidence.prevalence is None:
        return counted
    p = share_of_positives(evaluation, policy)
    return spanned(evaluation, lambda r, s: 1000 * (p * r + (1 - p) * (1 - s)))


def _a_day(evaluation: Evaluation, policy: Policy, limit: float, do: str) -> Reason:
    counted = evaluation.mistakes.get("alerts_per_day")
    if counted is None:
        says = "The policy has a budget of alerts a day, and the evaluation does not know how many days its rows span."
        how = "Choose the threshold by it on validation rows with a column 'time': --max-alerts-per-day, or --valid with this policy."
        return Reason(subject="alerts a day", points_to="not_enough_evidence", says=says, do=how, limit=limit, limit_kind="at most")
    if policy.evidence.prevalence is not None and counted.value:
        times = counted.value / evaluation.mistakes["alerts_per_thousand"].value
        other = _per_thousand(evaluation, policy)
        low, high = (None if end is None else end * times for end in (other.low, other.high))
        counted = msgspec.structs.replace(other, value=other.value * times, low=low, high=high)
    return _reason(evaluation, policy, "alerts a day", counted, limit, says="Cases a day that are reported as positive.", do=do)


def _cost(evaluation: Evaluation, rules: CostRules | None, policy: Policy) -> Iterator[Reason]:
    if rules is None:
        return
    do = "Choose the decision threshold with the lowest cost on validation data, or improve recall and precision."
    told = _told_cost(evaluation, rules, policy)
    if told is None:
        says = f"The policy takes what a mistake costs from a column ({cost_of(rules)}), and the evaluation was made without it."
        do = "Evaluate with it: --miss-cost amount --false-alarm-cost 1, in Python cost=sw.Cost(...); the predictions need scores."
        yield Reason(
            subject="cost per case", points_to="not_enough_evidence", says=says, do=do, limit=rules.max_per_case, limit_kind="at most"
        )
        return
    cost, negative, positive = told
    at = f"At {_priced(rules.miss)} a miss and {_priced(rules.false_alarm)} a false alarm"
    if rules.max_per_case is not None:
        yield _reason(evaluation, policy, "cost per case", cost, rules.max_per_case, says=f"{at}.", do=do)
        return
    says = (
        f"{at}, always answering negative costs {negative:.4g} a case, "
        f"always answering positive {positive:.4g}: the model must be cheaper than both."
    )
    yield _reason(evaluation, policy, "cost per case", cost, min(negative, positive), says=says, do=do, kind="below")


def _told_cost(evaluation: Evaluation, rules: CostRules, policy: Policy) -> tuple[Estimate, float, float] | None:
    """Return the cost a case of the model, of always answering negative, and of always answering positive; None where it is not known."""
    of_columns = isinstance(rules.miss, str) or isinstance(rules.false_alarm, str)
    if evaluation.cost is not None and evaluation.cost == cost_of(rules) and (of_columns or policy.evidence.prevalence is None):
        assert evaluation.trade_off is not None, "a cost is told of rows with scores"
        by_threshold = evaluation.trade_off.cost_per_case
        return evaluation.mistakes["cost_per_case"], by_threshold[-1], by_threshold[0]
    if isinstance(rules.miss, str) or isinstance(rules.false_alarm, str):
        return None
    miss, false_alarm, p = rules.miss, rules.false_alarm, share_of_positives(evaluation, policy)
    cost = spanned(evaluation, lambda r, s: p * (1 - r) * miss + (1 - p) * (1 - s) * false_alarm)
    return cost, p * miss, (1 - p) * false_alarm


def _priced(cost: float | str) -> str:
    return f"its '{cost}'" if isinstance(cost, str) else f"{cost:g}"


def spanned(evaluation: Evaluation, formula: Callable[[float, float], float]) -> Estimate:
    """Return a figure of recall and specificity with the interval that the ends of theirs span."""
    recall, specificity = evaluation.metrics["recall"], evaluation.metrics["specificity"]
    ends = [formula(r, s) for r in (recall.low, recall.high) if r is not None for s in (specificity.low, specificity.high) if s is not None]
    whole = len(ends) == 4
    ends = [end for end in ends if not math.isnan(end)]  # 0 of 0 at one corner lies between the others
    return Estimate(
        value=formula(recall.value, specificity.value),
        low=min(ends) if whole else None,
        high=max(ends) if whole else None,
        units=min(recall.units, specificity.units),
        method=_METHOD if whole else f"recall or specificity has none ({recall.method})",
        is_share=False,
    )


def _reason(
    evaluation: Evaluation,
    policy: Policy,
    subject: str,
    estimate: Estimate,
    limit: float,
    *,
    says: str,
    do: str,
    kind: LimitKind = "at most",
) -> Reason:
    standing = stand(estimate, limit, bounds=policy.bounds, kind=kind)
    if standing in ("open, reaches", "undefined"):
        do = f"Test on more {unit_words(evaluation)}."
    return Reason(
        subject=subject,
        points_to=POINTS_TO[standing],
        says=f"{says} {standing_says(standing, estimate, bounds=policy.bounds)}",
        do="" if standing == "met" else do,
        limit_kind=kind,
        **quoted(estimate, limit),
    )
