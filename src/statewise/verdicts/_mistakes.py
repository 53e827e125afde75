"""What do mistakes cost, and can the alarms be handled? The policy's cost, alert budget and false-positive rate.

All follow from three figures: recall r, specificity s, and the share of positives p as it is in the test data.
    false-positive rate      1 - s
    alerts a case            p r + (1 - p)(1 - s)
    cost a case              p (1 - r) miss + (1 - p)(1 - s) false_alarm
Each rises or falls with r and with s, so its interval is spanned by the ends of theirs. That is wider than needed: the sum of
two half-widths is never below the half-width of a sum, whatever the dependence between the two. That p itself is an
estimate, and may be another in production, is left out, and said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.evaluation import Estimate
from statewise.verdicts._reasons import POINTS_TO, Findings, LimitKind, Reason, percent, quoted, stand, standing_says
from statewise.verdicts._skill import unit_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statewise.evaluation import Evaluation
    from statewise.verdicts._policy import AlertRules, CostRules, Policy

_METHOD = "spanned by the intervals of recall and specificity"


def judge_mistakes(evaluation: Evaluation, policy: Policy) -> Findings:
    """Judge what the policy says about mistakes; nothing where it says nothing."""
    if not policy.knows_mistakes:
        return Findings()
    rates = [evaluation.metrics.get(metric) for metric in ("recall", "specificity")]
    missing = evaluation.positive is None or evaluation.prevalence is None or None in rates
    if missing:
        says = "The policy says what a mistake costs, and that needs a positive class with its recall and specificity."
        do = "Take [cost] and [alerts] out of the policy for any task but two classes."
        return Findings(reasons=(Reason(subject="cost of mistakes", points_to="not_enough_evidence", says=says, do=do),))
    reasons = [*_alerts(evaluation, policy.alerts, policy), *_cost(evaluation, policy.cost, policy)]
    share = percent(evaluation.prevalence or 0.0)
    return Findings(
        reasons=tuple(reasons),
        notes=(f"Costs and alerts are told for {share} positives, as in the test data: another share in production changes them.",),
    )


def _alerts(evaluation: Evaluation, rules: AlertRules | None, policy: Policy) -> Iterator[Reason]:
    if rules is None:
        return
    p = evaluation.prevalence or 0.0
    do = "Raise the decision threshold (chosen on validation data), or make room for more alarms."
    if rules.max_false_positive_rate is not None:
        rate = _spanned(evaluation, lambda _, s: 1 - s)
        says = "Share of the negatives that raise an alarm."
        yield _reason(evaluation, policy, "false-positive rate", rate, rules.max_false_positive_rate, says=says, do=do)
    if rules.max_per_thousand is not None:
        alerts = _spanned(evaluation, lambda r, s: 1000 * (p * r + (1 - p) * (1 - s)))
        says = "Cases of each thousand that are reported as positive."
        yield _reason(evaluation, policy, "alerts per thousand", alerts, rules.max_per_thousand, says=says, do=do)


def _cost(evaluation: Evaluation, rules: CostRules | None, policy: Policy) -> Iterator[Reason]:
    if rules is None:
        return
    p = evaluation.prevalence or 0.0
    cost = _spanned(evaluation, lambda r, s: p * (1 - r) * rules.miss + (1 - p) * (1 - s) * rules.false_alarm)
    do = "Choose the decision threshold with the lowest cost on validation data, or improve recall and precision."
    if rules.max_per_case is not None:
        says = f"At {rules.miss:g} a miss and {rules.false_alarm:g} a false alarm."
        yield _reason(evaluation, policy, "cost per case", cost, rules.max_per_case, says=says, do=do)
        return
    negative, positive = p * rules.miss, (1 - p) * rules.false_alarm
    says = (
        f"At {rules.miss:g} a miss and {rules.false_alarm:g} a false alarm, always answering negative costs {negative:.4g} a case, "
        f"always answering positive {positive:.4g}: the model must be cheaper than both."
    )
    yield _reason(evaluation, policy, "cost per case", cost, min(negative, positive), says=says, do=do, kind="below")


def _spanned(evaluation: Evaluation, formula: Callable[[float, float], float]) -> Estimate:
    """Return a figure of recall and specificity with the interval that the ends of theirs span."""
    recall, specificity = evaluation.metrics["recall"], evaluation.metrics["specificity"]
    ends = [formula(r, s) for r in (recall.low, recall.high) if r is not None for s in (specificity.low, specificity.high) if s is not None]
    whole = len(ends) == 4
    return Estimate(
        value=formula(recall.value, specificity.value),
        low=min(ends) if whole else None,
        high=max(ends) if whole else None,
        units=min(recall.units, specificity.units),
        method=_METHOD if whole else f"recall or specificity has none ({recall.method})",
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
