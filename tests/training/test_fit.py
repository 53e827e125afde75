"""Does training keep what validation found best, go on where it stopped, and leave a usable run whatever happens?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from statewise.contracts import Contract
from statewise.errors import ContractError, DataError, OptionError, RunError, ShapeError
from statewise.models import Model, build
from statewise.runs import Ended, Epoch, Record, Run, RunFiles, Started, Update, load
from statewise.sequences import Ragged, Sequences, split
from statewise.training import fit, interrupted
from tests._unchecked import unchecked


def make_data(n: int = 60, *, seed: int = 0, each: str = "sequence") -> Sequences:
    """Sequences whose class is the sign of their first step: only a state that is carried can tell at the end."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 7, (n,), generator=generator)
    values = torch.randn(int(lengths.sum()), 2, generator=generator)
    inputs = Ragged(values, lengths)
    first = (values[inputs.offsets[:-1], 0] > 0).long()
    targets = first if each == "sequence" else first[inputs.rows]
    return Sequences(inputs=inputs, targets=targets, class_names=["down", "up"], each=each)  # type: ignore[arg-type]


def make_model(seed: int = 0, **options: Any) -> Model:
    return build("gru", **{"task": "classify", "input_size": 2, "class_names": ["down", "up"], "hidden_size": 8, "seed": seed, **options})


TRAIN, VALID = split(make_data(), fractions=(0.7, 0.3))
QUICK: dict[str, Any] = {"epochs": 4, "lr": 1e-2, "patience": 0}


def weights_of(run: Run) -> list[Tensor]:
    assert run.model is not None
    return [tensor.clone() for tensor in run.model.state_dict().values()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def without_times(run: Run) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in RunFiles(run.directory or "").history.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "steps_per_second")} for line in lines]


def test_a_task_that_needs_the_state_is_learned() -> None:
    run = fit(make_model(), TRAIN, VALID, epochs=40, lr=2e-2)
    assert max(epoch.valid_accuracy or 0 for epoch in run.history.epochs()) > 0.9


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(4)
    expected = torch.rand(1)
    torch.manual_seed(4)
    first = fit(make_model(dropout=0.3), TRAIN, VALID, seed=1, **QUICK)
    assert torch.equal(torch.rand(1), expected)
    assert same(weights_of(first), weights_of(fit(make_model(dropout=0.3), TRAIN, VALID, seed=1, **QUICK)))
    assert not same(weights_of(first), weights_of(fit(make_model(dropout=0.3), TRAIN, VALID, seed=2, **QUICK)))


def test_the_weights_kept_are_those_of_the_epoch_with_the_lowest_validation_loss() -> None:
    snapshots: dict[int, list[Tensor]] = {}
    model = make_model()

    def remember(record: Record) -> None:
        if isinstance(record, Epoch):
            snapshots[record.epoch] = [tensor.clone() for tensor in model.state_dict().values()]

    run = fit(model, TRAIN, VALID, epochs=12, lr=0.3, clip=0, schedule="constant", patience=0, callbacks=[remember])
    losses = {epoch.epoch: epoch.valid_loss for epoch in run.history.epochs()}
    best = min(losses, key=lambda number: losses[number] or 0.0)
    ended = run.history.ended()
    assert ended is not None
    assert ended.best_epoch == best
    assert best != 12, "the example must overshoot, or the test shows nothing"
    assert same(weights_of(run), snapshots[best])


def test_training_stops_when_validation_no_longer_improves() -> None:
    run = fit(make_model(), TRAIN, VALID, epochs=200, lr=0.3, schedule="constant", patience=3)
    ended = run.history.ended()
    assert ended is not None
    assert ended.reason == "early_stop"
    assert len(run.history.epochs()) == ended.best_epoch + 3


def test_the_scale_of_the_inputs_is_that_of_the_training_part_alone() -> None:
    model = make_model()
    fit(model, TRAIN, VALID, epochs=1)
    expected = TRAIN.parts["x"].values.double().mean(0)
    torch.testing.assert_close(model.state_dict()["encoder.numeric.x.mean"].double(), expected, atol=1e-6, rtol=0)


