"""What do the stories read? The forms that `tests/data/make.py` writes, and two more that are made of them."""

from __future__ import annotations

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
    elif not (folder / "shakespeare").is_dir():
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
    """Put the last tenth of the plays, at least one, in a folder of their own: they are held out whole."""
    target = folder / f"text{end}"
    files = sorted((folder / f"shakespeare{end}").glob("*.txt"))
    held_out = max(1, round(len(files) / 10))
    for number, file in enumerate(files):
        chosen = target / ("test" if number >= len(files) - held_out else "train")
        chosen.mkdir(parents=True, exist_ok=True)
        if not (chosen / file.name).exists():
            (chosen / file.name).symlink_to(file.resolve())
