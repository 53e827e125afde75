"""What would the figures be at the share of positives that the policy expects in production?

Recall r and specificity s are of one class alone and stay; what mixes the two follows from them and the share p:
    precision                    p r / (p r + (1 - p)(1 - s))
    accuracy                     p r + (1 - p) s
    f1                           2 p r / (p r + (1 - p)(1 - s) + p)
    negative predictive value    (1 - p) s / ((1 - p) s + p (1 - r))
    Matthews' correlation        (r + s - 1) sqrt(p (1 - p) / (a (1 - a))), where a = p r + (1 - p)(1 - s) is the share of alarms
and so does the share of the most frequent class. Each rises with r and with s, so the ends of their intervals span its own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from statewise.verdicts._mistakes import spanned
from statewise.verdicts._reasons import percent
from statewise.words import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.evaluation import Evaluation
    from statewise.verdicts._policy import Policy


_OF_THE_TEST = ("pr_auc", "log_loss", "brier", "calibration_error")
"""What depends on the share of positives, and is no function of recall and specificity."""


def at_prevalence(evaluation: Evaluation, policy: Policy) -> tuple[Evaluation, tuple[str, ...]]:
    """Return the evaluation with the figures of another share of positives, and what is told of that; unchanged where none is stated.

    Example:
        >>> from statewise.evaluation import Counts, evaluate
        >>> from statewise.verdicts import Policy, read_policy
        >>> policy = msgspec.convert({"limits": {"recall": 0.8}, "evidence": {"prevalence": 0.01}}, Policy)
        >>> found, notes = at_prevalence(evaluate(Counts(tp=900, fn=100, fp=100, tn=900)), policy)
        >>> round(found.metrics["precision"].value, 4), round(0.01 * 0.9 / (0.01 * 0.9 + 0.99 * 0.1), 4)
        (0.0833, 0.0833)
    """
    p = policy.evidence.prevalence
    if p is None:
        return evaluation, ()
    rates = [evaluation.metrics.get(metric) for metric in ("recall", "specificity")]
    if evaluation.positive is None or evaluation.prevalence is None or None in rates:
        return evaluation, (
            "The policy states the share of positives in production, and this task has no positive class: it was not used.",
        )
    formulas: dict[str, Callable[[float, float], float]] = {
        "precision": lambda r, s: _share(p * r, (1 - p) * (1 - s)),
        "accuracy": lambda r, s: p * r + (1 - p) * s,
        "f1": lambda r, s: 2 * p * r / (p * r + (1 - p) * (1 - s) + p),
        "mcc": lambda r, s: _correlation(p, r, s),
        "negative_predictive_value": lambda r, s: _share((1 - p) * s, p * (1 - r)),
    }
    found = {
        name: msgspec.structs.replace(spanned(evaluation, formula), is_share=True)
        for name, formula in formulas.items()
        if name in evaluation.metrics
    }
    before = evaluation.metrics["precision"]
    other = next(name for name in evaluation.confusion.class_names if name != evaluation.positive)
    majority = {"majority_class": evaluation.positive if p > 0.5 else other, "majority_accuracy": max(p, 1 - p)}
    stays = [name.replace("_", " ") for name in _OF_THE_TEST if name in policy.limits and name in evaluation.metrics]
    notes = [f"The limit on {listed(stays)} is judged at the share of the test data: it cannot be told for another."] if stays else []
    note = (
        f"At the {percent(p)} positives that the policy expects in production precision is {found['precision']}; among the "
        f"{percent(evaluation.prevalence)} of the test data it is {before}. Accuracy, F1, MCC and negative predictive value were computed "
        "for that share too; the counts in words are those of the test data."
    )
    return msgspec.structs.replace(evaluation, metrics=evaluation.metrics | found, **majority), (note, *notes)


def _correlation(p: float, r: float, s: float) -> float:
    alarms = p * r + (1 - p) * (1 - s)
    return (r + s - 1) * (p * (1 - p) / (alarms * (1 - alarms))) ** 0.5 if 0 < alarms < 1 else math.nan


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part + rest else math.nan
