"""How good are the answers? From a run, from predictions of any framework, or from four counts alone.

Each kind of answer has its own file: `_classes`, `_values`, `_multilabel`, `_tokens`. Looks are `_terminal`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from statewise.errors import DataError, OptionError, RunError, kind_of
from statewise.evaluation._blocks import units_of
from statewise.evaluation._classes import evaluate_classes, evaluate_counts
from statewise.evaluation._decision import with_trade_off
from statewise.evaluation._events import events_of
from statewise.evaluation._headline import by_sequence
from statewise.evaluation._multilabel import evaluate_labels
from statewise.evaluation._part_records import EventRules
from statewise.evaluation._predict import predict
from statewise.evaluation._predictions import Predictions
from statewise.evaluation._reading import read_predictions
from statewise.evaluation._records import Counts, Evaluation, Threshold, write_evaluation
from statewise.evaluation._scored import scored_rows, wrong_by
from statewise.evaluation._slices import slices_of
from statewise.evaluation._threshold import called_from
from statewise.evaluation._tokens import evaluate_tokens
from statewise.evaluation._trade_off import Cost
from statewise.evaluation._values import evaluate_values
from statewise.runs import Run, RunFiles, count_seen, record_data, record_scoring
from statewise.tasks import TASKS
from statewise.types import KnownTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from statewise.sequences import Sequences
    from statewise.types import Task


class _ToldOf(NamedTuple):
    """What is told besides the metrics: parts of the rows, runs of steps, what mistakes cost."""

    by: Sequence[str] | None
    events: EventRules | None
    cost: Cost | None


def evaluate(
    subject: Predictions | Counts | Run | nn.Module,
    data: Sequences | None = None,
    *,
    positive: str | None = None,
    by: Sequence[str] | None = None,
    events: EventRules | None = None,
    threshold: Threshold | float | None = None,
    cost: Cost | None = None,
) -> Evaluation:
    """Return metrics with 95 % intervals, and what answering without looking would reach.

    Classes get a confusion matrix, values and next tokens their skill against naive methods, several labels a row each. Rows of
    weight 0 and values that are not known are never scored.

    The evaluation of a run on `data` stays with the run, and its directory keeps the first one.

    Args:
        subject: predictions with targets; four counts; a run, or a model together with `data`. A run without `data` is
            evaluated on the predictions in its directory.
        data: labelled sequences for a run or a model to be scored on.
        positive: the class that a binary task looks for. When absent: the one told before, of predictions or run; else the
            class named 1, true, yes, y, positive or pos; else the rarer one. For four counts, a name for their positives.
        by: what parts of the rows are told of: `"length"`, `"position"`, `"since_reset"`, `"group"`, or columns of the predictions; when
            absent the first four, as far as there are any.
        events: of steps that have a label: whose runs are events, and when one is found. Those of a binary task's positive class are
            told in any case.
        threshold: the score from which a row counts as positive, such as `choose_threshold` returns; that of the predictions by default.
        cost: what mistakes cost, to be told with an interval; that of a chosen threshold by default.

    Raises:
        DataError: no rows, no targets, a single class, or a figure that is not finite.
        OptionError: `positive` is no class, `by` no column, there is nothing to predict, or a threshold or cost is given for other than two
            classes with scores.
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
        _refuse_beside_counts({"data": data, "by": by, "events": events, "threshold": threshold, "cost": cost})
        return evaluate_counts(subject, positive=positive)
    told_of = _ToldOf((by,) if isinstance(by, str) else by, events, cost)
    if isinstance(subject, Predictions):
        if data is not None:
            raise _error(OptionError, "data", "beside predictions, which are answers already", "Leave it out, or give the model.")
        return _of_predictions(subject, told_of, positive=positive, threshold=threshold)
    told = subject.config.positive if positive is None and isinstance(subject, Run) else positive
    if data is None:
        return _of_predictions(predictions_of_run(subject, told), told_of, positive=told, threshold=threshold)
    predictions = predict(subject, data)
    predictions = predictions if threshold is None else called_from(predictions, threshold, positive=told)
    evaluation = _of_predictions(predictions, told_of, positive=told)
    if isinstance(subject, Run):
        evaluation, is_new = _compared(subject, data, evaluation)
        _look(subject, data)
        if is_new:
            _keep(subject, predictions, evaluation)
    return evaluation


