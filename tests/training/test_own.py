"""Do parts of one's own take the place of the usual ones, for every task, and are those that cannot work told?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from statewise.contracts import Batch
from statewise.errors import ContractError, DataError, OptionError, RunError
from statewise.evaluation import predict
from statewise.models import build
from statewise.runs import Epoch, Lags, Update, load
from statewise.sequences import Ragged, Sequences, split
from statewise.training import fit
from tests._unchecked import unchecked

if TYPE_CHECKING:
    from collections.abc import Iterator


def make_values(n: int = 40, **more: Any) -> Sequences:
    """Sequences whose value is the sum of what they read."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 6, (n,), generator=generator)
    inputs = Ragged(torch.randn(int(lengths.sum()), 2, generator=generator), lengths)
    sums = torch.stack([each.sum() for each in inputs.to_list()])
    return Sequences(**{"inputs": inputs, "targets": sums, **more})


TRAIN, VALID = split(make_values(), fractions=(0.7, 0.3))
QUICK: dict[str, Any] = {"epochs": 3, "lr": 1e-2, "patience": 0}


def test_values_are_learnt_and_the_loss_is_in_units_of_their_spread() -> None:
    run = fit(build("gru", data=TRAIN, hidden_size=16, seed=0), TRAIN, VALID, epochs=60, lr=1e-2)
    first, last = run.history.epochs()[0], run.history.epochs()[-1]
    assert first.train_loss == pytest.approx(1.0, abs=0.6)
    assert last.train_loss is not None
    assert last.train_loss < 0.2
    assert (last.train_accuracy, last.valid_accuracy) == (None, None)
    in_other_units = make_values(targets=make_values().targets * 1000)  # type: ignore[operator]
    parts = split(in_other_units, fractions=(0.7, 0.3))
    scaled = fit(build("gru", data=parts[0], hidden_size=16, seed=0), *parts, epochs=60, lr=1e-2)
    assert scaled.history.epochs()[-1].train_loss == pytest.approx(last.train_loss, rel=0.05)


def test_targets_that_are_not_scored_change_nothing() -> None:
    weights = torch.ones(len(TRAIN))
    weights[::3] = 0
    targets = torch.where(weights > 0, torch.as_tensor(TRAIN.targets), torch.nan)
    kept = TRAIN.select(weights > 0)
    whole = Sequences(inputs=TRAIN.inputs, targets=targets, weights=weights, keys=TRAIN.keys)
    runs = [fit(build("gru", data=kept, hidden_size=4, seed=0), data, epochs=1, batch_steps=10**6) for data in (whole, kept)]
    losses = [run.history.epochs()[0].train_loss for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=0.02), "the scale of the inputs is that of all that is fed"
    assert all(parameter.isfinite().all() for run in runs for parameter in run.model.parameters())  # type: ignore[union-attr]


def test_an_optimiser_of_ones_own_starts_from_its_own_rates() -> None:
    seen: list[Update] = []
    fit(
        build("gru", data=TRAIN, hidden_size=4, seed=0),
        TRAIN,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.5, momentum=0.9),
        schedule="constant",
        callbacks=[lambda record: seen.append(record) if isinstance(record, Update) else None],
        epochs=3,
    )
    assert {update.learning_rate for update in seen} == {0.5}


def test_metrics_of_ones_own_see_the_whole_validation_part(tmp_path: Path) -> None:
    metrics = {"mae": lambda outputs, targets: (outputs[:, 0] - targets).abs().mean(), "n": lambda outputs, _: len(outputs)}
    run = fit(build("gru", data=TRAIN, hidden_size=4, seed=0), TRAIN, VALID, metrics=metrics, directory=tmp_path / "run", **QUICK)
    assert run.model is not None
    best = next(epoch for epoch in reversed(run.history.epochs()) if epoch.best)
    found = predict(run, VALID)
    assert found.actual is not None
    assert best.metrics["mae"] == pytest.approx(abs(found.predicted - found.actual).mean(), rel=1e-5)
    assert best.metrics["n"] == len(VALID)
    again = load(tmp_path / "run")
    assert [epoch.metrics for epoch in again.history.epochs()] == [epoch.metrics for epoch in run.history.epochs()]
    assert again.config.options["own_metrics"] == ["mae", "n"]


