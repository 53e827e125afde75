"""Is any tree of tensors taken apart and put together as it was, with paths that can be read?"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from statewise.errors import ContractError, ShapeError
from statewise.state import aligned, described, leaves, map_tensors, rebuild


class Pair(NamedTuple):
    h: Any
    c: Any


@dataclass(frozen=True)
class Frozen:
    cell: Any
    past: Any = None


def tree() -> Any:
    a, b, c, d, e, f = (torch.tensor([float(number)]) for number in range(6))
    return {"h": (a, None), 3: [b, Pair(c, d)], "x": Frozen(OrderedDict(y=e), f)}


def test_leaves_have_readable_paths() -> None:
    assert [path for path, _ in leaves(tree())] == ["['h'][0]", "[3][0]", "[3][1].h", "[3][1].c", "['x'].cell['y']", "['x'].past"]
    assert leaves(None) == []
    assert [path for path, _ in leaves(torch.zeros(1))] == [""]


def test_a_mapped_tree_has_the_same_types_and_the_first_is_untouched() -> None:
    before = tree()
    after = map_tensors(lambda tensor: tensor + 10, before)
    assert [float(leaf) for _, leaf in leaves(after)] == [10, 11, 12, 13, 14, 15]
    assert [float(leaf) for _, leaf in leaves(before)] == [0, 1, 2, 3, 4, 5]
    assert isinstance(after[3][1], Pair)
    assert isinstance(after["x"], Frozen)
    assert isinstance(after["x"].cell, OrderedDict)
    assert after["h"][1] is None


def test_several_trees_are_mapped_together_whatever_the_order_of_their_keys() -> None:
    other = dict(reversed(list(tree().items())))
    doubled = map_tensors(torch.add, tree(), other)
    assert [float(leaf) for _, leaf in leaves(doubled)] == [0, 2, 4, 6, 8, 10]
    assert list(doubled) == list(tree())


def test_a_list_may_stand_for_a_tuple() -> None:
    assert map_tensors(torch.add, (torch.tensor(1),), [torch.tensor(2)]) == (torch.tensor(3),)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"h": torch.zeros(2, 3)}, ["['h']", "shape (2, 3)", "a tuple of [0], [1]"]),
        ({"h": (torch.zeros(1), torch.zeros(2))}, ["['h'][1]", "None", "shape (2,)"]),
        ({"h": (None, None)}, ["['h'][0]", "None", "shape (1,)"]),
        ({"h": (torch.zeros(1), None), "c": None}, ["the state", "['c']"]),
        ({}, ["the state", "a dict of nothing"]),
        ((torch.zeros(1),), ["the state", "a tuple of [0]", "a dict of ['h']"]),
    ],
)
def test_trees_that_differ_are_told_apart_by_leaf_and_shape(other: Any, words: list[str]) -> None:
    with pytest.raises(ShapeError) as raised:
        map_tensors(torch.add, {"h": (torch.zeros(1), None)}, other)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize("strange", [3, "h", {1, 2}, Pair])
def test_what_is_no_tensor_is_refused_by_its_path(strange: Any) -> None:
    with pytest.raises(ContractError) as raised:
        leaves({"h": [torch.zeros(1), strange]})
    assert raised.value.where == "leaf ['h'][1]"
    assert type(strange).__name__ in raised.value.arrived
    assert raised.value.asked
    assert "tensor" in raised.value.hint


def test_a_tree_is_rebuilt_from_any_values() -> None:
    assert rebuild({"h": (torch.zeros(1), None)}, [7]) == {"h": (7, None)}


def test_aligned_tensors_come_in_the_order_of_the_first() -> None:
    first: dict[str, Tensor] = {"a": torch.tensor(1), "b": torch.tensor(2)}
    assert aligned(first, {"b": torch.tensor(20), "a": torch.tensor(10)}, asked="") == [torch.tensor(10), torch.tensor(20)]


def test_places_are_described_in_a_few_words() -> None:
    assert [described(place) for place in (torch.zeros(2), None, [None])] == ["a tensor of shape (2,)", "None", "a list of [0]"]
