"""What would a naive method have answered, where a predictions file does not say so itself? Only what the file's own targets tell.

What a run's training part tells is `_baselines`'.
"""

from __future__ import annotations

import numpy as np

from statewise.evaluation._labels import numbered


def naive_mean(actual: np.ndarray, scored: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the mean of the scored targets as an answer for each row, and what should be known about it."""
    known = actual[scored & np.isfinite(actual)]
    if not len(known):
        return {}, []
    note = "no column 'baseline_mean': the mean of these targets stands in for that of the training part (it has seen the answers)"
    return {"mean": np.full(len(actual), known.mean())}, [note]


def naive_unigram(actual: np.ndarray, scored: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the nll of each token under the frequencies of the scored ones, and what should be known about it."""
    counts = np.bincount(actual[scored], minlength=int(actual.max(initial=0)) + 1)
    if not scored.any():
        return {}, []
    frequencies = np.maximum(counts, 1) / counts.sum()  # a token that only rows of weight 0 hold is never scored
    note = "no column 'baseline_unigram': the frequencies of these tokens stand in for those of training (they have seen the answers)"
    return {"unigram": -np.log(frequencies[actual])}, [note]


def naive_change(
    key: np.ndarray, *, step: np.ndarray, ahead: np.ndarray, actual: np.ndarray, season: int | None
) -> tuple[float | None, list[str]]:
    """Return the mean absolute change of the series from a step to the next (or a season later), and what should be known about it.

    Args:
        key: the sequence of each row.
        step: whole numbers, the steps at which the forecasts were made.
        ahead: from 1.
        actual: the targets, NaN where not known.
        season: steps of a season; None for the next step.

    Example:
        >>> ahead = np.ones(3, dtype=np.int64)
        >>> naive_change(np.array(["a"] * 3), step=np.arange(3), ahead=ahead, actual=np.array([5.0, 6.0, 9.0]), season=None)[0]
        2.0
    """
    of_key, _ = numbered(key)
    known = np.isfinite(actual)
    at = np.stack([of_key, step + ahead])[:, known]
    places, row = np.unique(at, axis=1, return_index=True)
    values, back = actual[known][row], season or 1
    width = int(places[1].max(initial=0)) + back + 2
    codes = places[0] * width + places[1]
    earlier = np.searchsorted(codes, codes - back)
    there = (codes[np.minimum(earlier, len(codes) - 1)] == codes - back) & (places[1] >= back) if len(codes) else np.zeros(0, dtype=bool)
    changes = np.abs(values - values[np.minimum(earlier, max(len(codes) - 1, 0))])[there]
    if not len(changes) or changes.mean() <= 0:
        return None, []
    note = "no column 'change': MASE divides by the change of these targets from a step to the next (training has its own)"
    return float(changes.mean()), [note if season is None else note.replace("a step to the next", "a season to the next")]


def naive_forecasts(
    key: np.ndarray, *, step: np.ndarray, ahead: np.ndarray, actual: np.ndarray, season: int | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return what the naive forecasts say in each row, NaN where the file does not hold the value, and what should be known.

    The value at step t is the target of any forecast of step t, such as that of step t - 1, one ahead. Persistence answers the value
    at the step of the forecast; seasonal that of the same phase in the last whole season before it.

    Args:
        key: the sequence of each row.
        step: whole numbers, the steps at which the forecasts were made.
        ahead: from 1.
        actual: the targets, NaN where not known.
        season: steps of a season; None for no seasonal forecast.

    Example:
        >>> one = np.ones(3, dtype=np.int64)
        >>> actual = np.array([5.0, 6.0, 7.0])
        >>> answers, notes = naive_forecasts(np.array(["a"] * 3), step=np.arange(3), ahead=one, actual=actual, season=None)
        >>> answers["persistence"].tolist(), notes
        ([nan, 5.0, 6.0], ["no columns 'baseline_<name>': persistence read off the targets of earlier rows"])
    """
    of_key, _ = numbered(key)
    steps, place = np.unique(step + ahead, return_inverse=True)
    known = np.isfinite(actual)
    held, row = np.unique((of_key * len(steps) + place.reshape(-1))[known], return_index=True)
    values = actual[known][row]

    def value(steps_back: np.ndarray) -> np.ndarray:
        wanted = step - steps_back
        at = np.minimum(np.searchsorted(steps, wanted), len(steps) - 1)
        sought = of_key * len(steps) + at
        found = np.minimum(np.searchsorted(held, sought), max(len(held) - 1, 0))
        there = (steps[at] == wanted) & (held[found] == sought) if len(held) else np.zeros(len(step), dtype=bool)
        return np.where(there, values[found] if len(held) else np.nan, np.nan)

    found = {"persistence": value(np.zeros_like(step))}
    if season is not None:
        found["seasonal"] = value(season * -(-ahead // season) - ahead)
    found = {name: column for name, column in found.items() if np.isfinite(column).any()}
    notes = [f"no columns 'baseline_<name>': {' and '.join(found)} read off the targets of earlier rows"] if found else []
    return found, notes
