"""What does the top of the page say? The level in words, one sentence why, the figures that decided, and what was not examined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statewise.reporting._evidence import Evidence, Missing
from statewise.reporting._figures import figure, metric_label, plain, short
from statewise.words import counted, sentence

if TYPE_CHECKING:
    from statewise.evaluation import Estimate, Evaluation
    from statewise.verdicts import Reason, Verdict

_LEVELS = {
    "ready": "Ready for production",
    "needs_work": "Needs work",
    "not_ready": "Not ready for production",
    "not_enough_evidence": "Not enough evidence",
    "unknown": "Not judged",
}
_KINDS = {
    "audit": "audit: mistakes in state, padding, order and leakage; this policy does not require it",
    "data": "audit of the data: mistakes in splits, leakage and labels; this policy does not require it",
    "history": "history: how the training went; this policy does not require it",
    "evaluation": "evaluation: how good the answers are; this policy does not require it",
}
_SHARES = ("accuracy", "precision", "recall", "f1")
_TILES = {
    "classes": _SHARES,
    "labels": ("subset_accuracy", "precision", "recall", "f1"),
    "values": ("rmse", "mae", "r2", "skill"),
    "next": ("bits", "perplexity", "accuracy", "skill"),
}
_SIZES = frozenset({"MSE", "RMSE", "MAE", "bits a token", "cross entropy", "perplexity"})
"""What has a size of its own, so that a bar from 0 to 1 would mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a figure stands to what is asked: a key for the style, a sign, and words."""

    key: str
    sign: str
    words: str


_STATUS = {
    "ready": Status(key="met", sign="✓", words="met"),
    "needs_work": Status(key="open", sign="!", words="needs work"),
    "not_ready": Status(key="missed", sign="✗", words="not met"),
    "not_enough_evidence": Status(key="unknown", sign="?", words="not enough evidence"),
}


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The answer, the sentence below it, and the small print."""

    level: str
    words: str
    because: str
    fine: str


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One large figure."""

    label: str
    estimate: Estimate


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where a figure, its interval and its limit lie from 0 to 1, in percent of the width; `anchor` keeps the label inside."""

    value: float
    low: float | None
    width: float | None
    limit: float | None
    limit_text: str
    anchor: str


@dataclass(frozen=True, kw_only=True)
class Ground:
    """One reason as it is shown; `scale` is None where a bar from 0 to 1 would mean nothing."""

    subject: str
    status: Status
    value: float | None
    value_text: str
    low: float | None
    high: float | None
    low_text: str
    high_text: str
    asked: str
    scale: Scale | None
    aria: str
    says: str
    do: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The section on why: what speaks against "ready", what speaks for it, what was looked at and what was not."""

    against: tuple[Ground, ...]
    supporting: tuple[Ground, ...]
    examined: tuple[str, ...]
    not_required: tuple[str, ...]
    notes: tuple[str, ...]


def headline_of(evidence: Evidence) -> Headline:
    """Return the answer in words, with one sentence why."""
    verdict = evidence.verdict
    if isinstance(verdict, Missing):
        return Headline(level="unknown", words=_LEVELS["unknown"], because=verdict.why, fine=verdict.how)
    now = " Judged while this report was written; statewise judge keeps the answer." if evidence.judged_now else ""
    fine = f"Policy: {verdict.policy}. {sentence(verdict.header)}{now}"
    return Headline(level=verdict.level, words=_LEVELS[verdict.level], because=_because(verdict), fine=fine)


def tiles_of(evaluation: Evaluation) -> tuple[Tile, ...]:
    """Return the large figures."""
    kind = "next" if evaluation.task == "next" else evaluation.holds
    of = f" of {short(evaluation.positive, 20)}" if evaluation.positive is not None else f", mean of {kind}"
    found = [(name, evaluation.metrics[name]) for name in _TILES[kind] if name in evaluation.metrics]
    return tuple(Tile(label=metric_label(name) + (of if name in _SHARES[1:] else ""), estimate=estimate) for name, estimate in found)


def answer_of(verdict: Verdict) -> Answer:
    """Return the section on why, in the verdict's own order."""
    return Answer(
        against=tuple(_ground(each) for each in verdict.reasons),
        supporting=tuple(_ground(each) for each in verdict.supports),
        examined=verdict.examined,
        not_required=tuple(_KINDS.get(each, each) for each in verdict.not_required),
        notes=verdict.notes,
    )


