"""How well are classes told apart? Counts in a confusion matrix, the metrics of `_metrics`, and those of probabilities of `_scores`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from statewise.errors import DataError, OptionError, missing_extra
from statewise.evaluation._blocks import units_of
from statewise.evaluation._intervals import Units, estimate_all, units_of_confusion, units_of_rows
from statewise.evaluation._labels import choose_positive
from statewise.evaluation._records import Confusion, Counts, Evaluation
from statewise.evaluation._scores import score_metrics
from statewise.evaluation._tally_metrics import averages, estimate_tallies, mcc
from statewise.types import KnownTask

if TYPE_CHECKING:
    from statewise.evaluation._predictions import Predictions

_SHOWN_PER_CLASS = ("precision", "recall", "f1")


def evaluate_classes(predictions: Predictions, notes: tuple[str, ...], *, positive: str | None) -> Evaluation:
    """Return how well classes were told apart.

    Args:
        predictions: the rows that are scored.
        notes: what is known of them already.
        positive: the class that a binary task looks for, where it was told.

    Raises:
        DataError: there is one class only.
        OptionError: `positive` is no class, or there are more than two.
        MissingExtraError: torchmetrics is not installed.
    """
    actual, names = predictions.actual, predictions.class_names
    assert actual is not None
    _require_two_classes(predictions)
    chosen, found = _positive_of(names, np.bincount(actual, minlength=len(names)).tolist(), positive or predictions.positive)
    confusion = _count_confusion(predictions.predicted, actual, len(names))
    cut = units_of(predictions, (predictions.predicted != actual).astype(np.float64))
    units = units_of_rows(actual, predictions.predicted, of_unit=cut.of_unit, num_classes=len(names), unit=cut.unit)
    scored = score_metrics(predictions, cut, chosen)
    evaluation = _summarise(
        units,
        confusion,
        class_names=names,
        positive=chosen,
        task=predictions.task,
        source=predictions.source,
        num_sequences=predictions.num_sequences,
        notes=(*notes, *found, *cut.notes, *_notes_on_classes(names, confusion, chosen), *scored.notes),
    )
    return msgspec.structs.replace(evaluation, metrics=evaluation.metrics | scored.metrics)


def evaluate_counts(counts: Counts, *, positive: str | None) -> Evaluation:
    """Return the evaluation of four counts; the cases are taken as independent."""
    name = positive or "positive"
    other = {"positive": "negative", "negative": "positive"}.get(name, f"not {name}")
    confusion = np.array([[counts.tn, counts.fp], [counts.fn, counts.tp]])
    note = "from four counts: each case is taken as independent of the others"
    return _summarise(
        units_of_confusion(confusion, "count"),
        confusion,
        class_names=(other, name),
        positive=name,
        task="classify",
        source="four counts",
        num_sequences=None,
        notes=(note,),
    )


def _positive_of(names: tuple[str, ...], support: list[int], told: str | None) -> tuple[str | None, list[str]]:
    """Return the positive class of a binary task, and how it was chosen where nobody told."""
    if len(names) == 2:
        chosen, why = choose_positive(names, support, told)
        return chosen, [] if told else [f"the positive class is {chosen!r}, {why}; another is chosen with positive= (--positive)"]
    if told is not None:
        hint = "Leave it out: each class has its own row."
        raise OptionError(asked="evaluate", where="positive", arrived=f"{told!r}, but there are {len(names)} classes", hint=hint)
    return None, []


def _require_two_classes(predictions: Predictions) -> None:
    names = predictions.class_names
    if len(names) < 2:
        raise DataError(
            asked="evaluate",
            where=f"the rows of {predictions.source}",
            arrived=f"one class only: {', '.join(map(repr, names))}",
            hint="Two classes or more are needed to tell right from wrong; name them with class_names=.",
        )


def _count_confusion(predicted: np.ndarray, actual: np.ndarray, num_classes: int) -> np.ndarray:
    """Return how often each class was predicted as each, counted by torchmetrics.

    The ratios are computed from these whole numbers in double precision, where torchmetrics' own are in single: a test shows
    that they agree.
    """
    try:
        from torchmetrics.functional.classification import multiclass_confusion_matrix
    except ImportError as problem:
        raise missing_extra("evaluate predictions", "torchmetrics", "metrics") from problem
    import torch

    counts = multiclass_confusion_matrix(torch.from_numpy(predicted), torch.from_numpy(actual), num_classes, validate_args=False)
    return np.asarray(counts.numpy(), dtype=np.int64)


def _summarise(
    units: Units,
    confusion: np.ndarray,
    *,
    class_names: tuple[str, ...],
    positive: str | None,
    task: KnownTask,
    source: str,
    num_sequences: int | None,
    notes: tuple[str, ...],
) -> Evaluation:
    support, total = confusion.sum(axis=1), int(confusion.sum())
    place = None if positive is None else class_names.index(positive)
    estimates = estimate_all(units, place)
    metrics = estimates.metrics | {"mcc": estimate_tallies(units, mcc, scale="arctanh")}
    majority = int(support.argmax())
    num_positives = None if place is None else int(support[place])
    return Evaluation(
        task=task,
        source=source,
        metrics=metrics,
        per_class={
            name: {metric: estimates.per_class[metric][number] for metric in _SHOWN_PER_CLASS} for number, name in enumerate(class_names)
        },
        confusion=Confusion(class_names=class_names, counts=confusion.tolist()),
        positive=positive,
        average="macro" if positive is None else "positive class",
        unit=units.unit,
        num_units=units.num_units,
        num_scored=total,
        num_sequences=num_sequences,
        majority_class=class_names[majority],
        majority_accuracy=int(support[majority]) / total,
        chance=1 / len(class_names),
        num_positives=num_positives,
        prevalence=None if num_positives is None else num_positives / total,
        averages=averages(units, metrics["accuracy"], metrics) if positive is None else {},
        notes=notes,
    )


def _notes_on_classes(names: tuple[str, ...], confusion: np.ndarray, positive: str | None) -> list[str]:
    """Return which figures are undefined, and why."""
    absent = [name for name, count in zip(names, confusion.sum(axis=1), strict=True) if not count]
    never = [
        name
        for name, actual, predicted in zip(names, confusion.sum(axis=1), confusion.sum(axis=0), strict=True)
        if actual and not predicted
    ]
    notes = []
    there = confusion.sum(axis=1) > 0
    if not confusion[np.ix_(there, there)].any():
        notes.append("no row is answered with any class that stands among the targets: are the same classes named in two ways?")
    if absent:
        notes.append(f"never among the targets: {_listed(absent)}; recall is undefined there, and no average counts it")
    if never:
        counted = "" if positive is not None else ", counted as 0 in the macro average"
        notes.append(f"never predicted: {_listed(never)}; precision is undefined there{counted}")
    return notes


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:8]))
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} others"
