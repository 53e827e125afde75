"""What must hold of `unroll`, whatever the module, the lengths and the resets? Plain functions, so that mutations call them too."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from statewise.engine import _dense_blocks, _layer, _lstm_blocks, unroll
from statewise.engine._costs import Cost
from statewise.engine._plan import Plan
from statewise.sequences import Ragged
from statewise.state import leaves, map_tensors, select
from tests.engine.cases import BASE, DEVICE, Case, HashCase, Module, State, alone, hash_alone, row_of, stacked

if TYPE_CHECKING:
    import pytest

# The largest difference over the largest absolute entry of the reference: outputs and states, then gradients.
LIMITS = {torch.float64: (1e-10, 1e-10), torch.float32: (1e-5, 5e-5) if DEVICE == "cpu" else (5e-5, 5e-4)}
"""Of outputs and states, and of gradients. cuDNN rounds more in float32: one sequence alone through torch is as far from float64 there."""


def cut_into_chains(patch: pytest.MonkeyPatch, *, short: int = 0) -> list[int]:
    """Make blocks so cheap that small modules run in chains of them, those of up to `short` blocks in torch's graph.

    Return where the lengths of the chains will stand.
    """
    right, seen = _lstm_blocks.run_blocks, [0]

    def run_blocks(data: Tensor, state: Any, weights: Any, plan: Plan, **more: Any) -> Any:
        seen.append(len(plan.blocks))
        return right(data, state, weights, plan, **more)

    patch.setattr(_layer, "cost_of", lambda *_, **__: Cost(call=1.0, step=0.0, cell=0.5, most_cells=40))
    patch.setattr(_layer, "run_blocks", run_blocks)
    patch.setattr(_lstm_blocks, "_SHORT", short)
    return seen


def run_densely(patch: pytest.MonkeyPatch) -> list[int]:
    """Run every module over dense blocks by torch's own function, as on a GPU, in chains of a few.

    Return where the number of cells that ran on in each chain will stand.
    """
    right, seen = _dense_blocks.run_dense, [0]

    def run_dense(call: Any, data: Tensor, state: Any, weights: Any, plan: Plan, ends: Any) -> Any:
        seen.append(len(plan.cells.run_on) if len(plan.blocks) > 1 else 0)
        return right(call, data, state, weights, plan, ends)

    patch.setattr(_layer, "way_of", lambda *_: "dense")
    patch.setattr(_layer, "cost_of", lambda *_, **__: Cost(call=3.0, step=0.0, cell=0.5, most_cells=40))
    patch.setattr(_layer, "run_dense", run_dense)
    return seen


def assert_each_sequence_equals_itself_alone(case: Case) -> None:
    """Outputs, final states and all gradients are those of torch's module on each sequence alone, in float64."""
    inputs, truth = case.inputs(case.dtype), case.inputs(torch.float64)
    rows = len(case.lengths)
    state, true_state = (case.state(rows, dtype) if case.is_given else None for dtype in (case.dtype, torch.float64))
    outputs, final = unroll(case.module, inputs, state)
    assert torch.equal(outputs.lengths, inputs.lengths)
    results = [
        alone(case.twin, part, row_of(true_state, row) if case.is_given else _zeros(case)) for row, part in enumerate(truth.to_list())
    ]
    if not results:
        assert outputs.values.shape[0] == 0
        assert all(leaf.shape[1] == 0 for _, leaf in leaves(final))
        return
    wanted = torch.cat([part for part, _ in results]), stacked([last for _, last in results])
    assert_same(case, (outputs.values, final), wanted)
    sources = [inputs.values, *_tensors(state), *case.module.parameters()]
    true_sources = [truth.values, *_tensors(true_state), *case.twin.parameters()]
    assert_same_gradients(case, (outputs.values, final), sources, wanted, true_sources)


