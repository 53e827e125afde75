"""Are the values of an opened core the real ones? Against torch itself, and against the formulas written again in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from statewise import trace
from statewise.tracing import Cell, Core
from tests.tracing.strangers import CellLoop, Cheating, OwnLoop, OwnRecurrent, Packs, Windows

KINDS: dict[str, type[nn.RNN | nn.LSTM | nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def sigmoid(x: np.ndarray) -> np.ndarray:
    squashed: np.ndarray = 1 / (1 + np.exp(-x))
    return squashed


def by_hand(module: nn.RNNBase, cell: Cell, suffix: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the states of one layer and direction, and its gates, from the formulas, for the inputs that the cell shows."""

    def weight(name: str) -> np.ndarray:
        return np.asarray(getattr(module, name + suffix).detach().double()) if hasattr(module, name + suffix) else np.zeros(())

    w, u, b, d, p = (weight(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"))
    inputs = np.asarray(cell.inputs.double())
    hidden = np.zeros(u.shape[1])
    memory = np.zeros(module.hidden_size)
    states = np.zeros((len(inputs), u.shape[1]))
    gates: dict[str, np.ndarray] = {}
    order = range(len(inputs) - 1, -1, -1) if suffix.endswith("_reverse") else range(len(inputs))
    for step in order:
        given_in, given_state = w @ inputs[step] + b, u @ hidden + d
        if isinstance(module, nn.LSTM):
            i, f, g, o = np.split(given_in + given_state, 4)
            memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(memory)
            if p.ndim:
                hidden = p @ hidden
            now = {
                "input gate i": sigmoid(i),
                "forget gate f": sigmoid(f),
                "candidate g": np.tanh(g),
                "output gate o": sigmoid(o),
                "cell state c": memory,
            }
        elif isinstance(module, nn.GRU):
            (ri, zi, ni), (rh, zh, nh) = np.split(given_in, 3), np.split(given_state, 3)
            reset, update = sigmoid(ri + rh), sigmoid(zi + zh)
            new = np.tanh(ni + reset * nh)
            hidden = (1 - update) * new + update * hidden
            now = {"reset gate r": reset, "update gate z": update, "candidate n": new}
        else:
            total = given_in + given_state
            hidden = np.maximum(total, 0) if module.nonlinearity == "relu" else np.tanh(total)
            now = {"W_ih x + b_ih": given_in, "W_hh h + b_hh": given_state, "sum": total}
        states[step] = hidden
        gates.update({name: np.stack([*gates.get(name, np.zeros((0, len(value)))), value]) for name, value in now.items()})
    if suffix.endswith("_reverse"):
        gates = {name: values[::-1] for name, values in gates.items()}
    return states, gates


def require_close(ours: Tensor, theirs: Any, *, within: float) -> None:
    gap = np.abs(np.asarray(ours.double()) - np.asarray(theirs)).max()
    assert gap <= within


@st.composite
def modules(draw: st.DrawFn) -> tuple[nn.RNNBase, int]:
    kind = draw(st.sampled_from(sorted(KINDS)))
    hidden = draw(st.integers(2, 6))
    options: dict[str, Any] = {
        "num_layers": draw(st.integers(1, 3)),
        "bidirectional": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bias": draw(st.booleans()) if kind == "rnn" else True,
    }
    if kind == "lstm":
        options["proj_size"] = draw(st.sampled_from([0, 1]))
    if kind == "rnn":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    torch.manual_seed(draw(st.integers(0, 999)))
    module = KINDS[kind](draw(st.integers(1, 5)), hidden, **options)
    return (module.double() if draw(st.booleans()) else module), draw(st.integers(1, 12))


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@settings(max_examples=60)
@given(modules())
def test_every_value_of_an_opened_core_equals_the_formulas_and_torch(case: tuple[nn.RNNBase, int]) -> None:
    module, time = case
    double = module.weight_hh_l0.dtype == torch.float64
    within = 1e-12 if double else 2e-6
    inputs = torch.randn(time, module.input_size, dtype=torch.float64 if double else torch.float32)
    found = trace(module, inputs)
    core = found.cores[0]
    theirs, final = module(inputs)
    assert found.hidden is not None
    assert torch.allclose(found.hidden, theirs.detach(), rtol=0, atol=within)
    assert core.difference is not None
    assert core.difference <= within
    assert torch.equal(core.cells[0].inputs, inputs)
    directions = 2 if module.bidirectional else 1
    assert len(core.cells) == module.num_layers * directions
    last = final[0] if isinstance(final, tuple) else final
    for place, cell in enumerate(core.cells):
        suffix = f"_l{place // directions}{'_reverse' if place % directions else ''}"
        states, gates = by_hand(module, cell, suffix)
        require_close(cell.after["h"], states, within=within)
        require_close(list(cell.work.values())[-1], states, within=within)
        for name, values in gates.items():
            require_close(cell.work[name], values, within=4 * within)
        end = 0 if cell.backward else -1
        require_close(cell.after["h"][end], last[place].detach().double(), within=within)
        if isinstance(final, tuple):
            require_close(cell.after["c"][end], final[1][place].detach().double(), within=4 * within)
        before, after = cell.before["h"], cell.after["h"]
        passed = (before[:-1], after[1:]) if cell.backward else (before[1:], after[:-1])
        assert torch.equal(*passed)
        assert not before[end if cell.backward and time == 1 else (-1 if cell.backward else 0)].any()


def test_the_state_after_each_step_is_that_of_the_sequence_up_to_there() -> None:
    module = nn.LSTM(5, 4, num_layers=2)
    inputs = torch.randn(7, 5)
    found = trace(module, inputs)
    for step in range(7):
        _, (h, c) = module(inputs[: step + 1])
        for layer, cell in enumerate(found.cores[0].cells):
            assert torch.allclose(cell.after["h"][step], h[layer].detach(), atol=1e-6)
            assert torch.allclose(cell.after["c"][step], c[layer].detach(), atol=1e-6)


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_a_cell_called_in_a_loop_is_opened(kind: type[nn.RNNCell | nn.LSTMCell | nn.GRUCell]) -> None:
    model, inputs = CellLoop(kind), torch.randn(6, 5)
    found = trace(model, inputs)
    state: Any = None
    for step in range(6):
        state = model.cell(inputs[step : step + 1], state)
        h = state[0] if isinstance(state, tuple) else state
        assert found.hidden is not None
        assert torch.allclose(found.hidden[step], h[0].detach(), atol=1e-6)
    core = found.cores[0]
    assert (core.name, core.kind, core.began, len(core.cells[0].inputs)) == ("cell", kind.__name__, "zeros", 6)
    assert found.outputs is not None
    assert torch.allclose(found.outputs, model(inputs[None]).detach())


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_a_bare_cell_runs_along_the_sequence(kind: type[nn.RNNCell | nn.LSTMCell | nn.GRUCell]) -> None:
    cell, inputs = kind(5, 4), torch.randn(3, 5)
    found = trace(cell, inputs)
    state: Any = None
    for now in inputs:
        state = cell(now, state)
    h = state[0] if isinstance(state, tuple) else state
    assert found.hidden is not None
    assert torch.allclose(found.hidden[-1], h.detach(), atol=1e-6)
    assert any("called 3 times" in note for note in found.notes)


def test_a_cell_that_loses_its_state_is_told() -> None:
    found = trace(CellLoop(reset_at=3), torch.randn(6, 5))
    assert any("did not begin from the state it had handed on at step 4." in note for note in found.notes)
    assert not any("did not begin" in note for note in trace(CellLoop(), torch.randn(6, 5)).notes)


@pytest.mark.parametrize(
    ("carry", "words"), [(True, "began from the state in which the one before ended"), (False, "not carried into call 2")]
)
def test_a_core_run_in_windows_tells_whether_its_state_was_carried(*, carry: bool, words: str) -> None:
    model, inputs = Windows(carry=carry), torch.randn(8, 5)
    found = trace(model, inputs)
    assert any(words in note for note in found.notes)
    assert found.hidden is not None
    assert torch.allclose(found.hidden, model(inputs[None])[0].detach(), atol=1e-6)


def test_a_cell_of_ones_own_is_opened_by_what_it_is_given_back() -> None:
    model, inputs = OwnLoop(), torch.randn(6, 5)
    found = trace(model, inputs, contract=None, call=lambda module, batch: module(batch.x))
    h = torch.zeros(1, 4)
    for step in range(6):
        h = model.cell(inputs[step : step + 1], h)
        assert found.hidden is not None
        assert torch.allclose(found.hidden[step], h[0].detach())
    assert (found.cores[0].kind, found.cores[0].began, found.cores[0].difference) == ("OwnCell", "zeros", None)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("leaves", [1, 2])
def test_a_module_that_takes_its_state_is_opened_step_by_step(*, batch_first: bool, leaves: int) -> None:
    model, inputs = OwnRecurrent(batch_first=batch_first, leaves=leaves), torch.randn(5, 5)
    found = trace(model, inputs)
    state = model.initial_state(1, device=torch.device("cpu"), dtype=torch.float32)
    for step in range(5):
        out, state = model(inputs[step].view(1, 1, 5), state)
        assert found.outputs is not None
        assert torch.allclose(found.outputs[step], out.reshape(-1).detach(), atol=1e-6)
        for shown, leaf in zip(found.cores[0].cells[0].after.values(), state.values(), strict=True):
            assert torch.allclose(shown[step], leaf[0].detach(), atol=1e-6)
    assert found.cores[0].began == ("zeros" if leaves == 1 else "given")


def test_a_recurrent_module_of_a_batch_shows_the_row_asked_for() -> None:
    model, batch = OwnRecurrent(batch_first=True), torch.randn(3, 5, 5)
    found, alone = trace(model, batch, row=2), trace(model, batch[2])
    assert found.outputs is not None
    assert alone.outputs is not None
    assert torch.equal(found.outputs, alone.outputs)


def test_packed_input_and_a_state_of_its_own_are_read() -> None:
    model = Packs()
    found = trace(model, torch.randn(6, 5))
    core: Core = found.cores[0]
    assert core.began == "given"
    assert torch.equal(core.initial["h"], model.begin.detach())
    assert found.outputs is not None
    assert torch.allclose(found.outputs[0], core.hidden[-1], atol=1e-6)


def test_a_core_that_does_more_than_its_weights_say_is_not_opened() -> None:
    module, inputs = Cheating(5, 4), torch.randn(6, 5)
    found = trace(module, inputs)
    assert found.cores[0].cells == ()
    assert found.layers == ()
    assert any("could not be opened" in note for note in found.notes)
    assert found.hidden is not None
    assert torch.allclose(found.hidden, module(inputs)[0].detach())
    assert "cell processing" not in str(found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_module_of_half_precision_is_opened(dtype: torch.dtype) -> None:
    found = trace(nn.GRU(5, 4).to(dtype), torch.randn(6, 5))
    assert found.hidden is not None
    assert found.hidden.dtype == dtype
    assert found.cores[0].cells


def test_values_that_are_not_finite_are_shown_as_such() -> None:
    inputs = torch.randn(6, 5)
    inputs[3] = float("nan")
    found = trace(nn.RNN(5, 4), inputs)
    text = str(found)
    assert "nan" in text
    assert "? not finite" in text
    assert found.to_dict()["hidden"][3] == [None] * 4
    assert "#8a8a8a" in found.to_svg()
