"""How does a model become a run? Check what was given, train, keep the best weights, write everything down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor, nn

from statewise.contracts import Adapted, Contract, adapt, require_outputs, resolved
from statewise.errors import DataError, OptionError, RunError
from statewise.evaluation import training_baseline
from statewise.models import Model
from statewise.runs import (
    Ended,
    History,
    Run,
    RunConfig,
    RunFiles,
    Started,
    make_provenance,
    read_document,
    read_history,
    record_data,
    save_weights,
    write_document,
    write_provenance,
)
from statewise.sequences import Sequences, aligned, require_two_classes, target_scale
from statewise.tasks import TASKS
from statewise.training._checkpoint import Checkpoint, Progress, restore
from statewise.training._objective import Objective, resolve_class_weights
from statewise.training._options import FitOptions, resolve_device
from statewise.training._own import OwnParts
from statewise.training._recorder import Recorder
from statewise.training._trainer import NotFiniteError, Trainer, copy_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from statewise.training._options import Precision, Schedule
    from statewise.training._recorder import Consumer
    from statewise.types import Task


def fit(
    model: nn.Module,
    train: Sequences,
    valid: Sequences | None = None,
    *,
    task: Task | None = None,
    epochs: int = 60,
    batch_steps: int | None = None,
    lr: float = 3e-3,
    weight_decay: float = 0.01,
    schedule: Schedule = "cosine",
    clip: float = 1.0,
    label_smoothing: float = 0.0,
    patience: int = 20,
    refit: bool = False,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    metrics: Mapping[str, Callable[[Tensor, Tensor], Any]] | None = None,
    optimizer: Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer] | None = None,
    sampler: Callable[[Sequences, int], Iterable[Any]] | None = None,
    class_weights: str | Sequence[float] | Mapping[str, float] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    gradients_by_lag: bool = False,
    contract: Contract | None = None,
    call: Callable[..., Any] | None = None,
    directory: Path | str | None = None,
    resume: bool = False,
    callbacks: Sequence[Consumer] = (),
    positive: str | None = None,
    factory: str | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Run:
    """Train a module on sequences and keep the weights that validation found best.

    Args:
        model: one of ours, a `Recurrent`, or any module with a contract. It is trained in place and ends with the best weights.
        train: the training part. For a model of ours, the scale of the inputs is taken from it alone.
        valid: the part that chooses the epoch; without it the last weights are kept. Never the test part.
        task: what the outputs are for; that of the data when absent. `"other"` is trained with a loss of one's own, and nothing else
            is known of its outputs.
        epochs: passes over the training part at most.
        batch_steps: real steps in a batch, about; by default a sixteenth of the training part, at most 20,000.
        lr: the largest learning rate of AdamW.
        weight_decay: of AdamW.
        schedule: `"cosine"` (up over a tenth of the epochs, then down to a hundredth) or `"constant"`.
        clip: largest norm of all gradients together; 0 switches clipping off.
        label_smoothing: share of each label spread evenly over all classes.
        patience: stop after so many epochs without a lower validation loss; 0 never stops.
        refit: afterwards train anew, from the first weights, on training and validation part together for the chosen number of epochs.
        loss: `loss(outputs, targets)` of the scored rows, one value a row or their mean, instead of the usual one: cross-entropy
            for classes and labels, for values the squared error in units of the training targets' spread.
        metrics: `metric(outputs, targets)` by name, of all scored rows of the validation part; one number an epoch each.
        optimizer: makes the optimiser from the parameters, such as `lambda parameters: torch.optim.SGD(parameters, lr=0.1)`;
            `lr` and `weight_decay` are then its own, and `schedule` starts from its rates.
        sampler: `sampler(train, epoch)` yields the rows of each batch of an epoch, instead of every sequence once.
        class_weights: `"balanced"`, one a class, or a dict by name; of several labels, how much a present one counts.
        seed: of the order of batches and of dropout; the weights are the model's own.
        device: `"auto"`, or any torch device.
        precision: `"float32"`, or `"bfloat16"` under autocast.
        gradients_by_lag: after each epoch, measure on up to 32 training sequences how far back in time the loss reaches.
        contract: what a stranger's module promises.
        call: `lambda module, batch: output`, for what a contract cannot say.
        directory: where the run is written, a new or empty folder; None keeps it in memory.
        resume: go on from the last checkpoint in `directory`.
        callbacks: functions of one record (`Started`, `Update`, `Epoch`, `Ended`), called as training goes.
        positive: the class that a binary task looks for.
        factory: `file.py:function` that makes the module, written down so that `load` can make it again.
        reading: the options the data was read with, written down for the files that come later.

    Returns:
        The run. Ctrl-C ends training early and leaves a usable one, whose history says `interrupted`.

    Raises:
        DataError: no targets, one class only, or parts with other classes.
        ContractError: it is not known how to call the module.
        OptionError: an option has a value it cannot have.
        RunError: the directory is taken or cannot be written, or the checkpoint is damaged or of other data.
    """
    options = FitOptions(
        epochs=epochs, batch_steps=batch_steps, lr=lr, weight_decay=weight_decay, schedule=schedule, clip=clip,
        label_smoothing=label_smoothing, patience=patience, refit=refit, seed=seed, precision=precision,
        gradients_by_lag=gradients_by_lag,
    )  # fmt: skip
    task = _task(task or (contract.task if contract is not None else None) or _task_of(model), train, own_loss=loss is not None)
    train, valid = _usable(train, "train", task), None if valid is None else _usable(valid, "valid", task)
    class_names = _class_names(model, train, valid)
    place = resolve_device(device)
    model.to(place)
    if isinstance(model, Model):
        _require_model(model, task, train)
        model.learn(train)
    adapted = _settle(adapt(model, contract=contract, call=call), train, class_names, task)
    objective = Objective(
        output=adapted.contract.output,
        holds=TASKS[task].holds if task in TASKS else None,
        class_weights=resolve_class_weights(class_weights, train, class_names),
        label_smoothing=label_smoothing,
        loss=loss,
        scale=target_scale(train).scale[0] if train.holds == "values" else 1.0,
    )
    own = OwnParts(optimizer=optimizer, sampler=sampler, metrics=dict(metrics or {}))
    config = RunConfig(
        model=model.config if isinstance(model, Model) else None,
        factory=factory,
        model_name=type(model).__name__,
        task=task,
        class_names=class_names,
        positive=positive,
        feature_names=tuple(train.feature_names) if isinstance(train.feature_names, (tuple, list)) else None,
        contract=_plain(adapted.contract),
        uses_call=call is not None,
        options=_as_json(msgspec.to_builtins(options) | own.told() | {"class_weights": class_weights, "own_loss": loss is not None}),
        reading=dict(reading or {}),
        data={name: record_data(part) for name, part in (("train", train), ("valid", valid)) if part is not None},
        baseline=training_baseline(train, task),
    )
    files = _prepare(directory, config, resume=resume)
    session = _Session(
        adapted, objective, options, own=own, train=train, valid=valid, files=files, config=config, callbacks=callbacks, resume=resume
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        history = session.run()
    run = Run(
        config=config, history=history, model=model, directory=files.directory if files else None, call=call, contract=adapted.contract
    )
    if files is not None:
        weights = save_weights(model.state_dict(), files.weights)
        write_provenance(files.directory, make_provenance(seed=seed, weights_sha256=weights, data=config.data, device=str(place)))
    return run


class _Session:
    """The phases of one call of `fit`: `fit`, and where asked `refit`."""

    def __init__(
        self,
        adapted: Adapted,
        objective: Objective,
        options: FitOptions,
        *,
        own: OwnParts,
        train: Sequences,
        valid: Sequences | None,
        files: RunFiles | None,
        config: RunConfig,
        callbacks: Sequence[Consumer],
        resume: bool,
    ) -> None:
        self.adapted, self.objective, self.options, self.train, self.valid = adapted, objective, options, train, valid
        self.config, self.own = config, own
        self.path = files.checkpoints / "last.safetensors" if files else None
        found = Checkpoint.read(self.path) if resume and self.path is not None and self.path.is_file() else None
        kept = read_history(files.history).records[: found.progress.num_records] if found and files else ()
        self.found = found
        self.recorder = Recorder(files.history if files else None, callbacks, kept)
        self.first = found.part("first") if found else copy_weights(adapted.module)

    def run(self) -> History:
        trainer = self._trainer("fit", self.train, self.valid, self.options.epochs)
        if self.found is None or self.found.progress.phase == "fit":
            completed = self._phase(trainer)
            chosen = trainer.progress.best_epoch
        else:
            completed, chosen = True, self._chosen()
        if completed and self.options.refit and self.valid is not None and chosen:
            both = Sequences.concatenate(self.train, self.valid)
            refit = self._trainer("refit", both, None, chosen)
            self.adapted.module.load_state_dict(self.first)
            if isinstance(self.adapted.module, Model):
                self.adapted.module.learn(both)
            self._phase(refit)
        return self.recorder.history()

    def _chosen(self) -> int:
        ended = self.recorder.history().ended("fit")
        assert ended is not None, "a refit begins after the fit has ended"
        return ended.best_epoch

    def _trainer(self, phase: str, train: Sequences, valid: Sequences | None, num_epochs: int) -> Trainer:
        return Trainer(
            adapted=self.adapted,
            objective=self.objective,
            options=self.options,
            train=train,
            valid=valid,
            recorder=self.recorder,
            progress=Progress(phase=phase),  # type: ignore[arg-type]
            num_epochs=num_epochs,
            first=self.first,
            best=copy_weights(self.adapted.module),
            own=self.own,
            checkpoint=self.path,
        )

    def _phase(self, trainer: Trainer) -> bool:
        """Run one phase, from the checkpoint where there is one of it; return whether it came to its own end."""
        found = self.found
        if found is not None and found.progress.phase == trainer.phase:
            trainer.progress = found.progress
            trainer.best = found.part("best")
            restore(found, trainer.model, trainer.optimizer)
            self.recorder.announce(self._started(trainer))
        else:
            self.recorder(self._started(trainer))
        try:
            trainer.run()
        except KeyboardInterrupt:
            trainer.end("interrupted")
            return False
        except NotFiniteError:
            trainer.end("not_finite")
            return False
        return True

    def _started(self, trainer: Trainer) -> Started:
        return Started(
            model=self.config.model_name,
            task=self.config.task,
            num_parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
            num_epochs=trainer.num_epochs,
            num_train=len(trainer.train),
            num_valid=len(trainer.valid) if trainer.valid is not None else 0,
            steps_per_epoch=trainer.train.num_steps,
            phase=trainer.phase,
            resumed_at=trainer.progress.epoch,
        )


def _usable(data: Sequences, part: str, task: Task) -> Sequences:
    """Return the sequences of a part that have a step; refuse a part without targets, or with values that cannot be computed with."""
    where = f"the {part} part ({data.source})"
    if data.targets is None:
        raise DataError(asked="fit", where=where, arrived="no targets", hint="Name the column of labels with target=.")
    kept = torch.nonzero(data.lengths > 0).flatten()
    if not len(kept):
        raise DataError(asked="fit", where=where, arrived="no sequence with a step", hint="Give at least one.")
    for name, values in data.parts.items():
        spoilt = values.values.isinf() if data.missing == "mean" else ~values.values.isfinite()
        if bool(spoilt.any()):
            raise DataError(
                asked="fit",
                where=f"{where}, input {name!r}",
                arrived=f"{int(spoilt.sum())} values that are NaN or infinite",
                hint="Drop or fill these steps: they would spoil every step after them; or read the data with missing='mean'.",
            )
    used = data if len(kept) == len(data) else data.select(kept)
    if not bool((aligned(used, task).weights > 0).any()):
        arrived = "no target that is scored: all have the weight 0, or lie beyond the end of their sequence"
        raise DataError(asked="fit", where=where, arrived=arrived, hint="Give targets with a weight above 0 (weights=, --weight).")
    return used


def _class_names(model: nn.Module, train: Sequences, valid: Sequences | None) -> tuple[str, ...]:
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


def _task_of(model: nn.Module) -> Task | None:
    return model.config.task if isinstance(model, Model) else None


def _task(wanted: Task | None, train: Sequences, *, own_loss: bool) -> Task:
    """Return what the outputs are for; the targets must be of the kind, and at the places, that it needs."""
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


def _require_model(model: Model, task: Task, train: Sequences) -> None:
    """Refuse a model of ours that was built for another task, or other places, than the data has."""
    if (model.config.task, model.config.each) == (task, train.each):
        return
    raise OptionError(
        asked="fit",
        where="task",
        arrived=f"{task!r} with one target a {train.each}; the model was built for {model.config.task!r}, one a {model.config.each}",
        hint=f"Build it for the data: build(..., task={task!r}, data=train).",
    )


def _settle(adapted: Adapted, train: Sequences, class_names: tuple[str, ...], task: Task) -> Adapted:
    """Call the module once, in eval mode, on a few sequences: a wrong shape is told before training, and the contract is completed."""
    mode = adapted.module.training
    adapted.module.eval()
    sample = train.select(torch.arange(min(len(train), 32)))
    with torch.no_grad():
        outputs = adapted(sample)
    adapted.module.train(mode)
    if task in TASKS:
        require_outputs(outputs.values, class_names, type(adapted.module).__name__, holds=TASKS[task].holds)
    adapted.contract = msgspec.structs.replace(adapted.contract, task=task)
    adapted.contract = resolved(adapted, outputs)
    return adapted


def _as_json(options: dict[str, Any]) -> dict[str, Any]:
    """Return options as they come back from a file, so that those of a run that is resumed can be compared with them."""
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(options, enc_hook=lambda value: value.tolist()))
    return read


def _plain(contract: Contract) -> dict[str, Any]:
    """Return the fields of a contract that JSON can hold; a callable is left out, and `load` asks for it again."""
    fields = {name: getattr(contract, name) for name in contract.__struct_fields__}
    return {name: value for name, value in fields.items() if value is not None and not callable(value)}


def _prepare(directory: Path | str | None, config: RunConfig, *, resume: bool) -> RunFiles | None:
    if directory is None:
        if resume:
            raise OptionError(asked="fit", where="resume", arrived="no directory to resume from", hint="Give directory= (--out) as well.")
        return None
    files = RunFiles(directory)
    if resume and files.config.is_file():
        _require_same(read_document(files.config, RunConfig), config, files)
    elif resume:
        raise RunError(
            asked="resume a run",
            where=f"folder '{files.directory}'",
            arrived="no config.json in it",
            hint="Name the folder of the run that was begun, or leave --resume (resume=True) away.",
        )
    elif files.directory.exists() and (not files.directory.is_dir() or any(files.directory.iterdir())):
        raise RunError(
            asked="fit",
            where=f"folder '{files.directory}'",
            arrived="it is not empty" if files.directory.is_dir() else "it is a file",
            hint="Choose another folder, or go on with the run in it: --resume (resume=True).",
        )
    write_document(files.config, config)
    return files


def _require_same(before: RunConfig, now: RunConfig, files: RunFiles) -> None:
    hashes = [{part: record.sha256 for part, record in config.data.items() if part != "test"} for config in (before, now)]
    for what, was, is_now in (("data", *hashes), ("options", before.options, now.options), ("model", before.model, now.model)):
        if was != is_now:
            raise RunError(
                asked="resume a run",
                where=f"run '{files.directory}'",
                arrived=f"its {what} {'are' if what != 'model' else 'is'} not the same as when it began",
                hint="Resume with the same data, model and options, or train anew into another folder with --out.",
            )


def interrupted(run: Run) -> bool:
    """Return whether Ctrl-C ended the training."""
    last = next((record for record in reversed(run.history.records) if isinstance(record, Ended)), None)
    return last is not None and last.reason == "interrupted"
