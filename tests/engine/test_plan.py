"""Does a plan run each step once and in order, are its cuts those of least cost, and is what runs on beyond an end never read?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable  # noqa: TC003 - read at run time where shapes are checked

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.engine._costs import Cost
from statewise.engine._moves import moves_of
from statewise.engine._plan import Plan

LENGTHS = st.lists(st.integers(0, 30), max_size=20)


@given(LENGTHS)
def test_blocks_hold_as_many_cells_as_there_are_steps(lengths: list[int]) -> None:
    plan = Plan(np.array(lengths, dtype=np.int64))
    assert sum(block.time * block.width for block in plan.blocks) == sum(lengths)
    assert all(block.time > 0 and block.width > 0 for block in plan.blocks)
    assert len(plan.blocks) == len(set(lengths) - {0})


@given(LENGTHS)
def test_cells_are_the_steps_of_the_longest_rows_time_after_time(lengths: list[int]) -> None:
    plan = Plan(np.array(lengths, dtype=np.int64))
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    assert plan.order.tolist() == order
    first = np.array([1000 * row for row in range(len(lengths))], dtype=np.int64)
    wanted = [1000 * row + 3 * time for time in range(max(lengths, default=0)) for row in order if time < lengths[row]]
    assert plan.gather(first, 3).tolist() == wanted


@given(LENGTHS)
def test_the_reversal_turns_each_row_round_and_undoes_itself(lengths: list[int]) -> None:
    plan = Plan(np.array(lengths, dtype=np.int64))
    cells = plan.gather(np.array([1000 * row for row in range(len(lengths))], dtype=np.int64), 1)
    for cell, mirrored in zip(cells.tolist(), cells[plan.reversal].tolist(), strict=True):
        assert mirrored == cell // 1000 * 1000 + lengths[cell // 1000] - 1 - cell % 1000
    assert np.array_equal(plan.reversal[plan.reversal], np.arange(sum(lengths)))


@given(LENGTHS)
def test_a_plan_is_whole_when_one_dense_call_does_it(lengths: list[int]) -> None:
    assert Plan(np.array(lengths, dtype=np.int64)).is_whole == (len(set(lengths)) == 1 and lengths[0] > 0)


COSTS = st.builds(Cost, call=st.floats(0, 50), step=st.floats(0, 5), cell=st.floats(0.01, 3), most_cells=st.sampled_from([1, 7, 40, 10**9]))


@given(LENGTHS, COSTS)
def test_with_a_cost_every_step_has_one_cell_of_its_own_and_others_repeat_a_last_step(lengths: list[int], cost: Cost) -> None:
    plan = Plan(np.array(lengths, dtype=np.int64), cost)
    first = np.array([1000 * row for row in range(len(lengths))], dtype=np.int64)
    cells = plan.gather(first, 1)
    assert len(cells) == plan.num_cells == sum(block.time * block.width for block in plan.blocks)
    own = np.delete(cells, plan.cells.run_on).tolist()
    assert sorted(own) == [1000 * row + time for row, length in enumerate(lengths) for time in range(length)]
    assert all(cell % 1000 == lengths[cell // 1000] - 1 for cell in cells[plan.cells.run_on].tolist())
    assert np.array_equal(plan.reversal[plan.reversal], np.arange(plan.num_cells))


@given(LENGTHS, COSTS)
def test_values_go_to_cells_and_back(lengths: list[int], cost: Cost) -> None:
    plan = Plan(np.array(lengths, dtype=np.int64), cost)
    values = torch.arange(float(sum(lengths))).requires_grad_()
    index = plan.gather(plan.lengths.cumsum() - plan.lengths, 1)
    moves = moves_of(index, plan.cells.run_on, torch.device("cpu"))
    cells = moves.to_cells(values)
    assert torch.equal(cells, values[torch.from_numpy(index)])
    spoilt = cells.index_fill(0, torch.from_numpy(plan.cells.run_on), torch.nan)
    back = moves.to_values(spoilt)
    assert torch.equal(back, values)
    (gradient,) = torch.autograd.grad(back.sum(), values)
    assert torch.equal(gradient, torch.ones(sum(lengths)))


@given(st.lists(st.integers(0, 12), min_size=1, max_size=7), st.floats(0, 50), st.floats(0, 5), st.floats(0.01, 3))
def test_the_cuts_are_those_of_least_cost(lengths: list[int], call: float, step: float, cell: float) -> None:
    def price(blocks: Iterable[tuple[int, int]]) -> float:
        return sum(call + time * (step + cell * width) for time, width in blocks)

    plan = Plan(np.array(lengths, dtype=np.int64), Cost(call=call, step=step, cell=cell))
    ends = sorted(set(lengths) - {0})
    ways = []
    for kept in itertools.product([False, True], repeat=max(len(ends) - 1, 0)):
        edges = [0, *(end for end, keep in zip(ends, kept, strict=False) if keep), *ends[-1:]]
        ways.append([(b - a, sum(length > a for length in lengths)) for a, b in itertools.pairwise(edges)])
    assert price((block.time, block.width) for block in plan.blocks) == pytest.approx(min(map(price, ways)))


def test_blocks_hold_no_more_cells_than_memory_is_fast_for() -> None:
    plan = Plan(np.full(64, 100), Cost(call=1.0, step=1.0, cell=1.0, most_cells=1000))
    assert sum(block.time for block in plan.blocks) == 100
    assert max(block.time * block.width for block in plan.blocks) <= 1000
