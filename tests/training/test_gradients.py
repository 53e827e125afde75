"""Are the recorded norms those of the gradients, and is clipping what it says?"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from statewise.training._gradients import GradientNorms


def make_model() -> nn.Module:
    torch.manual_seed(1)
    model = nn.ModuleDict({"core": nn.LSTM(3, 4, num_layers=2, bidirectional=True), "head": nn.Linear(8, 2)})
    outputs, _ = model["core"](torch.randn(5, 2, 3))
    model["head"](outputs).square().sum().backward()
    return model


def test_norms_of_layers_and_of_all_equal_torchs_own() -> None:
    model = make_model()
    expected = float(nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]))
    total, norms, clipped = GradientNorms(model).measure_and_clip(0.0)
    assert total == pytest.approx(expected, rel=1e-5)
    assert not clipped
    assert set(norms) == {"core.l0", "core.l0.reverse", "core.l1", "core.l1.reverse", "head"}
    assert math.sqrt(sum(norm**2 for norm in norms.values())) == pytest.approx(total, rel=1e-5)
    head = nn.utils.get_total_norm([p.grad for p in model["head"].parameters() if p.grad is not None])  # type: ignore[index]
    assert norms["head"] == pytest.approx(float(head), rel=1e-5)


def test_clipping_scales_all_gradients_to_the_limit_and_tells_the_norm_before() -> None:
    model = make_model()
    before = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    total, _, clipped = GradientNorms(model).measure_and_clip(0.5)
    after = [p.grad for p in model.parameters() if p.grad is not None]
    assert clipped
    assert total > 0.5
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, old * 0.5 / total)


def test_a_norm_under_the_limit_and_one_that_is_not_finite_are_left_alone() -> None:
    model = make_model()
    assert not GradientNorms(model).measure_and_clip(1e9)[2]
    first = next(model.parameters())
    assert first.grad is not None
    first.grad[0] = torch.inf
    total, _, clipped = GradientNorms(model).measure_and_clip(1.0)
    assert math.isinf(total)
    assert not clipped


def test_parameters_without_gradient_have_norm_zero() -> None:
    total, norms, clipped = GradientNorms(nn.Linear(2, 2)).measure_and_clip(1.0)
    assert (total, norms, clipped) == (0.0, {"weight": 0.0, "bias": 0.0}, False)
