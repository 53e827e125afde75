"""Are the small parts in tests/data small, attributed, and what their README says they are?"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import polars as pl
import pytest

from statewise.sequences import read
from tests._documents import ROOT

FOLDER = ROOT / "tests" / "data"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in {".md", ".py", ".pyc"})


def test_each_file_is_small() -> None:
    assert len(FILES) == 5 + 42 + 3
    assert all(path.stat().st_size < 300_000 for path in FILES)


def test_each_file_has_a_licence_and_a_citation_beside_it() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))
    for top in {path.relative_to(FOLDER).parts[0] for path in FILES}:
        assert f"| `{top}` |" in text
        section = sections[top.split("_part")[0]]
        assert "Licence: " in section
        assert re.search(r"\(20\d\d\)|public domain", section)


@pytest.mark.parametrize(
    ("path", "options", "sizes"),
    [
        ("beijing_pm25_part.jsonl", {"key": "week", "target": "next_day", "task": "regress", "missing": "mean"}, (245, 42, 42)),
        ("beijing_pm25_part.npz", {"target": "pm2.5", "task": "forecast", "missing": "mean", "unlabelled": "skip"}, (1, 17_520, 17_520)),
        ("shoulder_watch_part", {"key": "subject", "time": "step", "target": "exercise", "task": "tag"}, (6, 730, 1351)),
        (
            "online_retail_part.csv",
            {"key": "customer", "time": "time", "target": "target", "task": "tag", "unlabelled": "skip", "ties": "keep"},
            (496, 1, 125),
        ),
        ("shakespeare_part.parquet", {"key": "key", "time": "step", "target": "token", "task": "next"}, (12, 1768, 28_910)),
        ("shakespeare_part", {"task": "next"}, (3, 24_198, 41_605)),
    ],
)
def test_each_part_is_read_as_its_story_needs_it(path: str, options: dict[str, Any], sizes: tuple[int, int, int]) -> None:
    data = read(FOLDER / path, **options)
    assert (len(data), int(data.lengths.min()), int(data.lengths.max())) == sizes


def test_the_weeks_follow_each_other_and_hold_what_the_stream_holds() -> None:
    weeks = [json.loads(line) for line in (FOLDER / "beijing_pm25_part.jsonl").read_text(encoding="utf-8").splitlines()]
    starts = np.array([week["week"] for week in weeks], dtype="datetime64[D]")
    assert set(np.diff(starts).astype(int) % 7) == {0}
    with np.load(FOLDER / "beijing_pm25_part.npz") as stream:
        hours, times = stream["values"], stream["times"]
        column = list(stream["feature_names"]).index("pm2.5")
    for week, start in list(zip(weeks, starts, strict=True))[:50]:
        first = int(np.searchsorted(times, start.astype("datetime64[s]")))
        dust = hours[first : first + 168, column].reshape(42, 4)
        for mean, measured in zip(week["pm2.5"], dust, strict=True):
            assert mean is None if np.isnan(measured).all() else mean == pytest.approx(np.nanmean(measured), abs=0.051)
        assert week["next_day"] == pytest.approx(np.nanmean(hours[first + 168 : first + 192, column]), abs=0.051)


def test_a_persons_recordings_follow_each_other_without_a_gap() -> None:
    rows = pl.concat([pl.read_parquet(path) for path in FILES if path.suffix == ".parquet" and "recording" in path.name])
    for (_,), steps in rows.sort("subject", "step").group_by("subject"):
        assert steps["step"].to_list() == list(range(steps.height))
        assert steps["exercise"].n_unique() == 7
        assert steps["exercise"].rle().len() == 7


def test_the_target_of_an_invoice_is_the_next_one_of_the_same_customer() -> None:
    rows = pl.read_csv(FOLDER / "online_retail_part.csv")
    known = 0
    for (_,), invoices in rows.group_by("customer"):
        assert invoices["target"].to_list() == [*invoices["cancellation"].to_list()[1:], None]
        assert invoices["time"].is_sorted()
        known += invoices.height - 1
    assert rows["target"].count() == known


def test_the_scenes_are_what_the_acts_hold() -> None:
    rows = pl.read_parquet(FOLDER / "shakespeare_part.parquet")
    for path in (FOLDER / "shakespeare_part").glob("*.txt"):
        play = path.stem.removesuffix("-act-1")
        scenes = "".join(rows.filter(pl.col("key").str.starts_with(f"{play}-"))["token"])
        assert path.read_text(encoding="utf-8").endswith(scenes)
        assert scenes.count("### SCENE ") == rows.filter(pl.col("key").str.starts_with(f"{play}-"))["key"].n_unique()
