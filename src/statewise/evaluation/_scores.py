"""How good are the probabilities? What they cost where they are wrong, whether they mean what they say, and how well they rank.

log_loss             mean of -log of the probability that the right class was given, in nats
brier                mean squared distance from 1 for the right class and 0 for the others; of two classes, of the positive one alone
calibration_error    mean distance, over 15 bins of the probability, of what was said from what came, each row counting once
roc_auc              how often a row of the class is ranked above one of another; ties count one half. Guessing gives one half
pr_auc               average precision: precision at each row of the class, from the top. Guessing gives the share of the class

Of two classes the last three are of the positive class. Of several, calibration is of the class that is likeliest, and the areas are
means over the classes that occur, each against the rest.

Intervals leave out each unit in turn. A logarithm of 0 counts as that of 2.2e-16, as in scikit-learn.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from statewise.evaluation._areas import pr_area, roc_area
from statewise.evaluation._estimate import Estimate
from statewise.evaluation._intervals import clopper_pearson
from statewise.evaluation._jackknife import UNDEFINED, Metric, Sums, UnitSums, estimate, estimate_left, ratio, sums_over
from statewise.evaluation._metrics import divide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from statewise.evaluation._blocks import RowUnits
    from statewise.evaluation._predictions import Predictions

SCORE_METRICS = ("log_loss", "brier", "calibration_error", "roc_auc", "pr_auc")
NUM_BINS = 15
MOST_CLASSES = 100
"""With more, no areas: each class is ranked for itself."""

_SMALLEST = float(np.finfo(np.float64).eps)
AREAS = {"roc_auc": roc_area, "pr_auc": pr_area}
_OFF = 1e-3
"""By how much the probabilities of a row may miss the sum of 1 before it is told."""


class Scored(NamedTuple):
    """Figures of probabilities, and what should be known about them."""

    metrics: dict[str, Estimate]
    notes: list[str]


def score_metrics(predictions: Predictions, units: RowUnits, positive: str | None) -> Scored:
    """Return how good the probabilities are; nothing where there are none.

    Args:
        predictions: the rows that are scored, of classes.
        units: their independent units.
        positive: the class that a binary task looks for.

    Example:
        >>> from statewise.evaluation import Predictions, evaluate
        >>> columns = {"target": [0, 0, 1, 1], "score": [0.1, 0.4, 0.35, 0.8]}
        >>> evaluate(Predictions.from_columns(columns)).metrics["roc_auc"].value
        0.75
    """
    found = probabilities_of(predictions)
    if found is None:
        return Scored({}, [])
    probabilities, notes = found
    actual = predictions.actual
    assert actual is not None
    place = None if positive is None else predictions.class_names.index(positive)
    metrics = _of_rows(probabilities, actual, place, units)
    zero = int((probabilities[np.arange(len(actual)), actual] <= 0).sum())
    if zero:
        cost = -math.log(_SMALLEST)
        notes.append(f"{zero:,} of {len(actual):,} rows gave the right class a probability of 0: log loss counts {cost:.1f} nats for each")
    if len(predictions.class_names) > MOST_CLASSES:
        return Scored(metrics, [*notes, f"more than {MOST_CLASSES} classes: no areas under curves"])
    classes = [place] if place is not None else range(len(predictions.class_names))
    for name, area in AREAS.items():
        metrics[name] = _area(area, probabilities, actual, classes, units)
    return Scored(metrics, notes)


def probabilities_of(predictions: Predictions) -> tuple[np.ndarray, list[str]] | None:
    """Return the probability of each class `[rows, classes]`, each row with the sum 1."""
    if predictions.probabilities is not None:
        total = predictions.probabilities.sum(axis=1)
        off = int((np.abs(total - 1) > _OFF).sum())
        cure = "they are divided by their sum, or taken as even where it is 0"
        notes = [f"in {off:,} of {len(total):,} rows the probabilities do not sum to 1; {cure}"] if off else []
        even = np.full_like(predictions.probabilities, 1 / predictions.probabilities.shape[1])
        return np.divide(predictions.probabilities, total[:, None], out=even, where=total[:, None] > 0), notes
    if predictions.score is None or predictions.score_class is None:
        return None
    found = np.empty((len(predictions), 2))
    place = predictions.class_names.index(predictions.score_class)
    found[:, place], found[:, 1 - place] = predictions.score, 1 - predictions.score
    return found, []


def _of_rows(probabilities: np.ndarray, actual: np.ndarray, place: int | None, units: RowUnits) -> dict[str, Estimate]:
    """Return the figures that are means over rows, and the calibration error."""
    found = {metric.name: estimate(metric, sums) for metric, sums in score_sums(probabilities, actual, units, place=place)}
    return found | {"brier": _at_most(found["brier"], 1.0 if place is not None else 2.0)}


def score_sums(probabilities: np.ndarray, actual: np.ndarray, units: RowUnits, *, place: int | None) -> list[tuple[Metric, UnitSums]]:
    """Return log loss, Brier score and calibration error, each with the sums of each unit that it is made of.

    Args:
        probabilities: of each class, `[rows, classes]`.
        actual: class numbers `[rows]`.
        place: the number of the positive class of a binary task.
        units: the unit of each row.
    """
    rows = np.arange(len(actual))
    right = np.clip(probabilities[rows, actual], _SMALLEST, 1.0)
    if place is None:
        squared = (probabilities**2).sum(axis=1) - 2 * probabilities[rows, actual] + 1
        said, came = probabilities.max(axis=1), probabilities.argmax(axis=1) == actual
    else:
        said, came = probabilities[:, place], actual == place
        squared = (said - came) ** 2
    ones = np.ones(len(actual))
    sums = sums_over(units.of_unit, {"rows": ones, "nats": -np.log(right), "squared": np.maximum(squared, 0.0)}, units.words)
    figures = (Metric("log_loss", ratio("nats", "rows")), Metric("brier", ratio("squared", "rows")))
    return [*((metric, sums) for metric in figures), _calibration(said, came, units)]


def _at_most(found: Estimate, most: float) -> Estimate:
    """Return a figure whose interval ends where the figure must."""
    high = None if found.high is None else min(found.high, most)
    return msgspec.structs.replace(found, high=high)


def _calibration(said: np.ndarray, came: np.ndarray, units: RowUnits) -> tuple[Metric, UnitSums]:
    """Return the expected calibration error, of bins of equal width."""
    bins = np.minimum((said * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    columns = {f"gap {number}": np.where(bins == number, came - said, 0.0) for number in np.unique(bins).tolist()}

    def error(sums: Sums) -> np.ndarray:
        gaps: np.ndarray = np.sum([np.abs(sums[name]) for name in columns], axis=0)
        return divide(gaps, sums["rows"])

    sums = sums_over(units.of_unit, columns | {"rows": np.ones(len(said))}, units.words)
    return Metric("calibration_error", error, scale="logit", is_share=True), sums


def _area(
    area: Callable[..., tuple[float, np.ndarray]],
    probabilities: np.ndarray,
    actual: np.ndarray,
    classes: list[int] | range,
    units: RowUnits,
) -> Estimate:
    """Return the mean area with its interval."""
    made = mean_area(area, probabilities, actual, classes=classes, of_unit=units.of_unit)
    if made is None:
        return Estimate(value=math.nan, low=None, high=None, units=0, method=UNDEFINED)
    value, left = made
    if value >= 1:
        return _without_error(actual, classes, units)
    return estimate_left(value, left, scale="logit", words=units.words, is_share=True)


def mean_area(
    area: Callable[..., tuple[float, np.ndarray]],
    probabilities: np.ndarray,
    actual: np.ndarray,
    *,
    classes: Iterable[int],
    of_unit: np.ndarray,
) -> tuple[float, np.ndarray] | None:
    """Return the mean area over the classes that occur, and not in every row, and what it would be without each unit."""
    made = [area(probabilities[:, place], actual == place, of_unit) for place in classes if 0 < (actual == place).sum() < len(actual)]
    if not made:
        return None
    return float(np.mean([figure for figure, _ in made])), np.mean([each for _, each in made], axis=0)


def _without_error(actual: np.ndarray, classes: list[int] | range, units: RowUnits) -> Estimate:
    """Return an area of 1: as of so many pairs without an error as the rarest class has units."""
    occur = [place for place in classes if 0 < (actual == place).sum() < len(actual)]
    few = min(len(np.unique(units.of_unit[(actual == place) == there])) for place in occur for there in (False, True))
    low = clopper_pearson(float(few), float(few))[0] if few else None
    method = f"exact for as many pairs as the rarer side has {units.words}"
    return Estimate(value=1.0, low=low, high=None if low is None else 1.0, units=few, method=method)
