"""How does a comparison look, in a terminal and as plain text? Labels and names of files are data, never markup."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from statewise.evaluation._estimate import amount, figure
from statewise.evaluation._facts import metric_words
from statewise.evaluation._sections import metric_of
from statewise.evaluation._terminal import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from statewise.evaluation._comparison import Comparison, Difference

_WIDTH = 100
_ANSWERS = {"yes": "yes", "no": "no", "open": "it cannot be told"}


def render(comparison: Comparison) -> Iterator[RenderableType]:
    """Yield what was compared, a row a figure, what the columns mean, the margins, and notes."""
    yield Text(headline(comparison), style="bold")
    yield lines_of([("A", comparison.a.source), ("B", comparison.b.source)])
    yield Text()
    yield _table(comparison)
    yield lines_of(reading(comparison), style="dim")
    limits = [("worse by more", line) for line in margins(comparison)]
    if limits:
        yield Text()
        yield lines_of(limits)
    if comparison.notes:
        yield lines_of([("note", note) for note in comparison.notes])


def as_text(comparison: Comparison) -> str:
    """Return what the terminal shows, as plain text of 100 columns."""
    buffer = io.StringIO()
    Console(file=buffer, width=_WIDTH, color_system=None, force_terminal=False).print(Group(*render(comparison)))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def headline(comparison: Comparison) -> str:
    """Return in one line how many rows both answered, and how many times they answered alike."""
    shared, alike = f"{comparison.num_shared:,}", f"{comparison.num_alike:,}"
    units = f" in {comparison.num_units:,} {comparison.unit}{'' if comparison.num_units == 1 else 's'}"
    return f"Comparison of B with A on {shared} rows that both answered{units}; {alike} were answered alike"


def reading(comparison: Comparison) -> list[tuple[str, str]]:
    """Return, as titles and texts, how the columns are read."""
    lower = [metric_words(name) for name, each in comparison.differences.items() if each.lower_is_better]
    served: dict[str, list[str]] = {}
    for name, each in comparison.differences.items():
        served.setdefault(each.difference.method, []).append(metric_words(name))
    best = f"; lower is better for {', '.join(lower)}" if lower else ""
    return [
        (
            "B - A",
            f"the difference on the same rows{best}. Where the interval holds 0 it may be chance; that is no proof that they are equal",
        ),
        *(("intervals", f"{', '.join(names)}: {method}") for method, names in served.items()),
    ]


def margins(comparison: Comparison) -> list[str]:
    """Return a line for each margin: what was asked, the answer, and the end of the interval that decides it."""
    return [
        f"than {each.margin:g} in {metric_of(name, positive=comparison.positive, holds=comparison.holds)}: {_ANSWERS[each.worse]}"
        f" ({_loss(each, same=comparison.num_alike == comparison.num_shared)})"
        for name, each in comparison.differences.items()
        if each.worse is not None
    ]


def _loss(each: Difference, *, same: bool) -> str:
    """Return by how much B is worse, in words."""
    found = each.difference
    if found.low is None or found.high is None:
        return "both gave the same answer in every row" if same and each.worse == "no" else found.method
    low, high = (found.low, found.high) if each.lower_is_better else (-found.high, -found.low)
    if high <= 0:
        return "B is not worse at all, with 95 % confidence"
    told = "; both gave the same answer in every row" if same and each.worse == "no" and found.value == 0 else ""
    if low <= 0:
        return f"B is at most {found.write(high)} worse, with 95 % confidence{told}"
    return f"B is {found.write(low)} to {found.write(high)} worse, with 95 % confidence"


def _table(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("metric", overflow="fold")
    for title in ("A", "B", "B - A", "95 % interval"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("in words", overflow="fold")
    for name, each in comparison.differences.items():
        found = each.difference
        interval = "none" if found.low is None or found.high is None else " to ".join(_signed(each, end) for end in (found.low, found.high))
        title = metric_of(name, positive=comparison.positive, holds=comparison.holds)
        table.add_row(Text(title), _plain(each, each.a), _plain(each, each.b), _signed(each, found.value), interval, each.says)
    return table


def _plain(each: Difference, value: float | None) -> str:
    return "undefined" if value is None else each.difference.write(value)


def _signed(each: Difference, value: float) -> str:
    """Return a difference with its sign; a small one with the digits that count.

    Example:
        >>> from statewise.evaluation._comparison import Difference
        >>> from statewise.evaluation._records import Estimate
        >>> none = Estimate(value=0.0, low=None, high=None, units=9, method="exact")
        >>> each = Difference(a=0.5, b=0.5, difference=none, lower_is_better=False, answer="open")
        >>> [_signed(each, value) for value in (0.0123, -0.2, 0.00012, 0.0)]
        ['+0.012', '-0.200', '+0.0001', '0.000']
    """
    if math.isnan(value):
        return "undefined"
    write = figure if each.difference.is_share else amount
    size = f"{abs(value):.1g}" if each.difference.is_share and 0 < abs(value) < 0.0005 else write(abs(value))
    return size if value == 0 else f"{'+' if value > 0 else '-'}{size}"