class StopError(Exception):
    """Stands for a killed process."""


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("stop_at", [1, 3, 5])
def test_resuming_equals_never_stopping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int, refit: bool) -> None:  # noqa: FBT001
    monkeypatch.setattr("statewise.training._pace._SECONDS_BETWEEN", 0.0)
    options: dict[str, Any] = {**QUICK, "refit": refit, "seed": 3}
    whole = fit(make_model(dropout=0.4), TRAIN, VALID, directory=tmp_path / "whole", **options)
    seen = 0

    def stop(record: Record) -> None:
        nonlocal seen
        seen += isinstance(record, Epoch)
        if seen >= stop_at and isinstance(record, Update):
            raise StopError

    with pytest.raises(StopError) if refit or stop_at < QUICK["epochs"] else _nothing():
        fit(make_model(dropout=0.4), TRAIN, VALID, directory=tmp_path / "cut", callbacks=[stop], **options)
    resumed = fit(make_model(dropout=0.4), TRAIN, VALID, directory=tmp_path / "cut", resume=True, **options)
    assert same(weights_of(whole), weights_of(resumed))
    assert without_times(whole) == without_times(resumed)


class _nothing:  # noqa: N801  # reads as the context it is
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def test_ctrl_c_leaves_a_run_that_can_be_used_and_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewise.training._pace._SECONDS_BETWEEN", 0.0)

    def press(record: Record) -> None:
        if isinstance(record, Update) and record.epoch == 3:
            raise KeyboardInterrupt

    run = fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", callbacks=[press], **QUICK)
    assert interrupted(run)
    again = load(tmp_path / "run")
    assert same(weights_of(run), weights_of(again))
    assert [epoch.epoch for epoch in again.history.epochs()] == [1, 2]
    finished = fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)
    assert not interrupted(finished)
    assert same(weights_of(finished), weights_of(fit(make_model(), TRAIN, VALID, **QUICK)))


def test_a_loss_that_stops_being_a_number_ends_training_and_is_recorded() -> None:
    calls = 0

    def explode(values: Tensor, targets: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return values[:, 0] * (torch.nan if calls > 7 else 0.1)

    run = fit(make_model(), TRAIN, VALID, loss=explode, **QUICK)
    ended = run.history.ended()
    assert ended is not None
    assert ended.reason == "not_finite"
    assert run.history.updates()[-1].loss is None
    assert all(bool(tensor.isfinite().all()) for tensor in weights_of(run))


def test_refit_trains_on_both_parts_for_the_chosen_number_of_epochs() -> None:
    run = fit(make_model(), TRAIN, VALID, refit=True, **QUICK)
    ended = run.history.ended()
    assert ended is not None
    refit = run.history.epochs("refit")
    assert len(refit) == ended.best_epoch
    started = [record for record in run.history.records if isinstance(record, Started)]
    assert [record.num_train for record in started] == [len(TRAIN), len(TRAIN) + len(VALID)]
    assert run.model is not None
    both = Sequences.concatenate(TRAIN, VALID).parts["x"].values.double().mean(0)
    torch.testing.assert_close(run.model.state_dict()["encoder.numeric.x.mean"].double(), both, atol=1e-6, rtol=0)


def test_records_tell_every_update_with_the_norm_of_each_layer() -> None:
    run = fit(make_model(), TRAIN, VALID, clip=0.01, **QUICK)
    updates = run.history.updates()
    assert [update.update for update in updates] == list(range(1, len(updates) + 1))
    assert set(updates[0].norms) == {"core.l0", "head"}
    assert all(update.clipped for update in updates if (update.gradient_norm or 0) > 0.01)
    assert max(update.learning_rate for update in updates) <= QUICK["lr"]
    assert sum(update.steps for update in updates if update.epoch == 1) == TRAIN.num_steps
    assert isinstance(run.history.records[-1], Ended)


def test_ones_own_consumer_is_a_function_of_a_record() -> None:
    losses = []
    fit(
        make_model(),
        TRAIN,
        VALID,
        callbacks=[lambda record: losses.append(record.train_loss) if isinstance(record, Epoch) else None],
        **QUICK,
    )
    assert len(losses) == QUICK["epochs"]


def test_a_run_is_read_back_as_it_was(tmp_path: Path) -> None:
    run = fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    again = load(tmp_path / "run")
    assert again.config == run.config
    assert again.history == run.history
    assert same(weights_of(run), weights_of(again))
    assert "best epoch" in repr(again)
    assert run.model is not None
    assert again.model is not None
    assert not again.model.training


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def test_one_flipped_bit_in_the_weights_or_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    files = RunFiles(tmp_path / "run")
    checkpoint = files.checkpoints / "last.safetensors"
    flip_a_bit(checkpoint)
    with pytest.raises(RunError, match="SHA-256") as caught:
        fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)
    assert str(checkpoint) in caught.value.where
    flip_a_bit(files.weights)
    with pytest.raises(RunError, match="SHA-256") as caught:
        load(tmp_path / "run")
    assert str(files.weights) in caught.value.where
    files.weights.write_bytes(files.weights.read_bytes()[:100])
    with pytest.raises(RunError, match="damaged"):
        load(tmp_path / "run")
    files.weights.unlink()
    with pytest.raises(RunError, match="No such file"):
        load(tmp_path / "run")


