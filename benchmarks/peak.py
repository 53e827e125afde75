"""How much memory does a piece of work take at its peak, beyond what was taken before it? Measured in a process of its own.

Use `python -m benchmarks.peak THREADS NAME ARGUMENT ...`; `JOBS` holds the names. Linux alone tells the peak since a moment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.sized import WAYS, Axis, sized_work
from benchmarks.stateful import WINDOW, streams_of, train_stateful

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contest import Figure

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
ROOT = Path(__file__).parents[1]
# glibc gives large blocks back at once, instead of keeping ever larger ones for later: what is measured is what is in use.
_GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072"}


def peak_in_child(*words: str) -> Figure:
    """Return what runs a job in a new process and returns its peak in bytes."""

    def peak() -> float:
        if not _CLEAR.exists():
            raise AssertionError("the peak since a moment is read from /proc/self, which this system does not have")
        command = [sys.executable, "-m", "benchmarks.peak", str(torch.get_num_threads()), *words]
        return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=os.environ | _GIVEN_BACK).stdout)

    return peak


def peak_of(work: Callable[[], object]) -> int:
    """Return by how many bytes the memory of this process grows at most while `work` is done."""
    _CLEAR.write_text("5", encoding="ascii")  # sets the peak back to what is taken now
    before = _bytes("VmRSS")
    work()
    return _bytes("VmHWM") - before


def _bytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(encoding="ascii"), flags=re.MULTILINE)
    assert found is not None, f"the kernel tells {name}"
    return int(found[1]) * 1024


def _stateful(steps: str) -> int:
    streams = streams_of(int(steps))
    train_stateful(streams_of(5 * WINDOW))  # so that what is loaded or compiled once is there before
    return peak_of(lambda: train_stateful(streams))


def _sized(way: str, axis: Axis, size: str) -> int:
    work = sized_work(axis, int(size))
    sized_work(axis, 1).run(WAYS[way])
    return peak_of(lambda: work.run(WAYS[way]))


JOBS: dict[str, Callable[..., int]] = {"stateful": _stateful, "sized": _sized}


if __name__ == "__main__":
    threads, job, *arguments = sys.argv[1:]
    torch.set_num_threads(int(threads))
    print(JOBS[job](*arguments))
