"""Do the five stages and the five layers of a prediction hold the right shapes and the real values?"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from statewise import Contract, Ragged, Sequences, build, trace, unroll
from statewise.runs import History, Run, RunConfig
from statewise.tracing import Stage, demo_trace
from tests.tracing.strangers import GivesDict, LastState, Pooled, Squashed, Tokens


def tensor(stage: Stage, name: str = "") -> Tensor:
    return stage.parts()[name]


def test_the_demo_shows_exactly_the_five_stages() -> None:
    stages = demo_trace().stages
    assert [(stage.name, stage.shape) for stage in stages] == [
        ("input sequence", "10 steps x 5 features"),
        ("initial hidden state", "1 layer x batch 1 x hidden 4, zeros"),
        ("cell processing at each step", "1 x 5 and 1 x 4 give 1 x 4"),
        ("hidden state updated across time", "10 x 4"),
        ("output", "1 x 4 gives 1 x 3 classes"),
    ]
    assert [tuple(tensor(stage).shape) for stage in stages[:2]] == [(10, 5), (1, 1, 4)]
    assert not tensor(stages[1]).any()
    assert {name: tuple(part.shape) for name, part in stages[2].parts().items()} == {
        "input": (10, 5),
        "state": (10, 4),
        "new state": (10, 4),
    }
    assert tuple(tensor(stages[3]).shape) == (10, 4)
    assert {name: tuple(part.shape) for name, part in stages[4].parts().items()} == {"read": (1, 4), "output": (1, 3)}


def test_the_stages_of_the_demo_follow_from_each_other() -> None:
    sequence, begin, cell, hidden, output = demo_trace(seed=3).stages
    assert torch.equal(tensor(cell, "input"), tensor(sequence))
    assert torch.equal(tensor(cell, "state")[0], tensor(begin)[0, 0])
    assert torch.equal(tensor(cell, "state")[1:], tensor(cell, "new state")[:-1])
    assert torch.allclose(tensor(cell, "new state"), tensor(hidden), atol=1e-6)
    assert torch.equal(tensor(output, "read")[0], tensor(hidden)[-1])


def test_the_demo_is_repeatable_and_touches_no_generator() -> None:
    torch.manual_seed(5)
    first = demo_trace(seed=1)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    assert str(first) == str(demo_trace(seed=1))
    assert str(first) != str(demo_trace(seed=2))


def test_the_demo_follows_one_prediction_through_five_layers() -> None:
    found = demo_trace()
    assert [stage.name for stage in found.layers] == [
        "input at step 1",
        "cell computation at step 1",
        "hidden state passed on",
        "final output layer",
        "softmax",
    ]
    first, cell, passed, head, chances = found.layers
    assert torch.equal(tensor(first), tensor(found.stages[0])[:1])
    assert list(cell.parts()) == ["W_ih x + b_ih", "W_hh h + b_hh", "sum", "tanh of the sum"]
    assert torch.equal(tensor(cell, "sum"), tensor(cell, "W_ih x + b_ih") + tensor(cell, "W_hh h + b_hh"))
    assert torch.equal(tensor(cell, "tanh of the sum"), tensor(cell, "sum").tanh())
    assert torch.equal(tensor(passed, "after step 1"), tensor(cell, "tanh of the sum"))
    assert torch.allclose(tensor(passed, "after step 10"), tensor(head, "h, read out"), atol=1e-6)
    assert torch.equal(tensor(chances), tensor(head, "W h + b").softmax(-1))
    assert found.outputs is not None
    assert found.probabilities is not None
    assert torch.equal(found.probabilities, found.outputs.softmax(-1))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (nn.LSTM, ["input gate i", "forget gate f", "candidate g", "output gate o", "cell state c", "hidden state h"]),
        (nn.GRU, ["reset gate r", "update gate z", "candidate n", "hidden state h"]),
    ],
)
def test_the_cell_computation_names_every_gate(kind: type[nn.LSTM | nn.GRU], names: list[str]) -> None:
    found = trace(LastState(kind), torch.randn(10, 5))
    assert list(found.layers[1].parts()) == names


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("task", ["classify", "tag"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_model_of_ours_shows_what_it_computes(*, kind: str, task: str, bidirectional: bool, classes: int) -> None:
    model = build(kind, task=task, input_size=5, hidden_size=4, num_layers=2, num_classes=classes, bidirectional=bidirectional)  # type: ignore[arg-type]
    inputs = torch.randn(7, 5)
    found = trace(model, inputs)
    logits, _ = model(inputs[None])
    assert found.outputs is not None
    assert found.probabilities is not None
    assert torch.allclose(found.outputs, logits.detach().view(found.outputs.shape), atol=1e-6)
    second = found.outputs.sigmoid()
    expected = found.outputs.softmax(-1) if classes == 3 else torch.cat([1 - second, second], dim=1)
    assert torch.allclose(found.probabilities, expected)
    assert [stage.name for stage in found.stages][-2:] == ["readout", "output"]
    assert found.class_names == model.class_names
    assert found.layers[-1].name.split()[0] == ("softmax" if classes == 3 else "sigmoid")
    assert len(found.outputs) == (7 if task == "tag" else 1)


def test_the_standardised_input_of_ours_is_a_stage_of_its_own() -> None:
    train = Sequences(
        inputs=Ragged(torch.randn(40, 5) * 3 + 2, torch.full((4,), 10)), targets=torch.tensor([0, 1, 2, 0]), feature_names=list("abcde")
    )
    model = build("gru", hidden_size=4, data=train, readout="mean")
    model.encoder.learn(train)
    found = trace(model, train, row=1)
    stage = found.stages[1]
    assert stage.name == "standardised input"
    raw = train.parts["x"][1]
    every = train.parts["x"].values
    expected = (raw - every.mean(0)) / every.std(0, unbiased=False)
    assert torch.allclose(tensor(stage), expected, atol=1e-4)
    assert torch.allclose(tensor(found.stages[-2]), found.cores[0].hidden.mean(0, keepdim=True), atol=1e-6)
    assert "mean of the hidden states" in found.stages[-2].says
    assert found.stages[0].columns == tuple("abcde")
    assert any("sequence 2 of 4" in note for note in found.notes)
    assert list(found.layers[0].parts()) == ["as given", "as the core reads it"]


def test_a_learned_initial_state_is_told() -> None:
    model = build("lstm", task="classify", input_size=5, hidden_size=4, num_classes=3, learned_state=True)
    with torch.no_grad():
        model.learned_state[0].fill_(0.25)
    stage = trace(model, torch.randn(3, 5)).stages[1]
    assert stage.shape.endswith("learned")
    assert torch.equal(tensor(stage, "h"), torch.full((1, 4), 0.25))


def test_categories_and_static_features_of_ours_are_traced() -> None:
    lengths = torch.tensor([3, 4])
    data = Sequences(
        inputs={"x": Ragged(torch.randn(7, 2), lengths), "kind": Ragged(torch.tensor([0, 1, 0, 1, 1, 0, 0]), lengths)},
        targets=torch.tensor([0, 1]),
        static=torch.randn(2, 3),
        categories={"kind": ("a", "b")},
    )
    model = build("rnn", hidden_size=4, data=data)
    found = trace(model, data)
    assert found.stages[0].shape == "x: 3 steps x 2 features; kind: 3 steps of token numbers"
    assert found.stages[1].name == "encoded input"
    assert "3 more numbers beside it" in found.stages[-2].says
    logits, _ = model(
        {name: part.select([0]) for name, part in data.parts.items()}, static=data.static[:1] if data.static is not None else None
    )
    assert found.outputs is not None
    assert torch.allclose(found.outputs, logits.detach(), atol=1e-6)
    assert "kind, as given" in str(found)


def test_a_run_is_traced_through_its_model() -> None:
    model = build("gru", task="classify", input_size=5, hidden_size=4, class_names=["calm", "fraud"])
    config = RunConfig(model_name="gru", task="classify", class_names=model.class_names, model=model.config)
    found = trace(Run(config=config, history=History(), model=model), torch.randn(6, 5))
    assert found.class_names == ("calm", "fraud")
    assert torch.equal(found.hidden, trace(model, tensor(found.stages[0])).hidden)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "bidirectional", "words"),
    [
        ("mean", False, "the mean of the hidden states"),
        ("max", False, "the largest value of each unit"),
        ("sum", False, "the sum of the hidden states"),
        ("first", False, "the hidden state at the first step"),
        ("ends", True, "the last state of each direction"),
        ("last", True, "the backward direction has read one step only"),
        ("odd", False, "made from the hidden states by code of the module itself"),
    ],
)
def test_the_readout_of_a_stranger_is_recognised(*, how: str, bidirectional: bool, words: str) -> None:
    found = trace(Pooled(how, bidirectional=bidirectional), torch.randn(6, 5))
    readout = next(stage for stage in found.stages if stage.name == "readout")
    assert words in readout.says


def test_the_last_state_needs_no_readout_stage() -> None:
    assert "readout" not in [stage.name for stage in trace(Pooled("last"), torch.randn(6, 5)).stages]


@pytest.mark.parametrize(("how", "layer"), [("softmax", "softmax"), ("log_softmax", "softmax"), ("sigmoid", "sigmoid")])
def test_what_follows_the_output_layer_is_recognised(how: str, layer: str) -> None:
    model, inputs = Squashed(how, classes=1 if how == "sigmoid" else 3), torch.randn(6, 5)
    model.eval()
    found = trace(model, inputs)
    given = model(inputs[None]).detach()
    assert found.probabilities is not None
    expected = given.exp() if how == "log_softmax" else torch.cat([1 - given, given], 1) if how == "sigmoid" else given
    assert torch.allclose(found.probabilities, expected, atol=1e-6)
    assert found.layers[-1].name == layer
    assert "logits" in found.stages[-1].parts()
    assert not any("read as" in note for note in found.notes)


def test_code_after_the_output_layer_is_told() -> None:
    found = trace(Squashed("other"), torch.randn(6, 5))
    assert "is followed by more code" in found.stages[-1].says
    assert any("read as logits" in note for note in found.notes)


def test_outputs_that_add_up_to_one_are_probabilities_and_a_single_number_is_left_alone() -> None:
    class Shares(LastState):
        def forward(self, x: Tensor) -> Tensor:
            squares = super().forward(x) ** 2
            return squares / squares.sum(-1, keepdim=True)

    found = trace(Shares(), torch.randn(6, 5))
    assert found.probabilities is not None
    assert found.layers[-1].name == "probabilities"
    assert trace(LastState(classes=1), torch.randn(6, 5)).probabilities is None


@pytest.mark.parametrize(
    ("contract", "layer"),
    [
        (Contract(output="values"), None),
        (Contract(task="regress"), None),
        (Contract(output="logits"), "softmax"),
        (Contract(output="probabilities"), "probabilities"),
        (Contract(task="multilabel", output="logits"), "sigmoid"),
        (Contract(task="multilabel", output="probabilities"), "probabilities"),
    ],
)
def test_the_contract_says_how_the_outputs_are_read(contract: Contract, layer: str | None) -> None:
    found = trace(LastState(), torch.randn(6, 5), contract=contract)
    assert (found.probabilities is None) == (layer is None)
    assert found.layers[-1].name == (layer or "final output layer")
    assert not any("Nothing says" in note for note in found.notes)


def test_tokens_are_embedded_before_the_core_reads_them() -> None:
    model = Tokens()
    found = trace(model, [3, 4, 5, 19])
    assert found.stages[0].shape == "4 steps of token numbers"
    assert found.stages[1].name == "input as the core reads it"
    assert "'embedding'" in found.stages[1].says
    assert torch.equal(tensor(found.stages[1]), model.embedding.weight.detach()[[3, 4, 5, 19]])
    assert found.outputs is not None
    assert torch.allclose(found.outputs, model(torch.tensor([[3], [4], [5], [19]]))[:, 0].detach(), atol=1e-6)
    assert any("[time, batch, feature]" in note for note in found.notes)


def test_two_cores_are_shown_one_after_the_other() -> None:
    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.low, self.high = nn.GRU(5, 4, batch_first=True), nn.LSTM(4, 3, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.high(self.low(x)[0])[0]
            return outputs

    found = trace(Stack(), torch.randn(6, 5))
    assert [core.name for core in found.cores] == ["low", "high"]
    assert "initial hidden state of low" in [stage.name for stage in found.stages]
    assert found.hidden is not None
    assert found.hidden.shape == (6, 3)
    assert "low reset gate r" in found.layers[1].parts()
    assert found.to_svg().count("Hidden state of") == 2


def test_a_dict_is_traced_as_far_as_it_goes_and_the_way_to_the_output_is_named() -> None:
    model, inputs = GivesDict(), torch.randn(6, 5)
    found = trace(model, inputs)
    assert found.outputs is None
    assert any("module(batch.x)['logits']" in note for note in found.notes)
    assert found.cores
    named = trace(model, inputs, call=lambda module, batch: module(batch.x)["logits"])
    assert named.stages[-1].shape == "1 x 4 gives 1 x 3 classes"
    assert trace(model, inputs[None]).outputs is None


def test_a_module_without_a_core_lists_what_ran() -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
    found = trace(model, torch.randn(6, 5), contract=Contract(batch_first=True))
    assert any("No recurrent core found: what ran is Linear, Tanh." in note for note in found.notes)
    assert [(row.name, row.kind, row.inputs, row.outputs) for row in found.submodules] == [
        ("", "Sequential", "1 x 6 x 5", "1 x 6 x 2"),
        ("0", "Linear", "1 x 6 x 5", "1 x 6 x 4"),
        ("1", "Tanh", "1 x 6 x 4", "1 x 6 x 4"),
        ("2", "Linear", "1 x 6 x 4", "1 x 6 x 2"),
    ]
    assert found.hidden is None
    assert "No recurrent core" in found.to_svg()


def test_a_module_without_parameters_or_parts_is_traced() -> None:
    found = trace(nn.Identity(), torch.randn(6, 5), contract=Contract(batch_first=True))
    assert any("no submodule ran" in note for note in found.notes)
    assert found.stages[-1].says == "What the module gave back; no output layer was found."


def test_one_step_is_a_sequence_too() -> None:
    found = trace(nn.GRU(5, 4), torch.randn(1, 5))
    assert found.stages[0].shape == "1 step x 5 features"
    assert found.layers[2].says == "There is one step: the state goes nowhere else."
    assert "input sequence" in str(found)


def test_a_compiled_module_is_opened_through_the_one_it_was_made_from() -> None:
    class Compiled(nn.Module):
        """As torch.compile wraps a module; the compiler itself takes long to load."""

        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self._orig_mod = module

    assert trace(Compiled(nn.RNN(5, 4)), torch.randn(4, 5)).cores[0].kind == "RNN"


@pytest.mark.parametrize(("how", "shape"), [("squared", "6 x 4"), ("part", "6 x 2"), ("deep", None)])
def test_an_unusual_readout_is_shown_as_it_is(how: str, shape: str | None) -> None:
    class Unusual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(5, 4, batch_first=True), nn.Linear(2 if how == "part" else 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            outputs, _ = self.rnn(x)
            ways = {"squared": outputs**2, "part": outputs[..., :2], "deep": outputs[:, :, None]}
            logits: Tensor = self.head(ways[how])
            return logits[:, :, 0] if how == "deep" else logits

    found = trace(Unusual(), torch.randn(6, 5))
    assert next((stage.shape for stage in found.stages if stage.name == "readout"), None) == shape


def test_a_sequence_of_tables_and_a_core_without_a_batch_are_traced() -> None:
    class Tables(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.rnn(x[0].flatten(1))[0]
            return outputs[None]

    model, tables = Tables(), torch.randn(5, 2, 3)
    found = trace(model, Ragged(tables, torch.tensor([5])), contract=Contract(batch_first=True))
    assert found.stages[0].shape == "5 steps x 2 x 3"
    assert torch.equal(found.cores[0].inputs, tables.flatten(1))


def test_a_batch_of_single_numbers_shows_the_one_of_its_row() -> None:
    class Score(LastState):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, 0]

    model, batch = Score().eval(), torch.randn(4, 6, 5)
    found = trace(model, batch, row=2)
    assert found.outputs is not None
    assert torch.allclose(found.outputs, model(batch)[2].detach().view(1, 1))


def test_attention_is_told_with_the_step_that_weighs_most() -> None:
    model = build("gru", task="classify", input_size=3, num_classes=2, readout="attention", bidirectional=True, seed=0)
    sequence = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    inputs = Ragged(sequence, torch.tensor([6]))
    assert model.attention is not None
    with torch.no_grad():
        weights = model.attention.weights(unroll(model.core, model.encoder({"x": inputs}))[0])
    stage = next(stage for stage in trace(model.eval(), sequence).stages if stage.name == "readout")
    most = int(weights.argmax())
    assert f"{float(weights[most]):.1%} to step {most + 1}" in stage.says


def test_a_class_name_that_would_break_a_line_is_quoted() -> None:
    model = build("gru", task="classify", input_size=2, class_names=["\n", "b"], seed=0)
    shown = str(trace(model, torch.zeros(3, 2)))
    assert "'\\n'" in shown
