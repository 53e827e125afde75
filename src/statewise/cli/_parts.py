"""Which parts of the rows, and which runs of steps, should an evaluation tell of? The options of `statewise evaluate` for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from statewise.evaluation import EventRules

_Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Parts:
    """What an evaluation tells besides its metrics."""

    by: _Names = ()
    "Tell of parts of the rows: length, position, since_reset, group, or columns; by default the first four."
    events: _Names = ()
    "Classes whose runs of steps are events; the positive class where not given."
    event_tolerance: int = 0
    "Steps before and after an event in which an alarm is still its own."
    event_min_length: int = 1
    "Shorter runs of answers are no alarm."

    @property
    def are_given(self) -> bool:
        """Whether any of these options was used."""
        return self != Parts()

    @property
    def slices(self) -> tuple[str, ...] | None:
        """What is told of, None for the usual."""
        return self.by or None

    @property
    def rules(self) -> EventRules | None:
        """When an event is found, None for the usual."""
        rules = EventRules(of=self.events, tolerance=self.event_tolerance, min_length=self.event_min_length)
        return None if rules == EventRules() else rules
