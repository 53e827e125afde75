"""Is training in windows what a careful loop by hand does, with the state carried, and can it stop anywhere?"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from statewise.contracts import Contract, adapt
from statewise.errors import ContractError, OptionError
from statewise.models import build
from statewise.runs import Epoch, Record, Run, RunFiles, Update
from statewise.sequences import Ragged, Sequences, in_pieces
from statewise.training import FitOptions, fit
from statewise.training._checkpoint import Checkpoint
from statewise.training._objective import Objective
from statewise.training._pace import Pace
from statewise.training._scoring import Scorer
from statewise.training._windows import LaneWindows
from tests._documents import ROOT
from tests.engine.cases import examples

if TYPE_CHECKING:
    from pathlib import Path


def tagged(lengths: list[int], *, seed: int = 0, **more: Any) -> Sequences:
    """Streams in which each step is one of three classes."""
    generator = torch.Generator().manual_seed(seed)
    total = sum(lengths)
    inputs = Ragged(torch.randn(total, 2, generator=generator), torch.tensor(lengths))
    targets = torch.randint(0, 3, (total,), generator=generator)
    return Sequences(inputs=inputs, targets=targets, class_names=["a", "b", "c"], each="step", **more)


def lstm(seed: int = 0) -> nn.LSTM:
    torch.manual_seed(seed)
    return nn.LSTM(2, 3)


PLAIN: dict[str, Any] = {"schedule": "constant", "clip": 0, "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.5)}
TAG = Contract(task="tag")


def by_hand(module: nn.LSTM, data: Sequences, *, window: int, stride: int, burn_in: int, epochs: int) -> list[float]:
    """Train with nothing but torch, on streams of one length; return the loss of each update."""
    inputs = data.parts["x"].values.view(len(data), -1, 2).transpose(0, 1)
    assert isinstance(data.targets, Tensor)
    targets = data.targets.view(len(data), -1).t()
    time, losses = len(inputs), []
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for _ in range(epochs):
        states: dict[int, Any] = {0: None}
        begin, scored = 0, 0
        while scored < time:
            end = min(begin + window, time)
            start = max(begin - burn_in, 0)
            state, outputs = states[start], []
            following = max(begin + stride - burn_in, 0)
            for step in range(start, end):
                with torch.set_grad_enabled(step >= begin):
                    output, state = module(inputs[step : step + 1], state)
                outputs.append(output[0])
                if step + 1 == following:
                    states[following] = tuple(part.detach() for part in state)
            chosen = slice(scored - start, None)
            loss = nn.functional.cross_entropy(torch.stack(outputs)[chosen].flatten(0, 1), targets[scored:end].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            begin, scored = begin + stride, end
    return losses


@pytest.mark.parametrize(("window", "stride", "burn_in"), [(8, None, 0), (8, 3, 0), (6, 6, 4), (8, 3, 5), (5, 1, 11), (100, None, 0)])
def test_training_equals_a_plain_loop_of_torch(window: int, stride: int | None, burn_in: int) -> None:
    data = tagged([29] * 5)
    run = fit(lstm(), data, epochs=2, window=window, stride=stride, burn_in=burn_in, lanes=5, contract=TAG, **PLAIN)
    other = lstm()
    losses = by_hand(other, data, window=window, stride=stride or window, burn_in=burn_in, epochs=2)
    updates = run.history.updates()
    torch.testing.assert_close(torch.tensor([update.loss for update in updates]), torch.tensor(losses), rtol=1e-5, atol=1e-6)
    assert sum(update.steps for update in updates) == 2 * data.num_steps
    assert run.model is not None
    for trained, wanted in zip(run.model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(trained, wanted, rtol=1e-4, atol=1e-5)


def test_a_window_that_holds_all_equals_a_batch_of_whole_sequences() -> None:
    data = tagged([9, 4, 13, 1])
    one = fit(lstm(), data, epochs=3, window=27, lanes=2, contract=TAG, **PLAIN)
    other = fit(lstm(), data, epochs=3, batch_steps=27, contract=TAG, **PLAIN)
    assert len(one.history.updates()) == len(other.history.updates()) == 3
    for trained, wanted in zip(parameters(one), parameters(other), strict=True):
        torch.testing.assert_close(trained, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("window", [None, 8])
def test_a_cell_is_trained_as_the_layer_of_its_weights(window: int | None) -> None:
    data, layer, cell = tagged([29, 12, 1]), lstm(), nn.LSTMCell(2, 3)
    cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in layer.state_dict().items()})
    runs = [fit(module, data, data, epochs=2, window=window, lanes=window and 2, **PLAIN) for module in (layer, cell)]
    for trained, wanted in zip(*map(parameters, runs), strict=True):
        torch.testing.assert_close(trained, wanted, rtol=1e-5, atol=1e-6)


def parameters(run: Run) -> list[Tensor]:
    assert run.model is not None
    return list(run.model.parameters())


def looks_ahead(lengths: list[int], task: str) -> Sequences:
    data = tagged(lengths, weights=(torch.arange(sum(lengths)) % 4 != 1).float())
    if task == "tag":
        return data
    if task == "next":
        return replace(data, task="next")
    named = {"feature_names": ["load", "hour"], "known": ["hour"]}
    return replace(data, targets=torch.arange(data.num_steps).sin(), class_names=None, task="forecast", **named)  # type: ignore[arg-type]


@given(
    lengths=st.lists(st.integers(1, 12), min_size=4, max_size=7),
    task=st.sampled_from(["tag", "next", "forecast"]),
    window=st.integers(1, 9),
    share=st.floats(0, 1),
    burn_in=st.integers(0, 8),
    epoch=st.integers(1, 3),
)
@examples(30)
def test_the_losses_of_all_windows_add_up_to_that_of_whole_sequences(
    lengths: list[int], task: str, window: int, share: float, burn_in: int, epoch: int
) -> None:
    lengths = [*lengths, 12, 12]
    data = looks_ahead(lengths, task)
    more = {"horizon": 3} if task == "forecast" else {}
    model = build("gru", data=data, hidden_size=3, seed=0, learned_state=True, **more)  # type: ignore[arg-type]
    adapted = adapt(model)
    scorer = Scorer(adapted=adapted, objective=Objective(output=adapted.contract.output, holds=data.holds))
    options = FitOptions(window=window, lanes=2, stride=max(1, round(window * share)), burn_in=burn_in)
    work = LaneWindows.of(data, options, scorer)
    wanted = scorer.score(data)
    state, losses, weights, steps = None, [], [], []
    for item in work.items(epoch):
        scored, state = work.score(item, state)
        losses.append(float(scored.loss_sum.detach()))
        weights.append(float(scored.weight_sum))
        steps.append(item.num_steps)
    assert sum(steps) == data.num_steps
    assert sum(weights) == pytest.approx(float(wanted.weight_sum))
    assert sum(losses) == pytest.approx(float(wanted.loss_sum.detach()), rel=1e-4, abs=1e-5)


class Latch(nn.Module):
    """A Recurrent whose state is the first step of its sequence, to the bit; what is learned is to read it off."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> Any:
        return torch.zeros(batch_size, 1, device=device, dtype=dtype), torch.zeros(batch_size, 1, device=device, dtype=dtype)

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        seen, begun = state
        seen = torch.where(begun == 0, inputs[0], seen)
        return self.head(seen).expand(len(inputs), -1, -1), (seen, torch.ones_like(begun))


