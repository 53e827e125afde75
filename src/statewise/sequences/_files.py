"""Which files does a path name? One, those of a folder, or those that a pattern finds; all of one format."""

from __future__ import annotations

import zipfile
from pathlib import Path

from statewise.errors import DataError, nearest
from statewise.sequences._loading import FORMATS, format_of, read_table

_ALONE = ("ts", "npz")
"""Formats of which one file is read at a time."""
_NAMELESS = ("ts", "txt")
"""Formats without names of columns."""


def files_of(path: Path, *, texts: bool, asked: str) -> list[Path]:
    """Return the files that a path names, in natural order of their names.

    Args:
        path: a file, a folder (its own files, not those of folders in it) or a pattern, in which `**` stands for any folders.
        texts: whether `.txt` files of a folder are meant too.
        asked: what the user wanted, for messages.

    Raises:
        DataError: nothing there, nothing that can be read, or files of several formats.
    """
    found = _found(path, texts=texts, asked=asked)
    for file in found:
        if format_of(file) is None:
            arrived = f"the suffix {file.suffix!r}" if file.suffix else "no suffix"
            hint = f"Files that can be read end in {', '.join(FORMATS)}; csv, jsonl and txt also in .gz, .xz or .bz2 behind it."
            raise DataError(asked=asked, where=f"file '{file}'", arrived=arrived, hint=hint)
    formats = {format_of(file) for file in found}
    if len(formats) > 1 or (len(found) > 1 and formats <= {*_ALONE}):
        suffixes = sorted({file.suffix.lower() for file in found})
        arrived = f"{len(found)} files of {' and '.join(suffixes)}"
        hint = "Read several files of one format, such as '*.csv'; of .ts and .npz one file."
        raise DataError(asked=asked, where=f"path '{path}'", arrived=arrived, hint=hint)
    return found


def column_names(path: Path, *, asked: str) -> list[str] | None:
    """Return the names of the columns of a file (the first, of several), or of the arrays of an `.npz` file; None where there are none.

    Raises:
        DataError: no such file, or one that cannot be read.
    """
    first = files_of(path, texts=True, asked=asked)[0]
    if format_of(first) == "npz":
        try:
            with zipfile.ZipFile(first) as packed:
                return [name.removesuffix(".npy") for name in packed.namelist()]
        except zipfile.BadZipFile:
            return None  # `read` tells what is wrong with it
    return read_table([first], asked=asked).names if format_of(first) not in _NAMELESS else None


def _found(path: Path, *, texts: bool, asked: str) -> list[Path]:
    """Return the files that a path names, of any format."""
    if path.is_file():
        return [path]
    if path.is_dir():
        known = [file for file in _sorted(path.iterdir()) if file.is_file() and format_of(file) not in (None, None if texts else "txt")]
        if not known:
            hint = f"Files that can be read end in {', '.join(FORMATS)}; '{path}/**/*.csv' finds those of folders in it too."
            raise DataError(asked=asked, where=f"folder '{path}'", arrived="no file in it that can be read", hint=hint)
        return known
    try:
        found = list(Path(path.anchor).glob(str(path.relative_to(path.anchor)))) if path.name else []
    except (ValueError, NotImplementedError) as problem:
        hint = "Write '**' as a whole part of the path: 'claims/**/*.csv'."
        raise DataError(asked=asked, where=f"path '{path}'", arrived=f"no pattern ({problem})", hint=hint) from problem
    found = _sorted(file for file in found if file.is_file())
    if not found:
        raise _not_found(path, asked)
    return found


def _sorted(files: object) -> list[Path]:
    """Return files in the order of their names, hidden ones left out."""
    assert hasattr(files, "__iter__")
    return sorted(file for file in files if not file.name.startswith("."))


def _not_found(path: Path, asked: str) -> DataError:
    """Return the error about a path that does not exist, with the nearest name in its folder."""
    folder = path.parent
    if not folder.is_dir():
        arrived, hint = f"there is no folder '{folder}'", f"The working folder is '{Path.cwd()}'."
    else:
        names = sorted(file.name for file in folder.iterdir() if format_of(file) is not None)
        told = f"In '{folder}': {nearest(path.name, names)}" if names else f"No file in '{folder}' is of a kind that is read."
        arrived, hint = "no such file", told
    return DataError(asked=asked, where=f"path '{path}'", arrived=arrived, hint=hint)
