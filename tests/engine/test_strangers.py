"""Are modules of other people run exactly too? Each sequence as alone, in windows, with resets, and cells without a loop around them."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from statewise.engine import unroll
from statewise.errors import ShapeError
from statewise.sequences import Ragged
from statewise.state import find_axes, leaves, map_tensors, scatter, select
from tests.engine.cases import examples
from tests.engine.properties import gap, run_densely
from tests.engine.strangers import STRANGERS

State = Any
LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=8)
F64 = torch.float64


def built(kind: type[nn.Module]) -> Any:
    torch.manual_seed(3)
    return kind(3, 5).to(F64)


def begun(module: Any, rows: int) -> State:
    return module.initial_state(rows, device=torch.device("cpu"), dtype=F64)


def axes_of(module: Any) -> Any:
    return find_axes(begun(module, 2), 2, begun(module, 5), 5)


def alone(module: Any, sequence: Tensor, state: State) -> tuple[Tensor, State]:
    """The module itself on one sequence `[time, feature]`, its own order of axes."""
    if not len(sequence):
        return sequence.new_zeros(0, 5), state
    axis = 0 if getattr(module, "batch_first", False) else 1
    outputs, final = module(sequence.unsqueeze(axis), state)
    return outputs.squeeze(axis), final


def same(found: State, wanted: State) -> bool:
    return all(gap(a, b) < 1e-12 for (_, a), (_, b) in zip(leaves(found), leaves(wanted), strict=True))


@pytest.mark.parametrize("kind", STRANGERS)
def test_each_sequence_equals_itself_alone_with_its_gradients(kind: type[nn.Module]) -> None:
    @given(LENGTHS, st.integers(0, 99))
    @examples(12)
    def holds(lengths: list[int], seed: int) -> None:
        module, twin = built(kind), built(kind)
        values = torch.randn(sum(lengths), 3, generator=torch.Generator().manual_seed(seed), dtype=F64)
        mine, truth = values.clone().requires_grad_(), values.clone().requires_grad_()
        outputs, final = unroll(module, Ragged(mine, torch.tensor(lengths)))
        results = [alone(twin, part, begun(twin, 1)) for part in truth.split(lengths)]
        assert gap(outputs.values, torch.cat([out for out, _ in results])) < 1e-12
        for row, (_, ended) in enumerate(results):
            assert same(select(final, [row], axes_of(module)), ended)
        if sum(lengths):
            outputs.values.square().sum().backward()
            torch.cat([out for out, _ in results]).square().sum().backward()
            pairs = zip([mine, *module.parameters()], [truth, *twin.parameters()], strict=True)
            assert all(gap(a.grad, b.grad) < 1e-10 for a, b in pairs if b.grad is not None)

    holds()


@pytest.mark.parametrize("kind", STRANGERS)
def test_windows_with_the_state_carried_equal_the_whole(kind: type[nn.Module]) -> None:
    @given(LENGTHS, st.integers(0, 99))
    @examples(10)
    def holds(lengths: list[int], seed: int) -> None:
        module, source = built(kind), torch.Generator().manual_seed(seed)
        whole = Ragged(torch.randn(sum(lengths), 3, generator=source, dtype=F64), torch.tensor(lengths))
        wanted, ended = unroll(module, whole)
        cuts = [sorted(torch.randint(0, length + 1, (2,), generator=source).tolist()) for length in lengths]
        state, pieces = None, []
        for begin, end in pairwise([[0] * len(lengths), *map(list, zip(*cuts, strict=True)), lengths]):
            steps = [part[a:b] for part, a, b in zip(whole.to_list(), begin, end, strict=True)]
            outputs, state = unroll(module, Ragged.from_list(steps), state)
            pieces.append(outputs.to_list())
        assert gap(torch.cat([window[row] for row in range(len(lengths)) for window in pieces]), wanted.values) < 1e-12
        assert same(state, ended)

    holds()


@pytest.mark.parametrize("kind", STRANGERS)
@pytest.mark.parametrize("where", ["first", "last", "every", "random"])
def test_a_reset_begins_fresh_whatever_the_state_was(kind: type[nn.Module], where: str) -> None:
    module, inputs = built(kind), torch.randn(7, 4, 3, dtype=F64)  # built(...) has set the seed
    flags = torch.rand(7, 4) < 0.3 if where == "random" else torch.full((7, 4), where == "every")
    flags[{"first": 0, "last": -1}.get(where, 0), 1:] = True
    poisoned = map_tensors(lambda leaf: torch.full_like(leaf, torch.nan), begun(module, 4))
    given_state = map_tensors(lambda leaf: leaf + 0.5, begun(module, 4))
    lanes = flags[0].nonzero().flatten()
    state = scatter(given_state, lanes, select(poisoned, lanes, axes_of(module)), axes_of(module))
    outputs, final = unroll(module, inputs, state, is_first=flags)
    for lane in range(4):
        own, wanted = select(given_state, [lane], axes_of(module)), []
        edges = [*sorted({0, *flags[:, lane].nonzero().flatten().tolist()}), 7]
        for begin, end in pairwise(edges):
            own = begun(module, 1) if flags[begin, lane] else own
            part, own = alone(module, inputs[begin:end, lane], own)
            wanted.append(part)
        assert gap(outputs[:, lane], torch.cat(wanted)) < 1e-12
        assert same(select(final, [lane], axes_of(module)), own)


CELLS = (lambda: nn.LSTMCell(3, 5), lambda: nn.GRUCell(3, 5), lambda: nn.RNNCell(3, 5), lambda: nn.RNNCell(3, 5, nonlinearity="relu"))


@pytest.mark.parametrize("make", CELLS)
@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize(("hooked", "in_blocks"), [(False, False), (True, False), (False, True)])
def test_a_cell_is_run_over_sequences_and_lanes(
    make: Any, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch, *, hooked: bool, in_blocks: bool
) -> None:
    torch.manual_seed(0)
    if in_blocks:
        run_densely(monkeypatch)
    cell = make().to(dtype)
    twin = copy.deepcopy(cell).to(F64)
    if hooked:
        cell.register_forward_hook(lambda *_: None)
    values = torch.randn(9, 3, dtype=dtype)
    mine, truth = values.clone().requires_grad_(), values.to(F64).requires_grad_()
    lengths = [4, 0, 5]
    outputs, final = unroll(cell, Ragged(mine, torch.tensor(lengths)))
    wanted, ended = [], []
    for part in truth.split(lengths):
        state: State = (torch.zeros(1, 5, dtype=F64),) * 2 if isinstance(cell, nn.LSTMCell) else torch.zeros(1, 5, dtype=F64)
        for step in part:
            state = twin(step.unsqueeze(0), state)
            wanted.append(state[0] if isinstance(state, tuple) else state)
        ended.append(state)
    limit = 1e-12 if dtype == F64 else 1e-5
    assert gap(outputs.values, torch.cat(wanted)) < limit
    joined = map_tensors(lambda *rows: torch.cat(rows), *ended)
    assert all(gap(a, b) < limit for (_, a), (_, b) in zip(leaves(final), leaves(joined), strict=True))
    for out, end in ((outputs.values, final), (torch.cat(wanted), joined)):
        (out.square().sum() + torch.stack([leaf.sum() for _, leaf in leaves(end)]).sum()).backward()
    pairs = zip([mine, *cell.parameters()], [truth, *twin.parameters()], strict=True)
    assert all(gap(a.grad, b.grad) < 5 * limit for a, b in pairs)
    flags = torch.zeros(6, 2, dtype=torch.bool)
    flags[3, 1] = True
    dense = torch.randn(6, 2, 3, dtype=dtype)
    whole, _ = unroll(cell, dense, is_first=flags)
    assert gap(whole[3:, 1], unroll(cell, dense[3:])[0][:, 1]) < limit


def test_a_cell_refuses_what_it_cannot_read() -> None:
    cell = nn.LSTMCell(3, 5)
    with pytest.raises(ShapeError, match=r"unroll\(LSTMCell\(3, 5\), inputs\).*4 features a step, but the module reads 3"):
        unroll(cell, torch.zeros(2, 1, 4))
    with pytest.raises(ShapeError, match=r"state: a tensor of shape \(2, 5\)\. Give h \(2, 5\) and c \(2, 5\) \(\[rows, units\]"):
        unroll(cell, torch.zeros(2, 2, 3), torch.zeros(2, 5))
    with pytest.raises(ShapeError, match=r"torch.float64 values for torch.float32 weights"):
        unroll(cell, torch.zeros(2, 2, 3, dtype=torch.float64))
    assert unroll(cell, torch.zeros(0, 2, 3))[0].shape == (0, 2, 5)
