"""Is a predictions file of forecasts, of any framework, scored and judged from the command line, against the season it is told?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ended


def write_forecasts(path: Path, *, season: int = 6, steps: int = 400) -> Path:
    """Write one stream that repeats itself every `season` steps, and forecasts two steps ahead that are nearly right."""
    right = np.sin(np.arange(steps) * 2 * np.pi / season)
    series = right + 0.1 * np.random.default_rng(0).standard_normal(steps)
    rows = [
        {"key": "a", "step": step, "ahead": ahead, "target": series[step + ahead], "prediction": right[step + ahead]}
        for step in range(steps - 2)
        for ahead in (1, 2)
    ]
    pl.DataFrame(rows).write_csv(path)
    return path


def test_the_season_is_the_naive_forecast_to_beat(statewise: Callable[..., Ended], tmp_path: Path) -> None:
    file = write_forecasts(tmp_path / "f.csv")
    without, told = statewise("evaluate", file), statewise("evaluate", file, "--season", 6, "--task", "forecast")
    assert (without.code, told.code) == (0, 0)
    assert "seasonal" not in without.out
    assert "skill against seasonal" in told.out
    judged = statewise("judge", file, "--season", 6)
    assert judged.code in {0, 3}
    assert "skill" in judged.out


def test_columns_of_a_predictions_file_have_fixed_names(statewise: Callable[..., Ended], tmp_path: Path) -> None:
    file = write_forecasts(tmp_path / "f.csv")
    refused = statewise("evaluate", file, "--key", "key")
    assert (refused.code, "--key" in refused.err) == (2, True)
