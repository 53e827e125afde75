"""What is a reason, and to which level does a figure with its interval point?

*Met*: the end of the interval reaches the limit. *Missed*: the other end does not either. Else *open*, and so is a figure
without an interval.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import msgspec

from statewise.evaluation import Estimate

Level: TypeAlias = Literal["ready", "needs_work", "not_ready", "not_enough_evidence"]
LimitKind: TypeAlias = Literal["at least", "at most", "above", "below"]

ORDER: tuple[Level, ...] = ("not_ready", "not_enough_evidence", "needs_work", "ready")
"""The first of these that any reason points to is the level."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the verdict rests on.

    Attributes:
        subject: the figure or the piece of evidence.
        points_to: the level that it asks for by itself; `"ready"` for what supports it.
        says: what was found, in full sentences.
        do: what to try; empty for what supports.
        value, low, high: the figure and its 95 % interval, None where there is none.
        limit: what the figure is held against; `limit_kind` says how.
    """

    subject: str
    points_to: Level
    says: str
    do: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    limit_kind: LimitKind = "at least"


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of the evidence gave: reasons, and remarks that decide nothing."""

    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()


Standing: TypeAlias = Literal["met", "missed", "open, reaches", "open, does not reach", "undefined"]
POINTS_TO: dict[Standing, Level] = {
    "met": "ready",
    "missed": "not_ready",
    "open, reaches": "not_enough_evidence",
    "open, does not reach": "needs_work",
    "undefined": "not_enough_evidence",
}


def stand(estimate: Estimate, limit: float, *, bounds: bool = True, kind: LimitKind = "at least") -> Standing:
    """Return how a figure stands to its limit.

    Args:
        estimate: the figure; an undefined one (NaN) stands nowhere, one without an interval is open whatever it is.
        limit: what it is held against.
        bounds: True judges the ends of the interval, False the figure itself.
        kind: `"above"` and `"below"` are not reached by equality.

    Example:
        >>> figure = Estimate(value=0.85, low=0.765, high=0.914, units=100, method="exact")
        >>> [stand(figure, limit) for limit in (0.7, 0.8, 0.9, 0.95)]
        ['met', 'open, reaches', 'open, does not reach', 'missed']
    """
    if math.isnan(estimate.value):
        return "undefined"
    reaches = _reaches(estimate.value, limit, kind)
    if estimate.low is None or estimate.high is None:
        return "open, reaches" if reaches else "open, does not reach"
    upward = kind in {"at least", "above"}
    worst, best = (estimate.low, estimate.high) if upward else (estimate.high, estimate.low)
    if not bounds:
        return "met" if reaches else "missed"
    if _reaches(worst, limit, kind):
        return "met"
    if not _reaches(best, limit, kind):
        return "missed"
    return "open, reaches" if reaches else "open, does not reach"


def _reaches(value: float, limit: float, kind: LimitKind) -> bool:
    return {"at least": value >= limit, "above": value > limit, "at most": value <= limit, "below": value < limit}[kind]


def standing_says(standing: Standing, estimate: Estimate, *, bounds: bool = True) -> str:
    """Return in a sentence where the figure and its interval lie."""
    if standing == "undefined":
        return "The figure is undefined (0 of 0), so nothing is known."
    if estimate.low is None or estimate.high is None:
        where = "keeps to" if standing == "open, reaches" else "does not keep to"
        return f"The figure {where} the limit, but it has no interval: {estimate.method}."
    if not bounds:
        return f"The figure {'keeps' if standing == 'met' else 'does not keep'} to the limit; this policy judges figures, not intervals."
    return {
        "met": "The whole interval keeps to the limit.",
        "missed": "The whole interval misses the limit.",
        "open, reaches": "The figure keeps to the limit, but its interval reaches beyond: chance alone could have done it.",
        "open, does not reach": "The figure does not keep to the limit; only the better end of its interval does.",
    }[standing]


def quoted(estimate: Estimate, limit: float | None = None) -> dict[str, Any]:
    """Return the fields of a reason that quote a figure; an undefined one is None."""
    value = None if math.isnan(estimate.value) else estimate.value
    return {"value": value, "low": estimate.low, "high": estimate.high, "limit": limit}


def percent(share: float, *, digits: int | None = None) -> str:
    """Return a share as a percentage: with so many decimals, or with one only where it tells something.

    Example:
        >>> percent(0.12), percent(0.1234), percent(0.98, digits=1), percent(0.00004), percent(0.99999)
        ('12 %', '12.3 %', '98.0 %', '0.004 %', '99.999 %')
    """
    if digits is not None:
        return f"{100 * share:.{digits}f} %"
    digits = 1
    while digits < 6 and 0 < share < 1 and round(100 * share, digits) in {0.0, 100.0}:
        digits += 1
    text = f"{100 * share:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.')} %"
