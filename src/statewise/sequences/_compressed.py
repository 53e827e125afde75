"""What does a file hold, packed or not? Unpacking stops where a small file grows without end."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import TYPE_CHECKING, Any

from statewise.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}

LARGE = 2**30
"""Bytes that may always be unpacked."""
GROWTH = 200
"""More than these may be unpacked of a file that grows no more than so many times."""


def is_compressed(path: Path) -> bool:
    """Tell whether a file is packed, by its name."""
    return path.suffix.lower() in _OPENERS


def content_of(path: Path, asked: str) -> bytes:
    """Return the bytes of a file, unpacked where its name says that it is packed.

    Raises:
        DataError: it is damaged, or a small file that would fill the memory.
    """
    if not is_compressed(path):
        with path.open("rb") as file:
            return file.read()
    packed, parts, size = path.stat().st_size, [], 0
    try:
        with path.open("rb") as file, _OPENERS[path.suffix.lower()](file) as unpacked:
            while part := unpacked.read(2**20):
                parts.append(part)
                size += len(part)
                refuse_bomb(size, packed, asked, f"file '{path}'")
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as problem:
        arrived = f"no whole {path.suffix} file ({problem})"
        raise DataError(
            asked=asked, where=f"file '{path}'", arrived=arrived, hint="It is damaged or was cut off: write or copy it again."
        ) from problem
    return b"".join(parts)


def refuse_bomb(size: int, packed: int, asked: str, where: str) -> None:
    """Refuse content that is both large and far larger than the file that it comes from."""
    if size > LARGE and size > GROWTH * packed:
        arrived = f"{packed:,} bytes that unpack to more than {size - 1:,}"
        raise DataError(
            asked=asked, where=where, arrived=arrived, hint="If that is meant, unpack it first; a file made to fill the memory is not."
        )
