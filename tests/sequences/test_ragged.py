"""Does a ragged batch hold its sequences, hand out the right ones, and refuse lengths that do not fit?"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from statewise.errors import ShapeError
from statewise.sequences import Ragged, mean_per_sequence
from statewise.sequences._layouts import as_lengths

LENGTHS = st.lists(st.integers(0, 6), max_size=8)


def numbered(lengths: list[int], *rest: int) -> Ragged:
    """Return a batch in which every number is different."""
    size = sum(lengths) * int(torch.tensor(rest).prod()) if rest else sum(lengths)
    return Ragged(torch.arange(float(size)).view(sum(lengths), *rest), torch.tensor(lengths, dtype=torch.int64))


@given(LENGTHS)
def test_offsets_rows_and_positions_describe_each_step(lengths: list[int]) -> None:
    ragged = numbered(lengths)
    steps = [(row, position) for row, length in enumerate(lengths) for position in range(length)]
    assert list(zip(ragged.rows.tolist(), ragged.positions.tolist(), strict=True)) == steps
    assert ragged.offsets.tolist() == [sum(lengths[:row]) for row in range(len(lengths) + 1)]
    assert (len(ragged), ragged.num_steps) == (len(lengths), sum(lengths))


@given(LENGTHS, st.data())
def test_selected_sequences_are_those_asked_in_the_order_asked(lengths: list[int], data: st.DataObject) -> None:
    ragged, whole = numbered(lengths, 2), numbered(lengths, 2).to_list()
    choice = st.integers(-len(lengths), len(lengths) - 1) if lengths else st.nothing()
    rows = data.draw(st.lists(choice, max_size=6) if lengths else st.just([]))
    picked = ragged.select(rows)
    assert len(picked) == len(rows)
    for found, row in zip(picked, rows, strict=True):
        assert torch.equal(found, whole[row])
        assert torch.equal(found, ragged[row])


def test_a_mask_selects_the_rows_that_are_true() -> None:
    picked = numbered([2, 0, 3]).select(torch.tensor([False, True, True]))
    assert [part.tolist() for part in picked] == [[], [2.0, 3.0, 4.0]]


@pytest.mark.parametrize("rows", [torch.tensor([3]), torch.tensor([-4]), torch.tensor([True]), torch.tensor([0.5]), torch.tensor([[0]])])
def test_rows_that_do_not_exist_are_refused(rows: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"Ragged\.select\(rows\): rows: .*Give row numbers below 3, or a mask of 3"):
        numbered([2, 0, 3]).select(rows)


@pytest.mark.parametrize(
    ("values", "lengths", "told"),
    [
        (torch.zeros(3), [1, 1], r"they add up to 2 steps, but values has shape \(3,\)\. values holds all steps"),
        (torch.zeros(1), [2, -1], r"lengths, sequence 1: the length -1\. A length counts steps"),
    ],
)
def test_lengths_that_do_not_describe_the_values_are_refused(values: Tensor, lengths: list[int], told: str) -> None:
    with pytest.raises(ShapeError, match=rf"Ragged\(values, lengths\): .*{told}"):
        Ragged(values, torch.tensor(lengths))


@pytest.mark.parametrize("lengths", [torch.tensor([1.0]), torch.tensor([True]), torch.tensor([[1]]), torch.tensor(1)])
def test_lengths_that_are_not_one_whole_number_a_sequence_are_refused(lengths: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"make a batch: lengths: a torch\..* tensor of shape .*Give one whole number a sequence"):
        as_lengths(lengths, asked="make a batch")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_lengths_of_a_small_type_do_not_overflow(dtype: torch.dtype) -> None:
    lengths = as_lengths(torch.tensor([100, 100, 100], dtype=dtype), asked="make a batch")
    assert Ragged(torch.zeros(300), lengths).offsets.tolist() == [0, 100, 200, 300]


def test_parts_are_joined_in_order() -> None:
    joined = Ragged.concatenate([numbered([1, 2]), numbered([0, 1])])
    assert [part.tolist() for part in joined] == [[0.0], [1.0, 2.0], [], [0.0]]


def test_parts_of_different_sizes_are_not_joined() -> None:
    with pytest.raises(ShapeError, match=r"Ragged\.concatenate\(parts\): part 1: .*shape \(1, 3\), but part 0 .*shape \(1, 2\)"):
        Ragged.concatenate([numbered([1], 2), numbered([1], 3)])
    with pytest.raises(ShapeError, match=r"parts: an empty list"):
        Ragged.concatenate([])


def test_other_values_keep_the_lengths_and_a_batch_moves_whole() -> None:
    ragged = numbered([2, 1], 3)
    assert ragged.with_values(torch.ones(3, 7)).lengths.tolist() == [2, 1]
    assert ragged.to("cpu").values.device.type == "cpu"


def test_it_shows_sizes_not_numbers() -> None:
    assert repr(numbered([2, 0], 3)) == "Ragged(2 sequences, 2 steps, lengths 0-2, values [2, 3] torch.float32)"
    assert "lengths none" in repr(numbered([]))


@given(LENGTHS)
def test_the_mean_is_over_each_sequences_own_steps_and_nan_without_any(lengths: list[int]) -> None:
    ragged = numbered(lengths, 2)
    means = mean_per_sequence(ragged.values, ragged.lengths)
    assert means.shape == (len(lengths), 2)
    for mean, part in zip(means, ragged, strict=True):
        assert torch.allclose(mean, part.mean(0), equal_nan=True)


def test_the_mean_passes_gradients() -> None:
    values = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([2, 3])
    assert torch.autograd.gradcheck(lambda x: mean_per_sequence(x, lengths), values)


def test_values_are_moved_to_another_dtype_as_those_of_a_tensor() -> None:
    ragged = Ragged(torch.tensor([1.5, 2.5, 3.5], dtype=torch.float64), torch.tensor([2, 1]))
    for moved in (ragged.to(torch.float32), ragged.to(dtype=torch.float32), ragged.to("cpu", torch.float32)):
        assert (moved.values.dtype, moved.values.tolist(), moved.lengths.tolist()) == (torch.float32, [1.5, 2.5, 3.5], [2, 1])
        assert moved.lengths.dtype == torch.int64
    assert ragged.to("cpu") is ragged
    assert ragged.to(torch.float64) is ragged
