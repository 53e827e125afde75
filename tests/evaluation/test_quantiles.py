"""Do our quantiles equal scipy's, from tiny to huge parameters?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from statewise.evaluation._quantiles import beta_probability, beta_quantile, student_quantile

SIZES = st.one_of(st.floats(0.3, 5.0), st.floats(5.0, 1e3), st.integers(1, 10**6).map(float))


@given(st.sampled_from([0.025, 0.5, 0.975]), SIZES, SIZES)
def test_beta_quantiles_equal_scipys(probability: float, a: float, b: float) -> None:
    expected = float(stats.beta.ppf(probability, a, b))
    assert beta_quantile(probability, a, b) == pytest.approx(expected, rel=1e-7, abs=1e-12)


@given(st.floats(0.0, 1.0), SIZES, SIZES)
def test_beta_probabilities_equal_scipys(x: float, a: float, b: float) -> None:
    assert beta_probability(x, a, b) == pytest.approx(float(stats.beta.cdf(x, a, b)), rel=1e-6, abs=1e-12)


@given(st.sampled_from([0.9, 0.975, 0.999]), st.integers(1, 10**5).map(float))
def test_student_quantiles_equal_scipys(probability: float, degrees: float) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(float(stats.t.ppf(probability, degrees)), rel=1e-6)


def test_outside_0_to_1_the_beta_probability_is_0_or_1() -> None:
    assert (beta_probability(-1.0, 2.0, 3.0), beta_probability(2.0, 2.0, 3.0)) == (0.0, 1.0)
