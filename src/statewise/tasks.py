"""What does each task predict, for what, and when? One table, which the other parts ask for what holds of several tasks."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from statewise.types import Each, Task

Holds: TypeAlias = Literal["classes", "values", "labels"]
"""What a target is: one class of several (int64), a number (float32), or any number of labels at once (bool, one column a label)."""


class TaskFacts(NamedTuple):
    """What is true of a task.

    Attributes:
        each: what may have a target, the usual one first.
        holds: what a target is.
        ahead: whether an output at a step is about later steps: the targets of the data are then the series itself, one a step.
    """

    each: tuple[Each, ...]
    holds: Holds
    ahead: bool = False


TASKS: dict[Task, TaskFacts] = {
    "classify": TaskFacts(("sequence",), "classes"),
    "tag": TaskFacts(("step",), "classes"),
    "multilabel": TaskFacts(("sequence", "step"), "labels"),
    "regress": TaskFacts(("sequence", "step"), "values"),
    "forecast": TaskFacts(("step",), "values", ahead=True),
    "next": TaskFacts(("step",), "classes", ahead=True),
}
"""`"other"` is absent: it is trained with a loss of one's own, and nothing is known of its outputs."""
