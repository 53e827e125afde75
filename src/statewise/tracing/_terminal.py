"""How is a trace shown in a terminal?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from statewise.tracing._lines import trace_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statewise.tracing._records import Trace


def render(trace: Trace, *, ascii_only: bool) -> Iterator[Text]:
    """Yield the lines of a trace, coloured where the terminal has colours."""
    for line in trace_lines(trace, ascii_only=ascii_only):
        yield Text.assemble(*line, no_wrap=True, overflow="ignore")
