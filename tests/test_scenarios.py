"""Does every figure and claim that the program is held to hold? What is not shown elsewhere is shown here, on real modules and runs.

| claim | also shown in |
|---|---|
| a state begins as zeros, learned or given; is carried; is reset: RNN, LSTM, GRU, cells, own modules | `engine/test_properties.py` |
| five stages: 10 x 5, then 1 x 1 x 4 of zeros, 1 x 5 and 1 x 4 give 1 x 4, 1 x 4 gives 1 x 3 | `tracing/test_stages.py` |
| losses 1.2 0.9 0.7 0.5 0.4 and accuracies 0.35 to 0.82 with their five phrases | `cli/test_scenarios.py` |
| five layers of a prediction, the last a softmax | `tracing/test_stages.py` |
| 50 10 5 35: precision 0.91, recall 0.83, accuracy 0.85, F1 0.87; mirrored 0.78, 0.875, 0.85 | `cli/test_scenarios.py` |
| MSE and MAE beside a naive method | `evaluation/test_values.py` |
| next token step by step as at once; cross-entropy and MSE of whole sequences | `evaluation/test_generate.py` |
| gradient norms by layer and by lag, vanishing and exploding; clipping | `training/test_through_time.py` |
| precision against recall, by the cost of each mistake | `verdicts/test_mistakes.py` |
| bands of figures: 0.85 0.80 0.80, lenient 0.80 0.75 0.75; near chance is bad, as is a recall of 0.40 | `verdicts/test_figures.py` |
| bands of training: thirds, no rise by more than a fifth of the fall, safe norms | `verdicts/test_training.py` |
| 98 % accuracy and 12 % recall: no, for 88 of 100 are missed; from a run here | `cli/test_scenarios.py`: counts, file |
| RNN(5, 3) on (4, 2, 5) gives (4, 2, 3); 10 features for a model of 8 are explained | `engine/test_unroll.py` |
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import statewise as sw
from statewise.runs import RunFiles
from statewise.tracing import demo_trace
from statewise.verdicts._training import judge_training
from tests.verdicts.evidence import epochs_of, history_of, of_counts, run_directory, updates_of

if TYPE_CHECKING:
    from collections.abc import Callable

# The life of a state


class OfCell(nn.Module):
    """A module of one's own around a cell, as a loop over steps; its first state may be learned."""

    def __init__(self, cell: nn.RNNCell | nn.LSTMCell | nn.GRUCell, *, learned: bool = False) -> None:
        super().__init__()
        self.cell = cell
        self.first = nn.Parameter(torch.full((cell.hidden_size,), 0.3 if learned else 0.0), requires_grad=learned)

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> Any:
        begin = self.first.to(device, dtype).expand(batch_size, -1)
        return (begin, torch.zeros_like(begin)) if isinstance(self.cell, nn.LSTMCell) else begin

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        outputs = []
        for step in inputs:
            state = self.cell(step, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs), state


class Accumulator(nn.Module):
    """An exact memory: the sum of all that was read, in whole numbers, so that any leak shows."""

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.zeros(batch_size, 1, device=device, dtype=dtype)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        sums = state + inputs.cumsum(0)
        return sums, sums[-1]


KINDS: dict[str, Callable[[], Any]] = {
    "RNN": lambda: nn.RNN(5, 4),
    "LSTM": lambda: nn.LSTM(5, 4),
    "GRU": lambda: nn.GRU(5, 4),
    "RNNCell": lambda: OfCell(nn.RNNCell(5, 4)),
    "LSTMCell": lambda: OfCell(nn.LSTMCell(5, 4)),
    "GRUCell": lambda: OfCell(nn.GRUCell(5, 4)),
    "a learned first state": lambda: OfCell(nn.GRUCell(5, 4), learned=True),
}


def leaves(state: Any) -> list[Tensor]:
    return list(state) if isinstance(state, tuple) else [state]


