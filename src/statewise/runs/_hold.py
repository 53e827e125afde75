"""How does one training at a time write into a run? It holds a file that the system lets go of when the process ends, however it ends."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from statewise.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nothing is held
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""The file that is held; it is removed when a training ends, and stays where one was killed."""


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold a run for one training; where a file cannot be locked or written, nothing is held.

    Raises:
        RunError: another training holds it.
    """
    path = directory / LOCK
    handle = _locked(path)
    try:
        yield
    finally:
        if handle is not None:
            path.unlink(missing_ok=True)  # while it is held, so that nobody else's is removed
            fcntl.flock(handle, fcntl.LOCK_UN)  # processes that were forked meanwhile have the handle too
            os.close(handle)


def _locked(path: Path) -> int | None:
    """Return the handle of the file, locked, or None."""
    if fcntl is None:
        return None  # type: ignore[unreachable]
    while True:
        handle = None
        with suppress(OSError):  # a folder that cannot be written to is told by the first who writes
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if handle is None:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise RunError(
                asked="fit",
                where=f"folder '{path.parent}'",
                arrived="another training is writing into it",
                hint="Wait until it has ended, or end it with Ctrl-C and go on with --resume (resume=True), or choose another folder.",
            ) from None
        except FileNotFoundError:
            pass  # who held it has just removed it
        except OSError:  # a file system without locks
            os.close(handle)
            return None
        os.close(handle)
