"""Is a copy for an audit what `copy.deepcopy` would give, and does it share nothing with its original?"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from statewise.auditing._copies import copied, held_tensors


def module() -> Any:
    """Return a module that holds tensors and containers in many places, some of them twice."""
    whole: Any = nn.Sequential(nn.LSTM(3, 4, 2), nn.BatchNorm1d(3), nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    whole[3].weight = whole[2].weight
    whole.kept = {"a": [whole[0].weight_hh_l0, (1, 2)], ("k", 1): {3}, 7: set(), "made": whole[2].weight * 2}
    whole[1].kept = whole.kept
    return whole


def test_a_copy_shares_nothing_with_its_original() -> None:
    original = module()
    made: Any = copied(original)
    theirs = {id(each) for each in held_tensors(original)}
    assert not [each for each in held_tensors(made) if id(each) in theirs]
    places = {each.data_ptr() for each in held_tensors(original) if each.numel()}
    assert not [each for each in held_tensors(made) if each.data_ptr() in places]
    made.kept[7].add(1)
    made.kept["a"].append(1)
    assert original.kept[7] == set()
    assert len(original.kept["a"]) == 2


def test_what_a_module_holds_twice_its_copy_holds_twice() -> None:
    made: Any = copied(module())
    assert made[3].weight is made[2].weight
    assert made.kept["a"][0] is made[0].weight_hh_l0
    assert made[0]._flat_weights[1] is made[0].weight_hh_l0
    assert made[1].kept is made.kept
    assert list(made.kept) == ["a", ("k", 1), 7, "made"]
    assert isinstance(made[2].weight, nn.Parameter)
    assert not made.kept["made"].requires_grad, "what has a graph is held without it"


def test_a_copy_says_what_its_original_says() -> None:
    original = module().eval()
    x = torch.randn(5, 2, 3)
    made: Any = copied(original)
    torch.testing.assert_close(made[0](x)[0], original[0](x)[0], rtol=0, atol=0)