def first_state(module: nn.Module, batch: int) -> Any:
    """Return the state in which the module begins: its own, or torch's zeros."""
    if isinstance(module, OfCell):
        return module.initial_state(batch, device=torch.device("cpu"), dtype=torch.float32)
    zeros = torch.zeros(1, batch, 4)
    return (zeros, zeros.clone()) if isinstance(module, nn.LSTM) else zeros


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_begins_as_it_should_is_carried_and_is_reset_between_sequences(kind: str) -> None:
    module, inputs = KINDS[kind](), torch.randn(6, 2, 5)
    whole, final = sw.unroll(module, inputs)
    given, _ = sw.unroll(module, inputs, first_state(module, 2))
    assert torch.equal(whole, given), "without a state, the first one is that of the module"

    state, steps = first_state(module, 2), []
    for step in inputs:
        before = [leaf.clone() for leaf in leaves(state)]
        output, state = sw.unroll(module, step[None], state)
        steps.append(output)
        assert all(not torch.equal(leaf, old) for leaf, old in zip(leaves(state), before, strict=True)), "each step changes the state"
    torch.testing.assert_close(torch.cat(steps), whole)
    for leaf, end in zip(leaves(state), leaves(final), strict=True):
        torch.testing.assert_close(leaf, end)
    torch.testing.assert_close(leaves(final)[0].reshape(2, 4), whole[-1])

    is_first = torch.zeros(6, 2, dtype=torch.bool)
    is_first[3, 0] = True
    cut, _ = sw.unroll(module, inputs, first_state(module, 2), is_first=is_first)
    anew, _ = sw.unroll(module, inputs[3:, :1])
    torch.testing.assert_close(cut[3:, :1], anew)
    torch.testing.assert_close(cut[:, 1], whole[:, 1])
    assert not torch.allclose(cut[3:, 0], whole[3:, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_another_state_that_is_given_is_begun_from(kind: str) -> None:
    module, inputs = KINDS[kind](), torch.randn(3, 2, 5)
    other = torch.utils._pytree.tree_map(lambda leaf: leaf + 0.5, first_state(module, 2))
    assert not torch.allclose(sw.unroll(module, inputs, other)[0], sw.unroll(module, inputs)[0])


def test_nothing_leaks_from_one_sequence_into_the_next_to_the_bit() -> None:
    lengths = torch.tensor([3, 1, 0, 4])
    outputs, final = sw.unroll(Accumulator(), sw.Ragged(torch.arange(8.0)[:, None], lengths))
    assert outputs.values.flatten().tolist() == [0, 1, 3, 3, 4, 9, 15, 22]
    assert final.flatten().tolist() == [3, 3, 0, 22]


# Stages and layers, by the module itself


@pytest.mark.parametrize("core", ["rnn", "lstm", "gru"])
def test_the_states_of_a_trace_are_those_of_torch_on_the_same_weights(core: Any) -> None:
    model = sw.build(core, task="classify", input_size=5, hidden_size=4, num_classes=3, seed=0)
    inputs = torch.randn(10, 5)
    found = sw.trace(model, inputs)
    states, _ = model.core(inputs[None].transpose(0, 1))
    hidden = next(stage for stage in found.stages if stage.name == "hidden state updated across time")
    assert tuple(hidden.parts()[""].shape) == (10, 4)
    torch.testing.assert_close(hidden.parts()[""], states[:, 0].detach())
    assert found.outputs is not None
    assert found.probabilities is not None
    assert found.outputs.shape == found.probabilities.shape == (1, 3)
    assert float(found.probabilities.sum()) == pytest.approx(1.0)


def test_the_softmax_of_the_demo_is_that_of_its_outputs_by_hand() -> None:
    found = demo_trace()
    assert found.outputs is not None
    assert found.probabilities is not None
    powers = [math.exp(value) for value in found.outputs[0].tolist()]
    assert found.probabilities[0].tolist() == pytest.approx([power / sum(powers) for power in powers])


# Values and sequences


def test_mse_and_mae_are_told_beside_the_training_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from statewise.cli import main

    random = np.random.default_rng(0)
    actual = random.normal(size=80)
    said = actual + random.normal(scale=0.3, size=80)
    rows = [f"s{place},{target},{answer},0.0" for place, (target, answer) in enumerate(zip(actual, said, strict=True))]
    path = tmp_path / "p.csv"
    path.write_text("key,target,prediction,baseline_mean\n" + "\n".join(rows) + "\n")
    assert main(["evaluate", str(path)]) == 0
    out = capsys.readouterr().out
    for name, value in (("mse", np.mean((said - actual) ** 2)), ("mae", np.mean(np.abs(said - actual)))):
        found = re.search(rf"^ *{name}\b.*?(\d\.\d+)", out, re.MULTILINE | re.IGNORECASE)
        assert found is not None, out
        assert float(found[1]) == pytest.approx(value, rel=0.01)
    evaluation = sw.evaluate(sw.read_predictions(path))
    assert evaluation.baselines["mean"].figures["mse"] == pytest.approx(np.mean(actual**2))
    assert evaluation.metrics["skill"].value == pytest.approx(1 - np.mean((said - actual) ** 2) / np.mean(actual**2), abs=1e-9)


WORDS = ("the", "cat", "sat", "on", "mat", "dog")


def sentences(*texts: str) -> sw.Sequences:
    codes = torch.tensor([WORDS.index(word) for text in texts for word in text.split()])
    lengths = torch.tensor([len(text.split()) for text in texts])
    inputs = {"token": sw.Ragged(codes, lengths)}
    return sw.Sequences(inputs=inputs, targets=codes, class_names=[*WORDS, "<unknown>"], categories={"token": WORDS}, task="next")


TEXTS = ("the cat sat on the mat", "the dog sat", "on the mat the dog sat on the cat")


@pytest.mark.parametrize("core", ["rnn", "lstm", "gru"])
def test_the_next_word_read_off_the_last_output_of_a_sentence_fed_word_by_word_is_that_of_the_whole(core: Any) -> None:
    model = sw.build(core, data=sentences(*TEXTS), hidden_size=8, seed=0).eval()
    whole = model.run_sequences(sentences(TEXTS[0])).values
    state, outputs = None, []
    for word in TEXTS[0].split():
        output, state = model({"token": sw.Ragged(torch.tensor([WORDS.index(word)]), torch.tensor([1]))}, state)
        outputs.append(output.values[0])
    torch.testing.assert_close(torch.stack(outputs), whole)
    next_word = [*WORDS, "<unknown>"][int(outputs[-1][: len(WORDS)].argmax())]
    assert list(sw_generate(model, TEXTS[0])) == [next_word]


def sw_generate(model: Any, text: str) -> Any:
    from statewise.evaluation import generate

    return generate(model, text.split(), steps=1, temperature=0)


def test_the_cross_entropy_of_a_sequence_is_that_of_its_next_tokens_by_hand() -> None:
    data = sentences(*TEXTS)
    model = sw.build("gru", data=data, hidden_size=8, seed=0).eval()
    total, count = 0.0, 0
    for text in TEXTS:
        logits = model.run_sequences(sentences(text)).values.detach()
        chances = logits[:-1].log_softmax(-1)
        later = [WORDS.index(word) for word in text.split()[1:]]
        total -= sum(float(chances[step, code]) for step, code in enumerate(later))
        count += len(later)
    found = sw.evaluate(sw.predict(model, data))
    assert found.num_scored == count
    assert found.metrics["cross_entropy"].value == pytest.approx(total / count, rel=1e-5)
    assert found.metrics["perplexity"].value == pytest.approx(math.exp(total / count), rel=1e-5)


def test_the_mse_of_a_predicted_sequence_is_that_of_its_steps_by_hand() -> None:
    values = torch.randn(40, 1)
    data = sw.Sequences(inputs=sw.Ragged(values, torch.full((8,), 5)), targets=values[:, 0].roll(-1), feature_names=["x"], task="regress")
    model = sw.build("gru", data=data, hidden_size=4, seed=0)
    model.learn(data)
    said = model.eval().run_sequences(data).values.detach().flatten()
    found = sw.evaluate(sw.predict(model, data))
    assert found.metrics["mse"].value == pytest.approx(float((said - values[:, 0].roll(-1)).square().mean()), rel=1e-5)


# Gradients


def series(steps: int, rows: int = 12, features: int = 3) -> sw.Sequences:
    inputs = sw.Ragged(torch.randn(rows * steps, features), torch.full((rows,), steps))
    return sw.Sequences(inputs=inputs, targets=torch.arange(rows) % 2, task="classify")


def scaled(factor: float) -> Any:
    """Return a model whose recurrent weights are a multiple of the identity."""
    model: Any = sw.build("rnn", task="classify", input_size=3, hidden_size=8, class_names=["a", "b"], seed=0)
    with torch.no_grad():
        model.core.weight_hh_l0.copy_(torch.eye(8) * factor)
        model.core.weight_ih_l0.mul_(1e-6)  # so small that tanh stays a straight line
        model.core.bias_ih_l0.zero_()
        model.core.bias_hh_l0.zero_()
    return model


@pytest.mark.parametrize(("factor", "says"), [(0.3, "vanish"), (1.6, "explod")])
def test_vanishing_and_exploding_through_time_are_seen_and_named(factor: float, says: str) -> None:
    found = sw.trace(scaled(factor), series(25), gradients=True)
    assert says in str(found).lower()


def test_norms_of_every_update_are_kept_and_clipping_is_shown(tmp_path: Path) -> None:
    run = sw.fit(sw.build("gru", data=series(6), hidden_size=4, seed=0), series(6), epochs=3, clip=1e-3, directory=tmp_path / "run")
    updates = run.history.updates()
    assert updates
    for update in updates:
        assert update.gradient_norm is not None
        assert update.norms
        layers = [norm for norm in update.norms.values() if norm is not None]
        assert math.sqrt(sum(norm**2 for norm in layers)) == pytest.approx(update.gradient_norm, rel=1e-4)
        assert update.clipped == (update.gradient_norm > 1e-3)
    assert "clipped" in str(sw.training_trace(run.history))


@pytest.mark.parametrize(("norms", "level"), [([1e-9] * 60, "needs_work"), ([0.5] * 60, "ready"), ([1e6] * 60, "needs_work")])
def test_norms_outside_the_safe_range_need_work(norms: list[float], level: str) -> None:
    history = history_of(epochs_of([1.2, 0.9, 0.7, 0.5, 0.4]), updates_of(norms))
    reasons = judge_training(history, sw.read_policy("default"), required=True).reasons
    found = next(reason for reason in reasons if reason.subject == "gradient norms")
    assert found.points_to == level
    assert "safe range" in found.says


# Bands


@pytest.mark.parametrize("policy", ["default", "lenient"])
def test_the_presets_hold_the_bands_of_good_figures(policy: str) -> None:
    limits = sw.read_policy(policy).limits
    accuracy, other = {"default": (0.85, 0.80), "lenient": (0.80, 0.75)}[policy]
    assert limits["accuracy"] == accuracy
    assert {limits[name] for name in ("precision", "recall", "f1")} == {other}


@pytest.mark.parametrize(
    ("counts", "level"),
    [
        ((460, 40, 40, 460), "ready"),
        ((250, 250, 250, 250), "not_ready"),
        ((200, 300, 20, 480), "not_ready"),
        ((480, 20, 600, 400), "not_ready"),
    ],
    ids=["good", "chance", "recall 0.40", "precision 0.44"],
)
def test_good_and_bad_bands_of_balanced_classes(counts: tuple[int, int, int, int], level: str) -> None:
    assert sw.judge(evaluation=of_counts(*counts)).level == level


@given(st.lists(st.floats(0.01, 10.0), min_size=3, max_size=12))
def test_the_training_loss_is_good_exactly_where_the_rule_says_so(losses: list[float]) -> None:
    """The mean of the last third is below that of the first, and no epoch rises by more than a fifth of the whole fall."""
    third = len(losses) // 3
    first, last = np.mean(losses[:third]), np.mean(losses[-third:])
    fall = losses[0] - min(losses)
    rise = max(later - earlier for earlier, later in pairwise(losses))
    near = abs(first - last) < 1e-9 or abs(rise - fall / 5) < 1e-9
    good = last < first and rise <= fall / 5
    reasons = judge_training(history_of(epochs_of(losses)), sw.read_policy("default"), required=True).reasons
    found = next(reason for reason in reasons if reason.subject.startswith("training loss"))
    assert near or (found.points_to == "ready") == good


# Fit for production, from a run


def test_a_run_of_98_percent_accuracy_and_12_percent_recall_is_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from statewise.cli import main

    random = torch.Generator().manual_seed(0)
    data = sw.Sequences(inputs=sw.Ragged(torch.randn(60, 2, generator=random), torch.full((20,), 3)), targets=["0"] * 10 + ["1"] * 10)
    run = sw.fit(sw.build("rnn", data=data, hidden_size=4, seed=0), data, data, epochs=3, directory=tmp_path / "run")
    assert run.directory is not None
    run_directory(run.directory, of_counts(12, 88, 112, 9788), None)
    assert RunFiles(run.directory).evaluation.is_file()
    assert main(["judge", str(run.directory)]) == 1
    flat = " ".join(capsys.readouterr().out.split())
    for says in ("not ready", "98.0 %", "recall 12 %", "88 of 100 positives are missed", "99 % accurate"):
        assert says in flat


# Shapes


def test_ten_features_for_a_model_of_eight_are_explained_before_any_training(tmp_path: Path) -> None:
    wide = series(4, features=10)
    model = sw.build("lstm", task="classify", input_size=8, hidden_size=4, class_names=["0", "1"], seed=0)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    with pytest.raises(sw.errors.ShapeError, match=r"(?s)10 features.*8|8 features.*10"):
        sw.fit(model, wide, epochs=1, directory=tmp_path / "run")
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    assert not list(tmp_path.iterdir())


def test_rnn_5_3_on_4_2_5_gives_4_2_3_and_the_order_of_its_axes_is_not_guessed() -> None:
    outputs, state = sw.unroll(nn.RNN(5, 3), torch.randn(4, 2, 5))
    assert (outputs.shape, state.shape) == ((4, 2, 3), (1, 2, 3))
    with pytest.raises(sw.errors.StatewiseError, match="batch_first"):
        sw.unroll(nn.RNN(5, 3, batch_first=True), torch.randn(4, 2, 5))
