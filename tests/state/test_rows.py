"""Are rows taken, replaced and begun anew exactly, and no other row touched?"""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from statewise.errors import ShapeError
from statewise.state import detach, join, leaves, map_tensors, num_rows, reset, scatter, select

# Rows on axes 1, 0 and -1, a leaf that all rows share, and a place without a tensor.
AXES = {"h": (1, 0), "last": -1, "shared": None, "none": None}


def state(rows: int, seed: int = 0) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(2, rows, 3, generator=generator), torch.randint(0, 9, (rows,), generator=generator)
    return {"h": h, "last": torch.randn(2, rows, generator=generator), "shared": torch.randn(4, generator=generator), "none": None}


def row_values(tree: dict[str, Any], row: int) -> list[list[float]]:
    return [tree["h"][0][:, row].flatten().tolist(), [tree["h"][1][row].item()], tree["last"][:, row].tolist()]


@given(st.integers(0, 6), st.data())
def test_selected_rows_are_those_asked_for(rows: int, data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.integers(0, rows - 1), max_size=8)) if rows else []
    before = state(rows)
    after = select(before, wanted, AXES)
    assert num_rows(after, AXES) == len(wanted)
    assert [row_values(after, place) for place in range(len(wanted))] == [row_values(before, row) for row in wanted]
    assert after["shared"] is before["shared"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_joined_rows_are_those_of_the_parts_one_after_another(counts: list[int]) -> None:
    parts = [state(rows, seed) for seed, rows in enumerate(counts)]
    after = join(parts, AXES)
    assert num_rows(after, AXES) == sum(counts)
    wanted = [row_values(part, row) for part, rows in zip(parts, counts, strict=True) for row in range(rows)]
    assert [row_values(after, place) for place in range(sum(counts))] == wanted
    assert after["shared"] is parts[0]["shared"]


def test_joined_rows_have_the_dtypes_of_the_first_part() -> None:
    joined = join([state(2), map_tensors(Tensor.double, state(1))], AXES)
    assert [leaf.dtype for _, leaf in leaves(joined)] == [leaf.dtype for _, leaf in leaves(state(1))]
    with pytest.raises(ShapeError):
        join([state(2), {"h": torch.zeros(1)}], AXES)


@given(st.integers(0, 6), st.data())
def test_scattered_rows_are_replaced_and_no_other_is_touched(rows: int, data: st.DataObject) -> None:
    targets = data.draw(st.lists(st.integers(0, rows - 1), unique=True)) if rows else []
    before, new = state(rows), state(len(targets), seed=1)
    kept = state(rows)
    after = scatter(before, torch.tensor(targets, dtype=torch.int32), new, AXES)
    for row in range(rows):
        source, place = (new, targets.index(row)) if row in targets else (kept, row)
        assert row_values(after, row) == row_values(source, place)
        assert row_values(before, row) == row_values(kept, row)
    assert after["shared"] is before["shared"]


@given(flags=st.lists(st.booleans(), max_size=6), one_row_for_all=st.booleans())
def test_a_reset_equals_fresh_and_touches_no_other_row_with_nan_in_the_old_state_too(*, flags: list[bool], one_row_for_all: bool) -> None:
    rows, is_first = len(flags), torch.tensor(flags, dtype=torch.bool)
    initial = state(1 if one_row_for_all else rows, seed=1)
    before = state(rows)
    for row, is_new in enumerate(flags):
        before["last"][:, row] = torch.nan if is_new else row
        before["h"][0][:, row] = torch.inf if is_new else row
    after = reset(before, is_first, initial, AXES)
    for row, is_new in enumerate(flags):
        source, place = (initial, 0 if one_row_for_all else row) if is_new else (before, row)
        assert row_values(after, row) == row_values(source, place)


def test_the_gradient_of_a_reset_row_is_zero_and_never_nan() -> None:
    old = torch.tensor([[[1.0], [torch.inf], [torch.nan]]], requires_grad=True)
    initial = torch.ones(1, 3, 1, requires_grad=True)
    reset(old * old, torch.tensor([False, True, True]), initial).sum().backward()
    assert old.grad is not None
    assert initial.grad is not None
    assert old.grad[0, 0, 0] == 2
    assert initial.grad.flatten().tolist() == [0.0, 1.0, 1.0]
    kept = torch.tensor([[[1.0], [2.0]]], requires_grad=True)
    reset(kept, torch.tensor([False, True]), torch.zeros(1, 1, 1)).sum().backward()
    assert kept.grad is not None
    assert kept.grad.flatten().tolist() == [1.0, 0.0]


def test_dtypes_of_the_state_are_kept() -> None:
    half, full = torch.zeros(1, 2, 1, dtype=torch.bfloat16), torch.ones(1, 2, 1)
    assert reset(half, torch.tensor([True, False]), full).dtype == torch.bfloat16
    assert scatter(half, [0, 1], full).dtype == torch.bfloat16


def test_detached_values_are_the_same_without_their_graph() -> None:
    before = (torch.ones(1, 2, 1, requires_grad=True) * 2, None)
    after = detach(before)
    assert not after[0].requires_grad
    assert torch.equal(after[0], before[0])
    assert before[0].requires_grad


def test_a_state_without_rows_has_no_number_of_them() -> None:
    assert num_rows(None) is None
    assert num_rows((torch.zeros(3),), (None,)) is None
    assert select(None, [0, 7]) is None


def refused(call: Any) -> ShapeError:
    with pytest.raises(ShapeError) as raised:
        call()
    for fact in (raised.value.asked, raised.value.where, raised.value.arrived, raised.value.hint):
        assert fact
    return raised.value


H = torch.zeros(1, 3, 2)


@pytest.mark.parametrize("rows", [[3], [-1], [0, 9], torch.tensor([True, False, True]), torch.tensor([0.5]), torch.tensor([[0]])])
def test_rows_that_are_not_there_are_refused(rows: Any) -> None:
    assert "3 rows" in refused(lambda: inspect.unwrap(select)(H, rows)).arrived
    assert refused(lambda: inspect.unwrap(scatter)(H, rows, H)).where == "rows"


def test_a_row_that_is_named_twice_is_refused() -> None:
    assert "[1, 1]" in refused(lambda: scatter(H, [1, 1], torch.zeros(1, 2, 2))).arrived


@pytest.mark.parametrize("flags", [torch.zeros(3), torch.zeros(2, dtype=torch.bool), torch.zeros(3, 1, dtype=torch.bool)])
def test_flags_that_are_not_one_boolean_a_row_are_refused(flags: Tensor) -> None:
    error = refused(lambda: inspect.unwrap(reset)(H, flags, H))
    assert error.where == "is_first"
    assert "3 rows" in error.arrived


@pytest.mark.parametrize("initial", [torch.zeros(1, 2, 2), torch.zeros(1, 3, 4), torch.zeros(3, 2)])
def test_an_initial_leaf_of_another_shape_is_refused_with_both_shapes(initial: Tensor) -> None:
    error = refused(lambda: reset((H,), torch.zeros(3, dtype=torch.bool), (initial,)))
    assert error.where == "leaf [0]"
    assert str(tuple(initial.shape)) in error.arrived
    assert "(1, 3, 2)" in error.arrived
    assert "(1, 1, 2)" in error.hint


def test_new_rows_of_another_number_are_refused() -> None:
    assert "(1, 2, 2)" in refused(lambda: scatter(H, [0, 1], torch.zeros(1, 3, 2))).hint


def test_trees_that_differ_are_refused() -> None:
    assert "a tensor" in refused(lambda: scatter((H, H), [0], H)).arrived


def test_leaves_that_disagree_on_the_rows_are_named_with_both_shapes() -> None:
    error = refused(lambda: select((H, torch.zeros(1, 4, 2)), [0]))
    assert error.where == "leaf [1]"
    assert "(1, 4, 2)" in error.arrived
    assert "(1, 3, 2)" in error.arrived


@pytest.mark.parametrize(
    ("tree", "axes", "where"),
    [
        (torch.zeros(3), 1, "the state"),  # the default is never bent to what is there
        ({"h": torch.zeros(3)}, {"h": 1}, "['h']"),
        ({"h": H}, {"h": True}, "['h']"),
        ({"h": H}, {"c": 1}, "the state"),
        ({"h": H}, None, "the state"),
        ((H, (H, None)), (1, 1.5), "[1]"),
        ((H,), "h", "the state"),
    ],
)
def test_axes_that_do_not_fit_are_refused(tree: Any, axes: Any, where: str) -> None:
    error = refused(lambda: num_rows(tree, axes))
    assert where in error.where
    assert "axes" in error.hint


def test_every_operation_leaves_its_arguments_as_they_were() -> None:
    before, other = state(3), state(3, seed=1)
    copies = [leaf.clone() for tree in (before, other) for _, leaf in leaves(tree)]
    select(before, [0], AXES)
    scatter(before, [2, 0, 1], other, AXES)
    join([before, other], AXES)
    reset(before, torch.tensor([True, False, True]), other, AXES)
    assert all(torch.equal(leaf, copy) for (_, leaf), copy in zip(leaves(before) + leaves(other), copies, strict=True))
