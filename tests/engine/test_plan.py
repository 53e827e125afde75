"""Does a plan run each cell once, in order, and none that is not real?"""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.engine._plan import Plan, inverse_of

LENGTHS = st.lists(st.integers(0, 30), max_size=20)


@given(LENGTHS)
def test_blocks_hold_as_many_cells_as_there_are_steps(lengths: list[int]) -> None:
    plan = Plan(torch.tensor(lengths, dtype=torch.int64))
    assert sum(block.time * block.width for block in plan.blocks) == sum(lengths)
    assert all(block.time > 0 and block.width > 0 for block in plan.blocks)
    assert len(plan.blocks) == len(set(lengths) - {0})


@given(LENGTHS)
def test_cells_are_the_steps_of_the_longest_rows_time_after_time(lengths: list[int]) -> None:
    plan = Plan(torch.tensor(lengths, dtype=torch.int64))
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    assert plan.order.tolist() == order
    first = torch.tensor([1000 * row for row in range(len(lengths))], dtype=torch.int64)
    wanted = [1000 * row + 3 * time for time in range(max(lengths, default=0)) for row in order if time < lengths[row]]
    assert plan.gather(first, 3).tolist() == wanted


@given(LENGTHS)
def test_the_reversal_turns_each_row_round_and_undoes_itself(lengths: list[int]) -> None:
    plan = Plan(torch.tensor(lengths, dtype=torch.int64))
    cells = plan.gather(torch.tensor([1000 * row for row in range(len(lengths))], dtype=torch.int64), 1)
    for cell, mirrored in zip(cells.tolist(), cells[plan.reversal].tolist(), strict=True):
        assert mirrored == cell // 1000 * 1000 + lengths[cell // 1000] - 1 - cell % 1000
    assert torch.equal(plan.reversal[plan.reversal], torch.arange(sum(lengths)))


@given(LENGTHS)
def test_a_plan_is_whole_when_one_dense_call_does_it(lengths: list[int]) -> None:
    assert Plan(torch.tensor(lengths, dtype=torch.int64)).is_whole == (len(set(lengths)) == 1 and lengths[0] > 0)


def test_an_inverse_undoes_a_permutation() -> None:
    order = torch.tensor([2, 0, 1])
    assert torch.equal(order[inverse_of(order)], torch.arange(3))
