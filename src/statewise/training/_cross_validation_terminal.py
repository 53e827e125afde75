"""How does a cross-validation look, in a terminal and as plain text?"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from statewise.evaluation import figure, metric_words
from statewise.training._cross_validation import is_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from statewise.training._cross_validation import CrossValidation

_MOST_ROWS = 30
_UNITS = {"group": "groups", "sequence": "sequences", "block": "blocks of steps"}


def render(found: CrossValidation) -> Iterator[RenderableType]:
    """Yield a row a group (or fold), the worst named, and the figure of all rows together."""
    whole = found.evaluation.metrics[found.metric]
    units = f"{found.evaluation.num_units:,} {_UNITS[found.evaluation.unit]}"
    yield Text(f"Cross-validation by {found.by}: {len(found.folds)} folds, {found.evaluation.num_scored:,} rows out of fold", style="bold")
    yield _rows(found)
    words = metric_words(found.metric)
    yield Text(f"all      {words} {whole}, over {units}")
    yield Text(f"worst    {found.worst.name}: {words} {_written(found.metric, found.worst.value)}")
    least, most = min(fold.epochs for fold in found.folds), max(fold.epochs for fold in found.folds)
    yield Text(f"epochs   {least if least == most else f'{least} to {most}'} a fold; the kept ones: {_kept(found)}")
    for note in found.evaluation.notes:
        yield Text(f"note     {note}")


def as_text(found: CrossValidation) -> str:
    """Return what the terminal shows, as plain text of 100 columns."""
    buffer = io.StringIO()
    Console(file=buffer, width=100, color_system=None, force_terminal=False).print(Group(*render(found)))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def _kept(found: CrossValidation) -> str:
    kept = [fold.best_epoch for fold in found.folds]
    shown = ", ".join(map(str, kept[:12]))
    return shown if len(kept) <= 12 else f"{shown}, ..."


def _written(metric: str, value: float) -> str:
    return figure(value) if is_share(metric) else f"{value:.4g}"


def _rows(found: CrossValidation) -> Table:
    """Return a row a group, the worst of many."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("left out", overflow="fold")
    for title in ("fold", "rows", metric_words(found.metric)):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    parts = found.parts
    if len(parts) > _MOST_ROWS:
        parts = found.from_worst[:_MOST_ROWS]
    for part in parts:
        mark = "worst" if part is found.worst and len(found.parts) > 1 else ""
        table.add_row(Text(part.name), str(part.fold), f"{part.num_scored:,}", _written(found.metric, part.value), mark)
    if len(parts) < len(found.parts):
        table.caption = f"the {len(parts)} worst of {len(found.parts)}"
    return table
