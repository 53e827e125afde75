"""Are gradients by lag those of the one sequence, whatever the module, and is told what was followed?"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import statewise as sw
from statewise import Contract, trace
from statewise.tracing import demo_trace
from tests.tracing.strangers import CellLoop, GivesDict, LastState, Leaky, OwnLoop, OwnRecurrent, Packs, Pooled, Squashed, Tokens, Windows
from tests.tracing.test_untouched import everything, require_same


class Decays(nn.Module):
    """`h_t = a h_(t-1) + x_t`, which gives back the last state, for one sequence of any layout that it is told."""

    def __init__(self, a: float, *, window: int | None = None) -> None:
        super().__init__()
        self.a, self.window = nn.Parameter(torch.tensor(a, dtype=torch.float64)), window

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), x.shape[2])
        for step in range(x.shape[1]):
            h = self.a * (h.detach() if self.window and step and step % self.window == 0 else h) + x[:, step]
        return h


def norms(found: sw.Trace) -> list[float]:
    assert found.gradients is not None
    assert isinstance(found.gradients.values, Tensor)
    assert found.gradients.values.shape[1] == 1
    listed: list[float] = found.gradients.values[:, 0].tolist()
    return listed


def by_hand(value: Tensor, x: Tensor) -> list[float]:
    (gradient,) = torch.autograd.grad(value, x)
    listed: list[float] = gradient.reshape(x.numel() // x.shape[-1], -1).norm(dim=1).flip(0).tolist()
    return listed


@pytest.mark.parametrize("a", [0.5, 1.0, 1.5])
def test_a_linear_recurrence_shows_its_exact_rate(a: float) -> None:
    found = trace(Decays(a), torch.randn(20, 3, dtype=torch.float64), contract=Contract(batch_first=True, output="values"), gradients=True)
    assert norms(found) == pytest.approx([a**lag for lag in range(20)], rel=1e-6)
    assert found.gradients is not None
    assert "the norm of the output" in found.gradients.says
    assert {0.5: "vanishes", 1.0: "reaches back", 1.5: "explodes"}[a] in found.gradients.says


@pytest.mark.parametrize(("batch_first", "row"), [(True, 0), (True, 2), (False, 1)])
def test_of_a_batch_the_row_asked_for_is_followed_in_the_order_that_the_module_reads(*, batch_first: bool, row: int) -> None:
    core, x = nn.LSTM(5, 4, batch_first=batch_first), torch.randn(3, 3 + batch_first, 5)
    found = trace(core, x if batch_first else x.transpose(0, 1), row=row, gradients=True)
    alone = x[row][None].requires_grad_()
    outputs, _ = core(alone if batch_first else alone.transpose(0, 1))
    last = outputs[0, -1] if batch_first else outputs[-1, 0]
    assert norms(found) == pytest.approx(by_hand(last.norm(), alone), rel=1e-4)


@pytest.mark.parametrize("how", ["logits", "softmax", "log_softmax", "sigmoid"])
@pytest.mark.parametrize("classes", [1, 3])
def test_of_classes_the_log_probability_of_the_predicted_one_is_followed(how: str, classes: int) -> None:
    model: Any = LastState(classes=classes) if how == "logits" else Squashed(how, classes=classes)
    if classes == 1 and how.endswith("softmax"):
        return
    model.eval()
    x = torch.randn(6, 5)
    task: Any = "multilabel" if how == "sigmoid" and classes == 3 else "classify"
    output: Any = "logits" if how == "logits" else "probabilities"
    found = trace(model, x, contract=Contract(batch_first=True, task=task, output=output), gradients=True)
    leaf = x[None].requires_grad_()
    logits = model.head(model.rnn(leaf)[0][:, -1])[0]
    if classes == 1:
        chances = torch.stack([-logits[0], logits[0]]).sigmoid()
    else:
        chances = logits.sigmoid() if how == "sigmoid" else logits.softmax(0)
    assert found.probabilities is not None
    best = int(found.probabilities[-1].argmax())
    assert int(chances.argmax()) == best
    assert norms(found) == pytest.approx(by_hand(chances[best].log(), leaf), rel=1e-3)
    assert found.gradients is not None
    assert f"the log-probability of class {best}, the class predicted," in found.gradients.says


@pytest.mark.parametrize("task", ["classify", "tag"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_ours_is_followed_to_what_its_core_reads(*, task: Any, bidirectional: bool, classes: int) -> None:
    model = sw.build("gru", task=task, input_size=5, num_classes=classes, hidden_size=4, bidirectional=bidirectional, seed=0)
    found = trace(model, torch.randn(7, 5), gradients=True)
    assert found.gradients is not None
    assert found.gradients.shape == "7 lags"
    assert "what the core reads" in found.gradients.says
    assert ("reads both ways" in found.gradients.says) is bidirectional
    assert (", at the last step," in found.gradients.says) is (task == "tag")


@pytest.mark.parametrize(
    ("model", "contract"),
    [
        (nn.RNN(5, 4, num_layers=2), None),
        (nn.GRUCell(5, 4), None),
        (nn.LSTMCell(5, 4), None),
        (CellLoop(), None),
        (Pooled("mean"), None),
        (Windows(carry=True), None),
        (OwnRecurrent(), None),
        (OwnRecurrent(batch_first=True, leaves=2), None),
        (OwnLoop(), Contract(batch_first=True)),
        (Packs(), Contract(batch_first=True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_module_is_followed_back_to_its_first_step(model: nn.Module, contract: Contract | None) -> None:
    found = norms(trace(model, torch.randn(8, 5), contract=contract, gradients=True))
    assert len(found) == 8
    assert all(norm > 0 for norm in found)


def test_tokens_are_followed_to_what_their_embedding_gives() -> None:
    found = trace(Tokens(), torch.randint(0, 20, (9,)), gradients=True)
    assert len(norms(found)) == 9
    assert found.gradients is not None
    assert "the embedded token" in found.gradients.says


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Decays(0.9, window=3), "No gradient comes beyond lag 0: the graph is cut there"),
        (Windows(carry=False), "No gradient comes beyond lag 4: what was read before does not move the output either."),
        (CellLoop(reset_at=6), "No gradient comes beyond lag 3: what was read before does not move the output either."),
    ],
)
def test_a_graph_that_is_cut_is_told_from_a_state_that_is_lost(model: nn.Module, words: str) -> None:
    found = trace(model, torch.randn(10, 5).to(next(model.parameters()).dtype), contract=Contract(batch_first=True), gradients=True)
    assert found.gradients is not None
    assert words in found.gradients.says


def test_a_readout_of_the_first_step_leaves_the_later_ones_without_gradient() -> None:
    found = norms(trace(Pooled("first"), torch.randn(6, 5), gradients=True))
    assert found[:5] == [0.0] * 5
    assert found[5] > 0


def test_one_step_has_one_lag() -> None:
    found = trace(nn.RNN(5, 4), torch.randn(1, 5), gradients=True)
    assert found.gradients is not None
    assert found.gradients.shape == "1 lag"
    assert "no way back" in found.gradients.says


@pytest.mark.parametrize(
    ("model", "sequence", "words"),
    [
        (GivesDict(), torch.randn(6, 5), "the output could not be read"),
        (Leaky(), torch.randn(6, 5), "the module failed where gradients are kept"),
    ],
)
def test_where_there_is_none_a_note_says_why(model: nn.Module, sequence: Tensor, words: str) -> None:
    before = everything(model)
    found = trace(model, sequence, gradients=True)
    assert found.gradients is None
    assert words in found.notes[-1]
    require_same(model, before)


def test_whole_numbers_without_an_embedding_have_none() -> None:
    class OneHot(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(4, 3, batch_first=True)
            self.never = nn.Embedding(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            outputs, _ = self.rnn(nn.functional.one_hot(x, 4).float())
            last: Tensor = outputs[:, -1]
            return last

    found = trace(OneHot(), torch.tensor([0, 1, 3]), contract=Contract(batch_first=True), gradients=True)
    assert found.gradients is not None
    assert "No gradient comes to any step" in found.gradients.says


@pytest.mark.parametrize("training", [True, False])
def test_the_module_and_the_generators_are_left_as_they_were(*, training: bool) -> None:
    model, x = LastState().train(training), torch.randn(6, 5)
    first_weight = next(model.parameters())
    first_weight.grad = torch.ones_like(first_weight)
    before, numbers = everything(model), torch.get_rng_state()
    first, second = (norms(trace(model, x, gradients=True)) for _ in range(2))
    assert first == second
    require_same(model, before)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert first_weight.grad.eq(1).all()
    assert model.head.weight.grad is None


def test_nothing_runs_backwards_unless_asked() -> None:
    found = trace(LastState(), torch.randn(6, 5))
    assert found.gradients is None
    assert found.to_dict()["gradients"] is None
    assert "BACK THROUGH TIME" not in str(found)
    assert "Back through time" not in found.to_html()


def test_every_surface_shows_the_norms_by_lag() -> None:
    found = demo_trace(gradients=True)
    values = norms(found)
    text = str(found)
    assert "BACK THROUGH TIME" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    section = text.partition("BACK THROUGH TIME")[2].partition("EVERY SUBMODULE")[0]
    bars = [words for line in section.splitlines() if len(words := line.split()) == 4 and set(words[3]) == {"█"}]
    assert [int(words[1]) for words in bars] == list(range(10))
    assert [float(words[2]) for words in bars] == pytest.approx(values, rel=0.05, abs=5e-4)
    lengths = [len(words[3]) for words in bars]
    assert [lengths[a] >= lengths[b] for a in range(10) for b in range(10) if values[a] > values[b]] == [True] * 45
    page = found.to_html()
    assert "Back through time" in page
    assert page.count('<th class="sw-row">lag ') == 10
    kept = found.to_dict()["gradients"]
    assert [row[0] for row in kept["values"]] == values
    assert (kept["axes"], kept["columns"]) == (["lag", "norm"], ["norm"])


def test_of_many_lags_some_of_each_doubling_are_shown_and_the_rest_counted() -> None:
    text = str(trace(nn.LSTM(5, 4), torch.randn(300, 5), gradients=True))
    assert "lag 256" in text
    assert "lag 299" in text
    assert "lag 100" not in text
    assert "280 lags left out; all are in .values" in text
