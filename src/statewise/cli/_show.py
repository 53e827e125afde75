"""How does anything reach the terminal? Figures to standard output; errors, in four facts, to standard error."""

from __future__ import annotations

import sys
import textwrap
import traceback
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console

    from statewise.errors import StatewiseError

OutputFormat: TypeAlias = Literal["text", "json"]


@cache
def console() -> Console:
    """Return the console of standard output; 100 columns wide where no terminal says otherwise."""
    from rich.console import Console

    return Console(soft_wrap=False, width=None if sys.stdout.isatty() else 100, highlight=False)


def show(item: Any) -> None:
    """Print one thing that knows how it looks, and an empty line."""
    console().print(item)
    console().print()


def heading(text: str) -> None:
    """Print the name of the next part."""
    console().rule(f"[bold]{text}[/bold]", align="left", characters="─")


def say(text: str) -> None:
    """Print one plain line; what looks like markup in it is not."""
    console().print(text, markup=False, highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print one note to standard error."""
    sys.stderr.write(f"note: {text}\n")


def show_error(problem: StatewiseError) -> None:
    """Print the four facts of an error to standard error."""
    facts = (("where", problem.where), ("arrived", problem.arrived), ("try", problem.hint))
    lines = [f"error: {problem.asked}"]
    for name, fact in facts:
        wrapped = textwrap.wrap(fact, 100, subsequent_indent=" " * 11, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [f"  {name:<8} {wrapped[0]}", *wrapped[1:]]
    sys.stderr.write("\n".join(lines) + "\n")


def show_crash(problem: Exception) -> None:
    """Print a crash of ours: what it was, and the trace that a report of it needs."""
    sys.stderr.write("".join(traceback.format_exception(problem)))
    sys.stderr.write(f"\ncrash: {type(problem).__name__}: this is a fault of statewise, not of yours. Please report the lines above.\n")
