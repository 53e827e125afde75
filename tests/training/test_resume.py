"""Does a training that stops between any two updates, and goes on, end as one that never stopped? To the bit, whatever takes part."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from statewise.errors import OptionError, RunError
from statewise.models import Model, build
from statewise.runs import Ended, Epoch, Record, Run, RunFiles, Update, load
from statewise.sequences import Ragged, Sequences, split
from statewise.training import fit, interrupted
from statewise.training._checkpoint import Checkpoint
from statewise.training._work import Batches
from tests.training._strangers import Noisy, Odd, rounds
from tests.training.kills import outcome as outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.training._objective import Scored


def make_data(n: int = 24) -> Sequences:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 6, (n,), generator=generator)
    values = torch.randn(int(lengths.sum()), 2, generator=generator)
    targets = torch.randint(2, (n,), generator=generator)
    return Sequences(inputs=Ragged(values, lengths), targets=targets, class_names=["down", "up"])


TRAIN, VALID = split(make_data(), fractions=(0.7, 0.3))
QUICK: dict[str, Any] = {"epochs": 2, "batch_steps": TRAIN.num_steps // 3}


def outcome(folder: Path) -> dict[str, Any]:
    return outcome_of(folder, python=False)


class StopError(Exception):
    """Stands for a killed process."""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint after each update."""
    monkeypatch.setattr("statewise.training._pace._SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr("statewise.training._pace._LARGEST_SHARE", 1.0)


def make_model() -> Model:
    return build("gru", task="classify", input_size=2, class_names=["down", "up"], hidden_size=3, dropout=0.4, seed=0)


def require_resumes_equal(folder: Path, make: Callable[[], nn.Module] = make_model, stops: tuple[int, ...] = (2, 5), **options: Any) -> Run:
    """Stop right before the end of each of some updates, go on each time, and compare with a run that was never stopped."""
    callbacks = options.pop("callbacks", [])
    whole = fit(make(), TRAIN, VALID, directory=folder / "whole", callbacks=callbacks, **QUICK | options)
    for number, stop_at in enumerate(stops):

        def stop(record: Record, stop_at: int = stop_at) -> None:
            if isinstance(record, Update) and record.update == stop_at and record.phase == "fit":
                raise StopError

        with pytest.raises(StopError):
            fit(make(), TRAIN, VALID, directory=folder / "cut", callbacks=[*callbacks, stop], resume=number > 0, **QUICK | options)
        kept = Checkpoint.read(RunFiles(folder / "cut").checkpoints / "last.safetensors").progress
        assert kept.update == stop_at - 1, "the checkpoint is that of the update before"
    fit(make(), TRAIN, VALID, directory=folder / "cut", callbacks=callbacks, resume=True, **QUICK | options)
    assert outcome(folder / "cut") == outcome(folder / "whole")
    return whole


def test_a_run_can_stop_in_the_middle_of_an_epoch_several_times(tmp_path: Path) -> None:
    run = require_resumes_equal(tmp_path, stops=(2, 3, 6))
    assert len(run.history.updates()) > 6


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
        lambda parameters: torch.optim.AdamW([{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.1}], amsgrad=True),
        lambda parameters: torch.optim.Rprop(parameters, lr=0.01),
        lambda parameters: torch.optim.Adagrad(parameters, lr=0.1),
        lambda parameters: Odd(parameters, 0.1),
    ],
    ids=["momentum", "groups", "Rprop", "Adagrad", "odd"],
)
def test_any_optimiser_goes_on_with_all_that_it_kept(tmp_path: Path, optimizer: Any) -> None:
    require_resumes_equal(tmp_path, optimizer=optimizer)


def test_a_schedule_of_ones_own_survives(tmp_path: Path) -> None:
    made: list[torch.optim.Optimizer] = []

    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        made.append(torch.optim.SGD(parameters, lr=0.1, momentum=0.5))
        return made[-1]

    def halve(record: Record) -> None:
        if isinstance(record, Update):
            made[-1].param_groups[0]["lr"] *= 0.5
            made[-1].param_groups[0]["momentum"] *= 0.9

    run = require_resumes_equal(tmp_path, optimizer=optimizer, schedule="constant", callbacks=[halve])
    assert [update.learning_rate for update in run.history.updates()][:3] == [0.1, 0.05, 0.025]


