"""Do outputs become the right rows for each task, beside what naive methods would have said?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from statewise.contracts import Contract
from statewise.errors import ContractError, DataError, ShapeError
from statewise.evaluation import evaluate, predict, training_baseline
from statewise.evaluation._baselines import naive_answers, naive_forecasts
from statewise.models import build
from statewise.runs import History, Run, RunConfig
from statewise.sequences import Ragged, Sequences, split
from statewise.training import fit


class Plus(nn.Module):
    """Says at each step the value it read plus 10, 20, ... for each step ahead: every row of a forecast can be told apart."""

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        del lengths
        return x[..., :1] + 10.0 * torch.arange(1, self.horizon + 1)


def series(lengths: list[int], **more: Any) -> Sequences:
    values = torch.arange(float(sum(lengths)))
    inputs = Ragged(values[:, None], torch.tensor(lengths))
    whole: dict[str, Any] = {"inputs": inputs, "targets": values, "each": "step", "task": "forecast", "feature_names": ["y"]}
    return Sequences(**{**whole, **more})


def stated(task: Any) -> Contract:
    return Contract(task=task, each="step", batch_first=True)


FORECAST = stated("forecast")


def test_a_forecast_has_one_row_a_step_and_step_ahead() -> None:
    found = predict(Plus(2), series([3, 2]), contract=FORECAST)
    assert found.task == "forecast"
    rows = list(zip(found.key, found.step, found.ahead, found.predicted, found.actual, strict=True))  # type: ignore[arg-type]
    assert [row[:4] for row in rows[:3]] == [("0", 0, 1, 10.0), ("0", 0, 2, 20.0), ("0", 1, 1, 11.0)]
    assert found.actual is not None
    assert found.actual.tolist()[:4] == [1.0, 2.0, 2.0, pytest.approx(float("nan"), nan_ok=True)]
    assert len(found) == 10, "the last steps look beyond the end, where no target is known"
    assert int(np.isfinite(found.actual).sum()) == 3 + 1


def test_with_features_known_beforehand_only_forecasts_whose_features_are_known_are_given() -> None:
    data = series([3, 2], known=["y"])
    model = build("gru", data=data, horizon=2, seed=0)
    found = predict(model, data)
    assert found.ahead is not None
    assert found.ahead.tolist() == [1, 2, 1, 1]
    assert found.actual is not None
    assert np.isfinite(found.actual).all()


@pytest.mark.parametrize("season", [1, 2, 3, 5])
def test_naive_forecasts_look_at_nothing_later(season: int) -> None:
    data, horizon = series([7, 1, 4], season=season), 4
    found = naive_forecasts(data, horizon)
    begin = 0
    for length in (7, 1, 4):
        for step in range(length):
            for ahead in range(1, horizon + 1):
                value = found["persistence"][begin + step, ahead - 1]
                assert value == begin + step
                known = [place for place in range(step + 1) if (step + ahead - place) % season == 0]
                seasonal = found["seasonal"][begin + step, ahead - 1]
                assert seasonal == begin + known[-1] if known else np.isnan(seasonal)
        begin += length


def test_persistence_repeats_the_last_value_that_is_known() -> None:
    data = series([4, 2], targets=torch.tensor([5.0, torch.nan, torch.nan, 8.0, torch.nan, 3.0]), weights=[1, 0, 0, 1, 0, 1])
    last = naive_forecasts(data, 1)["persistence"][:, 0]
    assert last[:4].tolist() == [5, 5, 5, 8]
    assert np.isnan(last[4]), "not the value of the sequence before"
    assert last[5] == 3


def test_values_have_the_training_mean_beside_them() -> None:
    data = Sequences(inputs=Ragged(torch.randn(40, 2), torch.full((20,), 2)), targets=torch.arange(20.0))
    train, valid = split(data, fractions=(0.7, 0.3))
    found = predict(fit(build("gru", data=train, hidden_size=4, seed=0), train, epochs=1), valid)
    assert isinstance(train.targets, Tensor)
    assert found.baselines["mean"] == pytest.approx(float(train.targets.mean()))
    assert isinstance(valid.targets, Tensor)
    assert found.actual is not None
    assert found.actual.tolist() == valid.targets.tolist()


@pytest.mark.parametrize("each", ["sequence", "step"])
def test_a_run_is_held_against_the_best_naive_method_of_its_data(each: Any) -> None:
    """Each row has the answer of its own target; where a method has none, the others count; and the best one is judged."""
    lengths = torch.full((40,), 3)
    targets = torch.arange(120.0 if each == "step" else 40.0)
    near = torch.where(torch.arange(len(targets)) % 3 > 0, targets + 0.5, torch.nan)
    answers = {"near": near, "far": targets + 30}
    data = Sequences(inputs=Ragged(torch.randn(120, 2), lengths), targets=targets, each=each, task="regress", baselines=answers)
    train, test = split(data, fractions=(0.5, 0.5))
    run = fit(build("gru", data=train, hidden_size=4, seed=0), train, epochs=1)
    found = predict(run, test)
    assert found.actual is not None
    assert set(found.baselines) == {"mean", "near", "far"}
    assert np.array_equal(found.baselines["near"], np.where(found.actual % 3 > 0, found.actual + 0.5, np.nan), equal_nan=True)
    assert np.array_equal(found.baselines["far"], found.actual + 30)
    evaluation = evaluate(run, test)
    assert evaluation.judged_baseline == "near"
    assert evaluation.metrics["skill"] == evaluation.baselines["near"].skill
    assert evaluation.baselines["near"].num_scored == int((found.actual % 3 > 0).sum())
    bare = predict(run.model, test)  # type: ignore[arg-type]  # a run that was trained here has its module
    assert set(bare.baselines) == {"near", "far"}


def test_the_next_token_is_scored_by_the_probability_that_it_was_given() -> None:
    codes = torch.tensor([0, 1, 2, 0, 1])
    data = Sequences(
        inputs={"token": Ragged(codes, torch.tensor([3, 2]))}, targets=codes, class_names="abc", categories={"token": "abc"}, task="next"
    )
    model = build("lstm", data=data, seed=0)
    found = predict(model, data)
    logs = model.run_sequences(data).values.log_softmax(1)
    assert found.step is not None
    assert (found.key.tolist(), found.step.tolist(), found.prediction.tolist()) == (
        ["0", "0", "1"],
        [0, 1, 0],
        [data.class_names[code] for code in logs[[0, 1, 3]].argmax(1)],  # type: ignore[index]
    )
    assert found.nll == pytest.approx([-logs[0, 1].item(), -logs[1, 2].item(), -logs[3, 1].item()])
    baseline = training_baseline(data, "next")
    assert baseline["unigram"] == pytest.approx([1 / 6, 3 / 6, 2 / 6]), "the first token of a sequence is no next one"
    assert naive_answers(baseline, np.array([1]), 1)["unigram"] == pytest.approx([np.log(2)])


def test_several_labels_are_given_where_their_probability_reaches_one_half() -> None:
    targets = torch.rand(6, 3) < 0.5
    data = Sequences(inputs=Ragged(torch.randn(12, 2), torch.full((6,), 2)), targets=targets, class_names=["p", "q", "r"])
    model = build("gru", data=data, seed=0)
    found = predict(model, data)
    assert found.probabilities is not None
    torch.testing.assert_close(torch.from_numpy(found.probabilities).float(), model.run_sequences(data).values.detach().sigmoid())
    assert (found.predicted == (found.probabilities >= 0.5)).all()
    assert np.array_equal(found.actual, targets.numpy())  # type: ignore[arg-type]


def test_rows_that_are_not_scored_say_so_and_how_much_came_before_them() -> None:
    data = series([4], task=None, targets=torch.arange(4.0), weights=[0.0, 0, 1, 2])
    found = predict(build("gru", data=data, seed=0), data)
    assert found.weight is not None
    assert found.history is not None
    assert (found.weight.tolist(), found.history.tolist()) == ([0, 0, 1, 2], [0, 1, 2, 3])


def test_batches_do_not_change_the_rows() -> None:
    data = series([30_000, 5, 3], season=24)
    model = build("gru", data=data, horizon=2, hidden_size=4, seed=0)
    whole, alone = predict(model, data), predict(model, data.select([2]))
    last = whole.key == "2"
    assert whole.predicted[last] == pytest.approx(alone.predicted)
    assert whole.step is not None
    assert whole.step[last].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("module", "contract", "data", "kind", "told"),
    [
        (Plus(3), stated("regress"), series([3], task="regress"), ShapeError, "outputs: 3 a row, where task='regress'"),
        (
            Plus(1),
            stated("other"),
            series([3]),
            ContractError,
            "task='other': nothing is known of what its outputs mean",
        ),
        (
            build("gru", task="multilabel", input_size=1, class_names=["p", "q"], seed=0),
            None,
            Sequences(inputs=Ragged(torch.zeros(2, 1), torch.tensor([2])), targets=torch.tensor([[1, 0]]), class_names=["q", "p"]),
            DataError,
            "the labels q, p; the model's are p, q",
        ),
    ],
)
def test_what_does_not_fit_the_task_is_refused(
    module: nn.Module, contract: Contract | None, data: Sequences, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind) as error:
        predict(module, data, contract=contract)
    assert told in str(error.value)


def test_the_last_known_value_is_never_one_that_was_not_measured() -> None:
    from statewise.evaluation._baselines import naive_forecasts
    from statewise.sequences import read

    rows = {"t": [0, 1, 2, 3], "v": [5.0, 6.0, None, 8.0], "x": [1.0, 2.0, 3.0, 4.0]}
    data = read(rows, time="t", target="v", features=["x"], task="forecast", unlabelled="skip", season=2)
    assert naive_forecasts(data, 1)["persistence"].flatten().tolist() == [5.0, 6.0, 6.0, 8.0]


def test_swapped_features_are_refused_also_beside_categories() -> None:
    lengths = torch.full((20,), 2)
    kinds = Ragged(torch.arange(40) % 2, lengths)
    numbers = torch.randn(40, 2)

    def data(names: list[str]) -> Sequences:
        inputs = {"x": Ragged(numbers, lengths), "kind": kinds}
        return Sequences(inputs=inputs, targets=["a", "b"] * 10, feature_names={"x": names}, categories={"kind": ["m", "n"]})

    run = fit(build("gru", data=data(["u", "v"]), hidden_size=4, seed=0), data(["u", "v"]), epochs=1)
    predict(run, data(["u", "v"]))
    with pytest.raises(DataError, match=r"another order: v, u\. Read them in the order of training"):
        predict(run, data(["v", "u"]))


@pytest.mark.parametrize(("each", "weights", "expected"), [("step", [0.0, 2.0], [0, 0, 0, 2, 2]), ("sequence", [1.0] * 5, None)])
def test_weights_without_targets_go_to_the_rows_they_belong_to(each: Any, weights: list[float], expected: list[float] | None) -> None:
    data = Sequences(inputs=Ragged(torch.randn(5, 2), torch.tensor([3, 2])), weights=weights)
    task: Any = "tag" if each == "step" else "classify"
    found = predict(build("gru", task=task, input_size=2, class_names=["a", "b"], seed=0), data)
    assert (None if found.weight is None else found.weight.tolist()) == expected


def test_a_contract_that_is_given_beside_a_run_is_the_one_that_counts() -> None:
    class Sure(nn.Module):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return torch.tensor([[0.9, 0.1]]).expand(len(lengths), 2) + 0 * x.sum()

    data = Sequences(inputs=Ragged(torch.zeros(6, 1), torch.tensor([2, 4])), targets=["a", "b"], class_names=["a", "b"])
    run = Run(config=RunConfig(model_name="Sure", task="classify", class_names=("a", "b")), history=History(), model=Sure())
    run.contract = Contract(task="classify", takes=("x", "lengths"), batch_first=True, output="logits")
    asked = [predict(run, data).score, predict(run, data, contract=Contract(output="probabilities")).score]
    assert asked[0] == pytest.approx(1 / (1 + np.exp(0.8)), abs=1e-6)
    assert asked[1] == pytest.approx(0.1)


def test_each_part_of_a_module_is_left_in_its_own_mode() -> None:
    model = build("gru", task="classify", input_size=1, class_names=["a", "b"])
    model.train()
    next(iter(model.children())).eval()
    before = [part.training for part in model.modules()]
    predict(model, Sequences(inputs=Ragged(torch.zeros(6, 1), torch.tensor([2, 4]))))
    assert [part.training for part in model.modules()] == before
