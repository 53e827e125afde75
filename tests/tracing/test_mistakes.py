"""Is a wrong shape, order or argument explained: what was expected, where, what came, and what to try?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from statewise import Contract, Ragged, Sequences, build, trace
from statewise.errors import ContractError, DataError, OptionError, RunError, ShapeError, StatewiseError
from statewise.runs import History, Run, RunConfig
from tests.tracing.strangers import CellLoop, LastState, OwnRecurrent, Tokens


def error_of(kind: type[StatewiseError], model: Any, sequence: Any, **options: Any) -> StatewiseError:
    with pytest.raises(kind) as caught:
        trace(model, sequence, **options)
    found = caught.value
    assert all((found.asked, found.where, found.arrived, found.hint))
    assert found.hint[-1] in ".)"
    return found


@pytest.mark.parametrize("module", [nn.RNN(8, 4), nn.LSTM(8, 4), nn.GRU(8, 4, batch_first=True), nn.GRUCell(8, 4)])
def test_ten_features_for_a_model_of_eight_are_explained(module: nn.Module) -> None:
    found = error_of(ShapeError, module, torch.randn(7, 10))
    assert found.where == f"{type(module).__name__}(8, 4)"
    assert "expects 8 features a step (input_size=8), and 10 came" in found.arrived
    assert "input_size=10" in found.hint


def test_the_features_are_named_where_they_have_names() -> None:
    data = Sequences(inputs=Ragged(torch.randn(3, 10), torch.tensor([3])), feature_names=[f"f{number}" for number in range(10)])
    assert "f0, f1, f2, f3, f4, f5, ..." in error_of(ShapeError, nn.RNN(8, 4), data).arrived


def test_a_model_of_ours_names_both_numbers() -> None:
    model = build("gru", task="classify", input_size=8, hidden_size=4, num_classes=3)
    found = error_of(ShapeError, model, torch.randn(7, 10))
    assert "10 features a step" in found.arrived
    assert "reads 8" in found.arrived


def test_features_that_do_not_stand_last_are_recognised() -> None:
    found = error_of(ShapeError, nn.RNN(5, 4), torch.randn(5, 9))
    assert "transpose" in found.hint


def test_a_batch_is_read_in_the_order_that_the_module_says() -> None:
    batch = torch.randn(4, 2, 5)
    module = nn.RNN(5, 3)
    found = trace(module, batch)
    assert any(
        "time first (batch_first=False): 4 x 2 x 5 is 4 steps of a batch of 2, and gives 4 x 2 x 3. Shown: row 1 of 2." in note
        for note in found.notes
    )
    assert torch.allclose(found.outputs, module(batch)[0][:, 0].detach(), atol=1e-6)  # type: ignore[arg-type]
    other = nn.RNN(5, 3, batch_first=True)
    found = trace(other, batch, row=-1)
    assert any(
        "batch first (batch_first=True): 4 x 2 x 5 is 2 steps of a batch of 4" in note and "row 4 of 4" in note for note in found.notes
    )
    assert torch.allclose(found.outputs, other(batch)[0][3].detach(), atol=1e-6)  # type: ignore[arg-type]


def test_one_sequence_read_as_a_batch_of_single_steps_is_doubted() -> None:
    assert any("If it is one sequence of 10 steps" in note for note in trace(nn.RNN(5, 3), torch.randn(1, 10, 5)).notes)
    assert any("If it is one sequence of 10 steps" in note for note in trace(LastState(batch_first=False), torch.randn(1, 10, 5)).notes)
    assert not any("If it is" in note for note in trace(nn.RNN(5, 3, batch_first=True), torch.randn(1, 10, 5)).notes)


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_core_of_a_stranger_tells_the_order(*, batch_first: bool) -> None:
    model, batch = LastState(batch_first=batch_first).eval(), torch.randn(4, 6, 5)
    found = trace(model, batch, row=1)
    expected = batch[1] if batch_first else batch[:, 1]
    assert torch.equal(found.stages[0].parts()[""], expected)
    assert torch.allclose(found.outputs, model(batch)[1:2].detach(), atol=1e-6)  # type: ignore[arg-type]
    single = trace(model, expected)
    assert torch.allclose(found.hidden, single.hidden, atol=1e-6)  # type: ignore[arg-type]


def test_a_loop_over_cells_tells_the_order() -> None:
    model = CellLoop(nn.GRUCell)
    assert any("[batch, time, feature]" in note for note in trace(model, torch.randn(6, 5)).notes)
    assert any("batch first: 6 steps of a batch of 2" in note for note in trace(model, torch.randn(2, 6, 5)).notes)


@pytest.mark.parametrize("sequence", [torch.randn(6, 5), torch.randn(2, 6, 5), torch.randn(3, 3, 5)])
def test_an_order_that_nothing_tells_is_asked_for(sequence: Tensor) -> None:
    found = error_of(ContractError, nn.Sequential(nn.Linear(5, 4)), sequence)
    assert found.where == "contract field 'batch_first'"


@pytest.mark.parametrize(
    ("contract", "row", "expected"),
    [(Contract(batch_first=True), 1, lambda batch: batch[1]), (Contract(batch_first=False), 2, lambda batch: batch[:, 2])],
)
def test_a_declared_order_is_followed(contract: Contract, row: int, expected: Any) -> None:
    batch = torch.randn(4, 6, 5)
    found = trace(nn.Sequential(nn.Linear(5, 4)), batch, contract=contract, row=row)
    assert torch.equal(found.stages[0].parts()[""], expected(batch))


def test_a_batch_for_ours_is_batch_first() -> None:
    model = build("gru", task="classify", input_size=5, hidden_size=4, num_classes=3)
    batch = torch.randn(3, 6, 5)
    found = trace(model, batch, row=2)
    assert torch.allclose(found.outputs, model(batch)[0][2:].detach(), atol=1e-6)  # type: ignore[arg-type]


def test_a_contract_that_leaves_the_order_open_is_asked_for_it() -> None:
    found = error_of(ContractError, nn.Sequential(nn.Linear(5, 4)), torch.randn(2, 6, 5), contract=Contract(takes=("x",)))
    assert "batch first or time first" in found.arrived


class Wrong(nn.Module):
    """Has one part whose size does not fit."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.rnn = nn.GRU(5, 4, batch_first=True)
        self.part = part

    def forward(self, x: Tensor) -> Any:
        return self.part(self.rnn(x)[0])