def test_a_module_may_draw_from_any_generator_and_the_callers_own_are_left_alone(tmp_path: Path) -> None:
    """With Python's generator too in `kills`: here the checks of types draw from it."""
    np.random.seed(5)  # noqa: NPY002
    before = repr(np.random.get_state())  # noqa: NPY002
    require_resumes_equal(tmp_path, make=Noisy)
    assert repr(np.random.get_state()) == before  # noqa: NPY002


def test_a_sampler_that_draws_at_any_time_goes_on_with_the_same_batches(tmp_path: Path) -> None:
    require_resumes_equal(tmp_path, stops=(2, 5, 6), sampler=rounds)


@dataclass(frozen=True)
class Memory:
    """A carried state that no pickle is needed for."""

    total: Tensor
    more: tuple[dict[str, Tensor], None]


class Carrying(Batches):
    """Hands a state from batch to batch, and lets it weigh in the loss: one lost or doubled step shows to the bit."""

    def score(self, item: Any, state: Any) -> tuple[Scored, Any]:
        scored, _ = super().score(item, None)
        total = torch.zeros(2, dtype=torch.int64) if state is None else state.total
        values = item.parts["x"].values
        total = total * 31 + (values * 1000).long().sum(0) + item.num_steps
        scored = replace(scored, loss_sum=scored.loss_sum * (1 + (total[0] % 7)))
        return scored, Memory(total, ({"seen": total[:1].double() / 3}, None))

    def like(self) -> Any:
        return Memory(torch.zeros(1), ({"seen": torch.zeros(1)}, None))


def test_a_carried_state_goes_on_and_begins_anew_with_each_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewise.training._session.Batches", Carrying)
    run = require_resumes_equal(tmp_path, stops=(2, 3, 6), refit=True)
    assert all(update.loss is not None for update in run.history.updates())


def test_ctrl_c_finishes_the_update_in_hand_and_goes_on_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewise.training._pace._SECONDS_BETWEEN", 1e9)  # no other checkpoint than the first and that of Ctrl-C
    whole = fit(make_model(), TRAIN, VALID, directory=tmp_path / "whole", **QUICK)
    assert whole.history.updates()[4].epoch == 2

    def press(record: Record) -> None:
        if isinstance(record, Update) and record.update == 5:
            os.kill(os.getpid(), signal.SIGINT)

    run = fit(make_model(), TRAIN, VALID, directory=tmp_path / "cut", callbacks=[press], **QUICK)
    assert interrupted(run)
    assert len(run.history.updates()) == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert Checkpoint.read(RunFiles(tmp_path / "cut").checkpoints / "last.safetensors").progress.update == 5
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "cut", resume=True, **QUICK)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


def test_what_follows_the_checkpoint_in_the_history_is_cut_away_and_half_files_are_removed(tmp_path: Path) -> None:
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "whole", **QUICK)
    expected = outcome(tmp_path / "whole")
    files = RunFiles(tmp_path / "whole")
    with files.history.open("a", encoding="utf-8") as history:
        history.write(files.history.read_text(encoding="utf-8")[:400])
    (files.checkpoints / ".last.safetensors.abc.part").write_bytes(b"half")
    (files.directory / ".config.json.abc.part").write_bytes(b"half")
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "whole", resume=True, **QUICK)
    assert outcome(tmp_path / "whole") == expected


def test_a_history_that_lacks_what_the_checkpoint_counts_on_is_refused(tmp_path: Path) -> None:
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    files = RunFiles(tmp_path / "run")
    files.history.write_bytes(b"\n".join(files.history.read_bytes().split(b"\n")[:3]) + b"\n")
    with pytest.raises(RunError, match="3 records, where the checkpoint counts on"):
        fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)


