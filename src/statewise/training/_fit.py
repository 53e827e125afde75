"""How does a model become a run? Check what was given, train, keep the best weights, write everything down."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor, nn

from statewise.contracts import Adapted, Contract, adapt, carrier_of, require_outputs, resolved
from statewise.errors import OptionError, RunError
from statewise.evaluation import training_baseline
from statewise.models import Model
from statewise.runs import (
    Ended,
    Run,
    RunConfig,
    RunFiles,
    held,
    make_provenance,
    read_document,
    record_data,
    save_weights,
    write_document,
    write_provenance,
    write_seen,
)
from statewise.sequences import Sequences, pieces_of, require_sequences, side_by_side, target_scale
from statewise.tasks import TASKS
from statewise.training._generators import drawn_apart
from statewise.training._objective import Objective, resolve_class_weights
from statewise.training._options import FitOptions, resolve_device
from statewise.training._own import OwnParts
from statewise.training._requirements import (
    class_names_of,
    require_model,
    require_used_options,
    require_used_parts,
    settled_task,
    usable,
)
from statewise.training._session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from statewise.training._options import Precision, Schedule
    from statewise.training._recorder import Consumer
    from statewise.types import Task

_STEPS_TRIED = 20_000


def fit(
    model: nn.Module,
    train: Sequences,
    valid: Sequences | None = None,
    *,
    task: Task | None = None,
    epochs: int = 60,
    batch_steps: int | None = None,
    lr: float | None = None,
    weight_decay: float | None = None,
    schedule: Schedule = "cosine",
    clip: float = 1.0,
    label_smoothing: float = 0.0,
    patience: int | None = None,
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
    window: int | None = None,
    lanes: int | None = None,
    stride: int | None = None,
    burn_in: int = 0,
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
        batch_steps: real steps in a batch, about; by default a sixteenth of the training part, at most 20,000. Beside `sampler` it sizes
            the batches of validation alone.
        lr: the largest learning rate of AdamW; by default 0.003.
        weight_decay: of AdamW; by default 0.01.
        schedule: `"cosine"` (up over a tenth of the epochs, then down to a hundredth), or `"constant"`, which leaves the rates alone.
        clip: largest norm of all gradients together; 0 switches clipping off.
        label_smoothing: share of each label spread evenly over all classes.
        patience: stop after so many epochs without a lower validation loss, by default 20; 0 never stops.
        refit: afterwards train anew, from the first weights, on training and validation part together for the chosen number of epochs.
        loss: `loss(outputs, targets)` of the scored rows, one value a row or their mean, instead of the usual one: cross-entropy
            for classes and labels, for values the squared error in units of the training targets' spread.
        metrics: `metric(outputs, targets)` by name, of all scored rows of the validation part; one number an epoch each.
        optimizer: makes the optimiser from the parameters, such as `lambda parameters: torch.optim.SGD(parameters, lr=0.1)`, with
            rates of its own in the place of `lr` and `weight_decay`; `schedule` starts from them.
        sampler: `sampler(train, epoch)` yields the rows of each batch of an epoch, instead of every sequence once.
        class_weights: `"balanced"`, one a class, or a dict by name; of several labels, how much a present one counts.
        seed: of the order of batches, of dropout, and of all else that draws random numbers (of torch, NumPy or Python) while it
            trains; the weights are the model's own.
        device: `"auto"`, or any torch device.
        precision: `"float32"`, or `"bfloat16"` under autocast.
        gradients_by_lag: after each epoch, measure on up to 32 training sequences how far back in time the loss reaches; with
            `window` on as many windows, each begun anew.
        window: train in windows of so many steps, as `windows` lays them, with the state carried (and detached) from one to the next
            and begun anew where a sequence begins: for streams that are too long, or too few, for batches of whole ones. For one
            target a step, and a causal module that takes its state and returns it. None: whole sequences.
        lanes: streams beside one another, each a row of the carried state; by default 64. Where one is longer than an equal share of
            all steps, long ones are cut to about that share or less, and each piece begins anew.
        stride: how far apart windows start; by default the window. Each step is scored in one window.
        burn_in: steps before a window that run without gradient, to renew the carried state.
        contract: what a stranger's module promises.
        call: `lambda module, batch: output`, for what a contract cannot say.
        directory: where the run is written, a new or empty folder; None keeps it in memory.
        resume: go on from the last checkpoint in `directory`, or begin where there is none yet.
        callbacks: functions of one record (`Started`, `Update`, `Epoch`, `Ended`), called as training goes.
        positive: the class that a binary task looks for.
        factory: `file.py:function` that makes the module, written down so that `load` can make it again.
        reading: the options the data was read with, written down for the files that come later.

    Returns:
        The run. Ctrl-C ends training early and leaves a usable one, whose history says `interrupted`. SIGTERM does the same to the one in
        `directory`, and then ends the process with exit code 143.

    Raises:
        DataError: no targets, one class only, or parts with other classes.
        ContractError: it is not known how to call the module, or beside `window` it does not carry its state.
        OptionError: an option has a value it cannot have, or would do nothing beside the others.
        RunError: the directory is taken or cannot be written, or the checkpoint is damaged or of other data.
    """
    asked: dict[str, Any] = {
        name: value for name, value in (("lr", lr), ("weight_decay", weight_decay), ("patience", patience)) if value is not None
    }
    options = FitOptions(
        epochs=epochs, batch_steps=batch_steps, schedule=schedule, clip=clip, label_smoothing=label_smoothing, refit=refit, seed=seed,
        precision=precision, gradients_by_lag=gradients_by_lag, window=window, lanes=lanes, stride=stride, burn_in=burn_in, **asked,
    )  # fmt: skip
    require_sequences(train, asked="fit", where="train")
    if valid is not None:
        require_sequences(valid, asked="fit", where="valid")
    own = OwnParts(optimizer=optimizer, sampler=sampler, metrics=dict(metrics or {}))
    require_used_parts(own, options, asked=asked, has_valid=valid is not None)
    if window is not None and sampler is not None:
        hint = "Leave one of them out: windows take each stream in order and once."
        raise OptionError(asked="fit", where="sampler", arrived="beside window", hint=hint)
    built_for = model.config.task if isinstance(model, Model) else None
    task = settled_task(task or (contract.task if contract is not None else None) or built_for, train, own_loss=loss is not None)
    require_used_options(
        task, train, label_smoothing=label_smoothing, class_weights=class_weights, own_loss=loss is not None, positive=positive
    )
    fills = isinstance(model, Model) and model.config.missing == "mean"
    train = usable(train, "train", task, fills=fills)
    valid = None if valid is None else usable(valid, "valid", task, fills=fills)
    class_names = class_names_of(model, train, valid)
    place = resolve_device(device)
    model.to(place)
    if isinstance(model, Model):
        require_model(model, task, train)
        model.learn(train)
    adapted = _settle(adapt(model, contract=contract, call=call), train, class_names, task)
    if window is not None:
        carrier_of(adapted, train, asked="fit with window=")  # tried for its refusal alone, which is told before a folder is made
    objective = Objective(
        output=adapted.contract.output,
        holds=TASKS[task].holds if task in TASKS else None,
        class_weights=resolve_class_weights(class_weights, train, class_names),
        label_smoothing=label_smoothing,
        loss=loss,
        scale=target_scale(train).scale[0] if train.holds == "values" else 1.0,
    )
    config = RunConfig(
        model=model.config if isinstance(model, Model) else None,
        factory=factory,
        model_name=type(model).__name__,
        task=task,
        class_names=class_names,
        positive=positive,
        feature_names=tuple(train.feature_names) if isinstance(train.feature_names, (tuple, list)) else None,
        input_names={name: names for name in train.parts if (names := train.feature_names_of(name)) is not None},
        contract=_plain(adapted.contract),
        uses_call=call is not None,
        options=_as_json(msgspec.to_builtins(options) | own.told() | {"class_weights": class_weights, "own_loss": loss is not None}),
        reading=dict(reading or {}),
        data={name: record_data(part) for name, part in (("train", train), ("valid", valid)) if part is not None},
        baseline=training_baseline(train, task),
    )
    with _prepared(directory, config, resume=resume) as files:
        session = Session(
            adapted, objective, options, own=own, train=train, valid=valid, files=files, config=config, callbacks=callbacks, resume=resume
        )
        with drawn_apart(options.seed):
            history = session.run()
        run = Run(
            config=config, history=history, model=model, directory=files.directory if files else None, call=call, contract=adapted.contract
        )
        if files is not None:
            write_seen(files, train, valid)
            # Before the weights that it vouches for: between the two writes, weights without a hash can be loaded, other weights cannot.
            files.provenance.unlink(missing_ok=True)
            weights = save_weights(model.state_dict(), files.weights)
            write_provenance(
                files.directory, make_provenance(seed=options.seed, weights_sha256=weights, data=config.data, device=str(place))
            )
    session.interrupts.end_if_terminated()
    return run


