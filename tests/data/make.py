"""How were the small parts in this folder made? Of the public data sets, by fixed rules; run it again and the same files come out.

`python tests/data/make.py` fetches what is needed and writes the parts beside itself; `--full FOLDER` writes the whole data sets in
the same forms into another folder, for the stories in full length.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path

import numpy as np
import polars as pl

from statewise.datasets import get

HERE = Path(__file__).parent
SERIES = ("pm2.5", "dew_point", "temperature", "wind_speed")
PLAYS = ("hamlet", "macbeth", "the-tempest")


def beijing_weeks(folder: Path, *, suffix: str, hours: int) -> Path:
    """Write one JSON object a week: means of so many hours as lists, and the mean dust of the day after as the target.

    A week in which less than half of the dust was measured, and one whose next day has less than 12 measured hours, is left out.
    """
    table = pl.read_parquet(get("beijing-pm25"))
    first_monday = 3 * 24  # the first of January 2010 is a Friday
    file = folder / f"beijing_pm25{suffix}.jsonl"
    lines = []
    for start in range(first_monday, table.height - 8 * 24 + 1, 7 * 24):
        week, day = table[start : start + 7 * 24], table[start + 7 * 24 : start + 8 * 24]["pm2.5"]
        if day.count() < 12 or week["pm2.5"].count() < 7 * 12:
            continue
        steps = week.group_by(pl.int_range(pl.len()) // hours, maintain_order=True).agg(pl.col(SERIES).cast(pl.Float64).mean().round(1))
        lists = {name: steps[name].to_list() for name in SERIES}
        lines.append(json.dumps({"week": f"{week['time'][0]:%Y-%m-%d}", **lists, "next_day": round(float(day.mean()), 1)}))  # type: ignore[arg-type]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def beijing_stream(folder: Path, *, suffix: str, num_hours: int | None) -> Path:
    """Write the hours as one long stream of arrays; NaN where nothing was measured."""
    table = pl.read_parquet(get("beijing-pm25")).slice(0, num_hours)
    names = [name for name, dtype in table.schema.items() if dtype == pl.Float32]
    file = folder / f"beijing_pm25{suffix}.npz"
    values = table.select(pl.col(names).fill_null(float("nan"))).to_numpy().astype(np.float32)
    times = table["time"].to_numpy().astype("datetime64[s]")
    np.savez_compressed(file, values=values, times=times, feature_names=np.array(names))
    return file


def watch_recordings(folder: Path, *, suffix: str, subjects: int, every: int, sides: tuple[str, ...]) -> Path:
    """Write one parquet file a recording; a person's recordings, one after another, are one sequence of changing exercises.

    Args:
        folder: where the folder goes.
        suffix: how its name ends.
        subjects: how many people, from number 1.
        every: the mean of so many steps becomes one.
        sides: which shoulders.
    """
    table = pl.read_parquet(get("shoulder-watch")).filter(pl.col("group") <= subjects, pl.col("side").is_in(sides))
    target = folder / f"shoulder_watch{suffix}"
    target.mkdir(parents=True, exist_ok=True)
    channels = ["ax", "ay", "az", "wx", "wy", "wz"]
    steps = table.group_by("group", "key", "target", pl.col("step") // every, maintain_order=True).agg(pl.col(channels).mean().round(3))
    steps = steps.sort("group", "key", "step").with_columns(step=pl.int_range(pl.len()).over("group").cast(pl.Int32))
    steps = steps.rename({"group": "subject", "target": "exercise"})
    for (subject, recording), rows in steps.group_by("subject", "key", maintain_order=True):
        file = target / f"subject-{subject:02}-recording-{recording:03}.parquet"
        rows.select(pl.col("subject").cast(pl.Int32), "step", *channels, "exercise").write_parquet(file, statistics=False)
    return target


def retail_customers(folder: Path, *, suffix: str, every: int) -> Path:
    """Write the invoices of every so many-th customer, in the order of their numbers."""
    table = pl.read_parquet(get("online-retail"))
    chosen = table["key"].unique(maintain_order=True).gather_every(every)
    file = folder / f"online_retail{suffix}.csv"
    numbers = pl.col("days_since_previous").cast(pl.Float64).round(3), pl.col("value").cast(pl.Float64).round(2)
    rows = table.filter(pl.col("key").is_in(chosen.implode())).with_columns(*numbers)
    rows.rename({"key": "customer"}).write_csv(file, datetime_format="%Y-%m-%d %H:%M")
    return file


def shakespeare_scenes(folder: Path, *, suffix: str, plays: tuple[str, ...] | None) -> Path:
    """Write the first acts of some plays, a sequence a scene, as tokens; and each act as a text file. All of all plays where None."""
    table = pl.read_parquet(get("shakespeare"))
    texts = folder / f"shakespeare{suffix}"
    texts.mkdir(parents=True, exist_ok=True)
    frames = []
    for (play,), rows in table.group_by("key", maintain_order=True):
        whole = "".join(rows["token"])
        if plays is None:
            (texts / f"{play}.txt").write_bytes(whole.encode())
        elif play in plays:
            act = whole[whole.index("## ACT I\n") : whole.index("## ACT II\n")]
            (texts / f"{play}-act-1.txt").write_bytes(act.encode())
            scenes = [scene for scene in re.split(r"(?m)^(?=### SCENE )", act) if scene.startswith("### SCENE ")]
            frames += [pl.DataFrame({"key": f"{play}-{number}", "token": list(scene)}) for number, scene in enumerate(scenes, start=1)]
    tokens = pl.concat(frames) if frames else table.select("key", "token")
    file = folder / f"shakespeare{suffix}.parquet"
    numbered = tokens.with_columns(step=pl.int_range(pl.len()).over("key").cast(pl.Int32)).select("key", "step", "token")
    numbered.write_parquet(file, compression="zstd", compression_level=19, statistics=False)
    return file


def power_minutes(folder: Path, *, suffix: str, minutes: int, days: tuple[int, int] | None) -> Path:
    """Write the measured minutes of a household, and at each the mean load of the hour that follows: `next_hour`.

    A minute without a measurement is left out, so that time leaps there; an hour of which a minute was not measured is not known.
    Four columns say what could be answered without a model: the mean of the hour before (of what was measured of it), the value of
    now, and the mean of the same hour one day and one week earlier.

    Args:
        folder: where the file goes.
        suffix: how its name ends.
        minutes: the mean of so many minutes becomes one step.
        days: the first day and the one after the last, counted from the beginning; None for all.
    """
    table = pl.read_parquet(get("household-power"))
    if days is not None:
        table = table.slice(days[0] * 24 * 60, (days[1] - days[0]) * 24 * 60)
    measured = pl.col([name for name, dtype in table.schema.items() if dtype == pl.Float32]).cast(pl.Float64)
    whole = pl.when(measured.is_not_null().all()).then(measured.mean())
    steps = table.group_by(pl.int_range(pl.len()) // minutes, maintain_order=True).agg(pl.col("key", "time").first(), whole)
    hour = 60 // minutes
    power = pl.col("global_active_power")
    past = power.rolling_mean(hour)
    steps = steps.with_columns(
        week=pl.col("time").dt.truncate("1w").dt.strftime("%Y-%m-%d"),
        **_turns("day", (pl.col("time").dt.hour() * 60.0 + pl.col("time").dt.minute()) / (24 * 60)),
        **_turns("week", (pl.col("time").dt.weekday() - 1 + pl.col("time").dt.hour() / 24) / 7),
        next_hour=past.shift(-hour),
        last_hour=power.rolling_mean(hour, min_samples=1),
        last_minute=power,
        day_before=past.shift(24 * hour - hour),
        week_before=past.shift(7 * 24 * hour - hour),
    )
    file = folder / f"household_power{suffix}.parquet"
    names = [name for name, dtype in steps.schema.items() if dtype == pl.Float64]
    kept = steps.filter(pl.col("global_active_power").is_not_null()).select("key", "week", "time", pl.col(names).round(4).cast(pl.Float32))
    kept.write_parquet(file, compression="zstd", compression_level=19 if days is not None else 3, statistics=False)
    return file


def _turns(name: str, share: pl.Expr) -> dict[str, pl.Expr]:
    """Return where a clock stands that goes round once, as two numbers without a leap."""
    return {f"{name}_sin": (share * math.tau).sin(), f"{name}_cos": (share * math.tau).cos()}


def make(folder: Path, *, full: bool) -> list[Path]:
    """Write every part, or every whole set, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    if full:
        return [
            beijing_weeks(folder, suffix="", hours=1),
            beijing_stream(folder, suffix="", num_hours=None),
            watch_recordings(folder, suffix="", subjects=10, every=1, sides=("left", "right")),
            retail_customers(folder, suffix="", every=1),
            power_minutes(folder, suffix="", minutes=1, days=None),
            shakespeare_scenes(folder, suffix="", plays=None),
        ]
    return [
        beijing_weeks(folder, suffix="_part", hours=4),
        beijing_stream(folder, suffix="_part", num_hours=2 * 365 * 24),
        watch_recordings(folder, suffix="_part", subjects=6, every=10, sides=("right",)),
        retail_customers(folder, suffix="_part", every=12),
        power_minutes(folder, suffix="_part", minutes=10, days=(120, 162)),
        shakespeare_scenes(folder, suffix="_part", plays=PLAYS),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", metavar="FOLDER", type=Path, help="write the whole data sets into this folder instead")
    where = parser.parse_args().full
    for path in make(where or HERE, full=where is not None):
        print(path)  # noqa: T201
