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
from statewise.evaluation._intervals import combined, estimate_all, units_of_rows
from statewise.evaluation._jackknife import Metric, Sums, UnitSums, estimate, ratio, sums_over
from statewise.evaluation._metrics import divide, macro, overall, tally
from statewise.evaluation._records import Counts, Estimate, Evaluation

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.evaluation._blocks import RowUnits
    from statewise.evaluation._predictions import Predictions

SHARES = (
    Metric("subset_accuracy", ratio("all right", "rows"), scale="logit", is_share=True),
    Metric("hamming_accuracy", ratio("right", "labels"), scale="logit", is_share=True),
)
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
    metrics = {metric.name: _share(metric, right, units) for metric in SHARES}
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
    counted = units_of_rows(actual.astype(np.int64), predicted.astype(np.int64), units.of_unit, 2, units.unit)
    metrics = estimate_all(counted, positive=1).metrics
    return {name: metrics[name] for name in ("precision", "recall", "f1", "balanced_accuracy")}


def _share(metric: Metric, right: np.ndarray, units: RowUnits) -> Estimate:
    """Return a share of rows or of labels; without any mistake, or right in none, as of so many cases as there are units."""
    if right.all() or metric.name == "subset_accuracy":
        whole = np.asarray(~right.all(axis=1), dtype=np.int64)
        return estimate_all(units_of_rows(np.zeros_like(whole), whole, units.of_unit, 2, units.unit), None).metrics["accuracy"]
    columns = {"rows": np.ones(len(right)), "labels": np.full(len(right), float(right.shape[1])), "right": right.sum(axis=1).astype(float)}
    return estimate(metric, sums_over(units.of_unit, columns, units.words))


def _averages(actual: np.ndarray, predicted: np.ndarray, of_label: list[dict[str, Estimate]], units: RowUnits) -> dict[str, Estimate]:
    """Return the mean of each figure over labels: the wider, at each end, of the jackknife and of the labels' intervals combined."""
    found = {}
    for metric, sums in label_sums(actual, predicted, units):
        name, whole = metric.name, estimate(metric, sums)
        always = np.asarray(actual.all(axis=0)).tolist() if name == "balanced_accuracy" else [False] * len(of_label)
        occurs = zip(of_label, np.asarray(actual.any(axis=0)).tolist(), always, strict=True)
        counted = [each[name] for each, some, every in occurs if some and not every]
        found[name] = whole if not counted or units.num_units < 2 else _wider(whole, counted, units)
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


def _wider(whole: Estimate, of_label: list[Estimate], units: RowUnits) -> Estimate:
    below, above = (combined(of_label, side) for side in ("low", "high"))
    low = whole.value - below if whole.low is None else min(whole.low, whole.value - below)
    high = whole.value + above if whole.high is None else max(whole.high, whole.value + above)
    method = f"the wider of jackknife over {units.words} and labels' intervals combined"
    return Estimate(value=whole.value, low=max(low, 0.0), high=min(high, 1.0), units=whole.units, method=method)


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
