"""Does a built model compute what its parts say, for each kind, readout and input form?"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from statewise.errors import OptionError, ShapeError
from statewise.models import Model, build
from statewise.models._readout import Attention, read_out
from statewise.sequences import Ragged, Sequences
from tests._unchecked import unchecked

KINDS = ("rnn", "lstm", "gru")


def make_ragged(lengths: list[int], features: int = 3) -> Ragged:
    return Ragged(torch.randn(sum(lengths), features, generator=torch.Generator().manual_seed(len(lengths))), torch.tensor(lengths))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("readout", ["last", "mean", "max"])
def test_logits_equal_torch_on_each_sequence_alone(kind: Any, bidirectional: bool, readout: Any) -> None:  # noqa: FBT001
    model = build(
        kind,
        task="classify",
        input_size=3,
        hidden_size=4,
        num_classes=5,
        num_layers=2,
        bidirectional=bidirectional,
        readout=readout,
        seed=1,
    ).eval()
    inputs = make_ragged([4, 1, 6])
    logits, _ = model(inputs)
    for row, sequence in enumerate(inputs.to_list()):
        outputs = model.core(sequence.unsqueeze(1))[0].squeeze(1)
        half = outputs.shape[1] // 2
        ends = torch.cat([outputs[-1, :half], outputs[0, half:]]) if bidirectional else outputs[-1]
        features = {"last": ends, "mean": outputs.mean(0), "max": outputs.amax(0)}[readout]
        torch.testing.assert_close(logits[row], model.head(features))


@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=6), bidirectional=st.booleans())
def test_the_last_readout_takes_each_direction_where_it_has_seen_everything(lengths: list[int], bidirectional: bool) -> None:  # noqa: FBT001
    steps = sum(lengths)
    inputs = Ragged(torch.arange(2.0 * steps).view(steps, 2), torch.tensor(lengths))
    read = read_out(inputs, "last", bidirectional=bidirectional)
    for row, sequence in enumerate(inputs.to_list()):
        backward_end = sequence[0, 1] if bidirectional else sequence[-1, 1]
        assert read[row].tolist() == [float(sequence[-1, 0]), float(backward_end)]


def test_a_tagger_answers_in_the_form_it_was_asked_in() -> None:
    model = build("gru", task="tag", input_size=3, hidden_size=4, num_classes=3).eval()
    inputs = make_ragged([2, 5])
    ragged, _ = model(inputs)
    assert isinstance(ragged, Ragged)
    assert ragged.lengths.tolist() == [2, 5]
    dense, _ = model(inputs[1].unsqueeze(0))
    assert isinstance(dense, Tensor)
    torch.testing.assert_close(dense[0], ragged[1])


def test_two_classes_have_one_logit() -> None:
    model = build("rnn", task="classify", input_size=3, class_names=["no", "yes"])
    assert model(make_ragged([2]))[0].shape == (1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_that_comes_out_goes_in_again(kind: Any) -> None:
    model = build(kind, task="tag", input_size=3, hidden_size=4, num_classes=3, num_layers=2, seed=3).eval()
    x = torch.randn(2, 9, 3)
    whole, _ = model(x)
    first, state = model(x[:, :4])
    second, _ = model(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_learned_state_is_used_and_learned(kind: Any) -> None:
    model = build(kind, task="classify", input_size=3, hidden_size=4, num_classes=3, learned_state=True, seed=3)
    before, _ = model(make_ragged([1, 2]))
    with torch.no_grad():
        for leaf in model.learned_state:
            leaf.add_(1.0)
    after, _ = model(make_ragged([1, 2]))
    assert not torch.allclose(before, after)
    after.sum().backward()
    assert all(leaf.grad is not None and float(leaf.grad.abs().sum()) > 0 for leaf in model.learned_state)


def test_a_seed_fixes_the_weights_and_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = build("gru", task="classify", input_size=2, num_classes=2, seed=7)
    assert torch.equal(torch.rand(1), expected)
    second = build("gru", task="classify", input_size=2, num_classes=2, seed=7)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def make_mixed() -> Sequences:
    lengths = torch.tensor([2, 3])
    return Sequences(
        inputs={
            "sensor": Ragged(torch.tensor([[1.0, 10.0], [3.0, 10.0], [1.0, 10.0], [3.0, 10.0], [2.0, 10.0]]), lengths),
            "shop": Ragged(torch.tensor([0, 2, 2, 0, 0]), lengths),
        },
        categories={"shop": ("a", "b", "c")},
        static=torch.tensor([[4.0], [6.0]]),
        targets=["no", "yes"],
    )


def test_sizes_are_read_off_the_data() -> None:
    data = make_mixed()
    model = build("gru", data=data)
    assert model.task == "classify"
    assert model.class_names == ("no", "yes")
    assert model.config.numeric == {"sensor": 2}
    assert model.config.categories == {"shop": ("a", "c")}, "a category that the training part never shows has nothing to learn from"
    assert model.config.num_static == 1
    assert model.run_sequences(data).values.shape == (2, 1)


def test_the_scale_comes_from_the_part_it_learned_on_and_travels_with_the_weights() -> None:
    data = make_mixed()
    model = build("gru", data=data)
    model.encoder.learn(data)
    state = model.state_dict()
    assert state["encoder.numeric.sensor.mean"].tolist() == [2.0, 10.0]
    assert state["encoder.numeric.sensor.scale"][1].item() == 1.0, "a feature that never changes is not divided by nothing"
    assert state["encoder.static.mean"].tolist() == [5.0]
    other = Model(model.config)
    other.load_state_dict(state)
    torch.testing.assert_close(other.eval().run_sequences(data).values, model.eval().run_sequences(data).values)


def test_an_unseen_category_is_read_as_unknown_and_not_as_another() -> None:
    data = make_mixed()
    model = build("gru", data=data).eval()
    parts = dict(data.parts)
    parts["shop"] = parts["shop"].with_values(torch.tensor([1, 1, 1, 1, 1]))
    encoded = model.encoder(parts, {"shop": ("a", "b", "c")})
    assert encoded.values[:, 2:].abs().sum() == 0, "the unknown category is the zero vector"
    seen = model.encoder(data.parts, {"shop": ("a", "b", "c")})
    assert bool((seen.values[:, 2:].abs().sum(1) > 0).all())


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"core": "lstn"}, "core"),
        ({"task": "tagg"}, "task"),
        ({"readout": "median"}, "readout"),
        ({"task": "tag", "readout": "mean"}, "readout"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"num_layers": 0}, "num_layers"),
        *(({name: value}, name) for name in ("hidden_size", "num_layers", "embedding_size", "seed") for value in ("8", 2.5, True)),
        ({"hidden_size": None}, "hidden_size"),
        ({"dropout": "0.1"}, "dropout"),
        ({"dropout": 1.0}, "dropout"),
        ({"input_dropout": -0.1}, "input_dropout"),
        ({"input_size": None}, "input_size"),
        ({"num_classes": None}, "num_classes"),
        ({"num_classes": 1}, "num_classes"),
        ({"num_classes": 3, "class_names": ["a", "b"]}, "num_classes"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, Any], where: str) -> None:
    given: dict[str, Any] = {"core": "lstm", "task": "classify", "input_size": 3, "num_classes": 2, **options}
    with unchecked(), pytest.raises(OptionError) as caught:
        build(given.pop("core"), **given)
    assert caught.value.where == where
    assert caught.value.asked == "build"


def test_numbers_of_numpy_build_what_those_of_python_build() -> None:
    ours: dict[str, Any] = {"input_size": 3, "num_classes": 2, "hidden_size": 4, "num_layers": 2, "dropout": 0.25, "seed": 1}
    numpys = {name: np.float32(value) if name == "dropout" else np.int64(value) for name, value in ours.items()}
    with unchecked():
        made = build("gru", task="classify", **numpys)  # type: ignore[arg-type]
    wanted = build("gru", task="classify", **ours)
    assert made.config == wanted.config
    assert msgspec.json.encode(made.config) == msgspec.json.encode(wanted.config)
    assert all(torch.equal(one, other) for one, other in zip(made.parameters(), wanted.parameters(), strict=True))


def test_sizes_that_contradict_the_data_are_refused() -> None:
    with pytest.raises(OptionError, match="read off the data"):
        build("gru", data=make_mixed(), input_size=7)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (torch.zeros(1, 4, 10), "10 features a step"),
        (torch.zeros(4, 8), "a tensor of shape"),
        ({"y": make_ragged([2], 8)}, "inputs y"),
        (make_ragged([2, 0], 8), "a sequence without a step"),
    ],
)
def test_inputs_that_do_not_fit_are_explained(inputs: Any, says: str) -> None:
    with pytest.raises(ShapeError, match=says):
        build("lstm", task="classify", input_size=8, num_classes=2)(inputs)


def test_missing_static_features_are_asked_for() -> None:
    data = make_mixed()
    with pytest.raises(ShapeError, match="built with static features"):
        build("gru", data=data)(data.parts, categories=data.categories)


def test_dropout_works_with_a_single_layer_too() -> None:
    model = build("gru", task="classify", input_size=3, num_classes=4, dropout=0.5, seed=0)
    inputs = make_ragged([5, 3])
    assert not torch.equal(model.train()(inputs)[0], model(inputs)[0])
    assert torch.equal(model.eval()(inputs)[0], model(inputs)[0])
    assert isinstance(model.core, nn.GRU)


def test_input_dropout_blanks_whole_features_of_whole_sequences_and_only_in_training() -> None:
    model = build("gru", task="classify", input_size=6, num_classes=2, input_dropout=0.5, seed=0)
    inputs = Ragged(torch.ones(7, 6), torch.tensor([3, 4]))
    assert torch.equal(model.eval().encoder({"x": inputs}).values, inputs.values)
    torch.manual_seed(3)
    blanked = model.train().encoder({"x": inputs})
    for sequence in blanked.to_list():
        assert bool((sequence == sequence[0]).all()), "a feature is kept or blanked for all steps of a sequence"
    assert not torch.equal(blanked[0][0], blanked[1][0]), "each sequence is drawn for itself"
    assert set(blanked.values.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", ["type", "values", "merchant.kind", "größe"])
def test_a_column_may_have_any_name(name: str) -> None:
    lengths = torch.tensor([2, 3])
    data = Sequences(
        inputs={name: Ragged(torch.tensor([0, 1, 1, 0, 0]), lengths), "keys": Ragged(torch.randn(5, 2), lengths)},
        categories={name: ("a", "b")},
        targets=["no", "yes"],
    )
    model = build("gru", data=data)
    model.encoder.learn(data)
    assert model.run_sequences(data).values.shape == (2, 1)


def series(lengths: list[int], **more: Any) -> Sequences:
    """Return sequences for a forecast of their own first feature."""
    inputs = make_ragged(lengths)
    whole: dict[str, Any] = {"inputs": inputs, "targets": inputs.values[:, 0], "each": "step", "task": "forecast"}
    return Sequences(**{**whole, "feature_names": ["y", "hour", "z"], **more})


@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_attention_weighs_the_steps_of_each_sequence_alone(lengths: list[int]) -> None:
    outputs, attention = make_ragged(lengths, 4), Attention(4)
    read, weights = attention(outputs), attention.weights(outputs)
    for row, (steps, shares) in enumerate(zip(outputs.to_list(), weights.split(lengths), strict=True)):
        expected = attention.score(attention.hidden(steps).tanh()).softmax(dim=0)
        torch.testing.assert_close(shares, expected[:, 0])
        torch.testing.assert_close(read[row], (expected * steps).sum(dim=0))


def test_attention_stands_scores_that_would_overflow() -> None:
    attention = Attention(2)
    nn.init.constant_(attention.score.weight, 1e4)
    outputs = Ragged(torch.tensor([[5.0, 5.0], [-5.0, -5.0]]), torch.tensor([2]))
    assert attention.weights(outputs).isfinite().all()
    attention(outputs).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in attention.parameters())


def test_a_model_with_attention_learns_from_all_its_steps() -> None:
    model = build("gru", task="classify", input_size=3, num_classes=4, readout="attention", seed=0)
    inputs = make_ragged([5, 2])
    inputs.values.requires_grad_()
    model(inputs)[0].sum().backward()
    assert inputs.values.grad is not None
    assert bool((inputs.values.grad.abs().sum(1) > 0).all())


def test_values_are_given_in_the_units_of_the_training_targets() -> None:
    data = Sequences(inputs=make_ragged([3, 2, 4]), targets=[100.0, 300.0, 200.0])
    model = build("lstm", data=data, seed=0)
    model.learn(data)
    nn.init.zeros_(model.head.weight)
    nn.init.ones_(model.head.bias)
    outputs = model.run_sequences(data)
    torch.testing.assert_close(outputs.values, torch.full((3, 1), 200.0 + torch.tensor([100.0, 300, 200]).std(correction=0).item()))
    assert (outputs.each, model.contract().output, model.class_names) == ("sequence", "values", ())


def test_one_value_a_step_is_given_in_the_form_of_the_inputs() -> None:
    data = Sequences(inputs=make_ragged([3, 2]), targets=torch.arange(5.0))
    model = build("gru", data=data, seed=0)
    given, _ = model(data.inputs)
    assert isinstance(given, Ragged)
    assert (given.values.shape, model.config.each, model.config.readout) == ((5, 1), "step", "step")


def test_a_forecast_reads_what_is_known_of_the_steps_ahead_and_nothing_else_of_them() -> None:
    data = series([6, 4], known=["hour"])
    model = build("gru", data=data, horizon=2, seed=0).eval()
    model.learn(data)
    assert model.run_sequences(data).values.shape == (10, 2)
    inputs = data.parts["x"].values.clone().requires_grad_()
    given = model.run_sequences(Sequences(inputs=Ragged(inputs, data.lengths))).values
    given[2].sum().backward()
    assert inputs.grad is not None
    reached = inputs.grad != 0
    assert reached[:3].all(), "everything up to the step itself"
    assert reached[3:5].tolist() == [[False, True, False]] * 2, "the hours of the two steps ahead, and nothing else"
    assert not reached[5:].any()


def test_persistence_is_within_reach_of_every_forecast() -> None:
    """The head reads the step itself: with the right weights it repeats it, whatever the core does."""
    data = series([5, 3])
    model = build("lstm", data=data, horizon=3, seed=0).eval()
    model.learn(data)
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    with torch.no_grad():
        model.head.weight[:, model.config.hidden_size] = 1.0
    given = model.run_sequences(data).values
    torch.testing.assert_close(given, data.parts["x"].values[:, :1].expand(-1, 3))


def test_a_missing_number_is_read_as_the_mean_of_training_where_the_data_says_so() -> None:
    inputs = Ragged(torch.tensor([[1.0], [3.0], [torch.nan]]), torch.tensor([3]))
    model = build("gru", data=Sequences(inputs=inputs, targets=["a"], class_names=["a", "b"], missing="mean"), seed=0)
    model.encoder.learn(Sequences(inputs=inputs, missing="mean"))
    assert model.encoder({"x": inputs}).values.flatten().tolist() == [-1.0, 1.0, 0.0]
    strict = build("gru", input_size=1, task="classify", num_classes=2)
    assert strict.encoder({"x": inputs}).values.isnan().any(), "otherwise it stays, and is refused where it is met"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"task": "forecast"}, "horizon: nothing, and a forecast needs one. Give horizon=24"),
        ({"task": "regress", "horizon": 3}, "horizon: 3, beside task='regress'"),
        ({"task": "forecast", "horizon": 0}, "horizon: 0. Give a whole number from 1 up"),
        ({"task": "forecast", "horizon": 2, "bidirectional": True}, "read backwards, each step would have seen the steps that it is to"),
        ({"task": "next", "num_classes": 3, "bidirectional": True}, "bidirectional: True, beside task='next'"),
        ({"task": "tag", "num_classes": 3, "readout": "attention"}, "readout: 'attention'"),
        ({"task": "classify", "num_classes": 3, "each": "step"}, "each: 'step'"),
        ({"task": "classify", "num_classes": 3, "embedding_size": 0}, "embedding_size: 0"),
    ],
)
def test_options_that_a_task_cannot_have_are_refused(options: dict[str, Any], told: str) -> None:
    with unchecked(), pytest.raises(OptionError) as error:
        build("gru", input_size=2, **options)
    assert told in str(error.value)


def test_only_a_forecast_looks_at_what_is_known_of_later_steps() -> None:
    with pytest.raises(OptionError, match="known: hour, beside task='regress'"):
        build("gru", data=series([4, 4], known=["hour"], task="regress"))


def test_data_of_another_width_is_refused_before_its_scale_is_taken() -> None:
    model = build("gru", task="classify", input_size=3, num_classes=2)
    data = Sequences(inputs=make_ragged([4, 2], features=5), targets=[0, 1])
    with pytest.raises(ShapeError, match=r"5 features a step .* the model reads 3"):
        model.learn(data)


def test_tensors_by_name_are_batches_of_equally_long_sequences() -> None:
    codes = torch.tensor([[0, 1, 2], [2, 1, 0]])
    data = Sequences(
        inputs={"token": Ragged(codes.flatten(), torch.tensor([3, 3]))}, targets=codes.flatten(), categories={"token": "abc"}, task="next"
    )
    model = build("gru", data=data, seed=0).eval()
    logits, state = model({"token": codes})
    torch.testing.assert_close(logits.flatten(0, 1), model.run_sequences(data).values)
    first, carried = model({"token": codes[:, :1]})
    rest, final = model({"token": codes[:, 1:]}, carried)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), logits)
    torch.testing.assert_close(final, state)
    with pytest.raises(ShapeError, match=r"input 'token': a tensor of shape \(3,\)\. Give \[batch, time\] of codes"):
        model({"token": codes[0]})
