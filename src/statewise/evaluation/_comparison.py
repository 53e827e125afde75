"""What is known after two models were compared on the same rows, and how is it kept? Records that go to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from statewise.evaluation._estimate import Estimate
from statewise.evaluation._records import Unit
from statewise.files import write_atomically
from statewise.tasks import TASKS, Holds
from statewise.types import KnownTask

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, ConsoleOptions, RenderResult

Answer: TypeAlias = Literal["better", "worse", "open", "undefined"]
"""What an interval says of B: on one side of 0, or `"open"`, which is no proof that the two are equally good."""

Worse: TypeAlias = Literal["yes", "no", "open"]
"""Whether B is worse than A by more than a margin."""

_EXIT_CODES: dict[Worse, int] = {"yes": 1, "open": 3, "no": 0}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """By how much B differs from A in one figure.

    Attributes:
        a: the figure of A, on the shared rows; None where it is undefined.
        b: that of B.
        difference: b - a with its 95 % interval.
        lower_is_better: whether the figure is an error.
        answer: what that says of B.
        margin: by how much B may be worse, where it was told.
        worse: whether it is worse by more than that; None without a margin.
    """

    a: float | None
    b: float | None
    difference: Estimate
    lower_is_better: bool
    answer: Answer
    margin: float | None = None
    worse: Worse | None = None

    @property
    def says(self) -> str:
        """The answer in words."""
        return {
            "better": "B is better",
            "worse": "B is worse",
            "open": "no difference can be told",
            "undefined": "undefined",
        }[self.answer]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two.

    Attributes:
        source: where its predictions came from.
        num_only: how many of its scored rows the other side does not have.
    """

    source: str
    num_only: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Which of two models is better on the rows that both answered, and how sure is that?

    Attributes:
        schema: version of this record.
        task: what both predict.
        a: the first side.
        b: the second.
        differences: by metric, in the order in which they are shown.
        positive: the class that a binary task looks for.
        unit: what is independent of each other.
        num_units: number of them.
        num_shared: rows that both answered.
        num_alike: those of them to which both gave the same answer.
        notes: one line for each thing that should be known.
    """

    schema: int = 1
    task: KnownTask
    a: Side
    b: Side
    differences: dict[str, Difference]
    positive: str | None = None
    unit: Unit
    num_units: int
    num_shared: int
    num_alike: int
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> Holds:
        """What an answer is: a class, a value, or any number of labels."""
        return TASKS[self.task].holds

    @property
    def worse(self) -> Worse | None:
        """Whether B is worse by more than a margin that was told: `"yes"` if in any figure; None where no margin was told."""
        found = [each.worse for each in self.differences.values() if each.worse is not None]
        return None if not found else "yes" if "yes" in found else "open" if "open" in found else "no"

    @property
    def exit_code(self) -> int:
        """How the command line ends: 1 worse by more than a margin, 3 it cannot be told, else 0."""
        return 0 if self.worse is None else _EXIT_CODES[self.worse]

    def __repr__(self) -> str:
        """Return the differences in one line."""
        told = ", ".join(f"{name} {each.difference}" for name, each in self.differences.items())
        return f"Comparison({self.task}, {self.num_shared} shared rows, b - a: {told})"

    def __str__(self) -> str:
        """Return what the terminal shows, as plain text of 100 columns."""
        from statewise.evaluation._comparison_terminal import as_text

        return as_text(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table and lines for the terminal."""
        from statewise.evaluation._comparison_terminal import render

        return render(self)


def write_comparison(comparison: Comparison, path: Path | str) -> Path:
    """Write a comparison as JSON, whole or not at all."""
    content = msgspec.json.format(msgspec.json.encode(comparison), indent=2)
    return write_atomically(path, content + b"\n", asked="write the comparison")