def _refuse_beside_counts(given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value is not None and value != ():
            hint = "Give predictions, of which there are rows and scores; costs of counts are judged by a policy."
            raise _error(OptionError, name, "beside four counts", hint)


def _look(run: Run, data: Sequences) -> None:
    """Write down that data is looked at, unless it is a part that the run was trained on."""
    record = record_data(data)
    if run.directory is not None and record.sha256 not in {each.sha256 for each in run.config.data.values()}:
        record_scoring(run.directory, record)


def _compared(run: Run, data: Sequences, evaluation: Evaluation) -> tuple[Evaluation, bool]:
    """Return the evaluation with a note where the run was trained on some of the data, and whether most of the data is new to it."""
    sha256 = record_data(data).sha256
    part = next((name for name, record in run.config.data.items() if record.sha256 == sha256), None)
    num_seen = len(data) if part is not None else count_seen(run, data)
    if num_seen == 0:
        return evaluation, True
    if part is not None:
        note = f"these sequences are the run's own {part} part: the figures say nothing of new ones"
    else:
        says = "the figures say nothing of new ones" if num_seen == len(data) else "for new ones the figures are too good"
        note = f"{num_seen} of {len(data)} sequences were trained on: {says}"
    return msgspec.structs.replace(evaluation, notes=(*evaluation.notes, note)), part is None and 2 * num_seen <= len(data)


def _keep(run: Run, predictions: Predictions, evaluation: Evaluation) -> None:
    """Leave the evaluation with its run, for `judge` and `report`; a run directory keeps the first, and no later one in its place."""
    run.evaluation = evaluation
    if run.directory is not None and not RunFiles(run.directory).evaluation.exists():
        predictions.save(RunFiles(run.directory).predictions)
        write_evaluation(evaluation, RunFiles(run.directory).evaluation)


def _of_predictions(
    predictions: Predictions, told_of: _ToldOf, *, positive: str | None, threshold: Threshold | float | None = None
) -> Evaluation:
    """Return the evaluation of predictions that have targets."""
    predictions = predictions.looking_for(positive)
    rows, found = scored_rows(predictions)
    rows = rows if threshold is None else called_from(rows, threshold, positive=positive)
    notes = (*rows.notes, *found)
    if rows.holds == "classes" and not TASKS[rows.task].ahead:
        positive = rows.threshold.positive if positive is None and isinstance(rows.threshold, Threshold) else positive
        evaluation = with_trade_off(evaluate_classes(rows, notes, positive=positive), rows, cost=told_of.cost)
    elif told_of.cost is not None:
        raise _error(OptionError, "cost", f"for a task of {rows.holds} ({rows.task})", "Leave it out: it is for a task of two classes.")
    elif positive is not None:
        hint = "Leave it out: it is for a task of two classes."
        raise _error(OptionError, "positive", f"{positive!r}, for a task of {rows.holds} ({rows.task})", hint)
    else:
        evaluation = {"classes": evaluate_tokens, "values": evaluate_values, "labels": evaluate_labels}[rows.holds](rows, notes)
    if told_of.events is not None and rows.task != "tag":
        hint = "Leave it out: events are runs of steps that each have a label."
        raise _error(OptionError, "events", f"rules for events, for the task {rows.task!r}", hint)
    units = units_of(rows, wrong_by(rows))
    events = events_of(rows, units, positive=evaluation.positive, rules=told_of.events, among=predictions)
    if events is not None and "time" in rows.more and events.per != "hour":
        unread = "column 'time' holds something that is no time: the steps are in its order, and delays and false alarms are told in steps"
        evaluation = msgspec.structs.replace(evaluation, notes=(*evaluation.notes, unread))
    return msgspec.structs.replace(
        evaluation,
        by_sequence=by_sequence(rows, units, evaluation.positive),
        events=events,
        slices=slices_of(rows, units, positive=evaluation.positive, by=told_of.by, among=predictions),
    )


def predictions_of_run(subject: Run | nn.Module, positive: str | None, *, asked: str = "evaluate") -> Predictions:
    """Return the predictions that a run left in its directory."""
    if not isinstance(subject, Run):
        hint = "Give labelled data too: evaluate(model, data); or predictions, a run or sw.Counts(tp=, fn=, fp=, tn=)."
        raise OptionError(asked=asked, where="what is scored", arrived=f"{kind_of(subject)} without data", hint=hint)
    path = None if subject.directory is None else RunFiles(subject.directory).predictions
    if path is None or not path.is_file():
        arrived = "it is kept in memory" if path is None else f"no {path.name} in '{subject.directory}'"
        hint = "Give the data to score: evaluate(run, test), or --data FILE."
        raise RunError(asked=asked, where="the run's predictions", arrived=arrived, hint=hint)
    names = subject.config.class_names
    return read_predictions(path, task=_task(subject.config.task), positive=positive, class_names=names or None)


def _task(task: Task) -> KnownTask | None:
    return None if task == "other" else task


def _error(kind: type[DataError | OptionError], where: str, arrived: str, hint: str) -> Exception:
    return kind(asked="evaluate", where=where, arrived=arrived, hint=hint)
