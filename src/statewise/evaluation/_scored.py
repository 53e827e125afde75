"""Which rows count? Those with a target that is known and a weight that is not 0; the others are kept, and counted in a note."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from statewise.errors import DataError
from statewise.evaluation._predictions import Predictions

FOLD = "fold "
"""How the `split` of a row begins that was answered out of fold."""


def scored_rows(predictions: Predictions) -> tuple[Predictions, tuple[str, ...]]:
    """Return the rows that are scored, and what should be known about the others.

    Raises:
        DataError: there is no row, no target, or none that is scored.
    """
    where = f"the rows of {predictions.source}"
    if not len(predictions):
        raise _error(where, "none", "Evaluate at least one sequence.")
    if predictions.actual is None:
        raise _error(f"column 'target' of {predictions.source}", "no targets", "Predict labelled data, or add a column 'target'.")
    unweighted, unknown = _left_out(predictions)
    told = {"of weight 0": int(unweighted.sum()), "without a known target": int(unknown.sum())}
    notes = tuple(f"{count:,} of {len(predictions):,} rows {what} are not scored" for what, count in told.items() if count)
    kept = ~(unweighted | unknown)
    if not kept.any():
        raise _error(where, " and ".join(note.replace(" are not scored", "") for note in notes), "Evaluate rows with targets and weights.")
    if kept.all():
        return predictions, (*notes, *_notes(predictions))
    chosen = select_rows(predictions, kept)
    return chosen, (*notes, *_notes(chosen))


def is_scored(predictions: Predictions) -> np.ndarray:
    """Return which rows are scored: bool `[rows]`."""
    unweighted, unknown = _left_out(predictions)
    return np.asarray(~(unweighted | unknown))


def _left_out(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows have the weight 0, and which others a target that is not known."""
    assert predictions.actual is not None
    unweighted = np.zeros(len(predictions), dtype=bool) if predictions.weight is None else predictions.weight == 0
    unknown = np.isnan(predictions.actual) & ~unweighted if predictions.holds == "values" else np.zeros_like(unweighted)
    return unweighted, unknown


def wrong_by(predictions: Predictions) -> np.ndarray:
    """Return how wrong each row is, with its sign where it has one: float64 `[rows]`."""
    actual, predicted = predictions.actual, predictions.predicted
    assert actual is not None
    if predictions.nll is not None and predictions.task == "next":
        return predictions.nll
    if predictions.holds == "values":
        return np.asarray(predicted - actual, dtype=np.float64)
    wrong = predicted != actual
    return np.asarray(wrong.mean(axis=1) if wrong.ndim == 2 else wrong, dtype=np.float64)


def select_rows(predictions: Predictions, kept: np.ndarray) -> Predictions:
    """Return some of the rows."""
    chosen: dict[str, Any] = {}
    for each in fields(predictions):
        value = getattr(predictions, each.name)
        if isinstance(value, np.ndarray):
            chosen[each.name] = value[kept]
        elif each.name in ("baselines", "more"):
            chosen[each.name] = {name: column[kept] for name, column in value.items()}
    return replace(predictions, **chosen)


def _notes(predictions: Predictions) -> list[str]:
    """Return what the reader could otherwise believe wrongly about the rows that are scored."""
    notes = []
    parts = [] if predictions.split is None else sorted(set(predictions.split.tolist()))
    if len(parts) > 1 and all(part.startswith(FOLD) for part in parts):
        notes.append(f"out of fold: the rows come from {len(parts)} folds, each answered by a model of its own that was not trained on it")
    elif len(parts) > 1:
        notes.append(f"the rows come from {len(parts)} parts ({', '.join(parts[:5])}) and are scored together: keep the test part alone")
    if predictions.weight is not None and len(set(predictions.weight.tolist())) > 1:
        notes.append("column 'weight' is not used beyond that: each scored row counts once")
    if predictions.history is not None:
        notes.append(_on_history(predictions, predictions.history))
    return notes


def _on_history(predictions: Predictions, history: np.ndarray) -> str:
    """Return how many steps of history the scored steps had."""
    horizon = 1 if predictions.ahead is None else int(predictions.ahead.max())
    first = history if predictions.ahead is None else history[predictions.ahead == predictions.ahead.min()]
    few, least, quartiles = int((first < horizon).sum()), int(first.min()), np.percentile(first, (25, 50, 75))
    had = "no history" if horizon == 1 else f"fewer than {horizon:,} steps of history, the horizon"
    spread = ", ".join(f"{quartile:,.0f}" for quartile in quartiles)
    return f"of {len(first):,} scored steps, {few:,} had {had}; steps before a scored one: at least {least:,}, quartiles {spread}"


def _error(where: str, arrived: str, hint: str) -> DataError:
    return DataError(asked="evaluate", where=where, arrived=arrived, hint=hint)
