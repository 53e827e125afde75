"""Do the intervals of errors and of their ratios hold the true figure about as often as they say?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from statewise.evaluation._jackknife import Metric, UnitSums, estimate, ratio, sums_over
from statewise.evaluation._tokens import CODE_LENGTHS
from statewise.evaluation._values import SKILL
from tests.evaluation._left_out import ends

MSE = Metric("mse", ratio("squared", "rows"))


def sums_of(error: np.ndarray, naive: np.ndarray, units: np.ndarray) -> UnitSums:
    one = np.ones(len(error))
    columns = {"rows": one, "squared": error**2, "naive rows": one, "shared": error**2, "naive squared": naive**2}
    return sums_over(units, columns, "sequences")


@pytest.mark.parametrize("num_units", [10, 20, 50])
@pytest.mark.parametrize("rows", [1, 20])
def test_a_skill_of_heavy_tailed_errors_is_covered_nine_times_in_ten_and_better_than_by_the_bootstrap(num_units: int, rows: int) -> None:
    random = np.random.default_rng(num_units)
    units, held, drawn = np.repeat(np.arange(num_units), rows), 0, 300
    held_by_bootstrap = 0
    true = 1 - 1 / (0.9**2 + 0.7**2 * 3 / 5)  # a baseline of 0.9 error + 0.7 noise, both of Student's t with 5 degrees and variance 5/3
    for _ in range(drawn):
        error = random.standard_t(5, len(units))
        naive = 0.9 * error + 0.7 * random.standard_normal(len(units))
        sums = sums_of(error, naive, units)
        found = estimate(SKILL, sums)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= true <= found.high
        chosen = random.integers(0, num_units, (200, num_units))
        again = 1 - sums.parts["shared"][chosen].sum(axis=1) / sums.parts["naive squared"][chosen].sum(axis=1)
        low, high = np.quantile(again, (0.025, 0.975))
        held_by_bootstrap += low <= true <= high
    assert held / drawn > 0.89
    assert held >= held_by_bootstrap - 0.01 * drawn


def test_units_of_the_same_size_give_students_interval_of_the_mean_where_errors_are_small_beside_it() -> None:
    squared = 1 + 0.001 * np.tile([-1.0, 1.0], 8)
    found = estimate(MSE, sums_over(np.arange(16), {"rows": np.ones(16), "squared": squared}, "sequences"))
    low, high = stats.t.interval(0.95, 15, loc=squared.mean(), scale=stats.sem(squared))
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-6)


@given(st.integers(0, 10**6), st.integers(3, 60), st.floats(0.1, 2))
def test_an_interval_equals_one_written_as_a_loop(seed: int, num_units: int, spread: float) -> None:
    squared = np.exp(spread * np.random.default_rng(seed).normal(size=num_units))
    found = estimate(MSE, sums_over(np.arange(num_units), {"rows": np.ones(num_units), "squared": squared}, "sequences"))
    left = np.array([np.log(np.delete(squared, unit).mean()) for unit in range(num_units)])
    assert [found.low, found.high] == pytest.approx(np.exp(ends(math.log(squared.mean()), left)).tolist())


def test_where_a_figure_is_the_same_in_each_unit_the_method_says_so() -> None:
    error = np.random.default_rng(0).normal(size=30)
    found = estimate(SKILL, sums_of(0.5 * error, error, np.arange(30) // 3))
    assert (found.value, found.low, found.high) == pytest.approx((0.75, 0.75, 0.75))
    assert found.method == "the same in each of the sequences"


@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_an_interval_does_not_depend_on_the_order_of_units_nor_on_the_size_of_the_errors(seed: int, factor: float) -> None:
    random = np.random.default_rng(seed)
    error, naive, units = random.normal(size=40), random.normal(size=40), np.repeat(np.arange(8), 5)
    found = estimate(SKILL, sums_of(error, naive, units))
    turned = estimate(SKILL, sums_of(factor * error[::-1], factor * naive[::-1], units))
    assert (found.value, found.low, found.high) == pytest.approx((turned.value, turned.low, turned.high))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("error", "naive", "method"),
    [
        ([1.0, 2.0], [0.0, 0.0], "undefined: 0 of 0"),
        ([1.0], [2.0], "one of the sequences"),
        ([0.0, 0.0, 0.0], [1.0, 2.0, 1.0], "without error"),
        ([0.0, 0.0, 3.0], [1.0, 2.0, 1.0], "all of it in one"),
    ],
)
def test_where_there_is_no_interval_the_method_says_why(error: list[float], naive: list[float], method: str) -> None:
    found = estimate(SKILL, sums_of(np.array(error), np.array(naive), np.arange(len(error))))
    assert (found.low, found.high) == (None, None)
    assert method in found.method


def test_an_end_beyond_all_numbers_is_none() -> None:
    sums = sums_over(np.arange(2), {"rows": np.ones(2), "nll": np.array([0.001, 5.0])}, "sequences")
    found = estimate(CODE_LENGTHS[2], sums)
    assert (found.low, found.high) == (None, None)
    assert "differ too much" in found.method


def test_a_unit_without_rows_is_none() -> None:
    random = np.random.default_rng(0)
    error, naive = random.normal(size=10), random.normal(size=10)
    sums = sums_of(error, naive, np.arange(10))
    padded = UnitSums({name: np.append(part, [0.0, 0.0]) for name, part in sums.parts.items()}, "sequences")
    assert estimate(SKILL, padded) == estimate(SKILL, sums)
    assert estimate(SKILL, padded).units == 10


def test_few_units_with_large_errors_widen_the_interval() -> None:
    even = estimate(MSE, sums_over(np.arange(20), {"rows": np.ones(20), "squared": np.linspace(1, 2, 20)}, "sequences"))
    heavy = estimate(MSE, sums_over(np.arange(20), {"rows": np.ones(20), "squared": np.append(np.ones(19), 50.0)}, "sequences"))
    assert even.high is not None
    assert heavy.high is not None
    assert math.log(heavy.high / heavy.value) > 2.5 * math.log(even.high / even.value)
