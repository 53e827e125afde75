"""How well are several labels given at once? Each label is a question of its own; then their averages.

precision, recall, f1    of each label as of a positive class; overall their mean over the labels that occur (macro)
balanced_accuracy        mean over the labels that are there in some rows and not in others; guessing gives one half
subset_accuracy          share of rows in which every label is right
hamming_accuracy         share of all rows and labels that are right
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.evaluation._blocks import units_of
from statewise.evaluation._estimate import Estimate
from statewise.evaluation._intervals import between, estimate_all, share_of_right, units_of_rows
from statewise.evaluation._jackknife import Metric, Sums, UnitSums, estimate, ratio, sums_over
from statewise.evaluation._metrics import divide, macro, overall, tally
from statewise.evaluation._records import Counts, Evaluation

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.evaluation._blocks import RowUnits
    from statewise.evaluation._predictions import Predictions

OF_LABELS = ("balanced_accuracy", "precision", "recall", "f1")


def evaluate_labels(predictions: Predictions, notes: tuple[str, ...]) -> Evaluation:
    """Return how well several labels were given at once.

    Args:
        predictions: the rows that are scored.
        notes: what is known of them already.
    """
    actual, predicted, names = predictions.actual, predictions.predicted, predictions.class_names
    assert actual is not None
    right = actual == predicted
    units = units_of(predictions, (~right).mean(axis=1))
    per_label = {name: _of_label(actual[:, at], predicted[:, at], units) for at, name in enumerate(names)}
    metrics = {"subset_accuracy": _share(right.all(axis=1)[:, None], units), "hamming_accuracy": _share(right, units)}
    metrics |= _averages(actual, predicted, list(per_label.values()), units)
    return Evaluation(
        task=predictions.task,
        source=predictions.source,
        metrics=metrics,
        per_class=per_label,
        average="macro",
        unit=units.unit,
        num_units=units.num_units,
        num_scored=len(predictions),
        num_sequences=predictions.num_sequences,
        chance=0.5,
        averages=_micro(actual, predicted, metrics, units),
        label_counts={name: _counts(actual[:, at], predicted[:, at]) for at, name in enumerate(names)},
        notes=(*notes, *units.notes, *_notes(actual, predicted, names)),
    )


def _of_label(actual: np.ndarray, predicted: np.ndarray, units: RowUnits) -> dict[str, Estimate]:
    """Return the figures of one label."""
    counted = units_of_rows(actual.astype(np.int64), predicted.astype(np.int64), of_unit=units.of_unit, num_classes=2, unit=units.unit)
    metrics = estimate_all(counted, positive=1).metrics
    return {name: metrics[name] for name in ("precision", "recall", "f1", "balanced_accuracy")}


def _share(right: np.ndarray, units: RowUnits) -> Estimate:
    """Return the share of what is right, rows or labels: `[rows, what]`."""
    return share_of_right(right.ravel(), np.repeat(units.of_unit, right.shape[1]), unit=units.unit)


def _averages(actual: np.ndarray, predicted: np.ndarray, of_label: list[dict[str, Estimate]], units: RowUnits) -> dict[str, Estimate]:
    """Return the mean of each figure over labels: the jackknife, within the labels' intervals combined."""
    found = {}
    for metric, sums in label_sums(actual, predicted, units):
        name, whole = metric.name, estimate(metric, sums)
        always = np.asarray(actual.all(axis=0)).tolist() if name == "balanced_accuracy" else [False] * len(of_label)
        occurs = zip(of_label, np.asarray(actual.any(axis=0)).tolist(), always, strict=True)
        counted = [each[name] for each, some, every in occurs if some and not every]
        found[name] = whole if not counted or units.num_units < 2 else _within(whole, counted, units)
    return found


def label_sums(actual: np.ndarray, predicted: np.ndarray, units: RowUnits) -> list[tuple[Metric, UnitSums]]:
    """Return the mean of each figure over labels, each with the sums of each unit that it is made of."""
    columns = {"rows": np.ones(len(actual))}
    cells = {"tp": actual & predicted, "fn": actual & ~predicted, "fp": ~actual & predicted, "tn": ~actual & ~predicted}
    for at in range(actual.shape[1]):
        columns |= {f"{name} {at}": cell[:, at].astype(float) for name, cell in cells.items()}
    sums = sums_over(units.of_unit, columns, units.words)
    return [(Metric(name, _mean_over_labels(name, actual.shape[1]), scale="logit", is_share=True), sums) for name in OF_LABELS]


def _micro(actual: np.ndarray, predicted: np.ndarray, metrics: dict[str, Estimate], units: RowUnits) -> dict[str, dict[str, Estimate]]:
    """Return precision, recall and f1 as means over labels, and of all labels counted together."""
    counted = {"tp": actual & predicted, "actual": actual, "given": predicted}
    columns = {name: column.sum(axis=1).astype(np.float64) for name, column in counted.items()} | {"rows": np.ones(len(actual))}
    sums = sums_over(units.of_unit, columns, units.words)
    micro = (
        Metric("precision", ratio("tp", "given"), scale="logit", is_share=True),
        Metric("recall", ratio("tp", "actual"), scale="logit", is_share=True),
        Metric("f1", lambda each: 2 * divide(each["tp"], each["actual"] + each["given"]), scale="logit", is_share=True),
    )
    return {"macro": {each.name: metrics[each.name] for each in micro}, "micro": {each.name: estimate(each, sums) for each in micro}}


def _mean_over_labels(name: str, num_labels: int) -> Callable[[Sums], np.ndarray]:
    """Return the function from the counts of all labels to the mean of one figure."""

    def mean(sums: Sums) -> np.ndarray:
        cells = {cell: np.stack([sums[f"{cell} {at}"] for at in range(num_labels)], axis=-1) for cell in ("tp", "fn", "fp", "tn")}
        there, absent = cells["tp"] + cells["fn"], cells["fp"] + cells["tn"]
        confusion = np.stack([np.stack([cells["tn"], cells["fp"]], -1), np.stack([cells["fn"], cells["tp"]], -1)], -2)
        figures = overall(tally(confusion), positive=1)[name]
        occurs = (there > 0) & ((absent > 0) | (name != "balanced_accuracy"))
        return macro(figures, occurs.astype(np.int64))

    return mean


def _within(whole: Estimate, of_label: list[Estimate], units: RowUnits) -> Estimate:
    low, high = between(whole.value, None if whole.low is None or whole.high is None else (whole.low, whole.high), of_label)
    method = f"jackknife over {units.words}, within the labels' intervals combined"
    return Estimate(value=whole.value, low=low, high=high, units=whole.units, method=method)


def _counts(actual: np.ndarray, predicted: np.ndarray) -> Counts:
    return Counts(
        tp=int((actual & predicted).sum()),
        fn=int((actual & ~predicted).sum()),
        fp=int((~actual & predicted).sum()),
        tn=int((~actual & ~predicted).sum()),
    )


def _notes(actual: np.ndarray, predicted: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """Return which figures are undefined, and why."""
    occurs, always = np.asarray(actual.any(axis=0)), np.asarray(actual.all(axis=0))
    shown = {
        "never among the targets: {}; recall is undefined there, and no average counts it": ~occurs,
        "among the targets of every row: {}; balanced accuracy does not count it": always,
        "never given: {}; precision is undefined there, counted as 0 in the average": occurs & ~predicted.any(axis=0),
    }
    listed = {note: [repr(name) for name, one in zip(names, which.tolist(), strict=True) if one] for note, which in shown.items()}
    return [note.format(", ".join(found)) for note, found in listed.items() if found]
