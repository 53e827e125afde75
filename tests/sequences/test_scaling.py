"""Do statistics come from one part alone, survive odd numbers, and travel as JSON?"""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from statewise.errors import DataError, ShapeError
from statewise.sequences import Ragged, Scale, Sequences, Statistics, fit_statistics, recode, split, standardize


def one(values: Tensor, **more: object) -> Sequences:
    """Return a single sequence of these values."""
    return Sequences(inputs=Ragged(values, torch.tensor([len(values)])), **more)  # type: ignore[arg-type]


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.floats(-1e6, 1e6, width=32)))
def test_mean_and_scale_are_those_of_numpy(values: np.ndarray) -> None:
    found = fit_statistics(one(torch.from_numpy(values))).inputs["x"]
    constant = values.min(axis=0) == values.max(axis=0)
    assert np.allclose(found.mean, values.mean(axis=0), rtol=1e-9, atol=1e-6)
    assert np.allclose(found.scale, np.where(constant, 1.0, values.std(axis=0)), rtol=1e-6, atol=1e-6)
    assert all(scale > 0 for scale in found.scale)


@given(arrays.arrays(np.float32, st.tuples(st.integers(2, 30), st.integers(1, 3)), elements=st.floats(-1e3, 1e3, width=32)))
def test_standardized_steps_have_mean_0_and_scale_1(values: np.ndarray) -> None:
    table = torch.from_numpy(values).double()
    scale = fit_statistics(one(table)).inputs["x"]
    again = fit_statistics(one(standardize(table, scale.mean, scale.scale))).inputs["x"]
    spread = table.amax(0) - table.amin(0)
    for feature in range(values.shape[1]):
        if float(spread[feature]) > 1e-3:
            assert again.mean[feature] == pytest.approx(0.0, abs=1e-6)
            assert again.scale[feature] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("value", [0.1, -3.4e38, 1e-45, 0.0])
def test_a_feature_that_never_changes_becomes_zero(value: float) -> None:
    steps = torch.full((1000, 1), value)
    scale = fit_statistics(one(steps)).inputs["x"]
    assert scale.scale == (1.0,)
    assert standardize(steps, scale.mean, scale.scale).abs().max() == 0


def test_huge_values_do_not_overflow() -> None:
    scale = fit_statistics(one(torch.tensor([[1e300], [-1e300]], dtype=torch.float64))).inputs["x"]
    assert scale == Scale(mean=(0.0,), scale=(1e300,))
    scale = fit_statistics(one(torch.tensor([[3e38], [-3e38], [3e38], [-3e38]]))).inputs["x"]
    assert scale.scale[0] == pytest.approx(3e38)


def test_statistics_come_from_the_part_that_they_are_fitted_on() -> None:
    steps = Ragged(torch.randn(40, 2), torch.full((20,), 2))
    data = Sequences(inputs=steps, targets=["a", "b"] * 10)
    train, test = split(data, fractions=(0.5, 0.5))
    spoiled = Sequences(inputs=test.parts["x"].with_values(test.parts["x"].values * 1e6), targets=test.targets)
    whole = Sequences.concatenate(train, Sequences(inputs=spoiled.inputs, targets=test.targets, class_names=test.class_names))
    assert fit_statistics(whole.select(range(len(train)))) == fit_statistics(train)
    assert fit_statistics(whole) != fit_statistics(train)


def test_all_that_a_model_must_know_travels_as_json() -> None:
    lengths = torch.tensor([2, 1])
    data = Sequences(
        inputs={
            "x": Ragged(torch.randn(3, 2), lengths),
            "level": Ragged(torch.tensor([1.0, 2.0, 3.0]), lengths),
            "kind": Ragged(torch.tensor([2, 0, -1]), lengths),
        },
        static=torch.tensor([[1.0], [3.0]]),
        categories={"kind": ("m", "n", "o")},
    )
    statistics = fit_statistics(data)
    assert set(statistics.inputs) == {"x", "level"}
    assert statistics.static == Scale(mean=(2.0,), scale=(1.0,))
    assert statistics.categories == {"kind": ("m", "o")}
    assert statistics.inputs["level"].mean == (2.0,)
    assert msgspec.json.decode(msgspec.json.encode(statistics), type=Statistics) == statistics


def test_a_part_without_steps_has_mean_0_and_scale_1() -> None:
    assert fit_statistics(one(torch.zeros(0, 2))).inputs["x"] == Scale(mean=(0.0, 0.0), scale=(1.0, 1.0))


@pytest.mark.parametrize(("names", "told"), [(["u", "v"], "feature v"), (None, "feature number 1")])
def test_a_value_that_is_not_finite_is_refused_with_its_feature(names: list[str] | None, told: str) -> None:
    values = torch.tensor([[0.0, 1.0], [0.0, float("nan")], [0.0, float("inf")]])
    with pytest.raises(
        DataError, match=rf"fit_statistics\(data\): input 'x', {told}: 2 values that are not finite, the first is nan\. Drop"
    ):
        fit_statistics(one(values, feature_names=names))


def test_standardizing_keeps_type_and_shape_and_passes_gradients() -> None:
    for shape in ((4, 3), (4, 2, 3)):
        values = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        mean, scale = torch.randn(3, dtype=torch.float64), torch.rand(3, dtype=torch.float64) + 1
        assert torch.autograd.gradcheck(lambda x, m=mean, s=scale: standardize(x, m, s), values)
    assert standardize(torch.ones(4), [1.0], [2.0]).tolist() == [0.0] * 4
    assert standardize(torch.ones(4, 1, dtype=torch.float16), [1.0], [2.0]).dtype == torch.float16


def test_features_of_another_number_are_refused() -> None:
    with pytest.raises(
        ShapeError, match=r"values: 3 features a step, but statistics of 2\. Give the features that the statistics were fitted on"
    ):
        standardize(torch.zeros(4, 3), [0.0, 0.0], [1.0, 1.0])


@given(st.lists(st.integers(-2, 4), max_size=20), st.lists(st.sampled_from("abcdef"), unique=True))
def test_codes_count_the_categories_seen_and_0_is_unknown(codes: list[int], seen: list[str]) -> None:
    names = ["a", "b", "c", "d", "e"]
    found = recode(torch.tensor(codes, dtype=torch.int64), names, seen).tolist()
    assert found == [seen.index(names[code]) + 1 if code >= 0 and names[code] in seen else 0 for code in codes]


def test_a_code_without_a_category_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"codes: the code 2 for 2 categories\. Codes count from 0"):
        recode(torch.tensor([0, 2]), ["a", "b"], ["a"])
