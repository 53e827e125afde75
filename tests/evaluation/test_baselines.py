"""Do naive forecasts go by the clock where there is one, and are holes in time told?"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.evaluation import predict, read_predictions, training_baseline
from statewise.evaluation._baselines import naive_forecasts
from statewise.models import build
from statewise.sequences import Ragged, Sequences, read

if TYPE_CHECKING:
    from pathlib import Path


def timed(times: list[list[float]], season: int, step: float = 1.0) -> Sequences:
    lengths = torch.tensor([len(each) for each in times])
    values = torch.arange(float(int(lengths.sum())))
    clock = torch.tensor([time for each in times for time in each], dtype=torch.float64) * step
    inputs = Ragged(values[:, None], lengths)
    return Sequences(inputs=inputs, targets=values, times=clock, season=season, each="step", task="forecast", feature_names=["y"])


def slow(times: list[list[float]], season: int, horizon: int) -> list[list[float]]:
    """Return the seasonal forecasts of times in steps, one after another."""
    gaps = [late - early for each in times for early, late in itertools.pairwise(each)]
    usual = float(np.median(gaps)) if gaps else 1.0
    rows, begin = [], 0
    for each in times:
        for now in range(len(each)):
            row = []
            for ahead in range(1, horizon + 1):
                over = max(0, now + ahead - (len(each) - 1))
                wanted = each[min(now + ahead, len(each) - 1)] + over * usual
                while wanted > each[now] + usual / 2 or wanted == each[min(now + ahead, len(each) - 1)] + over * usual:
                    wanted -= season * usual
                near = [place for place in range(now + 1) if abs(each[place] - wanted) <= usual / 2]
                row.append(begin + min(near, key=lambda place: (abs(each[place] - wanted), -place)) if near else float("nan"))
            rows.append(row)
        begin += len(each)
    return rows


@st.composite
def with_holes(draw: st.DrawFn) -> list[list[float]]:
    """Whole times of several sequences, some steps of which are absent."""
    starts = draw(st.lists(st.integers(-5, 50), min_size=1, max_size=3))
    gaps = [draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 3, 7]), max_size=20)) for _ in starts]
    return [np.cumsum([start, *each]).astype(float).tolist() for start, each in zip(starts, gaps, strict=True)]


@given(with_holes(), st.integers(1, 5), st.integers(1, 4), st.sampled_from([1.0, 3600.0, 0.1]))
def test_a_season_is_counted_by_the_clock_as_a_loop_counts_it(times: list[list[float]], season: int, horizon: int, step: float) -> None:
    found = naive_forecasts(timed(times, season, step), horizon)["seasonal"]
    np.testing.assert_array_equal(found, np.array(slow(times, season, horizon)))


@given(st.lists(st.integers(1, 20), min_size=1, max_size=3), st.integers(1, 6), st.integers(1, 5))
def test_without_holes_the_clock_says_what_the_rows_say(lengths: list[int], season: int, horizon: int) -> None:
    data = timed([(472_222.0 + np.arange(each)).tolist() for each in lengths], season, 3600.0)
    by_clock, by_rows = naive_forecasts(data, horizon), naive_forecasts(replace(data, times=None), horizon)
    assert by_clock.keys() == by_rows.keys()
    for name, answers in by_rows.items():
        np.testing.assert_array_equal(by_clock[name], answers)


def test_times_that_do_not_rise_are_no_clock() -> None:
    data = timed([[3.0, 2.0, 1.0, 0.0]], 2)
    np.testing.assert_array_equal(naive_forecasts(data, 2)["seasonal"], naive_forecasts(replace(data, times=None), 2)["seasonal"])


def test_a_daily_rhythm_with_hours_absent_is_told_by_the_seasonal_forecast() -> None:
    hours = np.flatnonzero(np.random.default_rng(0).random(1000) > 0.05)
    data = replace(timed([hours.astype(float).tolist()], 24, 3600.0), targets=torch.from_numpy(hours % 24).float())
    found = naive_forecasts(data, 1)["seasonal"][:-1, 0]
    known = np.isfinite(found)
    assert known.mean() > 0.9
    np.testing.assert_array_equal(found[known], (hours % 24)[1:][known])


def test_holes_in_the_time_of_a_forecast_are_counted_unless_they_are_cut() -> None:
    rows = {"t": [0.0, 1, 2, 3, 4, 7, 8, 30, 31, 32], "y": [float(number) for number in range(10)]}
    options = {"time": "t", "target": "y", "features": ["y"], "task": "forecast"}
    told = "of 9 steps come more than 1.5 usual steps (1) after the one before: 'ahead' counts rows; cut there with max_gap="
    assert [note for note in read(rows, **options).notes if "usual" in note] == [f"2 {told} (--max-gap)"]  # type: ignore[arg-type]
    assert [note for note in read(rows, **options, max_gap=5).notes if "usual" in note] == [f"1 {told} (--max-gap)"]  # type: ignore[arg-type]
    assert not [note for note in read(rows, **options, max_gap=1.5).notes if "usual" in note]  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_predictions_of_steps_carry_their_time_and_are_read_by_their_step(tmp_path: Path, suffix: str) -> None:
    data = timed([[0.0, 1, 5], [2.0, 3]], 2)
    made = predict(build("gru", data=data, horizon=2, seed=0), data)
    assert made.more["time"].tolist() == [0, 0, 1, 1, 5, 5, 2, 2, 3, 3]
    found = read_predictions(made.save(tmp_path / f"made.{suffix}"))
    assert found.step is not None
    assert found.step.tolist() == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1]
    assert found.more["time"].astype(float).tolist() == made.more["time"].tolist()
    assert [note for note in found.notes if "MASE" not in note] == []  # a bare model knows no change of training


def test_the_change_of_a_series_is_learnt_inside_its_sequences() -> None:
    """Two series by hand: 1, 3, 6 changes by 2 and 3, and 10, 10 by nothing; nowhere from one to the other."""
    series = Sequences(inputs=Ragged(torch.zeros(5, 1), torch.tensor([3, 2])), targets=[1.0, 3.0, 6.0, 10.0, 10.0], task="forecast")
    assert training_baseline(series, "forecast") == {"change": pytest.approx(5 / 3)}
    seasonal = Sequences(inputs=series.inputs, targets=series.targets, task="forecast", season=2)
    assert training_baseline(seasonal, "forecast") == {"change": pytest.approx(5.0)}
    still = Sequences(inputs=Ragged(torch.zeros(2, 1), torch.tensor([2])), targets=[4.0, 4.0], task="forecast")
    assert training_baseline(still, "forecast") == {}
