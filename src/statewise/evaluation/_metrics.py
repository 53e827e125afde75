"""How good are the answers? Ratios of counts, for one confusion matrix or for many at once.

Pure arithmetic in double precision; how sure the figures are is told in `_intervals.py`.

An undefined ratio, 0 of 0, is NaN and never silently 0:

    precision                    of the rows predicted as the class, how many are; undefined when it is never predicted
    recall                       of the rows of the class, how many were found; undefined when it never occurs
    f1                           2 tp / (2 tp + fp + fn); 0 when the class occurs and is never predicted, undefined only when neither
    specificity                  of the rows of other classes, how many were left alone
    negative_predictive_value    of the rows predicted as other classes, how many are

A macro average is over the classes that occur among the targets. There a class that is never predicted counts with precision 0:
leaving it out would reward a model for ignoring it.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Num

PER_CLASS = ("precision", "recall", "f1", "specificity", "negative_predictive_value")
METRICS = ("accuracy", "balanced_accuracy", *PER_CLASS)

Counted: TypeAlias = Num[np.ndarray, "*batch classes"]


class Tallies(NamedTuple):
    """All that the metrics need of a confusion matrix: three counts a class, `[*batch, classes]` each.

    Attributes:
        hits: rows of the class that were predicted as it.
        actual: rows of the class.
        predicted: rows predicted as the class.
    """

    hits: Counted
    actual: Counted
    predicted: Counted

    def __sub__(self, other: Tallies) -> Tallies:
        """Return the counts without those of `other`; sizes are broadcast."""
        return Tallies(self.hits - other.hits, self.actual - other.actual, self.predicted - other.predicted)

    @property
    def total(self) -> Num[np.ndarray, "*batch 1"]:
        """Number of rows, with a last axis of size 1."""
        total: np.ndarray = self.actual.sum(axis=-1, keepdims=True)
        return total


def tally(confusion: Num[np.ndarray, "*batch actual predicted"]) -> Tallies:
    """Return the counts of each class of one or many confusion matrices, rows actual and columns predicted."""
    return Tallies(confusion.diagonal(axis1=-2, axis2=-1), confusion.sum(axis=-1), confusion.sum(axis=-2))


def ratios(counts: Tallies) -> dict[str, tuple[Counted, Counted]]:
    """Return numerator and denominator of each metric of a class.

    Each is "k of m rows", except that the f1 of k hits among the m rows that are, or are predicted as, the class is 2k / (m + k).
    """
    hits, actual, predicted = counts
    others_left_alone = counts.total - actual - predicted + hits
    return {
        "precision": (hits, predicted),
        "recall": (hits, actual),
        "f1": (2 * hits, actual + predicted),
        "specificity": (others_left_alone, counts.total - actual),
        "negative_predictive_value": (others_left_alone, counts.total - predicted),
    }


def per_class(counts: Tallies) -> dict[str, Counted]:
    """Return each metric of `PER_CLASS` for each class, NaN where it is undefined.

    Example:
        >>> counts = tally(np.array([[35, 5], [10, 50]]))  # tn fp / fn tp
        >>> {name: values.round(2).tolist() for name, values in per_class(counts).items() if name in ("precision", "recall")}
        {'precision': [0.78, 0.91], 'recall': [0.88, 0.83]}
    """
    return {name: divide(numerator, denominator) for name, (numerator, denominator) in ratios(counts).items()}


def overall(counts: Tallies, positive: int | None) -> dict[str, Num[np.ndarray, "*batch"]]:
    """Return each metric of `METRICS`: of the positive class, or with `positive=None` the macro average.

    Balanced accuracy is the macro average of recall in both cases.

    Example:
        >>> of_one = overall(tally(np.array([[35, 5], [10, 50]])), positive=1)
        >>> [float(of_one[name].round(2)) for name in ("accuracy", "precision", "recall", "f1")]
        [0.85, 0.91, 0.83, 0.87]
    """
    of_class = per_class(counts)
    shown = (
        {name: values[..., positive] for name, values in of_class.items()}
        if positive is not None
        else {name: macro(values, counts.actual) for name, values in of_class.items()}
    )
    accuracy = divide(counts.hits.sum(axis=-1), counts.total[..., 0])
    return {"accuracy": accuracy, "balanced_accuracy": macro(of_class["recall"], counts.actual), **shown}


def macro(values: Counted, actual: Counted) -> Num[np.ndarray, "*batch"]:
    """Return the mean over the classes that occur, an undefined value among them counted as 0; NaN when none occurs."""
    occurs = actual > 0
    return divide(np.where(occurs, np.nan_to_num(values), 0.0).sum(axis=-1), occurs.sum(axis=-1))


def divide(numerator: np.ndarray | np.generic, denominator: np.ndarray | np.generic) -> Num[np.ndarray, "..."]:
    """Return the quotient in double precision, NaN for 0 of 0."""
    quotient = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) > 0)
    return quotient