def assert_windows_equal_the_whole(case: Case) -> None:
    """Sequences cut anywhere into windows, the state carried, give what they give whole, gradients included."""
    assert not case.bidirectional
    whole, state = case.inputs(torch.float64), case.state(len(case.lengths), torch.float64)
    wanted_outputs, wanted_final = unroll(case.twin, whole, state)
    inputs, carried = case.inputs(case.dtype), case.state(len(case.lengths), case.dtype)
    sources = [inputs.values, *_tensors(carried), *case.module.parameters()]
    outputs, edges = inputs, _window_edges(case)
    pieces: list[list[Tensor]] = []
    for begin, end in pairwise(edges):
        steps = [part[a:b] for part, a, b in zip(inputs.to_list(), begin, end, strict=True)]
        window = Ragged.from_list(steps) if steps else inputs
        outputs, carried = unroll(case.module, window, carried)
        pieces.append(outputs.to_list())
    joined = torch.cat([window[row] for row in range(len(case.lengths)) for window in pieces]) if case.lengths else outputs.values
    wanted = wanted_outputs.values, wanted_final
    assert_same(case, (joined, carried), wanted)
    if sum(case.lengths):
        assert_same_gradients(case, (joined, carried), sources, wanted, [whole.values, *_tensors(state), *case.twin.parameters()])


def assert_permuting_rows_permutes_results(case: Case) -> None:
    """The order of the sequences in a batch changes nothing but the order of the results."""
    inputs, state = case.inputs(case.dtype), case.state(len(case.lengths), case.dtype)
    order = torch.randperm(len(case.lengths), generator=torch.Generator().manual_seed(case.seed))
    outputs, final = unroll(case.module, inputs, state)
    shuffled, shuffled_final = unroll(case.module, inputs.select(order), select(state, order))
    assert_same(case, (shuffled.values, shuffled_final), (outputs.select(order).values, select(final, order)))


def assert_resets_begin_fresh(case: Case) -> None:
    """A lane cut by resets gives what its pieces give alone; NaN in a state that is reset at once reaches nothing."""
    time, batch = max(case.lengths, default=0), len(case.lengths)
    flags = case.flags(time, batch)
    inputs, truth = (case.tensor(time, batch, case.input_size, salt=4).to(d).requires_grad_() for d in (case.dtype, torch.float64))
    state, true_state = case.state(batch, case.dtype), case.state(batch, torch.float64)
    poisoned = map_tensors(lambda leaf: torch.where(flags[:1].any(0)[:, None], torch.nan, leaf), state)
    outputs, final = unroll(case.module, inputs, poisoned, is_first=flags)
    if not (time and batch):
        assert outputs.shape[:2] == (time, batch)
        assert all(torch.equal(a, b) for (_, a), (_, b) in zip(leaves(final), leaves(state), strict=True))
        return
    lanes = [_lane_in_pieces(case.twin, truth[:, lane], flags[:, lane], row_of(true_state, lane)) for lane in range(batch)]
    wanted = torch.stack([part for part, _ in lanes], 1), stacked([last for _, last in lanes])
    assert_same(case, (outputs, final), wanted)
    sources, true_sources = [inputs, *_tensors(state), *case.module.parameters()], [truth, *_tensors(true_state), *case.twin.parameters()]
    assert_same_gradients(case, (outputs, final), sources, wanted, true_sources)


def assert_lane_windows_equal_the_whole(case: Case) -> None:
    """Dense windows with resets, the state carried, give what the whole lanes give."""
    assert not case.bidirectional
    time, batch = max(case.lengths, default=0), len(case.lengths)
    flags, inputs = case.flags(time, batch), case.tensor(time, batch, case.input_size, salt=4).to(case.dtype)
    carried: State = None
    wanted = unroll(case.module, inputs, is_first=flags)
    edges = [0, *sorted(case.integers(time, case.num_windows - 1, salt=5).tolist()), time]
    windows = []
    for begin, end in pairwise(edges):
        outputs, carried = unroll(case.module, inputs[begin:end], carried, is_first=flags[begin:end])
        windows.append(outputs)
    assert_same(case, (torch.cat(windows), carried), wanted)


def assert_hashes_to_the_bit(case: HashCase) -> None:
    """Ragged windows of whole numbers hash to exactly what Python computes for each sequence alone."""
    module, total = case.module, case.numbers(sum(case.lengths))
    numbers = Ragged(total, torch.tensor(case.lengths, dtype=torch.int64))
    edges, carried = _window_edges(case), None
    seen: list[list[Any]] = [[] for _ in case.lengths]
    for begin, end in pairwise(edges):
        steps = [part[a:b] for part, a, b in zip(numbers.to_list(), begin, end, strict=True)]
        outputs, carried = unroll(module, Ragged.from_list(steps) if steps else numbers, carried)
        for row, part in enumerate(outputs.to_list()):
            seen[row] += [tuple(step) for step in part.tolist()]
    wanted = [hash_alone(part.tolist()) for part in numbers.to_list()]
    assert seen == wanted
    assert carried is not None
    ends = [part[-1] if part else (7, 0) for part in wanted]
    assert list(zip(carried["hash"].tolist(), carried["count"][0].tolist(), strict=True)) == ends


