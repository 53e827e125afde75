"""What do the stories read? The forms that `tests/data/make.py` writes, and two more that are made of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import polars as pl

PARTS = Path(__file__).parent.parent / "tests" / "data"


def prepare(folder: Path, *, part: bool) -> Path:
    """Return the folder with the data of all stories; of the small parts, or of the whole sets, which are fetched once.

    Args:
        folder: where the data goes; what is there already is not made again.
        part: the small parts that lie beside the tests.
    """
    folder.mkdir(parents=True, exist_ok=True)
    end = "_part" if part else ""
    if part:
        for source in PARTS.iterdir():
            if source.suffix not in (".py", ".md") and not (folder / source.name).exists():
                (folder / source.name).symlink_to(source)
    elif not all((folder / name).exists() for name in ("shakespeare", "household_power.parquet")):
        subprocess.run([sys.executable, str(PARTS / "make.py"), "--full", str(folder)], check=True)  # noqa: S603 - our own script
    _one_file_of_recordings(folder, end)
    _plays_apart(folder, end)
    return folder


def _one_file_of_recordings(folder: Path, end: str) -> None:
    """Write the watch's recordings as one file in which each is a sequence of its own: the number in its file's name is its key."""
    target = folder / f"shoulder_recordings{end}.parquet"
    if not target.exists():
        files = sorted((folder / f"shoulder_watch{end}").glob("*.parquet"))
        frames = [pl.read_parquet(file).with_columns(recording=pl.lit(file.stem.rpartition("-")[2])) for file in files]
        pl.concat(frames).write_parquet(target)


def _plays_apart(folder: Path, end: str) -> None:
    """Put the plays apart: the last tenth, at least one, is held out whole; the acts of the one before validate; the others train."""
    target = folder / f"text{end}"
    files = sorted((folder / f"shakespeare{end}").glob("*.txt"))
    held_out = max(1, round(len(files) / 10))
    for part, chosen in (("train", files[: -held_out - 1]), ("test", files[-held_out:])):
        (target / part).mkdir(parents=True, exist_ok=True)
        for file in chosen:
            if not (target / part / file.name).exists():
                (target / part / file.name).symlink_to(file.resolve())
    (target / "valid").mkdir(exist_ok=True)
    play = files[-held_out - 1]
    for number, act in enumerate(re.split(r"(?m)(?<=\n)(?=## ACT (?!I\n))", play.read_bytes().decode()), start=1):
        (target / "valid" / f"{play.stem}-{number}.txt").write_bytes(act.encode())
