"""`statewise fit`: from files to a trained, evaluated, traced, audited and judged model, told as it happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch
from cyclopts import Parameter

from statewise.cli._finish import finish
from statewise.cli._fit_options import ModelOptions, SplitOptions, TrainingOptions
from statewise.cli._reading import Columns, Parts, read_parts, reading_of, require_apart
from statewise.cli._show import console, heading, say, show
from statewise.errors import OptionError, nearest
from statewise.models import build
from statewise.runs import RunFiles, make_from_factory
from statewise.sequences import Sequences, describe, require_two_classes
from statewise.training import fit as fit_model
from statewise.training import interrupted, progress_bar, training_trace
from statewise.verdicts import read_policy

if TYPE_CHECKING:
    from torch import nn

    from statewise.runs import Run

_CORES = ("rnn", "lstm", "gru")
_SMALLEST_FREE = 1000


def fit(
    model: str = "lstm",
    /,
    *,
    data: Path | None = None,
    train: Path | None = None,
    valid: Path | None = None,
    test: Path | None = None,
    columns: Columns | None = None,
    cut: SplitOptions | None = None,
    out: Path | None = None,
    model_options: ModelOptions | None = None,
    training: TrainingOptions | None = None,
    positive: str | None = None,
    seed: int = 0,
    shuffle_labels: Annotated[bool, Parameter(negative="")] = False,
    resume: Annotated[bool, Parameter(negative="")] = False,
    policy: str = "default",
    judge: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Train a model, then evaluate, trace, audit and judge it.

    Ends with 0 when the pipeline completed, whatever the model is worth; with --judge, with the verdict's own code.

    Args:
        model: rnn, lstm or gru, or file.py:function (package.module:function) that makes a module of your own.
        data: one file, split into training, validation and test part.
        train: the training part; without --valid a validation part is carved out of it.
        valid: the validation part.
        test: the test part; it is scored once, at the end.
        columns: which column means what.
        cut: how parts are cut out of one file.
        out: the run directory, new or empty; by default a new one below runs/.
        model_options: what rnn, lstm and gru are built with.
        training: how the model is trained.
        positive: the class that a binary task looks for.
        seed: of the split, the weights, the order of batches and dropout.
        shuffle_labels: permute the labels of training and validation part: what a model scores then is chance.
        resume: go on with the run in --out, or begin it.
        policy: default, lenient, recall-first, precision-first, or a TOML file.
        judge: end with the verdict's exit code.
    """
    columns, cut, training = columns or Columns(), cut or SplitOptions(), training or TrainingOptions()
    read_policy(policy)  # a misspelt policy is told before the training, not after it
    options = model_options or ModelOptions()
    _require_before_reading(model, options, training, columns, out, resume=resume)
    parts = read_parts(data=data, train=train, valid=valid, test=test, columns=columns, cut=cut, seed=seed)
    if parts.train.holds == "classes":
        require_two_classes(parts.train, "statewise fit")
    require_apart(parts, cut=data is not None)
    if shuffle_labels:
        parts = replace(parts, train=_shuffled(parts.train, seed), valid=_shuffled(parts.valid, seed + 1))
    _show_data(parts, shuffled=shuffle_labels)
    module = _module(model, options, parts.train, seed)
    directory = out or _free_directory(model, data or train)
    with _told_where_it_ended(directory), progress_bar(console()) as bar:
        run = fit_model(
            module,
            parts.train,
            parts.valid,
            **training.given(),
            positive=positive,
            seed=seed,
            directory=directory,
            resume=resume,
            factory=None if model in _CORES else model,
            reading=reading_of(parts.train, columns),
            callbacks=[bar],
        )
    if run.history.epochs():
        heading("Training")
        show(training_trace(run.history))
    return _end(run, parts, policy=policy, judge=judge)


@contextmanager
def _told_where_it_ended(directory: Path) -> Iterator[None]:
    """Say how to go on where SIGTERM ends the process."""
    try:
        yield
    except SystemExit:
        say(f"Ended by SIGTERM; go on with --out {directory} --resume.")
        raise


def _end(run: Run, parts: Parts, *, policy: str, judge: bool) -> int:
    if interrupted(run):
        say(f"Interrupted. What was learned so far lies in {run.directory}; go on with --out {run.directory} --resume.")
        return 130
    verdict = finish(run, parts, policy=policy)
    if not judge:
        say(f"'statewise judge {run.directory}' ends with exit code {verdict.exit_code}; this command ends with 0: the pipeline completed.")
    return verdict.exit_code if judge else 0


def _show_data(parts: Parts, *, shuffled: bool) -> None:
    heading("Data")
    for name, part in (("training", parts.train), ("validation", parts.valid), ("test", parts.test)):
        if part is not None:
            say(f"The {name} part:")
            show(describe(part))
    if shuffled:
        say("The labels of training and validation part were permuted (--shuffle-labels): expect no skill.\n")


def _shuffled(data: Sequences, seed: int) -> Sequences:
    """Return the data with its scored targets in another order."""
    assert isinstance(data.targets, torch.Tensor)
    assert data.scored is not None
    places = data.scored.nonzero()[:, 0]
    targets = data.targets.clone()
    targets[places] = targets[places[torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))]]
    return replace(data, targets=targets)


def _module(model: str, options: ModelOptions, train: Sequences, seed: int) -> nn.Module:
    if model in _CORES:
        return build(model, data=train, seed=seed, **options.given())  # type: ignore[arg-type]  # one of _CORES
    torch.manual_seed(seed)
    return make_from_factory(model, asked="statewise fit")


def _require_before_reading(
    model: str, options: ModelOptions, training: TrainingOptions, columns: Columns, out: Path | None, *, resume: bool
) -> None:
    """Refuse what needs no data to be told: large files take minutes to read."""

    def refuse(where: str, arrived: str, hint: str) -> None:
        raise OptionError(asked="statewise fit", where=where, arrived=arrived, hint=hint)

    training.check()
    if ":" in model:
        options.require_unused(model)
    elif model not in _CORES:
        near = nearest(model, _CORES)
        close = f"{near} " if near.startswith("Did") else ""
        hint = f"{close}Choose one of {', '.join(_CORES)}, or name a function that makes your module: models.py:make."
        refuse("the model", repr(model), hint)
    elif columns.task == "forecast" and options.horizon is None:
        hint = "Give --horizon 24 (horizon=24) to predict the next 24 steps at each step."
        refuse("--horizon", "nothing, and a forecast needs one", hint)
    if out is not None and not resume and not RunFiles(out).is_unused():
        arrived = "it is not empty" if out.is_dir() else "it is a file"
        refuse(f"--out '{out}'", arrived, "Choose another folder, or go on with the run in it: --resume.")


def _free_directory(model: str, source: Path | None) -> Path:
    """Return a new folder below runs/, named after the data and the model."""
    kind = model.rpartition(":")[2] if ":" in model else model
    stem = source.stem if source is not None and source.suffix else (source.name if source is not None else "data")
    if "*" in stem and source is not None:
        stem = next((part for part in reversed(source.parent.parts) if "*" not in part), "data")
    name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in f"{stem}-{kind}").strip("-.")
    candidates = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in range(1, _SMALLEST_FREE))
    return next(folder for folder in candidates if not folder.exists())
