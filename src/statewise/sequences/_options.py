"""Which options may a file be read with, and do they go together? Their meaning is told at `read`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from statewise.errors import OptionError, nearest
from statewise.tasks import TASKS
from statewise.types import Each, KnownTask, Task

Missing: TypeAlias = Literal["error", "mean", "indicator"]
Unlabelled: TypeAlias = Literal["error", "skip"]
Ties: TypeAlias = Literal["error", "keep"]

FILE_NAME = "<file>"
"""In place of a column: the name of the file that a row comes from, without its suffix."""
FOLDER_NAME = "<folder>"
"""In place of a column: the name of the folder that a row's file lies in."""

_SECONDS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "day": 86_400.0, "days": 86_400.0, "w": 604_800.0}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `read`, in one form: names as tuples, a length of time as a number."""

    key: str | None = None
    time: str | None = None
    target: tuple[str, ...] = ()
    group: str | None = None
    features: tuple[str, ...] | dict[str, tuple[str, ...]] | None = None
    categorical: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    weight: str | None = None
    baselines: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    season: int | None = None
    task: Task | None = None
    each: Each | None = None
    missing: Missing = "error"
    unlabelled: Unlabelled = "error"
    ties: Ties = "error"
    max_gap: float | None = None
    max_gap_told: str = ""
    max_steps: int | None = None
    time_gaps: bool = False
    class_names: tuple[str, ...] | None = None
    categories: dict[str, tuple[str, ...]] | None = None
    static_names: tuple[str, ...] | None = None

    @property
    def taken(self) -> set[str]:
        """The columns that have a meaning of their own, so that they are no features unless named as such."""
        targets = () if self.ahead else self.target
        named = (self.key, self.time, self.group, self.weight, *targets, *self.static, *self.baselines)
        return {name for name in named if name is not None}

    @property
    def ahead(self) -> bool:
        """Whether the target is the series itself, so that its past is an input."""
        return self.task is not None and self.task in TASKS and TASKS[self.task].ahead

    @property
    def single(self) -> str | None:
        """The one column of targets; None where there is none, or several."""
        return self.target[0] if len(self.target) == 1 and self.task != "multilabel" else None


def options_of(asked: str, **given: Any) -> Options:
    """Return the options in one form.

    Args:
        asked: what the user wanted, for messages.
        **given: the options of `read`, by name.

    Raises:
        OptionError: a value that an option cannot have, or options that do not go together.
    """
    for name, choices in _CHOICES.items():
        if given[name] is not None and given[name] not in choices:
            raise OptionError(asked=asked, where=name, arrived=repr(given[name]), hint=nearest(str(given[name]), choices))
    _refuse_odd_numbers(given, asked)
    features = given["features"]
    if isinstance(features, Mapping):
        features = {str(name): names_of(each) for name, each in features.items()}
    elif features is not None:
        features = names_of(features)
    target = names_of(given["target"])
    settled: dict[str, Any] = {name: names_of(given[name]) for name in ("categorical", "static", "known", "baselines")}
    settled |= {name: None if given[name] is None else names_of(given[name]) for name in ("class_names", "static_names")}
    categories = given["categories"]
    categories = None if categories is None else {name: names_of(each) for name, each in categories.items()}
    task = given["task"] or ("multilabel" if len(target) > 1 else None)
    gap = None if given["max_gap"] is None else seconds_of(given["max_gap"], asked)
    settled |= {"features": features, "target": target, "categories": categories, "task": task, "max_gap": gap}
    settled["max_gap_told"] = str(given["max_gap"]).strip()
    options = Options(**{**given, **settled})
    _refuse_what_does_not_go_together(options, asked)
    return options


_CHOICES: dict[str, tuple[str, ...]] = {
    "task": get_args(KnownTask),
    "each": get_args(Each),
    "missing": get_args(Missing),
    "unlabelled": get_args(Unlabelled),
    "ties": get_args(Ties),
}


def names_of(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return column names as a tuple; a single name given as text is one name, not its letters.

    Example:
        >>> names_of("amount"), names_of(["a", "b"]), names_of(None)
        (('amount',), ('a', 'b'), ())
    """
    return () if names is None else (names,) if isinstance(names, str) else tuple(str(name) for name in names)


def seconds_of(given: float | str, asked: str) -> float:
    """Return a length of time as a number: a number as it is, `"90min"` in seconds.

    Raises:
        OptionError: no number above 0, and no number with a unit.

    Example:
        >>> seconds_of("90min", "read"), seconds_of("1.5 h", "read"), seconds_of(3, "read")
        (5400.0, 5400.0, 3.0)
    """
    parts = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*([a-z]*)\s*", str(given))
    unit = parts[2] if parts else "?"
    try:
        number = float(parts[1]) if parts else math.nan
    except ValueError:
        number = math.nan
    if not (number > 0 and math.isfinite(number)) or (unit and unit not in _SECONDS):
        hint = f"Give a number above 0 in the units of the time column, or such as '90min' with a unit of {', '.join(_SECONDS)}."
        raise OptionError(asked=asked, where="max_gap", arrived=repr(given), hint=hint)
    return number * _SECONDS.get(unit, 1.0)


def _refuse_odd_numbers(given: Mapping[str, Any], asked: str) -> None:
    """Refuse counts that count nothing."""
    for name in ("max_steps", "season"):
        value = given[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise OptionError(asked=asked, where=name, arrived=repr(value), hint="Give a whole number of steps, 1 or more.")


def _refuse_what_does_not_go_together(options: Options, asked: str) -> None:
    """Refuse an option that the task has no use for, so that none is ignored."""

    def refuse(where: str, arrived: str, hint: str) -> None:
        raise OptionError(asked=asked, where=where, arrived=arrived, hint=hint)

    task = options.task
    if len(options.target) > 1 and task != "multilabel":
        refuse("target", f"{len(options.target)} columns for the task {task!r}", "Several columns of 0 and 1 are the task 'multilabel'.")
    if len(set(options.target)) < len(options.target):
        refuse("target", "the same column twice", "Name each column once.")
    for name in ("known", "season"):
        if getattr(options, name) and task != "forecast":
            refuse(name, f"an option of the task 'forecast', but the task is {task!r}", "Say task='forecast', or leave it out.")
    if options.baselines and (task != "regress" or not options.target):
        told = f"for the task {task!r}" if task is not None else "and no task"
        arrived = f"{', '.join(options.baselines)} {told}" if options.target else "columns, but no target"
        hint = "They hold what could be answered instead of a value: say task='regress' and name the target, or leave them out."
        refuse("baselines", arrived, hint)
    if len({*options.baselines, *options.target}) < len(options.baselines) + len(options.target):
        refuse("baselines", "a column twice, or the target itself", "Name each column once, and not the target.")
    if options.each is not None and task in TASKS and options.each not in TASKS[task].each:
        refuse(
            "each", f"{options.each!r} for the task {task!r}", f"That task has one target a {TASKS[task].each[0]}: leave the option out."
        )
    if task is not None and task != "next" and not options.target and options.each is not None:
        refuse("each", f"{options.each!r}, but no target", "Name the target column too, or leave the option out.")
