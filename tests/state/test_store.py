"""Does a state come back from disk as it went, without any code being run?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import torch as safetensors

from statewise.errors import ContractError, RunError, ShapeError
from statewise.state import leaves, load, save

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.uint8, torch.complex64, torch.complex128]
TENSORS = st.builds(lambda shape, dtype: torch.randn(shape).to(dtype), st.lists(st.integers(0, 3), max_size=3), st.sampled_from(DTYPES))
TREES = st.recursive(
    TENSORS | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


class Pair(NamedTuple):
    h: Any
    c: Any


@dataclass
class Held:
    _cell: Any
    past: Any = None


@given(TREES)
def test_any_tree_comes_back_with_its_types_and_values(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    again = load(save(tree, tmp_path_factory.getbasetemp() / "state.safetensors"))
    assert repr(again) == repr(tree)
    for (_, before), (_, after) in zip(leaves(tree), leaves(again), strict=True):
        assert after.dtype == before.dtype
        assert torch.equal(after, before)


def test_leaves_that_share_memory_or_are_views_are_stored_whole(tmp_path: Path) -> None:
    base = torch.arange(6.0).view(2, 3)
    tree = (base, base, base.t(), base[:, 1], base[0].expand(4, 3), torch.randn(2, dtype=torch.complex64).conj(), base.requires_grad_())
    again = load(save(tree, tmp_path / "state"))
    assert all(torch.equal(before, after) for before, after in zip(tree, again, strict=True))
    assert not again[-1].requires_grad


def test_a_dataclass_is_rebuilt_with_like(tmp_path: Path) -> None:
    path = save({"x": Held(Pair(torch.ones(2), None), [torch.zeros(1)])}, tmp_path / "state")
    again = load(path, like={"x": Held(Pair(torch.zeros(7), None), [torch.zeros(7)])})
    assert isinstance(again["x"], Held)
    assert isinstance(again["x"]._cell, Pair)
    assert again["x"]._cell.h.tolist() == [1.0, 1.0]


def test_a_dataclass_without_like_is_refused(tmp_path: Path) -> None:
    path = save(Held(torch.ones(2)), tmp_path / "state")
    with pytest.raises(ContractError, match=r"dataclass Held.*like="):
        load(path)


def test_a_named_tuple_without_like_keeps_its_name_and_fields(tmp_path: Path) -> None:
    again = load(save(Pair(torch.ones(2), None), tmp_path / "state"))
    assert type(again).__name__ == "Pair"
    assert again.h.tolist() == [1.0, 1.0]


def test_like_of_another_structure_is_refused(tmp_path: Path) -> None:
    path = save((torch.ones(2),), tmp_path / "state")
    with pytest.raises(ShapeError, match=r"load .*the state: a tuple of \[0\]"):
        load(path, like={"h": torch.ones(2)})


def test_an_odd_key_or_leaf_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    for tree, where in (({"h": {(1, 2): torch.ones(1)}}, "leaf ['h']"), ({"t": 3}, "leaf ['t']")):
        with pytest.raises(ContractError) as raised:
            save(tree, tmp_path / "state")
        assert raised.value.where == where
    assert list(tmp_path.iterdir()) == []


def test_files_that_hold_no_state_are_refused(tmp_path: Path) -> None:
    whole = save(torch.arange(100.0), tmp_path / "whole").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-7])
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").touch()
    (tmp_path / "weights").write_bytes(safetensors.save({"w": torch.ones(1)}))
    (tmp_path / "newer").write_bytes(safetensors.save({}, {"statewise.state": '{"schema": 99}'}))
    arrived = {
        "absent": "no such file",
        "cut": "not a whole",
        "text": "not a whole",
        "empty": "not a whole",
        "weights": "without the structure",
        "newer": "schema 99",
    }
    for name, words in arrived.items():
        with pytest.raises(RunError) as raised:
            load(tmp_path / name)
        assert str(tmp_path / name) in raised.value.where
        assert words in raised.value.arrived
        assert raised.value.asked == "load a state"
        assert raised.value.hint


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        save(torch.full((3,), value), tmp_path / "folder" / "state")
    assert load(tmp_path / "folder" / "state").tolist() == [2.0] * 3
    assert [each.name for each in (tmp_path / "folder").iterdir()] == ["state"]
