"""Is a module that is run piece by piece, its state carried, the same as one that reads each sequence whole?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from statewise.contracts import Adapted, Contract, Outputs, adapt, answers, carrier_of
from statewise.errors import ContractError
from statewise.evaluation import predict
from statewise.models import build
from statewise.sequences import Ragged, Sequences, laid
from tests.engine.cases import Hash, examples, hash_alone


class Latch(nn.Module):
    """A Recurrent with a tree of states: it gives the first step of its sequence again at every step, and how many there were."""

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> Any:
        return {"seen": torch.zeros(batch_size, 2, device=device, dtype=dtype), "count": (torch.zeros(1, batch_size, 1, device=device),)}

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        count = state["count"][0]
        seen = torch.where(count[0] == 0, inputs[0], state["seen"])
        steps = count[0] + torch.arange(1, len(inputs) + 1)[:, None, None]
        return seen + steps, {"seen": seen, "count": (count + len(inputs),)}


class Own(nn.Module):
    """A stranger's module: batch first, a state that may be left out, and on request lengths or flags of beginnings."""

    def __init__(self, takes: str) -> None:
        super().__init__()
        self.rnn = nn.LSTM(2, 3, batch_first=True)
        self.takes = takes
        self.begins = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor, second: Any = None, third: Any = None) -> tuple[Tensor, Any]:
        state = third if self.takes in ("lengths", "is_first") else second
        outputs, final = self.rnn(x, state)
        if self.takes == "is_first":
            outputs = outputs + second[..., None] * self.begins
        return outputs, final


def own(takes: str) -> tuple[nn.Module, Contract]:
    module = Own(takes)
    order: tuple[Any, ...] = ("x", takes, "state") if takes else ("x", "state")
    return module, Contract(takes=order, batch_first=True, each="step", task="tag")


def series(lengths: list[int], *, seed: int = 0, **more: Any) -> Sequences:
    generator = torch.Generator().manual_seed(seed)
    total = sum(lengths)
    inputs = Ragged(torch.randn(total, 2, generator=generator, dtype=torch.float64), torch.tensor(lengths))
    targets = torch.randint(0, 3, (total,), generator=generator)
    return Sequences(inputs=inputs, targets=targets, class_names=["a", "b", "c"], each="step", **more)


def forecasts(lengths: list[int]) -> Sequences:
    data = series(lengths)
    return replace(
        data, targets=torch.arange(data.num_steps).sin(), class_names=None, task="forecast", feature_names=["load", "hour"], known=["hour"]
    )


LENGTHS = [23, 1, 40, 7, 12]


def modules() -> dict[str, tuple[Adapted, Sequences]]:
    """Return modules of every kind, with data for each."""
    torch.manual_seed(0)
    lengths = torch.tensor(LENGTHS)
    both = Sequences(
        inputs={"x": series(LENGTHS).parts["x"], "kind": Ragged(torch.arange(83) % 3, lengths)},
        targets=torch.arange(83) % 2,
        each="step",
        class_names=["no", "yes"],
        categories={"kind": ["p", "q", "r"]},
        static=torch.randn(5, 2),
    )
    tokens = Sequences(
        inputs={"token": Ragged(torch.arange(83) % 3, lengths)},
        targets=torch.arange(83) % 3,
        task="next",
        categories={"token": ["a", "b", "c"]},
        class_names=["a", "b", "c"],
    )
    found: dict[str, tuple[nn.Module, Contract | None, Sequences]] = {
        "ours": (build("lstm", data=both, hidden_size=4, num_layers=2, learned_state=True), None, both),
        "forecast that knows what comes": (build("gru", data=forecasts(LENGTHS), hidden_size=4, horizon=5), None, forecasts(LENGTHS)),
        "next token": (build("rnn", data=tokens, hidden_size=4), None, tokens),
        "torch's": (nn.LSTM(2, 3, num_layers=2), Contract(task="tag"), series(LENGTHS)),
        "torch's cell": (nn.LSTMCell(2, 3), Contract(task="tag"), series(LENGTHS)),
        "Recurrent with a tree": (Latch(), Contract(task="tag"), series(LENGTHS)),
        "stranger's": (*own(""), series(LENGTHS)),
        "stranger's with lengths": (*own("lengths"), series(LENGTHS)),
        "stranger's with flags": (*own("is_first"), series(LENGTHS)),
    }
    return {name: (adapt(module.double().eval(), contract=contract), data) for name, (module, contract, data) in found.items()}