def _settle(adapted: Adapted, train: Sequences, class_names: tuple[str, ...], task: Task) -> Adapted:
    """Call the module once, in eval mode, on a few sequences: a wrong shape is told before training, and the contract is completed."""
    lengths = train.lengths.cpu()
    rows = torch.arange(min(len(train), 32))
    most = None if int(lengths[rows].sum()) <= _STEPS_TRIED else _STEPS_TRIED // len(rows)
    lanes = side_by_side(lengths, rows, most=most)
    sample = pieces_of(train, lanes.runs(0, lanes.time))
    mode = adapted.module.training
    adapted.module.eval()
    try:
        with torch.no_grad():
            outputs = adapted(sample)
    finally:
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


@contextmanager
def _prepared(directory: Path | str | None, config: RunConfig, *, resume: bool) -> Iterator[RunFiles | None]:
    """Hold the folder of the run for this training alone, and begin or go on with the run in it."""
    if directory is None:
        if resume:
            raise OptionError(asked="fit", where="resume", arrived="no directory to resume from", hint="Give directory= (--out) as well.")
        yield None
        return
    files = RunFiles(directory)
    _require_ready(files, config, resume=resume)
    with held(files.directory):
        _require_ready(files, config, resume=resume)  # another training may have begun and ended meanwhile
        files.remove_halves()
        write_document(files.config, config)
        yield files