def test_a_checkpoint_cut_short_is_refused(tmp_path: Path) -> None:
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    path = RunFiles(tmp_path / "run").checkpoints / "last.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RunError, match="damaged"):
        fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)


def test_a_run_is_not_resumed_with_other_data_options_or_model(tmp_path: Path) -> None:
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    other, _ = split(make_data(seed=5), fractions=(0.7, 0.3))
    for model, train, options, says in (
        (make_model(), other, QUICK, "its data"),
        (make_model(), TRAIN, {**QUICK, "lr": 0.5}, "its options"),
        (make_model(hidden_size=4), TRAIN, QUICK, "its model"),
    ):
        with pytest.raises(RunError, match=says):
            fit(model, train, VALID, directory=tmp_path / "run", resume=True, **options)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="not empty"):
        fit(make_model(), TRAIN, VALID, directory=tmp_path, **QUICK)
    with pytest.raises(RunError, match="a file"):
        fit(make_model(), TRAIN, VALID, directory=tmp_path / "thesis.txt", **QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


class Stranger(nn.Module):
    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.rnn = nn.GRU(2, 8, batch_first=True)
        self.head = nn.Linear(8, outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.rnn(packed)[1][-1])  # type: ignore[no-any-return]


def test_a_strangers_module_trains_and_comes_back_with_its_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    run = fit(Stranger(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    assert run.contract.takes == ("x", "lengths")
    assert run.contract.output == "logits"
    without = load(tmp_path / "run")
    assert without.model is None
    assert without.history == run.history
    with pytest.raises(RunError, match="model="):
        without.adapted()
    again = load(tmp_path / "run", model=Stranger())
    torch.testing.assert_close(again.adapted()(VALID).values, run.adapted()(VALID).values)
    with pytest.raises(RunError, match="same class and sizes"):
        load(tmp_path / "run", model=nn.Linear(2, 2))


def test_a_module_with_a_call_needs_it_again(tmp_path: Path) -> None:
    def call(module: nn.Module, batch: Any) -> Tensor:
        return module(batch.x.sum(1))  # type: ignore[no-any-return]

    run = fit(nn.Linear(2, 2), TRAIN, VALID, call=call, directory=tmp_path / "run", **QUICK)
    with pytest.raises(RunError, match="call="):
        load(tmp_path / "run", model=nn.Linear(2, 2)).adapted()
    again = load(tmp_path / "run", model=nn.Linear(2, 2), call=call)
    torch.testing.assert_close(again.adapted()(VALID).values, run.adapted()(VALID).values)


def test_a_tagger_is_trained_on_every_step() -> None:
    data = make_data(each="step")
    run = fit(build("gru", data=data, hidden_size=8, seed=0), data, data, epochs=12, lr=3e-2)
    assert run.config.task == "tag"
    assert max(epoch.valid_accuracy or 0 for epoch in run.history.epochs()) > 0.9


def test_bfloat16_trains_too() -> None:
    run = fit(make_model(), TRAIN, VALID, precision="bfloat16", **QUICK)
    assert all(epoch.train_loss is not None for epoch in run.history.epochs())


def test_without_a_validation_part_the_last_weights_are_kept() -> None:
    run = fit(make_model(), TRAIN, **QUICK)
    ended = run.history.ended()
    assert ended is not None
    assert ended.best_epoch == QUICK["epochs"]
    assert run.history.epochs()[0].valid_loss is None


def test_empty_sequences_take_no_part() -> None:
    inputs = TRAIN.parts["x"]
    lengths = torch.cat([inputs.lengths, torch.tensor([0])])
    assert isinstance(TRAIN.targets, Tensor)
    data = Sequences(
        inputs=Ragged(inputs.values, lengths), targets=torch.cat([TRAIN.targets, torch.tensor([1])]), class_names=["down", "up"]
    )
    assert same(weights_of(fit(make_model(), data, VALID, **QUICK)), weights_of(fit(make_model(), TRAIN, VALID, **QUICK)))


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 2.5}, "epochs"),
        ({"batch_steps": True}, "batch_steps"),
        ({"window": "8"}, "window"),
        ({"window": 2.5}, "window"),
        ({"window": 4, "lanes": np.float32(2.5)}, "lanes"),
        ({"window": 4, "burn_in": None}, "burn_in"),
        ({"window": 4, "stride": 5}, "stride"),
        ({"patience": "3"}, "patience"),
        ({"seed": 2**70}, "seed"),
        ({"seed": "x"}, "seed"),
        ({"refit": "no"}, "refit"),
        ({"lr": -1.0}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"batch_steps": 0}, "batch_steps"),
        ({"precision": "float8"}, "precision"),
        ({"schedule": "stairs"}, "schedule"),
        ({"device": "abacus"}, "device"),
        ({"task": "tag"}, "task"),
        ({"resume": True}, "resume"),
        ({"contract": Contract(task="regress")}, "task"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, Any], where: str) -> None:
    with unchecked(), pytest.raises(OptionError) as caught:
        fit(make_model(), TRAIN, VALID, **options)
    assert caught.value.where == where


