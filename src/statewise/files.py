"""How does anything reach the disk? Whole or not at all: a temporary file beside the target, fsync, rename."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from statewise.errors import RunError

PART = ".part"
"""How the name of a temporary file ends; it begins with a dot."""


_HINT = "Choose a folder that can be written to and has room, with --out (directory= in Python)."


def write_atomically(path: Path | str, content: bytes | str, *, asked: str = "write a file", hint: str = _HINT) -> Path:
    """Write `content` so that a reader finds the old file or the new one, never a part.

    Args:
        path: the file to write; its folder is made when absent.
        content: bytes, or text that is written as UTF-8.
        asked: what the user wanted, for the message.
        hint: what to try where it cannot be written.

    Raises:
        RunError: the folder cannot be written to, or the disk is full; nothing is left behind.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as problem:
        raise RunError(
            asked=asked,
            where=f"file '{path}'",
            arrived=problem.strerror or str(problem),
            hint=hint,
        ) from problem
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return path


def content_hash(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