@pytest.mark.parametrize(
    ("part", "arrived", "hint"),
    [
        (nn.Linear(3, 2), "expects 3 features a step (in_features=3), and 4 came", "in_features=4"),
        (nn.GRU(6, 2), "(input_size=6), and 4 came", "input_size=4"),
        (nn.GRUCell(6, 2), "with 1 or 2 axes, and 3 came", "[time, feature]"),
        (nn.Conv1d(4, 2, 1), "expects 4 channels", "x.transpose(1, 2)"),
        (nn.Conv1d(3, 2, 1), "expects 3 channels", "in_channels="),
        (nn.LayerNorm(3), "(normalized_shape=3), and 4 came", "normalized_shape=4"),
        (nn.BatchNorm1d(4), "expects 4 features at the second axis", "x.transpose(1, 2)"),
        (nn.Embedding(9, 2), "looks up whole numbers from 0 to 8, and float32 numbers came", "x.long()"),
        (nn.Conv1d(6, 2, 1).double(), "its weights are float64", "module.to(torch.float32)"),
        (nn.LayerNorm(4).double(), "its weights are float64", "module.to(torch.float32)"),
        (nn.GRU(4, 2).double(), "its weights are float64", "module.to(torch.float32)"),
        (nn.Linear(4, 2).double(), "its weights are float64, and float32 numbers came", "module.to(torch.float32)"),
    ],
)
def test_the_part_that_refused_is_named(part: nn.Module, arrived: str, hint: str) -> None:
    found = error_of(ShapeError, Wrong(part), torch.randn(6, 5))
    assert found.where == f"submodule 'part' ({type(part).__name__})"
    assert arrived in found.arrived
    assert hint in found.hint


def test_a_part_built_for_other_data_than_came_is_told_from_one_that_does_not_fit_the_part_before() -> None:
    first = nn.Sequential(nn.Linear(5, 4))
    assert "other data" in error_of(ShapeError, first, torch.randn(6, 7), contract=Contract(batch_first=True)).hint
    assert "the part before it" in error_of(ShapeError, Wrong(nn.Linear(3, 2)), torch.randn(6, 5)).hint


def test_attention_of_another_size_is_named() -> None:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.attention = nn.GRU(5, 4, batch_first=True), nn.MultiheadAttention(6, 1, batch_first=True)

        def forward(self, x: Tensor) -> Any:
            states = self.rnn(x)[0]
            return self.attention(states, states, states)[0]

    assert "(embed_dim=6), and 4 came" in error_of(ShapeError, Attends(), torch.randn(6, 5)).arrived


def test_a_sequential_that_hands_on_a_tuple_is_explained() -> None:
    found = error_of(ShapeError, nn.Sequential(nn.RNN(5, 4, batch_first=True), nn.Linear(4, 2)), torch.randn(6, 5))
    assert found.where == "submodule '1' (Linear)"
    assert "expects a tensor, and (1 x 6 x 4, 1 x 1 x 4) came" in found.arrived
    assert "(outputs, state)" in found.hint


@pytest.mark.parametrize(("tokens", "came"), [([1, 20], "20 came"), ([1, -3], "-3 came")])
def test_a_token_outside_the_vocabulary_is_named(tokens: list[int], came: str) -> None:
    found = error_of(ShapeError, Tokens(20), tokens)
    assert "knows the numbers 0 to 19" in found.arrived
    assert came in found.arrived


def test_an_error_of_the_modules_own_is_told_with_what_it_was_called_with() -> None:
    class Breaks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyError(len(x))

    found = error_of(ContractError, Breaks(), torch.randn(6, 5), contract=Contract(batch_first=True))
    assert found.where == "the module itself (Breaks)"
    assert "KeyError" in found.arrived
    assert "1 x 6 x 5" in found.arrived
    both = error_of(ContractError, Breaks(), torch.randn(2, 6, 5))
    assert "KeyError" in both.arrived


