"""What are the few figures that are told of a part of the rows, or of rows that do not all count the same? By what the task predicts.

classes    accuracy; of two precision, recall and f1 of the positive one, of several balanced accuracy and macro f1
values     rmse and mae
next       bits and accuracy
labels     subset and hamming accuracy

With weights a sequence of ten steps and one of a thousand can count the same: each row is divided by the number of rows of its sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.evaluation._intervals import Units, estimate_all, units_of_rows
from statewise.evaluation._jackknife import Metric, estimate, ratio, sums_over
from statewise.evaluation._metrics import Tallies
from statewise.evaluation._tally_metrics import estimate_tallies, of_all
from statewise.evaluation._tokens import CODE_LENGTHS
from statewise.evaluation._values import ERRORS

if TYPE_CHECKING:
    from statewise.evaluation._blocks import RowUnits
    from statewise.evaluation._estimate import Estimate
    from statewise.evaluation._predictions import Predictions

OF_TWO = ("accuracy", "precision", "recall", "f1")
OF_SEVERAL = ("accuracy", "balanced_accuracy", "f1")


def headline(predictions: Predictions, units: RowUnits, positive: str | None) -> dict[str, Estimate]:
    """Return the few figures of some rows.

    Args:
        predictions: the rows, all scored.
        units: the unit of each.
        positive: the class that a binary task looks for.
    """
    if predictions.holds == "classes" and predictions.task != "next":
        place = None if positive is None else predictions.class_names.index(positive)
        counted = _counted(predictions, units, None)
        metrics = estimate_all(counted, place).metrics
        return {name: metrics[name] for name in (OF_SEVERAL if positive is None else OF_TWO)}
    return {name: each for name, each in _of_sums(predictions, units, None).items() if name not in ("mse", "cross_entropy", "perplexity")}


def by_sequence(predictions: Predictions, units: RowUnits, positive: str | None) -> dict[str, Estimate]:
    """Return the figures in which each sequence counts once, however long; nothing where each has one row, or there is only one."""
    weights = sequence_weights(predictions)
    if weights is None:
        return {}
    if predictions.holds == "classes" and predictions.task != "next":
        place = None if positive is None else predictions.class_names.index(positive)
        counted = _counted(predictions, units, weights)
        names = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")
        found = {name: estimate_tallies(counted, of_all(name, place)) for name in names}
        return found | {"mcc": estimate_tallies(counted, of_all("mcc", place), scale="arctanh")}
    return _of_sums(predictions, units, weights)


def sequence_weights(predictions: Predictions) -> np.ndarray | None:
    """Return 1 / (number of rows of its sequence) for each row, or None where each sequence has one row, or there is only one.

    Example:
        >>> from statewise.evaluation import Predictions
        >>> rows = Predictions(task="regress", key=np.array(["a", "a", "b"]), predicted=np.zeros(3))
        >>> sequence_weights(rows).tolist()
        [0.5, 0.5, 1.0]
    """
    of_key = predictions.key_numbers
    if predictions.num_sequences in (1, len(of_key)):
        return None
    weights: np.ndarray = 1 / np.bincount(of_key)[of_key]
    return weights


def _counted(predictions: Predictions, units: RowUnits, weights: np.ndarray | None) -> Units:
    """Return the counts of each unit, of rows or of their weights."""
    actual, predicted, size = predictions.actual, predictions.predicted, len(predictions.class_names)
    assert actual is not None
    if weights is None:
        return units_of_rows(actual, predicted, of_unit=units.of_unit, num_classes=size, unit=units.unit)

    def count(classes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        found = np.bincount(units.of_unit[rows] * size + classes[rows], weights=weights[rows], minlength=units.num_units * size)
        return found.reshape(units.num_units, size)

    everyone = np.ones(len(actual), dtype=bool)
    counts = Tallies(count(actual, actual == predicted), count(actual, everyone), count(predicted, everyone))
    return Units(counts, np.ones(units.num_units, dtype=np.int64), units.unit, one_row=False)


def _of_sums(predictions: Predictions, units: RowUnits, weights: np.ndarray | None) -> dict[str, Estimate]:
    """Return the figures that are made of sums over rows."""
    actual, predicted = predictions.actual, predictions.predicted
    assert actual is not None
    counts = np.ones(len(predictions)) if weights is None else weights
    if predictions.holds == "values":
        error = predicted - actual
        sums = sums_over(units.of_unit, {"rows": counts, "squared": counts * error**2, "absolute": counts * np.abs(error)}, units.words)
        return {metric.name: estimate(metric, sums) for metric in ERRORS}
    if predictions.holds == "labels":
        right = actual == predicted
        columns = {"rows": counts, "all right": counts * right.all(axis=1), "right": counts * right.mean(axis=1)}
        shares = {"subset_accuracy": "all right", "hamming_accuracy": "right"}
    else:
        assert predictions.nll is not None
        columns = {"rows": counts, "nll": counts * np.maximum(predictions.nll, 0.0), "right": counts * (actual == predicted)}
        shares = {"accuracy": "right"}
    sums = sums_over(units.of_unit, columns, units.words)
    found = {metric.name: estimate(metric, sums) for metric in CODE_LENGTHS} if predictions.holds == "classes" else {}
    return found | {name: estimate(Metric(name, ratio(part, "rows"), scale="logit", is_share=True), sums) for name, part in shares.items()}
