"""Where do fetched data sets lie, and how does one call at a time write there? What an interrupted call left is removed by the next."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from statewise.errors import RunError
from statewise.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

LEFTOVERS = "**/.*.part"
"""The unfinished files and folders below the cache."""


def cache_folder() -> Path:
    """Return the user's cache folder for this program; it need not exist yet.

    That is `statewise` in `$XDG_CACHE_HOME` where that is set, else in `~/.cache` (Linux), `~/Library/Caches` (macOS) or
    `%LOCALAPPDATA%` (Windows).
    """
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if chosen.is_absolute():
        return chosen / "statewise"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "statewise"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "statewise"


@contextmanager
def held(folder: Path, *, asked: str) -> Iterator[None]:
    """Hold a folder for one process at a time, emptied of what a killed one left; others wait.

    The system lets go when the process ends, however it ends.

    Raises:
        RunError: the folder cannot be made or written to, or the disk is full.
    """
    with storage(folder, asked=asked):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("ab")
    with lock:
        with storage(folder, asked=asked):
            _wait_for(lock.fileno())
            remove_leftovers(folder)
        yield


@contextmanager
def storage(folder: Path, *, asked: str) -> Iterator[None]:
    """Turn what the system says of a folder that cannot be written to into an error of four facts."""
    try:
        yield
    except OSError as problem:
        raise no_room(folder, problem.strerror or str(problem), asked=asked) from problem


def no_room(folder: Path, arrived: str, *, asked: str) -> RunError:
    """Return the error about a cache that cannot be written to."""
    hint = "Make room there, or choose another folder for the cache by setting XDG_CACHE_HOME; nothing half written was kept."
    return RunError(asked=asked, where=f"cache '{folder}'", arrived=arrived, hint=hint)


def keep(path: Path, content: bytes, *, asked: str) -> Path:
    """Write a file of the cache, whole or not at all.

    Raises:
        RunError: the cache cannot be written to, or the disk is full.
    """
    try:
        return write_atomically(path, content, asked=asked)
    except RunError as problem:
        raise no_room(path.parent, problem.arrived, asked=asked) from problem


def remove_leftovers(folder: Path, pattern: str = LEFTOVERS) -> None:
    """Remove what calls that were killed have left; only the one that holds the cache may do this."""
    for path in list(folder.glob(pattern)):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _wait_for(handle: int) -> None:
    """Wait until this process alone holds an open file."""
    if sys.platform == "win32":
        import msvcrt

        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
            except OSError:  # it gives up after ten seconds; a download may take longer
                continue
            return
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