def remembered() -> Sequences:
    """Streams that show 1 or -1 at their first step, and noise after it; what is asked for 300 steps later is what was shown."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(40, 301, generator=generator)
    values[:, 0] = torch.arange(40) % 2 * 2.0 - 1
    weights = torch.zeros(40, 301)
    weights[:, -1] = 1
    targets = (values[:, :1] > 0).long().expand(-1, 301)
    inputs = Ragged(values.reshape(-1, 1), torch.full((40,), 301))
    return Sequences(inputs=inputs, targets=targets.flatten(), weights=weights.flatten(), class_names=["a", "b"], each="step")


def test_a_state_that_is_carried_solves_what_no_window_holds() -> None:
    data = remembered()
    options: dict[str, Any] = {"epochs": 3, "window": 32, "lanes": 8, "contract": TAG, "lr": 0.5, "seed": 0}
    carried = fit(Latch(), data, data, **options)
    assert carried.history.epochs()[-1].valid_accuracy == 1.0
    assert carried.history.epochs()[-1].train_accuracy is not None
    reset = fit(Latch(), in_pieces(data, 32), data, **options)
    assert (reset.history.epochs()[-1].train_accuracy or 0) < 0.8


KILLED = """
import os, signal, sys
from statewise.models import build
from statewise.runs import Update
from statewise.training import fit
from tests.training.test_windows import STREAMS, OPTIONS, made
from statewise.training._pace import Pace

Pace.is_due = lambda self: True

def die(record):
    if isinstance(record, Update) and record.update == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

