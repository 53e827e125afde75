"""From which score on is a row called positive? Chosen on validation rows by what mistakes cost, or by a bound, and applied to others.

What each threshold gives is `_trade_off`'s, how sure that is `_decision`'s.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from statewise.errors import DataError, OptionError
from statewise.evaluation._decision import costs_of, figures_at, fingerprints_of, positive_scores, scored_of
from statewise.evaluation._labels import match_class
from statewise.evaluation._records import Threshold
from statewise.evaluation._scored import scored_rows
from statewise.evaluation._times import days_of
from statewise.evaluation._trade_off import NEVER, Cost, Curve, curve_of

if TYPE_CHECKING:
    from statewise.evaluation._decision import Scored
    from statewise.evaluation._predictions import Predictions

_ASKED = "choose a threshold"
_MOST_SAMPLED = 256
_HAIR = 1e-9
"""Bounds are kept up to rounding: 3 of 1,000 is not above 0.3 %."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold must keep to, each as in `choose_threshold`; None asks nothing."""

    max_alerts_per_thousand: float | None = None
    max_alerts_per_day: float | None = None
    max_false_positive_rate: float | None = None
    min_precision: float | None = None
    min_recall: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no threshold can have."""
        for name in self.__struct_fields__:
            bound, most = getattr(self, name), {"max_alerts_per_thousand": 1000.0, "max_alerts_per_day": np.inf}.get(name, 1.0)
            if bound is not None and not 0 <= bound <= most:
                raise _refused(name, f"{bound:g}", f"Give a number of 0 {'or more' if most == np.inf else f'to {most:g}'}.")

    @property
    def told(self) -> dict[str, float]:
        """Those that ask something, by name."""
        return {name: bound for name in self.__struct_fields__ if (bound := getattr(self, name)) is not None}


def choose_threshold(
    predictions: Predictions,
    *,
    cost: Cost | None = None,
    max_alerts_per_thousand: float | None = None,
    max_alerts_per_day: float | None = None,
    max_false_positive_rate: float | None = None,
    min_precision: float | None = None,
    min_recall: float | None = None,
    prevalence: float | None = None,
    positive: str | None = None,
) -> Threshold:
    """Return the threshold that is best on validation rows.

    Each score that occurs is tried, and calling nothing positive too. Of those that keep to all bounds the cheapest is taken;
    without a cost, the one that finds most positives, or where `min_recall` is told the one with the fewest alerts. Of several as
    good, the highest. Apply it to other rows: `evaluate(test, threshold=...)`, or `test.at(threshold)`.

    Args:
        predictions: of two classes, with scores and targets; never the rows that are to be reported on.
        cost: what a miss and a false alarm cost, as numbers or as the name of a column.
        max_alerts_per_thousand: the most rows of each thousand that may be called positive.
        max_alerts_per_day: the most a day, of days from the first `time` to the last.
        max_false_positive_rate: the largest share of the negatives that may be called positive.
        min_precision: the least share of the alerts that must be right.
        min_recall: the least share of the positives that must be found.
        prevalence: the share of positives where the threshold will be used, if another than in these rows; costs, alerts and precision
            are weighed for it.
        positive: the class that is looked for; as in `evaluate` when absent.

    Raises:
        OptionError: neither a cost nor a bound, a bound that cannot be kept to by any threshold, or not two classes.
        DataError: no scores, one class only, no threshold that keeps to the bounds, or no column that is asked for.

    Example:
        >>> from statewise.evaluation import Predictions
        >>> valid = Predictions.from_columns({"target": [0, 0, 1, 0, 1], "score": [0.1, 0.2, 0.3, 0.6, 0.8]})
        >>> choose_threshold(valid, cost=Cost(miss=5, false_alarm=1)).value
        0.3
        >>> choose_threshold(valid, min_precision=0.9).value
        0.8
    """
    bounds = Bounds(
        max_alerts_per_thousand=max_alerts_per_thousand,
        max_alerts_per_day=max_alerts_per_day,
        max_false_positive_rate=max_false_positive_rate,
        min_precision=min_precision,
        min_recall=min_recall,
    )
    if cost is None and not bounds.told:
        raise _refused(
            "the rule", "neither a cost nor a bound", "Say what mistakes cost: cost=Cost(miss=50, false_alarm=1); or give a bound."
        )
    rows, _ = scored_rows(predictions)
    scored = scored_of(rows, positive=positive, asked=_ASKED)
    _require_both(rows, scored)
    days = None if max_alerts_per_day is None else days_of(rows, asked=_ASKED)
    costs = None if cost is None else costs_of(rows, cost, asked=_ASKED)
    weights = _weights(scored, prevalence)
    weighed = None if costs is None else (costs[0] * weights[0], costs[1] * weights[1])
    curve = curve_of(scored.score, scored.actual, weighed)
    allowed = _allowed(curve, bounds, days, weights)
    if not allowed.any():
        raise _unreachable(rows, curve, bounds, days, weights)
    value = float(curve.thresholds[_best(curve, allowed, fewest_alerts=min_recall is not None)])
    why = _why(cost, bounds, len(curve.thresholds) - 1) + ("" if prevalence is None else f", at {100 * prevalence:g} % positives")
    prints = np.sort(fingerprints_of(rows, scored))
    return Threshold(
        value=value,
        positive=scored.positive,
        why=why,
        expected=figures_at(rows, scored, alerts=scored.score >= value, costs=costs, days=days),
        cost=cost,
        per_day=days is not None,
        source=rows.source,
        num_scored=len(rows),
        sha256=hashlib.sha256(prints.tobytes()).hexdigest(),
        sample=tuple(dict.fromkeys(prints[:_MOST_SAMPLED].tolist())),
    )


def called_from(predictions: Predictions, threshold: Threshold | float, *, positive: str | None = None) -> Predictions:
    """Return rows called positive from a threshold on, with a note where it was chosen on these rows.

    Raises:
        OptionError: not two classes, a threshold outside 0 to 1, or one that was chosen for another class.
        DataError: there are no scores.
    """
    asked = "apply a threshold"
    value = threshold.value if isinstance(threshold, Threshold) else float(threshold)
    if not 0 <= value <= NEVER:
        raise OptionError(asked=asked, where="threshold", arrived=f"{value:g}", hint="A probability is from 0 to 1.")
    predictions = predictions.looking_for(threshold.positive if isinstance(threshold, Threshold) else positive)
    if isinstance(threshold, Threshold):
        wanted = positive or predictions.positive
        wanted = None if wanted is None or len(predictions.class_names) != 2 else match_class(wanted, predictions.class_names)
        if wanted is not None and wanted != threshold.positive:
            hint = f"Choose it again with positive={wanted!r}, or leave that out."
            raise OptionError(
                asked=asked, where="positive", arrived=f"{wanted!r}, and the threshold is for {threshold.positive!r}", hint=hint
            )
        positive = threshold.positive
        threshold = msgspec.structs.replace(threshold, overlap=_overlap(predictions, threshold))
    score, chosen = positive_scores(predictions, positive=positive, asked=asked)
    place = predictions.class_names.index(chosen)
    notes = tuple(note for note in predictions.notes if not note.endswith("(threshold)"))
    positive = predictions.positive
    if isinstance(threshold, Threshold):
        notes, positive = (*notes, *_notes(threshold)), chosen
    predicted = np.where(score >= value, place, 1 - place)
    return replace(predictions, predicted=predicted, positive=positive, threshold=threshold, notes=notes)


def _require_both(rows: Predictions, scored: Scored) -> None:
    """Refuse rows in which there is nothing to miss, or nothing to alarm about falsely."""
    if scored.actual.all() or not scored.actual.any():
        only = scored.positive if scored.actual.all() else next(name for name in rows.class_names if name != scored.positive)
        hint = "Choose on rows of both classes: a larger validation part, or one cut with both in it."
        raise DataError(asked=_ASKED, where=f"the targets of {rows.source}", arrived=f"one class only: {only!r}", hint=hint)


def _weights(scored: Scored, prevalence: float | None) -> tuple[float, float]:
    """Return how much a positive and a negative row counts, so that positives have the share that was told."""
    if prevalence is None:
        return 1.0, 1.0
    if not 0 < prevalence < 1:
        raise _refused("prevalence", f"{prevalence:g}", "It is a share between 0 and 1, such as 0.01.")
    share = float(scored.actual.mean())
    return prevalence / share, (1 - prevalence) / (1 - share)


def _allowed(curve: Curve, bounds: Bounds, days: int | None, weights: tuple[float, float]) -> np.ndarray:
    """Return at which thresholds all bounds are kept: bool `[thresholds]`."""
    right = weights[0] * curve.tp
    alerts = right + weights[1] * curve.fp
    number = curve.num_positives + curve.num_negatives
    most = {
        "max_alerts_per_thousand": (alerts, number / 1000),
        "max_alerts_per_day": (alerts, float(days or 0)),
        "max_false_positive_rate": (curve.fp, float(curve.num_negatives)),
    }
    least = {"min_precision": (right, alerts), "min_recall": (curve.tp, np.full_like(alerts, curve.num_positives))}
    allowed = np.ones(len(alerts), dtype=bool)
    for name, bound in bounds.told.items():
        if name in most:
            counts, size = most[name]
            allowed &= counts <= bound * size + _HAIR
        else:
            found, of = least[name]
            allowed &= (found >= bound * of - _HAIR) & (of > 0)
    return allowed


def _best(curve: Curve, allowed: np.ndarray, *, fewest_alerts: bool) -> int:
    """Return the place of the best allowed threshold; of several as good, the last is the highest."""
    worth = -curve.cost if curve.cost is not None else -(curve.tp + curve.fp) if fewest_alerts else curve.tp
    worth = np.where(allowed, worth.astype(np.float64), -np.inf)
    slack = 1e-12 * float(np.abs(worth[allowed]).max())  # sums of the same costs in another order
    return int(np.flatnonzero(worth >= worth.max() - slack)[-1])


def _why(cost: Cost | None, bounds: Bounds, number: int) -> str:
    """Return what it was chosen by."""
    words = {
        "max_alerts_per_thousand": "at most {:g} alerts per thousand",
        "max_alerts_per_day": "at most {:g} alerts a day",
        "max_false_positive_rate": "a false-positive rate of at most {:g}",
        "min_precision": "a precision of at least {:g}",
        "min_recall": "a recall of at least {:g}",
    }
    kept = " and ".join(words[name].format(bound) for name, bound in bounds.told.items())
    if cost is not None:
        return f"the cheapest of {number:,} scores{f' with {kept}' if kept else ''}, where {cost.says}"
    return f"the {'fewest alerts' if bounds.min_recall is not None else 'highest recall'} with {kept}"


def _unreachable(rows: Predictions, curve: Curve, bounds: Bounds, days: int | None, weights: tuple[float, float]) -> DataError:
    """Return the error that no threshold keeps to all bounds, with the most that the others allow of each that asks for much."""
    asked = " and ".join(f"{name}={bound:g}" for name, bound in bounds.told.items())
    arrived = f"none with {asked}"
    right = weights[0] * curve.tp
    alerts = right + weights[1] * curve.fp
    parts = {"min_precision": (right, alerts, "precision"), "min_recall": (curve.tp, np.full_like(right, curve.num_positives), "recall")}
    for name, (found, of, words) in parts.items():
        if name in bounds.told:
            there = _allowed(curve, msgspec.structs.replace(bounds, **{name: None}), days, weights) & (of > 0)
            most = f"{float((found[there] / of[there]).max()):.3f}" if there.any() else "none"
            arrived += f"; the highest {words} {'with the others ' if len(bounds.told) > 1 else ''}is {most}"
    return DataError(asked=_ASKED, where=f"the thresholds of {rows.source}", arrived=arrived, hint="Ask for less, or train a better model.")


def _overlap(predictions: Predictions, threshold: Threshold) -> float:
    """Return the share of the rows that a threshold was chosen on that are among these, from a sample of them."""
    if predictions.actual is None:
        return 0.0
    rows, _ = scored_rows(predictions)
    prints = np.sort(fingerprints_of(rows, scored_of(rows, positive=threshold.positive, asked="apply a threshold")))
    if hashlib.sha256(prints.tobytes()).hexdigest() == threshold.sha256:
        return 1.0
    return float(np.isin(np.array(threshold.sample, dtype=np.uint64), prints).mean())


def _notes(threshold: Threshold) -> tuple[str, ...]:
    """Return what should be known where a threshold was chosen on some of the rows that it is applied to."""
    if not threshold.overlap:
        return ()
    about = "all" if threshold.overlap == 1 else f"about {100 * threshold.overlap:.1f} %"
    return (f"{about} of the rows that the threshold was chosen on are among these: what is told of it is too good",)


def _refused(where: str, arrived: str, hint: str) -> OptionError:
    return OptionError(asked=_ASKED, where=where, arrived=arrived, hint=hint)