def judged_metrics(verdict: Verdict | Missing, evaluation: Evaluation) -> dict[str, Reason]:
    """Return the reason that holds each metric against its limit, by metric."""
    reasons = () if isinstance(verdict, Missing) else (*verdict.reasons, *verdict.supports)
    found = {name: [each for each in reasons if each.limit is not None and _speaks_of(each, name)] for name in evaluation.metrics}
    return {name: each[0] for name, each in found.items() if each}


def status_of(reason: Reason) -> Status:
    """Return how a figure stands to what is asked."""
    return _STATUS[reason.points_to]


def stale(verdict: Verdict | Missing, evaluation: Evaluation | Missing) -> Missing | None:
    """Say so where a verdict speaks of other figures than the evaluation beside it."""
    if isinstance(verdict, Missing) or isinstance(evaluation, Missing):
        return None
    judged = judged_metrics(verdict, evaluation)
    if all(reason.value is None or reason.value == evaluation.metrics[name].value for name, reason in judged.items()):
        return None
    return Missing(why="The verdict was given on other figures than those below.", how="Judge again: statewise judge DIRECTORY.")


def _because(verdict: Verdict) -> str:
    if not verdict.reasons:
        return f"All {len(verdict.supports)} points that the policy asks about hold."
    first = _ground(verdict.reasons[0])
    if first.scale is None or not first.asked:
        says = f"{first.subject}: {first.says.partition('. ')[0].rstrip('.')}."
    else:
        interval = f" ({first.low_text} to {first.high_text})" if first.low_text and first.high_text else ""
        says = f"{first.subject} is {first.value_text}{interval}, and {first.asked} is asked."
    others = len(verdict.reasons) - 1
    more = f" {counted(others, 'more reason')} below." if others else ""
    return f"{sentence(says)}{more}"


def _ground(reason: Reason) -> Ground:
    scale = _scale(reason)
    write = figure if scale is not None else plain
    value, low, high = ("" if each is None else write(each) for each in (reason.value, reason.low, reason.high))
    asked = "" if reason.limit is None else f"{reason.limit_kind} {plain(reason.limit)}"
    interval = f", 95 % interval {low} to {high}" if low and high else ""
    return Ground(
        subject=reason.subject,
        status=status_of(reason),
        value=reason.value,
        value_text=value,
        low=reason.low,
        high=reason.high,
        low_text=low,
        high_text=high,
        asked=asked,
        scale=scale,
        aria=f"{reason.subject}: {value}{interval}{f'; asked: {asked}' if asked else ''}",
        says=reason.says,
        do=reason.do,
    )


def _scale(reason: Reason) -> Scale | None:
    """Return the bar of a share: a figure between 0 and 1 with an interval, or a metric without one."""
    there = [each for each in (reason.value, reason.low, reason.high, reason.limit) if each is not None]
    whole = reason.low is not None and reason.high is not None
    is_share = all(0 <= each <= 1 for each in there) and (whole or any(_speaks_of(reason, name) for name in _SHARES))
    if reason.value is None or not is_share or reason.subject in _SIZES:
        return None
    limit = None if reason.limit is None else _percent(reason.limit)
    return Scale(
        value=_percent(reason.value),
        low=_percent(reason.low) if whole else None,
        width=round(_percent(reason.high) - _percent(reason.low), 2) if whole else None,
        limit=limit,
        limit_text="" if reason.limit is None else f"{reason.limit_kind} {figure(reason.limit)}",
        anchor="start" if limit is not None and limit < 25 else "end" if limit is not None and limit > 75 else "middle",
    )


def _speaks_of(reason: Reason, metric: str) -> bool:
    """Whether a reason's subject is a metric: by itself, of the positive class, or as a mean of classes."""
    label = metric_label(metric)
    return reason.subject == label or reason.subject.startswith((f"{label} of ", f"{label},"))


def _percent(share: float | None) -> float:
    return round(100 * (share or 0.0), 2)
