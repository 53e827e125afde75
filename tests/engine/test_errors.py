"""Is each misuse of `unroll` answered with what was asked, where, what arrived and what to try?"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from statewise.engine import unroll
from statewise.errors import ContractError, ShapeError, StatewiseError
from statewise.sequences import Ragged

LSTM, GRU, RNN = nn.LSTM(8, 3), nn.GRU(8, 3, num_layers=2, bidirectional=True), nn.RNN(5, 3)


def ragged(*shape: int, dtype: torch.dtype = torch.float32) -> Ragged:
    return Ragged(torch.zeros(6, *shape, dtype=dtype), torch.tensor([2, 4]))


def refusal(module: Any, inputs: Any, state: Any = None, **options: Any) -> StatewiseError:
    with pytest.raises(StatewiseError) as raised:
        unroll(module, inputs, state, **options)
    for fact in (raised.value.asked, raised.value.where, raised.value.arrived, raised.value.hint):
        assert fact
    return raised.value


@pytest.mark.parametrize("inputs", [ragged(10), torch.zeros(4, 2, 10)])
def test_other_features_than_the_model_reads_are_named_with_what_was_expected(inputs: Any) -> None:
    error = refusal(LSTM, inputs)
    assert isinstance(error, ShapeError)
    assert "LSTM(8, 3)" in error.asked
    assert "10 features" in error.arrived
    assert "8 (its input_size)" in error.arrived
    assert "input_size=10" in error.hint


@pytest.mark.parametrize("inputs", [ragged(), ragged(2, 8)])
def test_steps_that_are_no_list_of_features_are_refused(inputs: Ragged) -> None:
    assert "8 numbers a step" in refusal(LSTM, inputs).hint


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64])
def test_values_of_another_dtype_than_the_weights_are_refused(dtype: torch.dtype) -> None:
    inputs = ragged(8, dtype=dtype)
    error = refusal(LSTM, inputs)
    assert str(dtype) in error.arrived
    assert "inputs.to(torch.float32)" in error.hint
    unroll(LSTM, inputs.to(torch.float32))


@pytest.mark.parametrize("shape", [(4,), (4, 5), (1, 4, 2, 5)])
def test_a_dense_tensor_whose_axes_are_not_clear_is_refused(shape: tuple[int, ...]) -> None:
    error = refusal(RNN, torch.zeros(shape))
    assert isinstance(error, ShapeError)
    assert "[time, batch, feature]" in error.hint
    assert "Ragged.from_list" in error.hint


def test_time_against_batch_order_is_not_guessed() -> None:
    error = refusal(nn.RNN(5, 3, batch_first=True), torch.zeros(4, 2, 5))
    assert isinstance(error, ShapeError)
    assert "batch_first=True" in error.arrived
    assert "Ragged.from_padded" in error.hint


@pytest.mark.parametrize("inputs", [[1.0, 2.0], pack_sequence([torch.zeros(3, 8)])])
def test_inputs_of_another_type_are_refused(inputs: Any) -> None:
    error = refusal(LSTM, inputs)
    assert isinstance(error, ContractError)
    assert "Ragged" in error.hint


@pytest.mark.parametrize(
    ("state", "arrived"),
    [
        (torch.zeros(1, 2, 3), "(1, 2, 3)"),  # c is missing
        ((torch.zeros(1, 2, 3),), "(1, 2, 3)"),
        ((torch.zeros(1, 5, 3), torch.zeros(1, 5, 3)), "(1, 5, 3)"),  # other rows
        ((torch.zeros(2, 2, 3), torch.zeros(2, 2, 3)), "(2, 2, 3)"),  # other layers
        ((torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)), "(1, 2, 4)"),  # other hidden size
        ((torch.zeros(2, 3), torch.zeros(2, 3)), "(2, 3)"),
        ((torch.zeros(1, 2, 3), None), "None"),
        ((), "nothing"),
        ({"h": torch.zeros(1, 2, 3)}, "a dict"),
    ],
)
def test_a_state_that_does_not_fit_an_lstm_is_refused(state: Any, arrived: str) -> None:
    error = refusal(LSTM, ragged(8), state)
    assert isinstance(error, ShapeError)
    assert arrived in error.arrived
    assert "h (1, 2, 3) and c (1, 2, 3)" in error.hint
    assert "(h, c)" in error.hint


def test_a_state_that_does_not_fit_a_gru_is_refused() -> None:
    for state in (torch.zeros(1, 2, 3), (torch.zeros(4, 2, 3), torch.zeros(4, 2, 3))):
        error = refusal(GRU, ragged(8), state)
        assert "h (4, 2, 3)" in error.hint


def test_a_state_with_projection_is_asked_for_in_its_sizes() -> None:
    error = refusal(nn.LSTM(8, 5, proj_size=2), ragged(8), (torch.zeros(1, 2, 5), torch.zeros(1, 2, 5)))
    assert "h (1, 2, 2) and c (1, 2, 5)" in error.hint


HOOKED = nn.LSTM(8, 3)
HOOKED.register_forward_hook(lambda *_: None)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float64, torch.bfloat16, torch.complex64])
@pytest.mark.parametrize("module", [nn.GRU(8, 3), nn.LSTM(8, 3), nn.LSTM(8, 3, proj_size=2), HOOKED, nn.GRUCell(8, 3), nn.LSTMCell(8, 3)])
def test_a_state_of_another_dtype_than_the_weights_is_refused(module: Any, dtype: torch.dtype) -> None:
    _, begun = unroll(module, ragged(8))
    state = tuple(part.to(dtype) for part in begun) if isinstance(begun, tuple) else begun.to(dtype)
    error = refusal(module, ragged(8), state)
    assert isinstance(error, ShapeError)
    assert (error.where, error.arrived) == ("state, dtype of h", f"{dtype}, where the weights are torch.float32")
    assert "Use h.to(torch.float32)" in error.hint
    if isinstance(begun, tuple):
        assert refusal(module, ragged(8), (begun[0], state[1])).where == "state, dtype of c"


@pytest.mark.parametrize("module", [nn.GRU(8, 3), nn.LSTM(8, 3), nn.GRUCell(8, 3)])
def test_inputs_and_states_on_another_device_than_the_weights_are_refused(module: Any) -> None:
    _, begun = unroll(module, ragged(8))
    state = tuple(part.to("meta") for part in begun) if isinstance(begun, tuple) else begun.to("meta")
    error = refusal(module, ragged(8), state)
    assert (error.where, error.arrived) == ("state, device of h", "meta, where the weights are on cpu")
    assert "Use h.to('cpu')" in error.hint
    error = refusal(module, torch.zeros(4, 2, 8, device="meta"))
    assert (error.where, error.arrived) == ("inputs, device", "values on meta for weights on cpu")
    assert "Use inputs.to('cpu')" in error.hint


def test_under_autocast_a_state_of_whole_numbers_is_refused_and_one_of_another_precision_is_not() -> None:
    state = torch.zeros(1, 2, 3, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert refusal(nn.GRU(8, 3), ragged(8), state.long()).where == "state, dtype of h"
        assert unroll(nn.GRU(8, 3), ragged(8), state)[1].shape == state.shape


@pytest.mark.parametrize(
    ("is_first", "arrived"),
    [
        (torch.zeros(4, 2), "torch.float32"),
        (torch.zeros(2, 4, dtype=torch.bool), "(2, 4)"),
        (torch.zeros(4, dtype=torch.bool), "(4,)"),
        ([True], "list"),
    ],
)
def test_flags_that_are_not_one_boolean_a_step_and_lane_are_refused(is_first: Any, arrived: str) -> None:
    error = refusal(RNN, torch.zeros(4, 2, 5), is_first=is_first)
    assert isinstance(error, ShapeError)
    assert arrived in error.arrived
    assert "(4, 2)" in error.hint


def test_flags_beside_ragged_sequences_are_refused() -> None:
    error = refusal(RNN, ragged(5), is_first=torch.zeros(4, 2, dtype=torch.bool))
    assert isinstance(error, ShapeError)
    assert "lengths" in error.arrived


@pytest.mark.parametrize("module", [nn.Linear(5, 3), nn.Conv1d(5, 3, 1), "lstm"])
def test_a_module_of_another_kind_is_told_how_to_become_a_recurrent(module: Any) -> None:
    error = refusal(module, ragged(5))
    assert isinstance(error, ContractError)
    assert type(module).__name__ in error.arrived
    assert "initial_state(batch_size, *, device, dtype)" in error.hint
    assert "forward(" in error.hint


def test_a_compiled_module_is_asked_for_as_it_was() -> None:
    error = refusal(torch.compile(nn.LSTM(5, 3), backend="eager"), ragged(5))
    assert isinstance(error, ContractError)
    assert error.arrived == "an OptimizedModule"
    assert "before torch.compile" in error.hint
