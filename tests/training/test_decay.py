"""Is the fitted rate that of least squares, and is its interval as sure as it says?"""

from __future__ import annotations

import numpy as np
import pytest

from statewise.training._decay import Reach, lags_of


def reaches(rates: list[float], sizes: list[int], *, spread: float) -> list[Reach]:
    generator = np.random.default_rng(0)
    return [
        Reach(norms=3.0 * rate ** np.arange(size) * np.exp(spread * generator.standard_normal(size)), output=2.0, smallest=0.0)
        for rate, size in zip(rates, sizes, strict=True)
    ]


def test_the_rate_is_that_of_least_squares_with_a_level_a_sequence() -> None:
    made = reaches([0.8, 0.85, 0.9, 0.82], [10, 20, 5, 12], spread=0.3)
    found = lags_of(made)
    rows, wanted = [], []
    for place, reach in enumerate(made):
        for lag, norm in enumerate(reach.norms):
            rows.append([float(lag), *(float(place == other) for other in range(4))])
            wanted.append(np.log(norm))
    solved, left, *_ = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)
    assert found.factor == pytest.approx(np.exp(solved[0]))
    within = sum(float(np.square(np.log(reach.norms) - np.log(reach.norms).mean()).sum()) for reach in made)
    assert found.r_squared == pytest.approx(1 - float(left[0]) / within)


def test_the_interval_holds_the_true_rate_about_as_often_as_it_says() -> None:
    hits = 0
    generator = np.random.default_rng(1)
    for _ in range(200):
        made = [
            Reach(norms=np.exp(-0.2 * np.arange(size) + 0.3 * generator.standard_normal(size)), output=1.0, smallest=0.0)
            for size in generator.integers(5, 20, 20)
        ]
        found = lags_of(made)
        assert found.factor_low is not None
        assert found.factor_high is not None
        hits += found.factor_low <= np.exp(-0.2) <= found.factor_high
    assert 0.90 <= hits / 200 <= 0.99


def test_fewer_than_three_sequences_have_a_rate_without_an_interval() -> None:
    found = lags_of(reaches([0.5, 0.5], [4, 4], spread=0.0))
    assert found.factor == pytest.approx(0.5)
    assert (found.factor_low, found.factor_high) == (None, None)
