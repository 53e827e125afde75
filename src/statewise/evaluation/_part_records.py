"""What is known of parts of the rows, and of runs of steps?"""

from __future__ import annotations

import msgspec

from statewise.errors import OptionError
from statewise.evaluation._estimate import Estimate

FEW_UNITS = 30
"""A part of the rows with fewer independent units is marked: its figures say little."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Some figures of a part of the rows.

    Attributes:
        by: what the rows were cut by: `"length"`, `"position"`, `"since_reset"`, `"group"`, or a column.
        name: of the part.
        num_scored: number of rows in it.
        num_units: number of independent units in it.
        metrics: its figures.
        few: whether it has fewer than 30 units.
        others: whether it holds all that are not named, and is no part of its own.
    """

    by: str
    name: str
    num_scored: int
    num_units: int
    metrics: dict[str, Estimate]
    few: bool
    others: bool = False


class EventRules(msgspec.Struct, frozen=True, kw_only=True):
    """When is an event found? Any step of it that is answered right finds it, as far as these allow.

    Args:
        of: the classes whose runs are events; the positive class of a binary task where it is empty.
        tolerance: steps before and after an event in which an answer still counts as its own.
        min_length: shorter runs of answers are no alarm.

    Raises:
        OptionError: a tolerance below 0, or a length below 1.
    """

    of: tuple[str, ...] = ()
    tolerance: int = 0
    min_length: int = 1

    def __post_init__(self) -> None:
        """Refuse what no run of steps can have."""
        for name, least in (("tolerance", 0), ("min_length", 1)):
            if getattr(self, name) < least:
                hint = f"Give a number of steps, of {least} or more."
                raise OptionError(asked="evaluate events", where=name, arrived=str(getattr(self, name)), hint=hint)


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """How well runs of steps of a class are found, whatever their length.

    Attributes:
        rules: when an event counts as found.
        num_events: runs among the targets; `num_found` of them were found.
        num_alarms: runs among the answers; `num_right` of them touch an event.
        metrics: event_precision, event_recall, event_f1, delay (steps, or seconds where there is a `time`, from the beginning of an event
            to its first right answer, 0 where it was expected), false_alarms (a thousand steps, or an hour).
        per: what false alarms are counted per: `"1,000 steps"` or `"hour"`; `delay_in` is `"steps"` or `"seconds"`.
    """

    rules: EventRules
    num_events: int
    num_found: int
    num_alarms: int
    num_right: int
    metrics: dict[str, Estimate]
    per: str
    delay_in: str