@pytest.mark.parametrize("loss", [None, functional.mse_loss])
def test_metrics_of_a_forecast_see_the_rows_whose_whole_horizon_is_known(loss: Any) -> None:
    series = torch.randn(30, generator=torch.Generator().manual_seed(0))
    data = Sequences(inputs=Ragged(series[:, None], torch.tensor([12, 18])), targets=series, each="step", task="forecast")
    seen: list[tuple[int, ...]] = []

    def metric(outputs: Tensor, targets: Tensor) -> float:
        seen.append((*outputs.shape, *targets.shape))
        return 0.0

    run = fit(build("gru", data=data, horizon=3, seed=0), data, data, metrics={"m": metric}, loss=loss, gradients_by_lag=True, **QUICK)
    assert set(seen) == {(9 + 15, 3, 9 + 15, 3)}
    assert all(record.num_silent == 0 for record in run.history.records if isinstance(record, Lags))


def test_a_loss_of_ones_own_is_not_asked_about_a_batch_in_which_nothing_is_scored() -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        assert len(outputs)
        return (outputs - targets).square()

    weights = torch.ones(len(TRAIN))
    weights[:10] = 0
    data = Sequences(inputs=TRAIN.inputs, targets=TRAIN.targets, weights=weights)
    run = fit(build("gru", data=data, hidden_size=4, seed=0), data, loss=loss, batch_steps=1, **QUICK)
    assert run.history.updates()