def test_numbers_of_numpy_are_options_like_those_of_python(tmp_path: Path) -> None:
    ours = {"epochs": 2, "batch_steps": 30, "lr": 0.5, "seed": 3, "refit": True}
    numpys = {"epochs": np.int64(2), "batch_steps": np.uint8(30), "lr": np.float32(0.5), "seed": np.int32(3), "refit": np.bool_(True)}  # noqa: FBT003
    with unchecked():
        run = fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **numpys)  # type: ignore[arg-type]
    again = fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **ours)  # type: ignore[arg-type]
    assert same(weights_of(run), weights_of(again))
    assert {name: run.config.options[name] for name in ours} == ours


def test_data_that_cannot_be_trained_on_is_refused() -> None:
    untold = Sequences(inputs=TRAIN.inputs)
    with pytest.raises(DataError, match="no targets"):
        fit(make_model(), untold)
    hollow = Sequences(inputs=Ragged(torch.zeros(0, 2), torch.tensor([0])), targets=torch.tensor([0]), class_names=["down", "up"])
    with pytest.raises(DataError, match="no sequence with a step"):
        fit(make_model(), hollow)
    with pytest.raises(DataError, match="3 in the model"):
        fit(make_model(class_names=["a", "b", "c"]), TRAIN)
    swapped = Sequences(inputs=VALID.inputs, targets=VALID.targets, class_names=["up", "down"])
    with pytest.raises(DataError, match="same class_names"):
        fit(make_model(), TRAIN, swapped)


