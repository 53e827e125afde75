"""Is the gradient by lag that of the loss, to the last digit, for any module, and is everything left as it was?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import statewise as sw
from statewise import Contract
from statewise.contracts import adapt
from statewise.training._objective import Objective
from statewise.training._through_time import through_time

if TYPE_CHECKING:
    from statewise.runs import Lags

PADDED = Contract(takes=("x", "lengths"), batch_first=True)


class Leaky(nn.Module):
    """`h_t = a h_(t-1) + x_t`, whose gradient with respect to `x` at a lag is exactly `a` to the power of that lag."""

    def __init__(self, a: float, *, window: int | None = None, forget: int | None = None, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=dtype))
        self.window, self.forget = window, forget

    def states(self, x: Tensor) -> Tensor:
        h, states = x.new_zeros(len(x), x.shape[2]), []
        for step in range(x.shape[1]):
            if self.window and step and step % self.window == 0:
                h = h.detach()
            if self.forget and step == self.forget:
                h = torch.zeros_like(h)
            h = self.a * h + x[:, step]
            states.append(h)
        return torch.stack(states, 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.states(x)[torch.arange(len(x)), lengths - 1]


class EachStep(Leaky):
    """The same with an output a step."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002
        return self.states(x)


def squared(values: Tensor, targets: Tensor, _: Tensor) -> Tensor:
    return (values[:, 0] - targets).square()


def ragged(lengths: list[int], *, width: int = 1, dtype: torch.dtype = torch.float64, **options: Any) -> sw.Sequences:
    inputs = sw.Ragged.from_list([torch.randn(length, width, dtype=dtype) for length in lengths])
    return sw.Sequences(inputs=inputs, **({"targets": torch.randn(len(lengths))} | options))


def measured(module: nn.Module, data: sw.Sequences, *, contract: Contract | None = PADDED, loss: Any = squared, **options: Any) -> Lags:
    return through_time(adapt(module, contract=contract), loss, data, **options)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("a", [0.5, 1.0, 1.5])
@settings(max_examples=20)
@given(order=st.permutations(range(1, 21)))
def test_a_linear_recurrence_has_its_exact_rate_on_ragged_and_permuted_rows(a: float, dtype: torch.dtype, order: list[int]) -> None:
    found = measured(Leaky(a, dtype=dtype), ragged(order, dtype=dtype))
    assert found.lags == tuple(range(20))
    assert found.counts == tuple(range(20, 0, -1))
    assert found.norms[0]
    for lag, norm in zip(found.lags, found.norms, strict=True):
        assert norm == pytest.approx(found.norms[0] * a**lag, rel=1e-6)
    for factor in (found.factor, found.factor_low, found.factor_high):
        assert factor == pytest.approx(a, rel=1e-6)
    assert found.r_squared == pytest.approx(1.0)
    assert found.half_life == (pytest.approx(1.0, rel=1e-6) if a == 0.5 else None)
    assert (found.num_cut, found.cut, found.both_ways, found.inputs) == (0, None, False, "inputs")


def test_norms_are_those_of_the_loss_itself() -> None:
    data = ragged([3, 3, 3])
    module = Leaky(0.5)
    found = measured(module, data)
    x = torch.stack([part.clone() for part in data.parts["x"].to_list()]).requires_grad_()
    squared(module(x, data.lengths), data.targets, x).sum().backward()  # type: ignore[arg-type]
    assert x.grad is not None
    expected = x.grad.norm(dim=2).median(dim=0).values.flip(0).tolist()
    assert list(found.norms) == pytest.approx(expected)


@st.composite
def lengths(draw: st.DrawFn) -> list[int]:
    return draw(st.lists(st.integers(0, 9), min_size=1, max_size=6))