def assert_hashes_of_lanes_to_the_bit(case: HashCase) -> None:
    """Dense lanes with resets hash to exactly what Python computes for each piece alone, other lanes untouched."""
    time, batch = max(case.lengths, default=0), len(case.lengths)
    numbers, flags = case.numbers(time, batch), case.flags(time, batch)
    lanes = torch.arange(batch, device=DEVICE)
    begin = {"hash": lanes * 31, "count": lanes.view(1, -1), "base": torch.tensor(BASE, device=DEVICE)}
    outputs, final = unroll(case.module, numbers, begin, is_first=flags)
    ends = []
    for lane in range(batch):
        state, wanted = (31 * lane, lane), []
        for number, first in zip(numbers[:, lane].tolist(), flags[:, lane].tolist(), strict=True):
            (state,) = hash_alone([number], (7, 0) if first else state)
            wanted.append(state)
        assert [tuple(step) for step in outputs[:, lane].tolist()] == wanted
        ends.append(state)
    assert list(zip(final["hash"].tolist(), final["count"][0].tolist(), strict=True)) == ends


def assert_same(case: Case, found: tuple[Tensor, State], wanted: tuple[Tensor, State]) -> None:
    """Outputs and states differ by no more than the limit, and have the dtype that was asked for."""
    limit = LIMITS[case.dtype][0]
    for actual, reference in zip(_tensors(found), _tensors(wanted), strict=True):
        assert actual.dtype == case.dtype
        assert gap(actual, reference) <= limit, f"outputs or state: {gap(actual, reference):.2e}"


def assert_same_gradients(
    case: Case, found: tuple[Tensor, State], sources: list[Tensor], wanted: tuple[Tensor, State], true_sources: list[Tensor]
) -> None:
    """The gradients of one random loss, of outputs and final states together, differ by no more than the limit."""
    gradients = [_gradients(case, values, origin) for values, origin in ((found, sources), (wanted, true_sources))]
    for actual, reference in zip(*gradients, strict=True):
        assert gap(actual, reference) <= LIMITS[case.dtype][1], f"gradient: {gap(actual, reference):.2e}"


def gap(actual: Tensor, reference: Tensor) -> float:
    """Return the largest difference over the largest absolute entry of the reference; infinite where one is NaN."""
    assert actual.shape == reference.shape
    if actual.numel() == 0:
        return 0.0
    difference = float((actual.detach().double() - reference.detach().double()).abs().max())
    size = float(reference.detach().abs().max())
    return difference / (size or 1.0) if difference == difference else float("inf")  # noqa: PLR0124


def _gradients(case: Case, results: tuple[Tensor, State], sources: list[Tensor]) -> list[Tensor]:
    loss = torch.zeros((), dtype=torch.float64, device=DEVICE)
    for number, part in enumerate(_tensors(results)):
        loss = loss + (part.double() * case.tensor(*part.shape, salt=10 + number)).sum()
    if not loss.requires_grad:
        return [torch.zeros_like(source) for source in sources]
    return list(torch.autograd.grad(loss, sources, allow_unused=True, materialize_grads=True))


def _lane_in_pieces(module: Module, lane: Tensor, flags: Tensor, state: State) -> tuple[Tensor, State]:
    """Return what torch gives for one lane when it is called anew at each flag."""
    edges = [*sorted({0, *flags.nonzero().flatten().tolist()}), len(lane)]
    pieces = []
    for begin, end in pairwise(edges):
        if bool(flags[begin]):
            state = map_tensors(torch.zeros_like, state)
        part, state = alone(module, lane[begin:end], state)
        pieces.append(part)
    return torch.cat(pieces), state


def _window_edges(case: Case | HashCase) -> list[list[int]]:
    """Return, for each edge between windows, where it cuts each sequence; windows may be empty."""
    generator = torch.Generator().manual_seed(case.seed)
    cuts = [sorted(torch.randint(0, length + 1, (case.num_windows - 1,), generator=generator).tolist()) for length in case.lengths]
    return [[0] * len(case.lengths), *(list(edge) for edge in zip(*cuts, strict=True)), list(case.lengths)]


def _zeros(case: Case) -> State:
    return map_tensors(torch.zeros_like, case.state(1, torch.float64))


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for _, leaf in leaves(tree)]
