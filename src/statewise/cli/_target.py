"""What did the first word name: a run, a file, a function, or four counts instead?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from statewise.errors import OptionError, nearest
from statewise.evaluation import Counts
from statewise.runs import RunFiles


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FourCounts:
    """The four counts of a binary task."""

    tp: float | None = None
    "Positives found."
    fn: float | None = None
    "Positives missed."
    fp: float | None = None
    "False alarms."
    tn: float | None = None
    "Negatives left alone."


def counts_of(given: FourCounts | None, target: Path | None, command: str) -> Counts | None:
    """Return the four counts if they were given; some of them, or both they and a target, are refused."""
    four = {name: getattr(given, name) for name in ("tp", "fn", "fp", "tn")} if given is not None else {}
    there = {name: value for name, value in four.items() if value is not None}
    if not there:
        return None
    if target is not None or len(there) < len(four):
        missing = [f"--{name}" for name, value in four.items() if value is None]
        raise OptionError(
            asked=f"statewise {command}",
            where="the four counts",
            arrived=f"no {', '.join(missing)}" if missing else f"both they and '{target}'",
            hint=f"Give all four and nothing else: statewise {command} --tp 12 --fn 88 --fp 112 --tn 9788.",
        )
    broken = {name: value for name, value in there.items() if not value.is_integer()}
    if broken:
        name, value = next(iter(broken.items()))
        raise OptionError(asked=f"statewise {command}", where=f"--{name}", arrived=f"{value:g}", hint="A count is a whole number.")
    return Counts(**{name: int(value) for name, value in there.items()})


def require_target(target: Path | None, command: str, kinds: str) -> Path:
    """Return the target, which must exist."""
    if target is None:
        raise OptionError(asked=f"statewise {command}", where="the target", arrived="nothing", hint=f"Name {kinds}.")
    if not target.exists():
        beside = [str(each) for each in target.parent.iterdir()] if target.parent.is_dir() else []
        raise OptionError(
            asked=f"statewise {command}", where=f"'{target}'", arrived="no such file or folder", hint=nearest(str(target), beside)
        )
    return target


def is_run(path: Path) -> bool:
    """Return whether the path is a run directory; another folder is refused."""
    if not path.is_dir():
        return False
    if not RunFiles(path).config.is_file():
        raise OptionError(
            asked="read a run",
            where=f"folder '{path}'",
            arrived="no config.json in it",
            hint="Name a run directory made by 'statewise fit'.",
        )
    return True
