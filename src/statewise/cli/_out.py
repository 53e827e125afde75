"""Where may a command write? Never over what it reads or what a run is made of, and only under a name that fits what is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from statewise.errors import OptionError
from statewise.runs import RunFiles

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEVER_READ = (".html", ".htm", ".json")
"""What a command writes beside the files of a folder, and does not read as one of them."""


def require_writable(
    out: Path | None, inputs: Iterable[Path | str | None], *, command: str, writes: str, suffixes: tuple[str, ...], own: str = ""
) -> None:
    """Refuse a place to write that would destroy something; an earlier output of the same kind may be overwritten.

    Args:
        out: the place; None is nothing to check.
        inputs: what the command reads: files, folders and patterns.
        command: its name, for messages.
        writes: what it writes, in words.
        suffixes: how the name of such a file may end.
        own: the part of a run that this command writes, which may be written again.

    Raises:
        OptionError: another suffix, a file that is read, or a part of a run.
    """
    if out is None:
        return
    if out.suffix.lower() not in suffixes:
        raise _error(command, f"'{out}', and what is written is {writes}", f"End the name with {' or '.join(suffixes)}.")
    hint = "Choose another name: what was there would be lost."
    for source in inputs:
        if source is not None and _reads(Path(source), out):
            raise _error(command, f"'{out}', which this command reads", hint)
    if out.name in _parts(out.parent) - {own}:
        raise _error(command, f"'{out}', which is a part of the run '{out.parent}'", hint)


def _reads(source: Path, out: Path) -> bool:
    """Tell whether a file that is there is one of those that a path names."""
    if not out.exists():
        return False
    if source.exists():
        inside = source.is_dir() and out.suffix.lower() not in _NEVER_READ and source.samefile(out.resolve().parent)
        return inside or source.samefile(out)
    try:
        found = Path(source.anchor).glob(str(source.relative_to(source.anchor)))
        return any(file.samefile(out) for file in found)
    except (ValueError, NotImplementedError):  # no pattern: reading it will tell
        return False


def _parts(folder: Path) -> set[str]:
    """Return the names of the parts of a run; none for another folder."""
    files = RunFiles(folder)
    return {path.name for path in vars(files).values() if path != files.directory} if files.config.is_file() else set()


def _error(command: str, arrived: str, hint: str) -> OptionError:
    return OptionError(asked=f"statewise {command}", where="--out", arrived=arrived, hint=hint)