def test_a_sampler_that_goes_round_more_often_does_not_raise_the_rate_at_the_end() -> None:
    def sampler(train: Sequences, epoch: int) -> Iterator[Tensor]:
        yield from torch.arange(3 * len(train)).remainder(len(train)).split(8)

    run = fit(build("gru", data=TRAIN, seed=0), TRAIN, sampler=sampler, **QUICK)
    rates = [update.learning_rate for update in run.history.updates()]
    assert rates[-1] == min(rates[len(rates) // 2 :])


def test_a_positive_class_that_is_none_is_told_before_the_training() -> None:
    data = Sequences(inputs=TRAIN.inputs, targets=["a", "b"] * (len(TRAIN) // 2))
    with pytest.raises(OptionError, match="'c', which is no class here"):
        fit(build("gru", data=data, seed=0), data, positive="c", **QUICK)


def test_a_sampler_of_ones_own_chooses_the_batches_and_a_resumed_run_goes_on_with_it(tmp_path: Path) -> None:
    asked: list[int] = []

    def sampler(train: Sequences, epoch: int) -> Iterator[Tensor]:
        asked.append(epoch)
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(epoch))
        yield from order[:10].split(5)

    def stop(record: object) -> None:
        if isinstance(record, Epoch) and record.epoch == 2:
            raise KeyboardInterrupt

    def run(name: str, **more: Any) -> list[Tensor]:
        done = fit(
            build("gru", data=TRAIN, hidden_size=4, seed=0), TRAIN, VALID, sampler=sampler, directory=tmp_path / name, **QUICK, **more
        )
        assert done.model is not None
        assert {record.steps for record in done.history.updates()} != {TRAIN.num_steps}
        return [tensor.clone() for tensor in done.model.state_dict().values()]

    whole = run("whole")
    assert asked == [1, 2, 3]
    run("stopped", callbacks=[stop])
    assert all(torch.equal(a, b) for a, b in zip(whole, run("stopped", resume=True), strict=True))


def test_a_task_of_its_own_needs_a_loss_and_nothing_else() -> None:
    module = nn.GRU(2, 3)
    with pytest.raises(OptionError, match=r"task='other': no loss"):
        fit(module, TRAIN, task="other", **QUICK)
    run = fit(module, TRAIN, VALID, task="other", loss=lambda outputs, targets: (outputs.sum(1) - targets).square(), **QUICK)
    losses = [epoch.valid_loss for epoch in run.history.epochs()]
    assert None not in losses
    assert run.config.task == "other"


def test_a_module_with_several_inputs_is_called_in_ones_own_words() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.numbers, self.codes, self.head = nn.GRU(2, 4, batch_first=True), nn.Embedding(3, 4), nn.Linear(8, 1)

        def forward(self, numbers: Tensor, codes: Tensor, age: Tensor) -> Tensor:
            features = torch.cat([self.numbers(numbers)[0][:, -1], self.codes(codes).mean(1)], dim=1)
            values: Tensor = self.head(features) + age
            return values

    first = TRAIN.parts["x"]
    inputs = {"x": first, "kind": Ragged(torch.arange(first.num_steps) % 3, first.lengths)}
    data = Sequences(inputs=inputs, targets=TRAIN.targets, static=torch.ones(len(TRAIN), 1), categories={"kind": "abc"})

    def call(module: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(batch.x, dict)
        return module(batch.x["x"], batch.x["kind"], batch.static)  # type: ignore[no-any-return]

    run = fit(Two(), data, call=call, **QUICK)
    assert run.config.task == "regress"
    assert len(predict(run, data)) == len(data)


def test_how_far_back_the_loss_reaches_is_recorded_on_demand_and_changes_nothing() -> None:
    runs = [
        fit(build("gru", data=TRAIN, hidden_size=4, dropout=0.5, seed=0), TRAIN, VALID, gradients_by_lag=wanted, **QUICK)
        for wanted in (False, True)
    ]
    found = [[record for record in run.history.records if isinstance(record, Lags)] for run in runs]
    assert [len(each) for each in found] == [0, 3]
    assert found[1][0].lags[0] == 0
    weights = [list(run.model.state_dict().values()) for run in runs]  # type: ignore[union-attr]
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"optimizer": lambda _: "sgd"}, "optimizer: it returned a str. Give a function of the parameters"),
        ({"sampler": lambda *_: iter(())}, "sampler: no batch in epoch 1"),
        ({"metrics": {"bad": lambda outputs, _: outputs}}, "metrics, 'bad': a Tensor. Return one number"),
        (
            {"class_weights": "balanced"},
            "class_weights: for the task 'regress', targets that are values. Leave class_weights (--class-weights) out",
        ),
        ({"label_smoothing": 0.1}, "label_smoothing: for the task 'regress', targets that are values"),
        ({"positive": "yes"}, "positive: for the task 'regress', targets that are values"),
        ({"task": "classify"}, "task: 'classify', but the data has one target a sequence, and targets are values"),
    ],
)
def test_parts_that_cannot_work_are_refused(options: dict[str, Any], told: str) -> None:
    with unchecked(), pytest.raises(OptionError) as error:
        fit(nn.GRU(2, 1), TRAIN, VALID, epochs=3, **options)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"refit": True}, "refit: no validation part. Give valid= as well, or leave refit out: it would do nothing here."),
        ({"metrics": {"n": lambda outputs, _: len(outputs)}}, "metrics: no validation part. Give valid= as well"),
        ({"patience": 5}, "patience: no validation part. Give valid= as well"),
        ({"lr": 3e-3, "optimizer": torch.optim.Rprop}, "lr: beside an optimizer of one's own. Give it where the optimizer is made"),
        ({"weight_decay": 0.0, "optimizer": torch.optim.Rprop}, "weight_decay: beside an optimizer of one's own"),
        ({"batch_steps": 9, "sampler": lambda *_: [[0]]}, "batch_steps: beside a sampler of one's own, and no validation part"),
    ],
)
def test_options_that_would_do_nothing_beside_the_others_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError) as error:
        fit(nn.GRU(2, 1), TRAIN, epochs=1, **options)
    assert told in str(error.value)
    used = {name: value for name, value in options.items() if name != "optimizer"}
    assert fit(nn.GRU(2, 1), TRAIN, VALID, epochs=1, **used).history.epochs()


