"""How sure is what a threshold gives? Rates, alerts and costs with intervals over units, and the cost against that at one half.

A share has the interval of `_intervals`; a cost, and the share of it that is saved, the jackknife over unit sums of `_jackknife`.
The saving is paired: both thresholds are held against each other in each unit.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from statewise.errors import DataError, OptionError, nearest
from statewise.evaluation._blocks import units_of
from statewise.evaluation._estimate import Estimate
from statewise.evaluation._intervals import share_of_right
from statewise.evaluation._jackknife import Metric, estimate, ratio, sums_over
from statewise.evaluation._labels import choose_positive, match_class
from statewise.evaluation._records import Evaluation, Threshold
from statewise.evaluation._times import days_of
from statewise.evaluation._trade_off import NEVER, Cost, curve_of, trade_off_of

if TYPE_CHECKING:
    from statewise.evaluation._blocks import RowUnits
    from statewise.evaluation._predictions import Predictions

_HASHED_AT_ONCE = 16_384
"""Entries of a column that are turned into characters together."""

_LONGEST = 64


class Scored(NamedTuple):
    """Rows that a threshold can part.

    Attributes:
        score: probability of the positive class, `[rows]`.
        actual: whether a row is positive, bool `[rows]`.
        positive: the class that is looked for.
    """

    score: np.ndarray
    actual: np.ndarray
    positive: str


def positive_scores(predictions: Predictions, *, positive: str | None, asked: str) -> tuple[np.ndarray, str]:
    """Return the probability of the positive class in each row, and that class.

    Raises:
        OptionError: not two classes, or `positive` is none of them.
        DataError: no score, or one that is no probability.
    """
    predictions = predictions.looking_for(positive)
    names = predictions.class_names
    if predictions.holds != "classes" or len(names) != 2:
        arrived = f"{len(names)} classes" if predictions.holds == "classes" else f"a task of {predictions.holds} ({predictions.task})"
        hint = "A threshold parts two classes: give predictions of a binary task."
        raise OptionError(asked=asked, where=f"the predictions of {predictions.source}", arrived=arrived, hint=hint)
    told = positive or predictions.positive
    chosen = match_class(told, names) if told is not None else choose_positive(names, _support(predictions), None)[0]
    if predictions.probabilities is not None:
        score = predictions.probabilities[:, names.index(chosen)]
    elif predictions.score is not None:
        score = predictions.score if predictions.score_class == chosen else 1 - predictions.score
    else:
        hint = "Give the probability of the positive class in a column 'score', or p_<class> for both."
        raise DataError(asked=asked, where=f"the predictions of {predictions.source}", arrived="no scores, answers alone", hint=hint)
    bad = np.flatnonzero(~((score >= 0) & (score <= 1)))
    if len(bad):
        arrived = f"{score[bad[0]]:g}, which is no probability ({len(bad)} of {len(score)} are none)"
        hint = "Turn logits into probabilities first: 1 / (1 + exp(-x))."
        raise DataError(asked=asked, where=f"the scores of {predictions.source}, row {bad[0] + 1}", arrived=arrived, hint=hint)
    return score, chosen


def scored_of(predictions: Predictions, *, positive: str | None, asked: str) -> Scored:
    """Return the scores and truths of rows that have targets; raises as `positive_scores` does."""
    score, chosen = positive_scores(predictions, positive=positive, asked=asked)
    assert predictions.actual is not None, "scored rows have targets"
    return Scored(score, predictions.actual == predictions.class_names.index(chosen), chosen)


def costs_of(predictions: Predictions, cost: Cost, *, asked: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what a miss and what a false alarm costs in each row.

    Raises:
        DataError: no such column, or a value in it that is no cost.
    """
    return _cost_of(predictions, cost.miss, asked), _cost_of(predictions, cost.false_alarm, asked)