NAMES = list(modules())


@pytest.mark.parametrize("steps", [1, 7, 30, 10_000])
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_answers_in_pieces_equal_those_of_the_whole(name: str, steps: int) -> None:
    adapted, data = modules()[name]
    assert adapted.takes_state
    found = list(answers(adapted, data, steps))
    places = torch.cat([at for _, at in found])
    values = torch.cat([outputs.values for outputs, _ in found])[places.argsort()]
    assert torch.equal(places.sort().values, torch.arange(data.num_steps))
    assert max(len(at) for _, at in found) <= max(steps, len(data))
    torch.testing.assert_close(values, adapted(data).values, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_in_pieces_equal_those_of_the_whole(name: str) -> None:
    adapted, data = modules()[name]
    trained = list(adapted.module.parameters())
    factors = torch.randn(data.num_steps, 1, dtype=torch.float64)

    def gradients(values: Tensor) -> list[Tensor]:
        loss = (values * factors).sum()
        return list(torch.autograd.grad(loss, trained, allow_unused=True, materialize_grads=True)) if trained else []

    carrier = carrier_of(adapted, data, asked="test")
    lanes = laid(data.lengths, lanes=2)
    state, values, places = None, [], []
    for begin in range(0, lanes.time, 6):
        runs = lanes.runs(begin, begin + 6)
        part, state = carrier.run(runs, state)
        values.append(part)
        places.append(runs.places)
    found = gradients(torch.cat(values)[torch.cat(places).argsort()])
    for one, other in zip(found, gradients(adapted(data).values), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


@given(
    lengths=st.lists(st.integers(0, 15), min_size=1, max_size=6).filter(any),
    lanes=st.integers(1, 4),
    step=st.integers(1, 9),
    declares=st.booleans(),
    seed=st.integers(0, 99),
)
@examples(25)
def test_a_hash_on_lanes_is_to_the_bit_that_of_each_sequence_alone(
    lengths: list[int], lanes: int, step: int, seed: int, *, declares: bool
) -> None:
    numbers = torch.randint(1, 1000, (sum(lengths),), generator=torch.Generator().manual_seed(seed))
    data = Sequences(inputs=Ragged(numbers, torch.tensor(lengths)), targets=torch.zeros(sum(lengths)), each="step")
    carrier = carrier_of(adapt(Hash(declares_axes=declares)), data, asked="test")
    on_lanes, state = laid(data.lengths, lanes=lanes, seed=seed), None
    found = torch.zeros(len(numbers), 2, dtype=torch.int64)
    for begin in range(0, on_lanes.time, step):
        runs = on_lanes.runs(begin, begin + step)
        values, state = carrier.run(runs, state)
        found[runs.places] = values
    wanted = [pair for part in data.parts["x"].to_list() for pair in hash_alone(part.tolist())]
    assert list(map(tuple, found.tolist())) == wanted


def test_nothing_of_an_old_state_reaches_a_run_that_begins_anew() -> None:
    data = series([4, 4])
    adapted = adapt(nn.GRU(2, 3).double(), contract=Contract(task="tag"))
    carrier = carrier_of(adapted, data, asked="test")
    lanes = laid(data.lengths, lanes=1, seed=None)
    _, state = carrier.run(lanes.runs(0, 3), None)
    spoilt = torch.full_like(state, torch.nan).requires_grad_()
    values, final = carrier.run(lanes.runs(4, 8), spoilt)
    assert bool(values.isfinite().all())
    assert bool(final.isfinite().all())


class Ahead(nn.Module):
    """Reads one step ahead, and returns a state all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(2, 3, batch_first=True)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        outputs, final = self.rnn(x, state)
        return outputs.roll(-1, 1), final


class Draws(Ahead):
    """Draws noise also in eval mode."""

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        outputs, final = self.rnn(x, state)
        return outputs + torch.rand_like(outputs), final


class Forgets(Ahead):
    """Returns a state and passes over the one that it is given."""

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:  # noqa: ARG002 - that is its defect
        outputs, final = self.rnn(x)
        return outputs, final


class Without(Ahead):
    """Returns no state."""

    def forward(self, x: Tensor, state: Any = None) -> Any:
        return self.rnn(x, state)[0]


class Stateless(Ahead):
    """Takes no state."""

    def forward(self, x: Tensor) -> Any:  # type: ignore[override]  # a stranger does as it likes
        return self.rnn(x)


REFUSED: dict[str, tuple[nn.Module, Contract, str]] = {
    "reads ahead": (Ahead(), Contract(), "its outputs differ by"),
    "draws": (Draws(), Contract(), "two identical calls"),
    "forgets": (Forgets(), Contract(), "its outputs differ by"),
    "no state out": (Without(), Contract(), "it returns no state"),
    "no state in": (Stateless(), Contract(), "forward takes no state"),
    "state inside": (Ahead(), Contract(stateful=True, reset="train"), "keeps its state inside"),
    "bidirectional": (nn.GRU(2, 3, bidirectional=True), Contract(), "reads backwards"),
    "says that it is not causal": (Ahead(), Contract(causal=False), "reads backwards"),
    "one output a sequence": (nn.GRU(2, 3), Contract(each="sequence"), "one output a sequence"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_carry_its_state_is_refused_and_left_in_its_mode(name: str) -> None:
    module, contract, why = REFUSED[name]
    generator = torch.get_rng_state()
    with pytest.raises(ContractError, match=why):
        carrier_of(adapt(module.double(), contract=contract), series(LENGTHS), asked="fit with window=")
    assert module.training
    assert torch.equal(torch.get_rng_state(), generator)


def test_outputs_of_whole_sequences_are_seen_at_the_first_call() -> None:
    class Last(Ahead):
        def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
            outputs, final = self.rnn(x, state)
            return outputs[:, -1], final

    with pytest.raises(ContractError, match="one output a sequence"):
        carrier_of(adapt(Last().double()), replace(series(LENGTHS), targets=None, each=None), asked="test")


@pytest.mark.parametrize("name", ["reads ahead", "no state out", "bidirectional"])
@torch.no_grad()
def test_a_module_that_cannot_carry_answers_in_one_piece(name: str) -> None:
    module, contract, _ = REFUSED[name]
    adapted, data = adapt(module.double().eval(), contract=replace_each(contract)), series(LENGTHS)
    found = list(answers(adapted, data, 10))
    torch.testing.assert_close(torch.cat([outputs.values for outputs, _ in found]), adapted(data).values)


def replace_each(contract: Contract) -> Contract:
    return Contract(causal=contract.causal, each="step")


def test_prediction_of_a_long_stream_calls_the_model_on_bounded_pieces_and_leaves_the_order_of_the_data() -> None:
    lengths = [70_000, 3, 30_000]
    data = series(lengths, keys=["long", "short", "longer"])
    data = replace(data, inputs=data.parts["x"].with_values(data.parts["x"].values.float()))
    model = build("gru", data=data, hidden_size=2, seed=0)
    seen: list[int] = []
    model.encoder.register_forward_hook(lambda module, inputs, encoded: seen.append(encoded.num_steps))
    found = predict(model, data)
    assert max(seen) <= 20_000
    assert found.key.tolist() == ["long"] * 70_000 + ["short"] * 3 + ["longer"] * 30_000
    with torch.no_grad():
        whole = model.eval().run_sequences(data).values.softmax(1)
    torch.testing.assert_close(torch.from_numpy(found.probabilities).float(), whole, rtol=1e-4, atol=1e-5)


def test_outputs_are_told_by_step() -> None:
    adapted, data = modules()["torch's"]
    with torch.no_grad():
        outputs, at = next(answers(adapted, data, 5))
    assert isinstance(outputs, Outputs)
    assert (outputs.each, len(at)) == ("step", len(outputs.values))
