"""`statewise fit`: from files to a trained, traced, evaluated and judged model, told as it happens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from cyclopts import Parameter

from statewise.cli._finish import finish
from statewise.cli._reading import Columns, Parts, read_parts, reading_of, require_apart
from statewise.cli._show import console, heading, say, show
from statewise.errors import OptionError
from statewise.models import build
from statewise.runs import make_from_factory
from statewise.sequences import Sequences, describe, require_two_classes
from statewise.training import fit as fit_model
from statewise.training import interrupted, progress_bar, training_trace
from statewise.verdicts import read_policy

if TYPE_CHECKING:
    from torch import nn

    from statewise.runs import Run

_CORES = ("rnn", "lstm", "gru")
_SMALLEST_FREE = 1000
_HIDDEN_SIZE = 100


def fit(
    model: str = "lstm",
    /,
    *,
    data: Path | None = None,
    train: Path | None = None,
    valid: Path | None = None,
    test: Path | None = None,
    columns: Columns | None = None,
    out: Path | None = None,
    hidden_size: int = _HIDDEN_SIZE,
    num_layers: int = 1,
    bidirectional: Annotated[bool, Parameter(negative="")] = False,
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    readout: Literal["last", "mean", "max"] | None = None,
    learned_state: Annotated[bool, Parameter(negative="")] = False,
    epochs: int = 60,
    batch_steps: int | None = None,
    lr: float = 3e-3,
    weight_decay: float = 0.01,
    schedule: Literal["cosine", "constant"] = "cosine",
    clip: float = 1.0,
    label_smoothing: float = 0.0,
    patience: int = 20,
    refit: Annotated[bool, Parameter(negative="")] = False,
    class_weights: Literal["balanced"] | None = None,
    positive: str | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: Literal["float32", "bfloat16"] = "float32",
    shuffle_labels: Annotated[bool, Parameter(negative="")] = False,
    resume: Annotated[bool, Parameter(negative="")] = False,
    policy: str = "default",
    judge: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Train a model, then trace, evaluate and judge it.

    Ends with 0 when the pipeline completed, whatever the model is worth; with --judge, with the verdict's own code.

    Args:
        model: rnn, lstm or gru, or file.py:function (package.module:function) that makes a module of your own.
        data: one file, split into training, validation and test part.
        train: the training part; without --valid a validation part is carved out of it.
        valid: the validation part.
        test: the test part; it is scored once, at the end.
        columns: which column means what.
        out: the run directory, new or empty; by default a new one below runs/.
        hidden_size: size of the state, of each direction.
        num_layers: layers of the core, one above the other.
        bidirectional: read each sequence in both directions.
        dropout: share dropped between layers and before the head, in training.
        input_dropout: share of the numeric features blanked out in training, anew for each sequence.
        readout: how the outputs of all steps become one: last, mean or max.
        learned_state: learn the state that a sequence begins from.
        epochs: passes over the training part at most.
        batch_steps: real steps in a batch, about.
        lr: the largest learning rate.
        weight_decay: of AdamW.
        schedule: of the learning rate.
        clip: largest norm of all gradients together; 0 switches clipping off.
        label_smoothing: share of each label spread over all classes.
        patience: stop after so many epochs without a lower validation loss; 0 never stops.
        refit: train anew on training and validation part together, for the number of epochs that validation chose.
        class_weights: balanced, so that each class counts the same in total.
        positive: the class that a binary task looks for.
        seed: of the split, the weights, the order of batches and dropout.
        device: auto, cpu, cuda, ...
        precision: float32 or bfloat16.
        shuffle_labels: permute the labels of training and validation part: what a model scores then is chance.
        resume: go on with the run in --out.
        policy: default, lenient, recall-first, precision-first, or a TOML file.
        judge: end with the verdict's exit code.
    """
    columns = columns or Columns()
    read_policy(policy)  # a misspelt policy is told before the training, not after it
    parts = read_parts(data, train, valid, test, columns, seed=seed)
    require_two_classes(parts.train, "statewise fit")
    require_apart(parts)
    if shuffle_labels:
        parts = replace(parts, train=_shuffled(parts.train, seed), valid=_shuffled(parts.valid, seed + 1))
    _show_data(parts, shuffled=shuffle_labels)
    own = model in _CORES
    if not own:
        changed = {
            "--hidden-size": hidden_size != _HIDDEN_SIZE,
            "--num-layers": num_layers != 1,
            "--bidirectional": bidirectional,
            "--dropout": dropout > 0,
            "--input-dropout": input_dropout > 0,
            "--readout": readout is not None,
            "--learned-state": learned_state,
        }
        _require_none(changed, model)
    module: nn.Module = (
        build(
            model,  # type: ignore[arg-type]  # one of _CORES
            data=parts.train,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            input_dropout=input_dropout,
            readout=readout,
            learned_state=learned_state,
            seed=seed,
        )
        if own
        else _from_factory(model, seed)
    )
    directory = out or _free_directory(model, data or train)
    with progress_bar(console()) as bar:
        run = fit_model(
            module,
            parts.train,
            parts.valid,
            epochs=epochs,
            batch_steps=batch_steps,
            lr=lr,
            weight_decay=weight_decay,
            schedule=schedule,
            clip=clip,
            label_smoothing=label_smoothing,
            patience=patience,
            refit=refit,
            class_weights=class_weights,
            positive=positive,
            seed=seed,
            device=device,
            precision=precision,
            directory=directory,
            resume=resume,
            factory=None if own else model,
            reading=reading_of(parts.train, columns),
            callbacks=[bar],
        )
    if run.history.epochs():
        heading("Training")
        show(training_trace(run.history))
    return _end(run, parts.test, policy=policy, judge=judge)


def _end(run: Run, test: Sequences | None, *, policy: str, judge: bool) -> int:
    if interrupted(run):
        say(f"Interrupted. What was learned so far lies in {run.directory}; go on with --out {run.directory} --resume.")
        return 130
    verdict = finish(run, test, policy=policy)
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
    assert isinstance(data.targets, torch.Tensor)
    order = torch.randperm(len(data.targets), generator=torch.Generator().manual_seed(seed))
    return replace(data, targets=data.targets[order])


def _require_none(changed: dict[str, bool], model: str) -> None:
    """Refuse options of our own models beside a module that is made elsewhere."""
    given = [option for option, is_given in changed.items() if is_given and ":" in model]
    if given:
        raise OptionError(
            asked="statewise fit",
            where=given[0],
            arrived=f"an option of rnn, lstm and gru, beside {model}",
            hint="Leave it out: the function makes the module as it is.",
        )


def _from_factory(target: str, seed: int) -> nn.Module:
    if ":" not in target:
        raise OptionError(
            asked="statewise fit",
            where="the model",
            arrived=repr(target),
            hint=f"Choose one of {', '.join(_CORES)}, or name a function that makes your module: models.py:make.",
        )
    torch.manual_seed(seed)
    return make_from_factory(target, asked="statewise fit")


def _free_directory(model: str, source: Path | None) -> Path:
    """Return a new folder below runs/, named after the data and the model."""
    kind = model.rpartition(":")[2] if ":" in model else model
    stem = source.stem if source is not None and source.suffix else (source.name if source is not None else "data")
    name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in f"{stem}-{kind}")
    candidates = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in range(1, _SMALLEST_FREE))
    return next(folder for folder in candidates if not folder.exists())
