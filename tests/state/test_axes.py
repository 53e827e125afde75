"""Is the batch axis of each leaf found, and is a doubtful one never guessed?"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from statewise.errors import ShapeError
from statewise.state import find_axes


def test_axes_are_found_leaf_by_leaf() -> None:
    def state(rows: int) -> dict[str, Any]:
        return {
            "h": (torch.zeros(1, rows, 2), torch.zeros(rows, 5)),
            "shared": torch.zeros(2),
            "none": None,
            "last": [torch.zeros(5, 2, rows)],
        }

    assert find_axes(state(2), 2, state(5), 5) == {"h": (1, 0), "shared": None, "none": None, "last": [2]}


def test_an_axis_that_happens_to_have_the_size_of_a_batch_is_not_taken() -> None:
    assert find_axes(torch.zeros(2, 2, 5), 2, torch.zeros(2, 5, 5), 5) == 1


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (torch.zeros(2, 2), torch.zeros(5, 5)),  # two candidates
        (torch.zeros(2, 3), torch.zeros(4, 3)),  # another number than the rows
        (torch.zeros(8), torch.zeros(20)),  # rows times heads
        (torch.zeros(3), torch.zeros(3, 5)),  # an axis more
        (torch.zeros(2, 3), torch.zeros(5)),
    ],
)
def test_a_doubtful_leaf_is_named_with_both_shapes(small: Any, large: Any) -> None:
    with pytest.raises(ShapeError) as raised:
        find_axes({"h": [None, small]}, 2, {"h": [None, large]}, 5)
    assert raised.value.where == "leaf ['h'][1]"
    assert str(tuple(small.shape)) in raised.value.arrived
    assert str(tuple(large.shape)) in raised.value.arrived
    assert "state_axes" in raised.value.hint
    assert "2 and 5" in raised.value.asked


def test_states_of_different_structure_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"leaf \[0\]"):
        find_axes((torch.zeros(2),), 2, (None,), 5)


def test_two_equal_batch_sizes_tell_nothing() -> None:
    with pytest.raises(ShapeError, match="two batch sizes"):
        find_axes(torch.zeros(2), 2, torch.zeros(2), 2)