def test_a_model_built_for_another_task_is_refused() -> None:
    model = build("gru", task="classify", input_size=2, num_classes=2)
    with pytest.raises(OptionError, match=r"the model was built for 'classify', one a sequence\. Build it for the data"):
        fit(model, TRAIN, task="regress", **QUICK)


def test_missing_values_are_filled_by_a_model_that_was_built_for_it_and_by_no_other() -> None:
    values = TRAIN.parts["x"].values.clone()
    values[::7, 0] = torch.nan
    data = Sequences(inputs=Ragged(values, TRAIN.lengths), targets=TRAIN.targets, missing="mean")
    run = fit(build("gru", data=data, hidden_size=4, seed=0), data, **QUICK)
    assert np.isfinite(predict(run, data).predicted).all()
    for module in (nn.GRU(2, 1), build("gru", data=TRAIN, seed=0)):
        with pytest.raises(DataError, match=r"values that are NaN or infinite\. This model does not fill them: build"):
            fit(module, data, **QUICK)


def test_a_part_in_which_nothing_is_scored_is_refused() -> None:
    with pytest.raises(DataError, match=r"the valid part .*: no target that is scored"):
        fit(nn.GRU(2, 1), TRAIN, Sequences(inputs=VALID.inputs, targets=VALID.targets, weights=torch.zeros(len(VALID))), **QUICK)


def test_a_run_is_resumed_with_the_parts_it_began_with(tmp_path: Path) -> None:
    fit(nn.GRU(2, 1), TRAIN, VALID, directory=tmp_path / "run", loss=functional.l1_loss, **QUICK)
    with pytest.raises(RunError, match="its options are not the same as when it began: own_loss was True, is False"):
        fit(nn.GRU(2, 1), TRAIN, VALID, directory=tmp_path / "run", resume=True, **QUICK)
    other: dict[str, Any] = {"epochs": 4, "lr": 0.02, "patience": 1, "seed": 5, "loss": functional.l1_loss}
    with pytest.raises(RunError, match=r"when it began: epochs was 3, is 4; lr was 0\.01, is 0\.02; patience was 0, is 1; \.\.\."):
        fit(nn.GRU(2, 1), TRAIN, VALID, directory=tmp_path / "run", resume=True, **other)
    with pytest.raises(RunError, match=r"its data are not the same as when it began: valid\."):
        fit(nn.GRU(2, 1), TRAIN, TRAIN, directory=tmp_path / "run", resume=True, loss=functional.l1_loss, **QUICK)


@pytest.mark.parametrize(
    ("options", "where", "arrived"),
    [
        ({"loss": lambda outputs, targets: None}, "loss", "nothing, which has no gradient"),
        ({"loss": lambda outputs, targets: 1.5}, "loss", "a float, which has no gradient"),
        ({"loss": "mse"}, "loss", "a str"),
        ({"metrics": {"x": 1}}, "metrics, 'x'", "an int"),
        ({"metrics": {"x": None}}, "metrics, 'x'", "nothing"),
        ({"optimizer": torch.optim.SGD([torch.zeros(1)])}, "optimizer", "a SGD"),
        ({"sampler": [0, 1]}, "sampler", "a list"),
        ({"train": torch.ones(3, 2)}, "train", "a Tensor"),
        ({"valid": TRAIN.inputs}, "valid", "a Ragged"),
    ],
)
def test_what_is_no_part_at_all_is_told_by_its_name(options: dict[str, Any], where: str, arrived: str) -> None:
    given: dict[str, Any] = {"train": TRAIN, "valid": VALID, **QUICK, **options}
    with unchecked(), pytest.raises((OptionError, ContractError)) as caught:
        fit(build("rnn", task="regress", input_size=2, hidden_size=2), **given)
    assert (caught.value.where, caught.value.arrived) == (where, arrived)
    assert caught.value.hint