@settings(max_examples=25)
@given(lengths=lengths(), core=st.sampled_from(["rnn", "lstm", "gru"]), readout=st.sampled_from(["last", "mean", "max", "attention"]))
def test_sequences_together_give_what_each_gives_alone(lengths: list[int], core: str, readout: str) -> None:
    """The reference runs our model on one sequence at a time, on encoded inputs, by hand."""
    data = ragged(lengths, width=3, dtype=torch.float32)
    model = sw.build(core, task="regress", input_size=3, hidden_size=4, readout=readout, seed=0)  # type: ignore[arg-type]
    together = through_time(adapt(model), squared, data)
    alone = [through_time(adapt(model), squared, data.select([row])) for row in range(len(data)) if lengths[row]]
    heard = [each for each in alone if each.counts]
    assert together.counts == tuple(sum(length > lag for length in map(len_of, heard)) for lag in together.lags)
    assert len(alone) - len(heard) == together.num_silent
    if len(heard) == 1:
        assert together.norms == pytest.approx(heard[0].norms, rel=1e-4, abs=1e-12)


def len_of(found: Lags) -> int:
    return len(found.lags)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_encoded_inputs_of_ours_get_the_gradient_that_autograd_gives_by_hand(*, bidirectional: bool) -> None:
    data = ragged([7], width=3, dtype=torch.float32)
    model = sw.build("gru", task="regress", input_size=3, hidden_size=4, bidirectional=bidirectional, seed=0)
    found = through_time(adapt(model), squared, data)
    leaf = model.encoder(data.parts).values.detach()[None].requires_grad_()
    core = nn.GRU(3, 4, bidirectional=bidirectional, batch_first=True)
    core.load_state_dict(model.core.state_dict())
    _, last = core(leaf)
    value = model.target.undo(model.head(torch.cat([*last], dim=1)))  # type: ignore[union-attr]
    squared(value, data.targets, value).sum().backward()  # type: ignore[arg-type]
    assert leaf.grad is not None
    assert list(found.norms) == pytest.approx(leaf.grad[0].norm(dim=1).flip(0).tolist(), rel=1e-4)
    assert found.inputs == "encoded inputs"
    assert found.both_ways is bidirectional
    assert (found.factor is None) is bidirectional


def test_where_every_step_has_a_target_the_loss_is_that_at_the_last_scored_step() -> None:
    weights = torch.tensor([1.0, 1, 0, 0, 1, 1, 0, 0, 0])
    data = ragged([4, 2, 3], targets=torch.randn(9), weights=weights)
    found = measured(EachStep(0.5), data)
    assert found.lags == (0, 1)
    assert found.counts == (2, 2)
    assert found.norms[1] == pytest.approx(found.norms[0] * 0.5)  # type: ignore[operator]


def test_a_forecast_begins_at_the_last_step_with_a_target_ahead() -> None:
    data = ragged([6, 1], targets=torch.randn(7))
    contract = Contract(takes=("x", "lengths"), batch_first=True, task="forecast", horizon=1)
    found = measured(EachStep(0.5), data, contract=contract, loss=Objective(output="values", holds="values"))
    assert found.counts == (1, 1, 1, 1, 1)


