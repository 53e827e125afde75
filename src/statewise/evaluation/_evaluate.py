"""How good are the answers? From a run, from predictions of any framework, or from four counts alone.

Ratios are `_metrics`', intervals `_intervals`', looks `_terminal`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from statewise.errors import DataError, OptionError, RunError, missing_extra
from statewise.evaluation._intervals import Units, estimate_all, units_of_confusion, units_of_rows
from statewise.evaluation._labels import choose_positive
from statewise.evaluation._predict import predict
from statewise.evaluation._predictions import Predictions
from statewise.evaluation._reading import read_predictions
from statewise.evaluation._records import Confusion, Counts, Evaluation, write_evaluation
from statewise.runs import Run, RunFiles, record_data

if TYPE_CHECKING:
    from torch import nn

    from statewise.sequences import Sequences

_SHOWN_PER_CLASS = ("precision", "recall", "f1")


def evaluate(subject: Predictions | Counts | Run | nn.Module, data: Sequences | None = None, *, positive: str | None = None) -> Evaluation:
    """Return metrics with 95 % intervals, the confusion matrix, and what answering without looking would reach.

    The evaluation of a run on `data` stays with the run, and its directory keeps the first one.

    Args:
        subject: predictions with targets; four counts; a run, or a model together with `data`. A run without `data` is
            evaluated on the predictions in its directory.
        data: labelled sequences for a run or a model to be scored on.
        positive: the class that a binary task looks for. When absent: the one told before, of predictions or run; else the
            class named 1, true, yes, y, positive or pos; else the rarer one. For four counts, a name for their positives.

    Raises:
        DataError: no rows, no targets, or a single class.
        OptionError: `positive` is no class, or there is nothing to predict.
        RunError: the run has no predictions in its directory.
        MissingExtraError: torchmetrics is not installed (four counts do without).

    Example:
        >>> evaluation = evaluate(Counts(tp=12, fn=88, fp=112, tn=9788))
        >>> print(evaluation.metrics["accuracy"], "|", evaluation.metrics["recall"])
        0.980 (0.977 to 0.983) | 0.120 (0.064 to 0.200)
        >>> evaluation.majority_class, evaluation.majority_accuracy
        ('negative', 0.99)
    """
    if isinstance(subject, Counts):
        return _of_counts(subject, positive)
    if isinstance(subject, Predictions):
        return _of_predictions(subject, positive)
    told = subject.config.positive if positive is None and isinstance(subject, Run) else positive
    if data is None:
        return _of_predictions(_predictions_of_run(subject, told), told)
    predictions = predict(subject, data)
    evaluation = _of_predictions(predictions, told)
    if isinstance(subject, Run):
        seen = record_data(data).sha256
        trained_on = next((name for name, record in subject.config.data.items() if record.sha256 == seen), None)
        if trained_on is not None:
            note = f"these sequences are the run's own {trained_on} part: the figures say nothing of new ones"
            return msgspec.structs.replace(evaluation, notes=(*evaluation.notes, note))
        _keep(subject, predictions, evaluation)
    return evaluation


def _keep(run: Run, predictions: Predictions, evaluation: Evaluation) -> None:
    """Leave the evaluation with its run, for `judge` and `report`; a run directory keeps the first, and no later one in its place."""
    run.evaluation = evaluation
    if run.directory is not None and not RunFiles(run.directory).evaluation.exists():
        predictions.save(RunFiles(run.directory).predictions)
        write_evaluation(evaluation, RunFiles(run.directory).evaluation)


def _of_counts(counts: Counts, positive: str | None) -> Evaluation:
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


def _of_predictions(predictions: Predictions, positive: str | None) -> Evaluation:
    """Return the evaluation of predictions that have targets."""
    actual, names = predictions.actual, predictions.class_names
    _refuse_unscorable(predictions)
    assert actual is not None
    support = np.bincount(actual, minlength=len(names)).tolist()
    told, notes = positive or predictions.positive, list(predictions.notes)
    chosen = None
    if len(names) == 2:
        chosen, why = choose_positive(names, support, told)
        if told is None:
            notes.append(f"the positive class is {chosen!r}, {why}; another is chosen with positive= (--positive)")
    elif told is not None:
        raise _error(OptionError, "positive", f"{told!r}, but there are {len(names)} classes", "Leave it out: each class has its own row.")
    confusion = _count_confusion(predictions.predicted, actual, len(names))
    units = units_of_rows(actual, predictions.predicted, predictions.unit_numbers(), len(names), predictions.unit)
    return _summarise(
        units,
        confusion,
        class_names=names,
        positive=chosen,
        task=predictions.task,
        source=predictions.source,
        num_sequences=len(set(predictions.key.tolist())),
        notes=(*notes, *_notes_on_columns(predictions), *_notes_on_classes(names, confusion, chosen)),
    )


def _refuse_unscorable(predictions: Predictions) -> None:
    """Raise a DataError unless there are rows, targets and at least two classes."""
    where = f"the rows of {predictions.source}"
    if not len(predictions):
        raise _error(DataError, where, "none", "Evaluate at least one sequence.")
    if predictions.actual is None:
        raise _error(
            DataError, f"column 'target' of {predictions.source}", "no targets", "Predict labelled data, or add a column 'target'."
        )
    if len(predictions.class_names) < 2:
        arrived = f"one class only: {', '.join(map(repr, predictions.class_names))}"
        raise _error(DataError, where, arrived, "Two classes or more are needed to tell right from wrong; name them with class_names=.")


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
    task: Any,
    source: str,
    num_sequences: int | None,
    notes: tuple[str, ...],
) -> Evaluation:
    support, total = confusion.sum(axis=1), int(confusion.sum())
    place = None if positive is None else class_names.index(positive)
    estimates = estimate_all(units, place)
    majority = int(support.argmax())
    num_positives = None if place is None else int(support[place])
    return Evaluation(
        task=task,
        source=source,
        metrics=estimates.metrics,
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
        notes=notes,
    )


def _notes_on_columns(predictions: Predictions) -> list[str]:
    """Return what the reader could otherwise believe wrongly about the rows."""
    notes = []
    parts = [] if predictions.split is None else sorted(set(predictions.split.tolist()))
    if len(parts) > 1:
        notes.append(f"the rows come from {len(parts)} parts ({', '.join(parts[:5])}) and are scored together: keep the test part alone")
    if predictions.weight is not None:
        notes.append("column 'weight' is not used: each row counts once")
    return notes


def _notes_on_classes(names: tuple[str, ...], confusion: np.ndarray, positive: str | None) -> list[str]:
    """Return which figures are undefined, and why."""
    absent = [name for name, count in zip(names, confusion.sum(axis=1), strict=True) if not count]
    never = [
        name
        for name, actual, predicted in zip(names, confusion.sum(axis=1), confusion.sum(axis=0), strict=True)
        if actual and not predicted
    ]
    notes = []
    if absent:
        notes.append(f"never among the targets: {_listed(absent)}; recall is undefined there, and no average counts it")
    if never:
        counted = "" if positive is not None else ", counted as 0 in the macro average"
        notes.append(f"never predicted: {_listed(never)}; precision is undefined there{counted}")
    return notes


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:8]))
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} others"


def _predictions_of_run(subject: Run | nn.Module, positive: str | None) -> Predictions:
    """Return the predictions that a run left in its directory."""
    if not isinstance(subject, Run):
        hint = "Give labelled data too: evaluate(model, data); or predictions, a run or sw.Counts(tp=, fn=, fp=, tn=)."
        raise _error(OptionError, "the first argument", f"a {type(subject).__name__} without data", hint)
    path = None if subject.directory is None else RunFiles(subject.directory).predictions
    if path is None or not path.is_file():
        arrived = "it is kept in memory" if path is None else f"no {path.name} in '{subject.directory}'"
        raise _error(RunError, "the run's predictions", arrived, "Give the data to score: evaluate(run, test), or --data FILE.")
    names = subject.config.class_names
    return read_predictions(path, task=_task(subject.config.task), positive=positive, class_names=names)


def _task(task: str) -> Any:
    return task if task in ("classify", "tag") else None


def _error(kind: type[DataError | OptionError | RunError], where: str, arrived: str, hint: str) -> Exception:
    return kind(asked="evaluate", where=where, arrived=arrived, hint=hint)