fit(made(), STREAMS, STREAMS, directory=sys.argv[1], callbacks=[die], **OPTIONS)
"""
STREAMS = tagged([61, 30, 44, 3])
OPTIONS: dict[str, Any] = {"epochs": 2, "window": 8, "stride": 5, "burn_in": 3, "lanes": 3, "seed": 3}


def made() -> Any:
    return build("lstm", data=STREAMS, hidden_size=4, dropout=0.3, learned_state=True, seed=0)


def without_times(run: Run) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in RunFiles(run.directory or "").history.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "steps_per_second")} for line in lines]


def assert_same_run(one: Run, other: Run) -> None:
    for trained, wanted in zip(parameters(one), parameters(other), strict=True):
        assert torch.equal(trained, wanted)
    assert without_times(one) == without_times(other)
    first, second = (Checkpoint.read(RunFiles(run.directory or "").checkpoints / "last.safetensors") for run in (one, other))
    for number, state in first.optimizer["state"].items():
        assert all(torch.equal(torch.as_tensor(part), second.optimizer["state"][number][name]) for name, part in state.items())


class StoppedError(Exception):
    """What stops a training from outside."""


@pytest.mark.parametrize("update", [1, 2, 6, 9, 11, 17, 18])
def test_stopping_in_the_middle_of_a_stream_and_going_on_equals_never_stopping(
    update: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "is_due", lambda self: True)

    def stop(record: Record) -> None:
        if isinstance(record, Update) and record.update == update:
            raise StoppedError

    whole = fit(made(), STREAMS, STREAMS, directory=tmp_path / "whole", **OPTIONS)
    with pytest.raises(StoppedError):
        fit(made(), STREAMS, STREAMS, directory=tmp_path / "stopped", callbacks=[stop], **OPTIONS)
    path = RunFiles(tmp_path / "stopped").checkpoints / "last.safetensors"
    assert update == 1 or (Checkpoint.read(path).progress.cursor > 0) == bool(Checkpoint.read(path).carried[0])
    resumed = fit(made(), STREAMS, STREAMS, directory=tmp_path / "stopped", resume=True, **OPTIONS)
    assert_same_run(resumed, whole)


def test_kill_9_in_the_middle_of_a_stream_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed"), "15"], check=False, capture_output=True, text=True, cwd=str(ROOT)
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    found = Checkpoint.read(RunFiles(tmp_path / "killed").checkpoints / "last.safetensors")
    assert found.carried[0]
    assert found.progress.cursor > 0
    monkeypatch.setattr(Pace, "is_due", lambda self: True)
    resumed = fit(made(), STREAMS, STREAMS, directory=tmp_path / "killed", resume=True, **OPTIONS)
    assert_same_run(resumed, fit(made(), STREAMS, STREAMS, directory=tmp_path / "whole", **OPTIONS))


def test_the_module_never_sees_more_than_a_window_of_lanes_whatever_the_length_of_the_stream() -> None:
    data = tagged([1_500, 40])
    model = build("gru", data=data, hidden_size=2, seed=0)
    seen: list[int] = []
    model.encoder.register_forward_hook(lambda module, inputs, encoded: seen.append(encoded.num_steps))
    fit(model, data, data, epochs=1, window=30, lanes=4, gradients_by_lag=True)
    # Training sees 4 lanes of 30 steps, validation 8 times as many, gradients by lag 32 windows of 30.
    assert sum(size <= 120 for size in seen) > 1_540 // 120
    assert max(seen[1:]) <= 8 * 120


def test_refit_classes_of_unequal_weight_autocast_and_metrics_of_ones_own_go_with_windows() -> None:
    data = tagged([50, 20, 31], weights=(torch.arange(101) % 3 > 0).float())

    def share(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.argmax(1) == targets).float().mean()

    run = fit(
        build("gru", data=data, hidden_size=4, dropout=0.2, input_dropout=0.2, seed=0),
        data,
        data,
        epochs=2,
        window=8,
        lanes=3,
        class_weights="balanced",
        precision="bfloat16",
        refit=True,
        metrics={"share": share},
    )
    assert all(epoch.metrics["share"] == pytest.approx(epoch.valid_accuracy) for epoch in run.history.epochs())
    assert any(isinstance(record, Epoch) and record.phase == "refit" for record in run.history.records)


def test_a_window_without_a_scored_step_hands_its_state_on_without_an_update() -> None:
    weights = torch.zeros(40)
    weights[-4:] = 1
    run = fit(lstm(), tagged([40], weights=weights), epochs=1, window=8, contract=TAG, **PLAIN)
    assert len(run.history.updates()) == 1
    assert run.history.epochs()[0].train_loss is not None


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"lanes": 4}, "lanes"),
        ({"stride": 4}, "stride"),
        ({"burn_in": 4}, "burn_in"),
        ({"window": 8, "batch_steps": 100}, "batch_steps"),
        ({"window": 8, "stride": 9}, "stride"),
        ({"window": 0}, "window"),
        ({"window": 8, "lanes": 0}, "lanes"),
        ({"window": 8, "sampler": lambda train, epoch: [[0]]}, "sampler"),
    ],
)
def test_options_that_would_do_nothing_or_leave_steps_out_are_refused(options: dict[str, Any], where: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        fit(lstm(), tagged([9]), contract=TAG, directory=tmp_path / "run", **options)
    assert caught.value.where == where
    assert not (tmp_path / "run").exists()


def test_a_model_that_cannot_carry_its_state_is_refused_before_training(tmp_path: Path) -> None:
    data = tagged([9, 7])
    both_ways = build("gru", data=data, hidden_size=2, bidirectional=True)
    with pytest.raises(ContractError, match=r"fit with window=: Model, run piece by piece: it reads backwards too"):
        fit(both_ways, data, window=4, directory=tmp_path / "run")
    labelled = Sequences(inputs=data.inputs, targets=["a", "b"])
    with pytest.raises(ContractError, match="one output a sequence"):
        fit(build("gru", data=labelled, hidden_size=2), labelled, window=4, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()