def test_a_run_that_was_killed_before_its_first_file_was_whole_begins_anew(tmp_path: Path) -> None:
    for name, resume in (("again", False), ("resumed", True)):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".config.json.abc.part").write_bytes(b"half")
        fit(make_model(), TRAIN, VALID, directory=tmp_path / name, resume=resume, **QUICK)
    assert outcome(tmp_path / "again") == outcome(tmp_path / "resumed")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        fit(make_model(), TRAIN, VALID, directory=tmp_path / "other", **QUICK)


def test_an_optimiser_made_in_another_way_is_refused(tmp_path: Path) -> None:
    def run(rate: float, *, resume: bool) -> Run:
        return fit(
            make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=resume, optimizer=lambda p: torch.optim.SGD(p, lr=rate), **QUICK
        )

    run(0.1, resume=False)
    run(0.1, resume=True)
    with pytest.raises(RunError, match="its optimiser is not the same"):
        run(0.2, resume=True)


def test_a_checkpoint_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "last.safetensors"
    save_file({"model/w": torch.ones(1)}, path, metadata={"progress": "{}", "sha256": "0"})
    with pytest.raises(RunError, match="schema 1, this version reads 2"):
        Checkpoint.read(path)
    save_file({"model/w": torch.ones(1)}, path)
    with pytest.raises(RunError, match="does not say what it holds"):
        Checkpoint.read(path)


def test_other_threads_than_before_are_told(tmp_path: Path) -> None:
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    path = RunFiles(tmp_path / "run").checkpoints / "last.safetensors"
    kept = Checkpoint.read(path)
    assert kept.progress.threads == torch.get_num_threads()
    kept.progress.threads += 3
    kept.save(path)
    with pytest.warns(UserWarning, match=f"began with {kept.progress.threads} threads.*OMP_NUM_THREADS={kept.progress.threads}"):
        fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)


def test_what_no_file_can_hold_is_told_after_the_first_update(tmp_path: Path) -> None:
    class Strange(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            super().step(closure)
            for parameter in self.param_groups[0]["params"]:
                self.state[parameter]["seen"] = {1, 2}

    updates: list[Record] = []
    options: dict[str, Any] = {**QUICK, "optimizer": lambda parameters: Strange(parameters, lr=0.1), "callbacks": [updates.append]}
    with pytest.raises(OptionError, match=r"optimiser's state\['state'\]\[0\]\['seen'\]: a set"):
        fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **options)
    assert sum(isinstance(record, Update) for record in updates) == 1


class Drawing(Noisy):
    """Draws in eval mode too, and presses Ctrl-C the first time that it validates."""

    pressed = False

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if not self.training and int(self.calls):
            x = x + 0.1 * torch.randn(())
            if self.pressed:
                self.pressed = False
                os.kill(os.getpid(), signal.SIGINT)
        return super().forward(x, lengths)


@pytest.mark.parametrize("make", [make_model, Drawing])
def test_ctrl_c_in_the_middle_of_validation_loses_no_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]
) -> None:
    monkeypatch.setattr("statewise.training._pace._SECONDS_BETWEEN", 1e9)  # no other checkpoint than the first and that of Ctrl-C
    whole = fit(make(), TRAIN, VALID, directory=tmp_path / "whole", **QUICK)
    model = make()
    model.pressed = True
    outputs: Any = Model.run_sequences

    def press(self: Model, *arguments: Any, **options: Any) -> Any:
        if not self.training and (tmp_path / "cut" / "checkpoints" / "last.safetensors").is_file() and model.pressed:
            model.pressed = False
            os.kill(os.getpid(), signal.SIGINT)
        return outputs(self, *arguments, **options)

    with monkeypatch.context() as pressing:
        pressing.setattr(Model, "run_sequences", press)
        run = fit(model, TRAIN, VALID, directory=tmp_path / "cut", **QUICK)
    assert interrupted(run)
    assert not run.history.epochs()
    assert isinstance(run.history.records[-1], Ended)
    kept = Checkpoint.read(RunFiles(tmp_path / "cut").checkpoints / "last.safetensors").progress
    assert kept.update == len(run.history.updates()) == len([each for each in whole.history.updates() if each.epoch == 1]) > 1
    updates: list[Record] = []
    fit(make(), TRAIN, VALID, directory=tmp_path / "cut", resume=True, callbacks=[updates.append], **QUICK)
    assert next(each.update for each in updates if isinstance(each, Update)) == kept.update + 1, "no update is made twice"
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


