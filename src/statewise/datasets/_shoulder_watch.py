"""What is `shoulder-watch`, and how does it become a table? 140 recordings of a smartwatch: which shoulder exercise is it?

The published file is a pickle. It is read once, after its sum was checked, by a process of its own that can make arrays and nothing else.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from statewise.datasets._record import DataSet
from statewise.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from statewise.datasets._record import Contents

_CHANNELS = ("ax", "ay", "az", "wx", "wy", "wz")
_LIMIT = 120
"""Seconds that reading the file may take."""


def convert(contents: Contents) -> pl.DataFrame:
    """Return one row a step of 20 ms: acceleration, turning, exercise, person and side."""
    import polars as pl

    (content,) = contents.values()
    arrays = unpickled(content)
    lengths = arrays["lengths"]
    recording = np.repeat(np.arange(len(lengths)), lengths)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    exercise = pl.Series(arrays["exercises"].tolist()).gather(arrays["exercise"])
    side = pl.Series(["left", "right"]).gather(arrays["side"].astype(np.int64))
    return pl.DataFrame(
        {
            "key": recording + 1,
            "step": np.arange(len(recording)) - first,
            **{name: arrays["values"][:, column].astype(np.float32) for column, name in enumerate(_CHANNELS)},
            "side": side.gather(recording),
            "target": exercise.gather(recording),
            "group": arrays["subject"][recording],
        }
    )


def unpickled(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of the published file, read in a child process that imports nothing of the user's and can call nothing.

    Raises:
        DataError: the file asks for more than arrays, or is none.
    """
    script = Path(__file__).with_name("_unpickle.py")
    libraries = str(Path(np.__file__).parents[1])
    command = [sys.executable, "-I", str(script), libraries]
    done = subprocess.run(command, input=content, capture_output=True, check=False, timeout=_LIMIT)  # noqa: S603 - our own script
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise DataError(
            asked="data get shoulder-watch",
            where="the published file, a pickle",
            arrived=f"it cannot be read as arrays ({said[-1] if said else f'the reader ended with {done.returncode}'})",
            hint="Only arrays are read from it; fetch it again with --force (force=True in Python).",
        )
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as arrays:
        return dict(arrays)


SHOULDER_WATCH = DataSet(
    name="shoulder-watch",
    says="140 recordings of a smartwatch, 10 people, 7 shoulder exercises: which one is it?",
    wheel="seglearn",
    version="1.2.5",
    size=11_320_941,
    members={"seglearn/data/watch_dataset.npy": "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"},
    licence="BSD 3-Clause, copyright 2018 David M. Burns",
    citation=(
        "D. M. Burns, N. Leung, M. Hardisty, C. M. Whyne, P. Henry and S. McLachlin (2018). Shoulder physiotherapy exercise recognition: "
        "machine learning the inertial signals from a smartwatch. Physiological Measurement 39 (7), 075007. arXiv 1802.01489."
    ),
    source="the Python package seglearn",
    convert=convert,
    reading={"key": "key", "time": "step", "target": "target", "group": "group", "features": _CHANNELS},
    notes=("50 steps a second; 'group' is the person: a split that ignores it tests on people who were trained on",),
)