@pytest.mark.parametrize("task", ["classify", "tag", "multilabel", "regress", "forecast", "next"])
@pytest.mark.parametrize("core", ["rnn", "lstm", "gru"])
def test_every_ready_made_task_is_measured_with_its_own_objective(task: str, core: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    steps, sizes = 30, [10, 1, 12, 7]
    targets: dict[str, Any] = {
        "classify": ["a", "b", "c", "a"],
        "tag": torch.randint(0, 3, (steps,), generator=generator),
        "multilabel": torch.rand(4, 3, generator=generator) > 0.5,
        "regress": torch.randn(4, generator=generator),
        "forecast": torch.randn(steps, generator=generator),
        "next": torch.randint(0, 5, (steps,), generator=generator),
    }
    tokens = sw.Ragged(targets["next"], torch.tensor(sizes))
    inputs: Any = {"token": tokens} if task == "next" else ragged(sizes, width=2, dtype=torch.float32).inputs
    categories = {"token": tuple("abcde")} if task == "next" else {}
    data = sw.Sequences(inputs=inputs, targets=targets[task], categories=categories, task=task)  # type: ignore[arg-type]
    horizon = 3 if task == "forecast" else None
    model = sw.build(core, task=task, data=data, hidden_size=6, horizon=horizon, seed=0)  # type: ignore[arg-type]
    objective = Objective(output=model.contract().output, holds=data.holds)
    found = through_time(adapt(model), objective, data)
    ahead = task in ("forecast", "next")
    assert found.lags[-1] == max(sizes) - 1 - ahead
    assert found.counts[0] == 4 - ahead
    assert all(norm is not None and norm > 0 for norm in found.norms)


def test_a_state_that_is_detached_at_each_step_is_a_cut_after_lag_zero() -> None:
    found = measured(Leaky(0.9, window=1), ragged(list(range(1, 9))))
    assert (found.num_cut, found.cut_after, found.cut) == (7, 0, "detached")
    assert found.norms[1:] == (0.0,) * 7


def test_windows_cut_where_they_begin() -> None:
    found = measured(Leaky(0.9, window=4), ragged([10, 6, 3]))
    assert (found.num_cut, found.cut_after, found.cut) == (2, 1, "detached")


def test_a_state_that_is_reset_is_told_from_a_graph_that_is_cut() -> None:
    found = measured(Leaky(0.9, forget=5), ragged([10, 10]))
    assert (found.num_cut, found.cut_after, found.cut) == (2, 4, "unread")


def test_a_gradient_that_became_too_small_for_its_numbers_is_no_cut() -> None:
    found = measured(Leaky(1e-3, dtype=torch.float32), ragged([60], dtype=torch.float32))
    assert found.norms[-1] == 0
    assert found.num_cut == 0
    assert found.factor == pytest.approx(1e-3, rel=1e-4)


def test_a_loss_without_a_graph_to_the_inputs_gives_no_step_anything() -> None:
    class Detached(Leaky):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return super().forward(x, lengths).detach()

    found = measured(Detached(0.5), ragged([4, 2]))
    assert (found.num_cut, found.cut_after, found.cut) == (2, -1, "detached")
    assert set(found.norms) == {0.0}


def test_the_cause_of_a_cut_is_left_open_where_two_equal_calls_differ() -> None:
    class Counts(Leaky):
        calls = 0

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(x, lengths) + self.calls

    found = measured(Counts(0.5, window=1), ragged([4, 2]))
    assert (found.num_cut, found.cut) == (2, None)


def test_what_is_read_ahead_makes_a_measurement_go_both_ways() -> None:
    class Ahead(EachStep):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return super().forward(x, lengths) + x.roll(-1, 1)

    found = measured(Ahead(0.5), ragged([4, 4], targets=torch.randn(8), weights=torch.tensor([1.0, 1, 1, 0] * 2)))
    assert found.both_ways
    assert found.factor is None


def test_tokens_are_followed_to_what_their_embedding_gives() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.leaky = nn.Embedding(7, 1, dtype=torch.float64), Leaky(0.5)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            out: Tensor = self.leaky(self.embedding(x), lengths)
            return out

    data = sw.Sequences(inputs=sw.Ragged(torch.arange(9) % 7, torch.tensor([5, 1, 3])), targets=torch.randn(3))
    found = measured(Tokens(), data)
    assert found.inputs == "embedded tokens"
    assert found.counts == (3, 2, 2, 1, 1)
    assert [norm / found.norms[0] for norm in found.norms] == pytest.approx([0.5**lag for lag in range(5)])  # type: ignore[operator]


def test_whole_numbers_without_an_embedding_have_nothing_to_follow() -> None:
    class OneHot(Leaky):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return super().forward(functional.one_hot(x, 3).double(), lengths)

    data = sw.Sequences(inputs=sw.Ragged(torch.tensor([0, 1, 2]), torch.tensor([3])), targets=torch.randn(1))
    found = measured(OneHot(0.5), data)
    assert (found.inputs, found.lags) == ("nothing", ())


def test_several_inputs_count_together_and_whole_numbers_among_them_not() -> None:
    parts = {name: sw.Ragged(torch.randn(4, 1, dtype=torch.float64), torch.tensor([4])) for name in ("a", "b")}
    parts["c"] = sw.Ragged(torch.arange(4), torch.tensor([4]))
    data = sw.Sequences(inputs=parts, targets=torch.randn(1))

    def weighed(module: nn.Module, batch: Any) -> Any:
        return module(3 * batch.x["a"] + 4 * batch.x["b"], batch.lengths)

    def first(module: nn.Module, batch: Any) -> Any:
        return module(batch.x["a"], batch.lengths)

    adapted, single = adapt(Leaky(0.5), call=weighed), adapt(Leaky(0.5), call=first)
    both, one = (through_time(each, lambda values, *_: values.sum(), data) for each in (adapted, single))
    assert list(both.norms) == pytest.approx([5 * (norm or 0) for norm in one.norms])


def test_a_bare_recurrent_module_of_torch_is_measured() -> None:
    found = measured(nn.LSTM(2, 1), ragged([5, 3], width=2, dtype=torch.float32), contract=None)
    assert found.counts == (2, 2, 2, 1, 1)


def test_sequences_without_a_step_are_left_out_and_none_at_all_is_nothing() -> None:
    assert measured(Leaky(0.5), ragged([0, 3, 0])).counts == (1, 1, 1)
    assert measured(Leaky(0.5), ragged([0, 0])).counts == ()
    none = sw.Sequences(inputs=sw.Ragged(torch.zeros(0, 1), torch.zeros(0, dtype=torch.int64)), targets=torch.zeros(0))
    assert measured(Leaky(0.5), none).counts == ()


def test_sequences_of_one_step_have_one_lag_and_no_rate() -> None:
    found = measured(Leaky(0.5), ragged([1, 1, 1]))
    assert (found.lags, found.counts, found.factor, found.half_life, found.num_cut) == ((0,), (3,), None, None, 0)


def test_a_loss_that_is_flat_is_left_out_and_counted() -> None:
    data = ragged([3, 4])
    at_target = Leaky(0.5)(data.parts["x"].to_padded()[0], data.lengths)[0, 0].item()
    data = sw.Sequences(inputs=data.inputs, targets=torch.tensor([at_target, 9.0]))
    found = measured(Leaky(0.5), data, loss=lambda values, targets, _: (values[:, 0] - targets).clamp(min=0))
    assert found.num_silent == 2
    assert found.counts == ()


def test_a_gradient_that_is_not_finite_is_none() -> None:
    found = measured(Leaky(1e30, dtype=torch.float32), ragged([4], dtype=torch.float32), loss=lambda values, *_: values.sum())
    assert found.norms[0] == 1.0
    assert found.norms[-1] is None


@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_changed_to_the_bit(*, training: bool) -> None:
    class Draws(Leaky):
        def __init__(self) -> None:
            super().__init__(0.5)
            self.norm, self.drop = nn.BatchNorm1d(1, dtype=torch.float64), nn.Dropout(0.5)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            np.random.rand()  # noqa: NPY002 - what a stranger may use
            out: Tensor = self.drop(self.norm(super().forward(x, lengths))) + torch.rand(1)
            return out

    module = Draws().train(training)
    module.a.grad = torch.tensor(7.0, dtype=torch.float64)
    frozen = module.norm.weight.requires_grad_(False)  # noqa: FBT003
    before = {name: value.clone() for name, value in module.state_dict().items()}
    data = ragged([3, 5, 4])
    numbers, numpy_numbers = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    found = measured(module, data)
    assert found.norms[1] == pytest.approx((found.norms[0] or 0) * 0.5)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert np.random.get_state()[1].tolist() == numpy_numbers  # type: ignore[index]  # noqa: NPY002
    assert [part.training for part in module.modules()] == [training] * 3
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.a.grad.item() == 7.0
    assert frozen.grad is None
    assert not frozen.requires_grad
    assert not module._forward_hooks


def test_the_sample_is_fixed_and_spread_over_the_data() -> None:
    data = ragged([1 + row // 10 for row in range(100)])
    found = measured(Leaky(0.5), data, max_sequences=10)
    assert found.num_sequences == 10
    assert found.lags[-1] == 9
    assert found == measured(Leaky(0.5), data, max_sequences=10)


def test_lags_are_limited_or_thinned() -> None:
    assert measured(Leaky(0.9), ragged([50]), max_lag=3).lags == (0, 1, 2, 3)
    lags = measured(Leaky(0.9), ragged([500])).lags
    assert lags[:33] == tuple(range(33))
    assert lags[-1] == 499
    assert len(lags) < 60
    assert list(lags) == sorted(set(lags))