def _cost_of(predictions: Predictions, told: float | str, asked: str) -> np.ndarray:
    if not isinstance(told, str):
        return np.full(len(predictions), float(told))
    there = {**({} if predictions.amount is None else {"amount": predictions.amount}), **predictions.more}
    where = f"column {told!r} of {predictions.source}"
    if told not in there:
        hint = f"Give what a mistake costs as a number, or as a column of numbers. {nearest(told, there)}"
        raise DataError(asked=asked, where=where, arrived="no such column", hint=hint)
    try:
        found = np.array([np.nan if each is None else each for each in there[told].tolist()], dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(asked=asked, where=where, arrived="words, not numbers", hint="A cost is a number of 0 or more.") from None
    bad = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(bad):
        arrived = f"{found[bad[0]]:g} ({len(bad)} of {len(found)} values are missing, below 0 or not finite)"
        raise DataError(asked=asked, where=f"{where}, row {bad[0] + 1}", arrived=arrived, hint="A cost is a number of 0 or more.")
    return found


def figures_at(
    predictions: Predictions,
    scored: Scored,
    *,
    alerts: np.ndarray,
    costs: tuple[np.ndarray, np.ndarray] | None,
    days: int | None,
) -> dict[str, Estimate]:
    """Return what a threshold gives on rows: precision, recall, false-positive rate, alerts, and costs where they are told.

    Args:
        predictions: the rows.
        scored: their scores and truths.
        alerts: which of them are called positive.
        costs: what a miss and a false alarm costs in each.
        days: how many days the rows span.
    """
    cut = units_of(predictions, (alerts != scored.actual).astype(np.float64))
    everywhere = np.ones(len(alerts), dtype=bool)
    alerted = _share(alerts, everywhere, cut)
    found = {
        "precision": _share(scored.actual, alerts, cut),
        "recall": _share(alerts, scored.actual, cut),
        "false_positive_rate": _share(alerts, ~scored.actual, cut),
        "alerts_per_thousand": _times(alerted, 1000.0),
    }
    if days is not None:
        found["alerts_per_day"] = _times(alerted, len(alerts) / days)
    return found if costs is None else found | _costs(scored, alerts, costs, cut)


def _costs(scored: Scored, alerts: np.ndarray, costs: tuple[np.ndarray, np.ndarray], cut: RowUnits) -> dict[str, Estimate]:
    def total(called: np.ndarray) -> np.ndarray:
        return np.where(scored.actual & ~called, costs[0], 0.0) + np.where(~scored.actual & called, costs[1], 0.0)

    half = scored.score >= 0.5
    columns = {"rows": np.ones(len(alerts)), "cost": total(alerts), "half": total(half)}
    sums = sums_over(cut.of_unit, columns, cut.words)
    saved = Metric("saving", lambda of: 1 - ratio("cost", "half")(of), scale="log of 1 - x", is_share=True)
    saving = estimate(saved, sums)
    if (alerts == half).all():
        saving = msgspec.structs.replace(saving, low=None, high=None, method="no interval: the same answers as at 0.5")
    return {
        "cost_per_case": estimate(Metric("cost_per_case", ratio("cost", "rows")), sums),
        "cost_per_case_at_half": estimate(Metric("cost_per_case_at_half", ratio("half", "rows")), sums),
        "saving": saving,
    }


def _share(k: np.ndarray, of: np.ndarray, cut: RowUnits) -> Estimate:
    """Return which share of some rows has a property."""
    if not of.any():
        return Estimate(value=float("nan"), low=None, high=None, units=0, method="undefined: 0 of 0")
    of_unit = np.unique(cut.of_unit[of], return_inverse=True)[1].reshape(-1)
    return share_of_right(k[of], of_unit, unit=cut.unit)


def _times(share: Estimate, factor: float) -> Estimate:
    low, high = (None if end is None else end * factor for end in (share.low, share.high))
    return msgspec.structs.replace(share, value=share.value * factor, low=low, high=high, is_share=False)


def with_trade_off(evaluation: Evaluation, rows: Predictions, *, cost: Cost | None) -> Evaluation:
    """Return the evaluation of two classes with what each threshold gives; with a threshold that was chosen, or a cost, its figures.

    Args:
        evaluation: of the rows.
        rows: those that are scored.
        cost: what mistakes cost; that of the chosen threshold by default.

    Raises:
        DataError: there is a cost, and no score or no such column.
    """
    chosen = rows.threshold if isinstance(rows.threshold, Threshold) else None
    cost = cost or (None if chosen is None else chosen.cost)
    asked = "evaluate"
    if cost is None and (evaluation.positive is None or (rows.score is None and rows.probabilities is None)):
        return evaluation
    scored = scored_of(rows, positive=evaluation.positive, asked=asked)
    costs = None if cost is None else costs_of(rows, cost, asked=asked)
    alerts = rows.predicted == rows.class_names.index(scored.positive)
    used = _used(rows.threshold, scored.score, alerts)
    trade_off = trade_off_of(curve_of(scored.score, scored.actual, costs), scored.positive, used=used)
    found = msgspec.structs.replace(evaluation, threshold=used, chosen=chosen, cost=cost, trade_off=trade_off)
    if chosen is None and cost is None:
        return found
    days = None
    if chosen is not None and chosen.per_day:
        days = days_of(rows, asked=asked)
    notes = evaluation.notes
    if days is not None:
        notes += (
            f"alerts a day are those among these {len(rows):,} rows, which span {days:,} days: of a sample they are fewer than of all",
        )
    return msgspec.structs.replace(found, mistakes=figures_at(rows, scored, alerts=alerts, costs=costs, days=days), notes=notes)


def _used(told: Threshold | float | None, score: np.ndarray, alerts: np.ndarray) -> float | None:
    """Return the threshold that answers follow: the one told, else 0.5 or the lowest score of an alert; None where they follow none."""
    if told is not None:
        return told.value if isinstance(told, Threshold) else float(told)
    lowest = float(score[alerts].min()) if alerts.any() else NEVER
    highest = float(score[~alerts].max()) if not alerts.all() else -1.0
    if highest >= lowest:
        return None
    return 0.5 if highest < 0.5 <= lowest else lowest


def _support(predictions: Predictions) -> list[int]:
    """Return the number of scored targets of each class."""
    if predictions.actual is None:
        return [0, 0]
    scored = np.ones(len(predictions), dtype=bool) if predictions.weight is None else predictions.weight != 0
    support: list[int] = np.bincount(predictions.actual[scored], minlength=2).tolist()
    return support


def fingerprints_of(predictions: Predictions, scored: Scored) -> np.ndarray:
    """Return a number of 64 bits for each row, the same for the same key, step, score and truth: uint64 `[rows]`."""
    mixed = _hashed(predictions.key)
    steps = np.zeros(len(mixed), dtype=np.uint64) if predictions.step is None else _hashed(predictions.step)
    for column in (steps, scored.score.view(np.uint64), scored.actual.astype(np.uint64)):
        mixed = _mix(mixed ^ _mix(column))
    return mixed


def _hashed(column: np.ndarray) -> np.ndarray:
    """Return a number of 64 bits for each entry, the same for 7 and "7": sums of its characters, each mixed with its place."""
    found = np.zeros(len(column), dtype=np.uint64)
    for first in range(0, len(column), _HASHED_AT_ONCE):
        text = np.array([_short(str(each)) for each in column[first : first + _HASHED_AT_ONCE].tolist()])
        characters = text.view(np.uint32).reshape(len(text), -1)
        for place, each in enumerate(characters.T, start=1):
            there = each != 0  # shorter entries are filled up with zeros
            found[first : first + len(text)] += np.where(there, _mix(each + np.uint64(place << 32)), np.uint64(0))
    return found


def _short(text: str) -> str:
    """Return a text, or 128 bits of a long one: each entry takes as much room as the longest beside it."""
    if len(text) <= _LONGEST:
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _mix(values: np.ndarray) -> np.ndarray:
    """Return 64 bits well stirred: the end of splitmix64 (Steele, Lea and Flood 2014)."""
    mixed: np.ndarray = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
