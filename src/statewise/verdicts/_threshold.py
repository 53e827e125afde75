"""Which threshold does a policy ask for? The cheapest by its costs within its budgets, or the one that finds most within them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statewise.evaluation import Cost, choose_threshold

if TYPE_CHECKING:
    from statewise.evaluation import Predictions, Threshold
    from statewise.verdicts._policy import AlertRules, CostRules, Policy


def choose_by_policy(policy: Policy, predictions: Predictions) -> Threshold | None:
    """Return the threshold that a policy's costs and budgets choose on validation rows; None where it says nothing of them.

    Args:
        policy: `[cost]` and `[alerts]` are read, and the prevalence where one is stated.
        predictions: of validation rows, never of those that are judged.

    Raises:
        OptionError: not two classes.
        DataError: no scores, one class only, or no column that the policy names.

    Example:
        >>> from statewise.evaluation import Predictions
        >>> from statewise.verdicts import Policy
        >>> valid = Predictions.from_columns({"target": [0, 0, 1, 0, 1], "score": [0.1, 0.2, 0.3, 0.6, 0.8]})
        >>> choose_by_policy(Policy(limits={"recall": 0.5}), valid) is None
        True
    """
    cost, bounds = cost_of(policy.cost), _bounds(policy.alerts)
    return (
        None if cost is None and not bounds else choose_threshold(predictions, cost=cost, prevalence=policy.evidence.prevalence, **bounds)
    )


def cost_of(rules: CostRules | None) -> Cost | None:
    """Return what a policy says that mistakes cost; None where it says nothing, or that both cost nothing."""
    return None if rules is None or rules.miss == rules.false_alarm == 0 else Cost(miss=rules.miss, false_alarm=rules.false_alarm)


def _bounds(rules: AlertRules | None) -> dict[str, Any]:
    if rules is None:
        return {}
    told = {
        "max_alerts_per_thousand": rules.max_per_thousand,
        "max_alerts_per_day": rules.max_per_day,
        "max_false_positive_rate": rules.max_false_positive_rate,
    }
    return {name: bound for name, bound in told.items() if bound is not None}
