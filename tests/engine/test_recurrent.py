"""Does a module of one's own run, whatever its state looks like, and is it told what is wrong with it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from statewise.engine import Recurrent, unroll
from statewise.engine._recurrent_kernel import _found_axes
from statewise.errors import ContractError, ShapeError, StatewiseError
from statewise.sequences import Ragged
from tests.engine.cases import Hash

LENGTHS = torch.tensor([4, 0, 1, 7])


class Pair(NamedTuple):
    fast: Tensor
    slow: Tensor


@dataclass
class Held:
    cell: Pair | None
    past: list[Tensor]


class Linear(nn.Module):
    """A linear recurrence with a learned beginning and a nested state; rows on axes 0 and 1."""

    def __init__(self, *, batch_first: bool = False) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.read = nn.Linear(2, 3)
        self.begin = nn.Parameter(torch.randn(3))

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> Held:
        begin = self.begin.to(device, dtype).expand(batch_size, 3)
        return Held(Pair(begin, begin.unsqueeze(0) / 2), [torch.zeros(batch_size, 3, device=device, dtype=dtype)])

    def forward(self, inputs: Tensor, state: Held) -> tuple[Tensor, Held]:
        assert state.cell is not None
        (fast, slow), past, outputs = state.cell, state.past[0], []
        for step in inputs.unbind(1 if self.batch_first else 0):
            past, fast = fast, 0.5 * fast + self.read(step)
            slow = 0.9 * slow + fast.unsqueeze(0)
            outputs.append(torch.cat([fast + slow[0], past], -1))
        return torch.stack(outputs, 1 if self.batch_first else 0), Held(Pair(fast, slow), [past])


def sequences() -> Ragged:
    return Ragged(torch.randn(int(LENGTHS.sum()), 2, dtype=torch.float64), LENGTHS)


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_nested_state_with_a_learned_beginning_is_exact_with_its_gradient(*, batch_first: bool) -> None:
    module, inputs = Linear(batch_first=batch_first).double(), sequences()
    outputs, final = unroll(module, inputs)
    assert isinstance(final, Held)
    assert isinstance(final.cell, Pair)
    axis = 0 if batch_first else 1
    begin: dict[str, Any] = {"device": torch.device("cpu"), "dtype": torch.float64}
    parts = [module(part.unsqueeze(axis), module.initial_state(1, **begin)) for part in inputs.to_list() if len(part)]
    wanted = torch.cat([part.squeeze(axis) for part, _ in parts])
    assert torch.allclose(outputs.values, wanted, atol=1e-12)
    assert torch.allclose(final.cell.slow[:, [0, 2, 3]], torch.cat([last.cell.slow for _, last in parts], 1), atol=1e-12)
    assert torch.equal(final.cell.slow[0, 1], module.begin / 2)
    found, truth = (torch.autograd.grad(values.square().sum(), [*module.parameters()]) for values in (outputs.values, wanted))
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(found, truth, strict=True))


def test_a_plain_class_without_a_call_runs_too() -> None:
    class Count:
        __slots__ = ()  # cannot be referred to weakly, so its axes are found anew each time

        def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> Tensor:
            return torch.zeros(batch_size, device=device, dtype=dtype)

        def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            counts = state + torch.arange(1, len(inputs) + 1, dtype=state.dtype)[:, None]
            return counts, counts[-1]

    assert isinstance(Count(), Recurrent)
    _, final = unroll(Count(), sequences())
    assert final.tolist() == LENGTHS.tolist()


def test_the_axes_are_found_once() -> None:
    module, calls = Linear().double(), []
    module.register_forward_hook(lambda *_: calls.append(1))
    _, first = unroll(module, sequences().select([3]))
    num_first = len(calls)
    unroll(module, sequences().select([3]), first)
    assert (num_first, len(calls)) == (3, 4)
    assert module in _found_axes


def test_finding_the_axes_leaves_buffers_random_numbers_and_mode_alone() -> None:
    class Noisy(Linear):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, inputs: Tensor, state: Held) -> tuple[Tensor, Held]:
            outputs, final = super().forward(inputs, state)
            self.norm(final.past[0])
            return nn.functional.dropout(outputs, 0.5), final

    module, nothing = Noisy().double(), sequences().select([1])
    seed = torch.get_rng_state()
    unroll(module, nothing)  # no step: the module is called to find the axes, and for nothing else
    assert torch.equal(torch.get_rng_state(), seed)
    assert module.training
    assert module.norm.num_batches_tracked == 0
    assert module.norm.running_mean is not None
    assert module.norm.running_mean.tolist() == [0.0] * 3


def test_no_step_at_all_gives_outputs_of_the_right_shape() -> None:
    outputs, final = unroll(Linear().double(), sequences().select([1, 1]))
    assert outputs.values.shape == (0, 6)
    assert final.past[0].shape == (2, 3)


def test_words_go_in_as_whole_numbers_and_the_state_has_the_dtype_of_the_weights() -> None:
    class Words(Linear):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(5, 2)

        def forward(self, inputs: Tensor, state: Held) -> tuple[Tensor, Held]:
            return super().forward(self.embed(inputs), state)

    outputs, final = unroll(Words().double(), Ragged(torch.tensor([1, 4, 0]), torch.tensor([2, 1])))
    assert outputs.values.dtype == final.past[0].dtype == torch.float64


def test_a_module_without_state_runs() -> None:
    class Stateless(nn.Module):
        def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> None:  # noqa: ARG002
            return None

        def forward(self, inputs: Tensor, state: None) -> tuple[Tensor, None]:
            return 2 * inputs, state

    inputs = sequences()
    outputs, final = unroll(Stateless(), inputs)
    assert torch.equal(outputs.values, 2 * inputs.values)
    assert final is None


class Custom(nn.Module):
    """A Recurrent whose two methods are given."""

    def __init__(self, begin: Any, run: Any, **attributes: Any) -> None:
        super().__init__()
        self.begin, self.run = begin, run
        for name, value in attributes.items():
            setattr(self, name, value)

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> Any:  # noqa: ARG002
        return self.begin(batch_size)

    def forward(self, inputs: Tensor, state: Any) -> Any:
        return self.run(inputs, state)


def zeros(rows: int) -> dict[str, Tensor]:
    return {"h": torch.zeros(rows, 3)}


WRONG: list[tuple[str, Custom, type[StatewiseError], list[str]]] = [
    (
        "two axes follow the batch",
        Custom(lambda n: {"h": torch.zeros(n, n)}, lambda x, s: (x, s)),
        ShapeError,
        ["['h']", "(2, 2)", "state_axes"],
    ),
    ("rows times heads", Custom(lambda n: (torch.zeros(4 * n),), lambda x, s: (x, s)), ShapeError, ["[0]", "(8,)", "(20,)"]),
    ("returned state has another layout", Custom(zeros, lambda x, s: (x, {"h": s["h"].t()})), ContractError, ["['h']", "axis 0", "axis 1"]),
    ("returned state is another tree", Custom(zeros, lambda x, s: (x, (s["h"],))), ShapeError, ["Custom", "tuple", "dict"]),
    ("no state is returned", Custom(zeros, lambda x, _: x), ContractError, ["a Tensor", "(outputs, state)"]),
    ("three things are returned", Custom(zeros, lambda x, s: (x, s, s)), ContractError, ["a tuple of 3"]),
    ("outputs of one step only", Custom(zeros, lambda x, s: (x[-1], s)), ContractError, ["outputs of shape", "[time, batch, ...]"]),
    ("outputs in the wrong order", Custom(zeros, lambda x, s: (x.transpose(0, 1), s)), ContractError, ["(2, 1, 2)", "(1, 2, 2)"]),
    (
        "a leaf that grows",
        Custom(zeros, lambda x, s: (x, {"h": torch.cat([s["h"], s["h"]], 1)}), state_axes=0),
        ContractError,
        ["['h']", "(3, 6)"],
    ),
    ("too few initial rows", Custom(lambda _: zeros(1), lambda x, s: (x, s), state_axes=0), ContractError, ["initial_state(4)", "1 rows"]),
    ("a leaf with a number", Custom(lambda _: {"t": 3}, lambda x, s: (x, s)), ContractError, ["['t']", "3", "tensor"]),
    ("axes of another tree", Custom(zeros, lambda x, s: (x, s), state_axes=(0,)), ShapeError, ["axes", "(0,)", "['h']"]),
    (
        "a shared leaf that counts",
        Custom(lambda n: {"h": torch.zeros(n, 1), "t": torch.zeros(())}, lambda x, s: (x, {"h": s["h"], "t": s["t"] + len(x)})),
        ContractError,
        ["['t']", "share it", "batch axis"],
    ),
]


@pytest.mark.parametrize(("name", "module", "error", "words"), WRONG, ids=lambda part: part if isinstance(part, str) else "")
def test_a_module_that_breaks_its_promise_is_told_which(name: str, module: Custom, error: type[StatewiseError], words: list[str]) -> None:
    with pytest.raises(error) as raised:
        unroll(module, sequences())
    for word in words:
        assert word in str(raised.value), name
    for fact in (raised.value.asked, raised.value.where, raised.value.arrived, raised.value.hint):
        assert fact


def test_a_state_with_other_rows_than_the_batch_is_refused() -> None:
    state = Hash().initial_state(3, device=torch.device("cpu"), dtype=torch.float32)
    with pytest.raises(ShapeError, match="3 rows for 4 sequences"):
        unroll(Hash(), Ragged(torch.ones(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64)), state)


def test_a_shared_leaf_may_come_back_as_a_copy() -> None:
    module = Custom(
        lambda n: {"h": torch.zeros(n, 1), "scale": torch.ones(2)}, lambda x, s: (x, {"h": s["h"] + 1, "scale": s["scale"].clone()})
    )
    _, final = unroll(module, sequences())
    assert final["scale"].tolist() == [1.0, 1.0]