def test_an_error_in_a_part_that_reads_no_tensor_is_told() -> None:
    class Counts(nn.Module):
        def forward(self, number: int) -> Tensor:
            raise ValueError(str(number))

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.counts = Counts()

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.counts(len(x))
            return result

    found = error_of(ContractError, Outer(), torch.randn(6, 5), contract=Contract(batch_first=True))
    assert found.where == "submodule 'counts' (Counts)"
    assert "ValueError: 1; it was called with 1" in found.arrived


def test_an_error_in_the_users_own_call_is_told() -> None:
    def wrong(module: nn.Module, batch: Any) -> Any:
        return module(batch.x)["nothing"]

    found = error_of(ContractError, LastState(), torch.randn(6, 5), call=wrong)
    assert "IndexError" in found.arrived or "TypeError" in found.arrived


@pytest.mark.parametrize(
    ("model", "arrived"),
    [(lambda x: x, "a function"), (nn.RNN, "the class itself"), (3, "an int")],
)
def test_what_is_no_module_is_refused(model: Any, arrived: str) -> None:
    assert error_of(OptionError, model, torch.randn(6, 5)).arrived.startswith(arrived)


def test_a_lazy_module_is_refused() -> None:
    assert "lazy" in error_of(OptionError, nn.LazyLinear(3), torch.randn(6, 5)).arrived


def test_a_run_without_its_module_is_refused() -> None:
    config = RunConfig(model_name="Mine", task="classify", class_names=("a", "b"))
    assert "without its module" in error_of(RunError, Run(config=config, history=History()), torch.randn(6, 5)).arrived


@pytest.mark.parametrize("sequence", [[["a", "b"]], [[1.0, 2.0], [3.0]], torch.zeros(0, 5)])
def test_what_holds_no_numbers_is_refused(sequence: Any) -> None:
    error_of(DataError, nn.RNN(5, 4), sequence)


def test_four_axes_are_refused() -> None:
    assert "(1, 2, 3, 5)" in error_of(ShapeError, nn.RNN(5, 4), torch.zeros(1, 2, 3, 5)).arrived


@pytest.mark.parametrize(
    ("model", "sequence"),
    [
        (nn.RNN(5, 4), Ragged(torch.randn(7, 5), torch.tensor([4, 3]))),
        (nn.RNN(5, 4), torch.randn(6, 2, 5)),
        (LastState(), torch.randn(2, 6, 5)),
        (OwnRecurrent(), torch.randn(6, 2, 5)),
    ],
)
def test_a_row_that_is_not_there_is_refused(model: nn.Module, sequence: Any) -> None:
    found = error_of(OptionError, model, sequence, row=2)
    assert found.where == "row"
    assert "from 0 to 1" in found.hint


def test_no_sequence_at_all_is_refused() -> None:
    error_of(OptionError, nn.RNN(5, 4), Ragged(torch.zeros(0, 5), torch.zeros(0, dtype=torch.int64)))


def test_several_inputs_need_a_module_that_reads_them() -> None:
    inputs = {"a": torch.randn(6, 2), "b": torch.randn(6, 3)}
    assert "several inputs (a, b)" in error_of(ShapeError, nn.RNN(5, 4), inputs).arrived
    found = trace(LastState(), inputs, call=lambda module, batch: module(torch.cat([batch.x["a"], batch.x["b"]], -1)))
    assert found.stages[0].shape == "a: 6 steps x 2 features; b: 6 steps x 3 features"
    assert torch.equal(found.cores[0].inputs, torch.cat([inputs["a"], inputs["b"]], -1))
    ragged = {name: Ragged(part, torch.tensor([6])) for name, part in inputs.items()}
    assert "several inputs (a, b)" in error_of(ShapeError, nn.RNN(5, 4), ragged).arrived
    error_of(ShapeError, nn.RNN(5, 4), {"a": torch.randn(1, 6, 2)})


@pytest.mark.parametrize(
    "form", [torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.double, lambda x: Ragged(x, torch.tensor([len(x)]))]
)
def test_every_form_of_a_sequence_gives_the_same_trace(form: Any) -> None:
    module, inputs = nn.GRU(5, 4), torch.randn(6, 5)
    assert torch.equal(trace(module, form(inputs)).hidden, trace(module, inputs).hidden)  # type: ignore[arg-type]


def test_whole_numbers_are_measurements_where_nothing_looks_them_up() -> None:
    module = nn.GRU(1, 4)
    whole = trace(module, np.arange(6))
    assert torch.equal(whole.hidden, trace(module, torch.arange(6.0)[:, None]).hidden)  # type: ignore[arg-type]
    assert whole.stages[0].shape == "6 steps x 1 feature"


def test_a_batch_of_tokens_shows_one_row() -> None:
    model = Tokens()
    tokens = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]]).T
    found = trace(model, tokens, row=1)
    assert found.stages[0].parts()[""].tolist() == [[5, 6, 7, 8]]
    assert torch.allclose(found.outputs, model(tokens)[:, 1].detach(), atol=1e-6)  # type: ignore[arg-type]
