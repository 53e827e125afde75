"""Does every sequence come once an epoch, within the budget, in an order that only seed and epoch decide?"""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.sequences._batches import batch_rows

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=40)


@given(lengths=LENGTHS, steps=st.integers(1, 100), seed=st.integers(0, 5), epoch=st.integers(0, 5))
def test_every_row_comes_once_and_no_batch_is_over_budget_but_a_lone_long_one(
    lengths: list[int], steps: int, seed: int, epoch: int
) -> None:
    batches = [rows.tolist() for rows in batch_rows(torch.tensor(lengths), steps, seed=seed, epoch=epoch)]
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    assert all(len(rows) == 1 or sum(lengths[row] for row in rows) <= steps for rows in batches)


@given(lengths=LENGTHS, steps=st.integers(1, 100))
def test_without_a_seed_the_order_is_that_of_the_data(lengths: list[int], steps: int) -> None:
    assert torch.cat(list(batch_rows(torch.tensor(lengths), steps))).tolist() == list(range(len(lengths)))


def test_the_order_depends_on_seed_and_epoch_and_not_on_torchs_generator() -> None:
    lengths = torch.ones(30, dtype=torch.int64)

    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat(list(batch_rows(lengths, 7, seed=seed, epoch=epoch))).tolist()

    first = order(1, 2)
    torch.manual_seed(99)
    assert order(1, 2) == first
    assert order(1, 3) != first
    assert order(2, 2) != first
