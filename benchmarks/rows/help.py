"""How long does `statewise --help` keep its reader waiting, beside an interpreter that does nothing?"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable


def _seconds_of(*arguments: str) -> Callable[[], float]:
    def measure() -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        return time.perf_counter() - begin

    return measure


ROW = Row(
    name="help",
    says="statewise --help, wall time",
    unit="s",
    ours=_seconds_of("-m", "statewise", "--help"),
    peer=_seconds_of("-c", "pass"),
    peer_says="python -c pass",
    repeats=15,
)
