"""Can this model be trained on these parts? What does not fit is told before the training, not in its middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.errors import DataError, OptionError
from statewise.evaluation import match_class
from statewise.models import Model
from statewise.sequences import Sequences, aligned, require_two_classes
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Container

    from torch import nn

    from statewise.training._options import FitOptions
    from statewise.training._own import OwnParts
    from statewise.types import Task


def settled_task(wanted: Task | None, train: Sequences, *, own_loss: bool) -> Task:
    """Return what the outputs are for; the targets must be of the kind, and at the places, that it needs.

    Raises:
        OptionError: they are not, or a task of one's own has no loss.
    """
    task = wanted or train.task
    if task == "other" and not own_loss:
        hint = "Give loss=lambda outputs, targets: ..., since nothing else is known of the outputs."
        raise OptionError(asked="fit", where="task='other'", arrived="no loss", hint=hint)
    if task in TASKS and train.holds is not None and (train.holds, train.each) not in {(TASKS[task].holds, e) for e in TASKS[task].each}:
        usual = train.task
        raise OptionError(
            asked="fit",
            where="task",
            arrived=f"{task!r}, but the data has one target a {train.each}, and targets are {train.holds}",
            hint=f"Leave it out, or give task={usual!r}.",
        )
    return task or "classify"


def require_model(model: Model, task: Task, train: Sequences) -> None:
    """Refuse a model of ours that was built for another task, or other places, than the data has.

    Raises:
        OptionError: it was.
    """
    if (model.config.task, model.config.each) == (task, train.each):
        return
    raise OptionError(
        asked="fit",
        where="task",
        arrived=f"{task!r} with one target a {train.each}; the model was built for {model.config.task!r}, one a {model.config.each}",
        hint=f"Build it for the data: build(..., task={task!r}, data=train).",
    )


def require_used_options(
    task: Task, train: Sequences, *, label_smoothing: float, class_weights: object, own_loss: bool, positive: str | None
) -> None:
    """Refuse options that the task, or a loss of one's own, would pass over.

    Raises:
        OptionError: the option, and why it would do nothing.
    """
    values = train.holds == "values"
    refused = {
        "label_smoothing": label_smoothing > 0 and (own_loss or values or task == "other"),
        "class_weights": class_weights is not None and (values or task == "other" or (own_loss and train.holds == "labels")),
        "positive": positive is not None and (train.holds != "classes" or len(train.class_names or ("", "")) != 2),
    }
    for name, does_nothing in refused.items():
        if does_nothing:
            why = "beside a loss of one's own" if own_loss and not values else f"for the task {task!r}"
            hint = f"Leave {name} (--{name.replace('_', '-')}) out: it would do nothing here."
            raise OptionError(asked="fit", where=name, arrived=f"{why}, targets that are {train.holds}", hint=hint)
    if positive is not None and train.class_names is not None:
        match_class(positive, train.class_names)


def require_used_parts(own: OwnParts, options: FitOptions, *, asked: Container[str], has_valid: bool) -> None:
    """Refuse options that rest on a validation part where there is none, and those whose place a part of one's own takes.

    Args:
        own: parts of one's own.
        options: how to train.
        asked: which of `lr`, `weight_decay` and `patience` somebody asked for.
        has_valid: whether there is a validation part.

    Raises:
        OptionError: the option, and why it would do nothing.
    """
    unwatched, own_optimizer = "no validation part", "beside an optimizer of one's own"
    refused = {
        "refit": (options.refit and not has_valid, unwatched),
        "metrics": (bool(own.metrics) and not has_valid, unwatched),
        "patience": ("patience" in asked and options.patience > 0 and not has_valid, unwatched),
        "lr": ("lr" in asked and own.optimizer is not None, own_optimizer),
        "weight_decay": ("weight_decay" in asked and own.optimizer is not None, own_optimizer),
        "batch_steps": (
            options.batch_steps is not None and own.sampler is not None and not has_valid,
            "beside a sampler of one's own, and no validation part",
        ),
    }
    remedies = {unwatched: "Give valid= as well", own_optimizer: "Give it where the optimizer is made"}
    for name, (does_nothing, why) in refused.items():
        if does_nothing:
            hint = f"{remedies.get(why, 'Yield batches of that size')}, or leave {name} out: it would do nothing here."
            raise OptionError(asked="fit", where=name, arrived=why, hint=hint)


def usable(data: Sequences, part: str, task: Task, *, fills: bool) -> Sequences:
    """Return the sequences of a part that have a step; refuse a part without targets, or with values that cannot be computed with.

    Raises:
        DataError: nothing to learn from, or values that are NaN or infinite.
    """
    where = f"the {part} part ({data.source})"
    if data.targets is None:
        raise DataError(asked="fit", where=where, arrived="no targets", hint="Name the column of labels with target=.")
    kept = torch.nonzero(data.lengths > 0).flatten()
    if not len(kept):
        raise DataError(asked="fit", where=where, arrived="no sequence with a step", hint="Give at least one.")
    for name, values in data.parts.items():
        spoilt = values.values.isinf() if data.missing == "mean" and fills else ~values.values.isfinite()
        if bool(spoilt.any()):
            hints = {
                "error": "Drop or fill these steps: they would spoil every step after them; or read the data with missing='mean'.",
                "mean": "This model does not fill them: build(..., data=train) makes one that reads them as the mean; or fill them.",
            }
            arrived = f"{int(spoilt.sum())} values that are NaN or infinite"
            raise DataError(asked="fit", where=f"{where}, input {name!r}", arrived=arrived, hint=hints[data.missing])
    used = data if len(kept) == len(data) else data.select(kept)
    if not bool((aligned(used, task).weights > 0).any()):
        arrived = "no target that is scored: all have the weight 0, or lie beyond the end of their sequence"
        raise DataError(asked="fit", where=where, arrived=arrived, hint="Give targets with a weight above 0 (weights=, --weight).")
    return used


def class_names_of(model: nn.Module, train: Sequences, valid: Sequences | None) -> tuple[str, ...]:
    """Return the classes or labels, on which the parts and a model of ours must agree; nothing for values.

    Raises:
        DataError: one class only, or names that differ.
    """
    if train.holds == "values":
        return ()
    if train.holds == "classes":
        require_two_classes(train, "fit")
    names = tuple(train.class_names) if train.class_names is not None else None
    if names is None:
        most = max(train.num_classes or 0, (valid.num_classes or 0) if valid is not None else 0)
        names = tuple(model.class_names) if isinstance(model, Model) else tuple(str(number) for number in range(most))
    if valid is not None and valid.class_names is not None and tuple(valid.class_names) != names:
        raise DataError(
            asked="fit",
            where="class_names",
            arrived=f"{list(names)[:12]} in the training part, {list(valid.class_names)[:12]} in the validation part",
            hint="Read both parts with the same class_names.",
        )
    for part in (train, valid):
        if part is not None and (part.num_classes or 0) > len(names):
            raise DataError(
                asked="fit",
                where="class_names",
                arrived=f"{part.num_classes} classes in {part.source}, {len(names)} names",
                hint="Name every class with class_names=.",
            )
    if (
        isinstance(model, Model)
        and train.class_names is not None
        and len(model.class_names) == len(names)
        and tuple(model.class_names) != names
    ):
        raise DataError(
            asked="fit",
            where="class_names",
            arrived=f"{list(names)[:12]} in the data, {list(model.class_names)[:12]} in the model",
            hint="Build the model with the class_names of the data, in their order.",
        )
    if isinstance(model, Model) and len(model.class_names) != len(names):
        raise DataError(
            asked="fit",
            where="class_names",
            arrived=f"{len(names)} classes in the data, {len(model.class_names)} in the model",
            hint=f"Build it with num_classes={len(names)}.",
        )
    return names