def test_a_module_that_does_not_fit_is_told_before_training() -> None:
    with pytest.raises(ShapeError, match="7 outputs for 2 classes"):
        fit(Stranger(outputs=7), TRAIN)
    with pytest.raises(ContractError, match="takes"):
        fit(Stranger(), TRAIN, contract=Contract(takes=("x",), batch_first=True))
    with pytest.raises(OptionError, match="none that can be trained"):
        fit(Stranger().requires_grad_(False), TRAIN)  # noqa: FBT003  # torch's own signature


@pytest.mark.parametrize("training", [True, False])
def test_a_module_that_fails_when_it_is_tried_is_left_in_its_mode(*, training: bool) -> None:
    module = Stranger().train(training)
    module.head = nn.Linear(99, 2)
    with pytest.raises(ContractError, match="RuntimeError"):
        fit(module, TRAIN)
    assert module.training == training


def test_an_interrupted_refit_leaves_the_weights_that_validation_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewise.training._pace._SECONDS_BETWEEN", 0.0)
    chosen = weights_of(fit(make_model(), TRAIN, VALID, **QUICK))

    def press(record: Record) -> None:
        if isinstance(record, Update) and record.phase == "refit" and record.epoch == 2:
            raise KeyboardInterrupt

    run = fit(make_model(), TRAIN, VALID, refit=True, directory=tmp_path / "run", callbacks=[press], **QUICK)
    assert interrupted(run)
    assert same(weights_of(run), chosen)
    resumed = fit(make_model(), TRAIN, VALID, refit=True, directory=tmp_path / "run", resume=True, **QUICK)
    assert same(weights_of(resumed), weights_of(fit(make_model(), TRAIN, VALID, refit=True, **QUICK)))


class Tied(Stranger):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(self.second(self.first(x)), lengths)


def test_tied_weights_are_saved_and_loaded(tmp_path: Path) -> None:
    run = fit(Tied(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    again = load(tmp_path / "run", model=Tied())
    torch.testing.assert_close(again.adapted()(VALID).values, run.adapted()(VALID).values)


def test_resuming_where_nothing_was_begun_begins_and_where_something_else_lies_is_refused(tmp_path: Path) -> None:
    begun = fit(make_model(), TRAIN, VALID, directory=tmp_path / "not" / "yet", resume=True, **QUICK)
    assert same(weights_of(begun), weights_of(load(tmp_path / "not" / "yet")))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(RunError, match=r"no config\.json"):
        fit(make_model(), TRAIN, VALID, directory=tmp_path / "other", resume=True, **QUICK)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["notes.txt"]


def test_class_weights_in_any_form_can_be_resumed(tmp_path: Path) -> None:
    for number, weights in enumerate(((1.0, 2.0), {"up": 2.0}, torch.tensor([1.0, 2.0]))):
        begun, resumed = (
            fit(make_model(), TRAIN, VALID, class_weights=weights, directory=tmp_path / str(number), resume=resume, **QUICK)  # type: ignore[arg-type]
            for resume in (False, True)
        )
        assert len(resumed.history.updates()) == len(begun.history.updates()), "nothing was left to be done"
        assert same(weights_of(begun), weights_of(resumed))


def test_numbers_that_are_none_and_classes_in_another_order_are_refused() -> None:
    values = TRAIN.parts["x"].values.clone()
    values[3, 0] = torch.nan
    with pytest.raises(DataError, match="1 values that are NaN"):
        fit(Stranger(), Sequences(inputs=TRAIN.parts["x"].with_values(values), targets=TRAIN.targets, class_names=["down", "up"]))
    with pytest.raises(DataError, match="in their order"):
        fit(make_model(class_names=["up", "down"]), TRAIN)