def _require_ready(files: RunFiles, config: RunConfig, *, resume: bool) -> None:
    if resume and files.config.is_file():
        _require_same(read_document(files.config, RunConfig), config, files)
    elif resume and not files.is_unused():
        raise RunError(
            asked="resume a run",
            where=f"folder '{files.directory}'",
            arrived="no config.json in it, but something else",
            hint="Name the folder of the run that was begun, or a new one.",
        )
    elif not files.is_unused():
        raise RunError(
            asked="fit",
            where=f"folder '{files.directory}'",
            arrived="it is not empty" if files.directory.is_dir() else "it is a file",
            hint="Choose another folder, or go on with the run in it: --resume (resume=True).",
        )


def _require_same(before: RunConfig, now: RunConfig, files: RunFiles) -> None:
    hashes = [{part: record.sha256 for part, record in config.data.items() if part != "test"} for config in (before, now)]
    for what, was, is_now in (("data", *hashes), ("options", before.options, now.options), ("model", before.model, now.model)):
        if was != is_now:
            raise RunError(
                asked="resume a run",
                where=f"run '{files.directory}'",
                arrived=f"its {what} {'are' if what != 'model' else 'is'} not the same as when it began{_differing(was, is_now)}",
                hint="Resume with the same data, model and options, or train anew into another folder with --out.",
            )


def _differing(was: Any, now: Any) -> str:
    """Return what differs between two records or dicts, each by its name."""
    before, after = (each if isinstance(each, dict) else msgspec.structs.asdict(each) if each is not None else {} for each in (was, now))
    pairs = {name: (before.get(name), after.get(name)) for name in {**before, **after}}
    told = [name if len(f"{a}{b}") > 60 else f"{name} was {a}, is {b}" for name, (a, b) in pairs.items() if a != b]
    return f": {'; '.join(told[:3])}{'; ...' if len(told) > 3 else ''}"


def interrupted(run: Run) -> bool:
    """Return whether Ctrl-C ended the training."""
    last = next((record for record in reversed(run.history.records) if isinstance(record, Ended)), None)
    return last is not None and last.reason == "interrupted"