def test_the_time_of_an_epoch_that_was_cut_counts_both_of_its_parts(tmp_path: Path) -> None:
    run = require_resumes_equal(tmp_path)
    cut = json.loads(next(line for line in RunFiles(tmp_path / "cut").history.read_text().splitlines() if '"record":"epoch"' in line))
    whole = next(record for record in run.history.records if isinstance(record, Epoch))
    assert cut["steps_per_second"] == pytest.approx(TRAIN.num_steps / cut["seconds"])
    assert whole.seconds


def test_runs_killed_at_any_moment_on_full_disks_and_around_writes_end_identically() -> None:
    """A small version of `make kills`, in processes of its own."""
    words = ["--kills", "4", "--inside", "2", "--full", "1", "--stride", "17", "--size", "24", "--epochs", "3"]
    ended = subprocess.run([sys.executable, "-m", "tests.training.kills", *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [line.split()[-6:] for line in ended.stdout.splitlines() if line.startswith("  ") and not line.isspace() and line[2] != " "]
    kills, _, _, _, runs, identical = (sum(map(int, column)) for column in zip(*rows, strict=True))
    assert kills >= 8
    assert runs == identical
    assert sum(int(row[1]) for row in rows) >= 1, "a kill must have hit a checkpoint that was being written"


def test_a_run_is_written_by_one_training_at_a_time(tmp_path: Path) -> None:
    told: list[str] = []

    def begin_another(record: Record) -> None:
        if isinstance(record, Update) and record.update in {2, 5}:
            with pytest.raises(RunError, match="another training is writing into it") as refused:
                fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)
            told.append(str(refused.value))

    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", callbacks=[begin_another], **QUICK)
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "alone", **QUICK)
    assert len(told) == 2
    assert outcome(tmp_path / "run") == outcome(tmp_path / "alone")
    assert not (tmp_path / "run" / ".lock").exists()
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)


def test_the_lock_of_a_killed_training_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    (tmp_path / "run" / ".lock").touch()
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)


def test_a_training_goes_on_where_the_system_locks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(handle: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("statewise.runs._hold.fcntl.flock", flock)
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", **QUICK)
    monkeypatch.setattr("statewise.runs._hold.fcntl", None)
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)


def test_a_callback_that_interrupts_an_update_lets_it_be_finished_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewise.training._pace._SECONDS_BETWEEN", 1e9)

    def press(record: Record) -> None:
        if isinstance(record, Update) and record.update == 5:
            raise KeyboardInterrupt

    run = fit(make_model(), TRAIN, VALID, directory=tmp_path / "cut", callbacks=[press], **QUICK)
    assert interrupted(run)
    assert Checkpoint.read(RunFiles(tmp_path / "cut").checkpoints / "last.safetensors").progress.update == 5
    again: list[int] = []
    fit(
        make_model(),
        TRAIN,
        VALID,
        directory=tmp_path / "cut",
        resume=True,
        callbacks=[lambda r: again.append(getattr(r, "update", 9))],
        **QUICK,
    )
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "whole", **QUICK)
    assert min(again) == 6
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


def test_sigterm_finishes_the_update_writes_the_run_and_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewise.training._pace._SECONDS_BETWEEN", 1e9)

    def terminate(record: Record) -> None:
        if isinstance(record, Update) and record.update == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        fit(make_model(), TRAIN, VALID, directory=tmp_path / "cut", callbacks=[terminate], **QUICK)
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert interrupted(load(tmp_path / "cut"))
    assert Checkpoint.read(RunFiles(tmp_path / "cut").checkpoints / "last.safetensors").progress.update == 5
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "cut", resume=True, **QUICK)
    fit(make_model(), TRAIN, VALID, directory=tmp_path / "whole", **QUICK)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")
