"""How does a training trace look in a terminal, as plain text, and in a notebook?"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import ConsoleOptions, RenderableType
    from rich.table import Table

    from statewise.training._narration import EpochLine, TrainingTrace

_BAR_WIDTH, _BAR_WIDTH_BESIDE_VALIDATION = 10, 6


def render(trace: TrainingTrace, options: ConsoleOptions) -> Iterator[RenderableType]:
    """Yield the table of epochs, what is left out, and the summary."""
    from rich.text import Text

    yield _table(trace, block="#" if options.ascii_only else "█")
    for line in summary(trace):
        yield Text(line)


def summary(trace: TrainingTrace) -> list[str]:
    """Return the lines below the table: what is left out, gradients, throughput, how it ended."""
    lines = []
    if trace.num_left_out:
        lines.append(f"{trace.num_left_out} of {trace.num_epochs} epochs are left out; changes are told over {trace.every} epochs.")
    if trace.gradient_median is None:
        lines.append("Gradient norms: none in this history.")
    else:
        lines.append(
            f"Gradient norm before clipping: median {trace.gradient_median:.3g} over {trace.num_updates} updates, "
            f"{trace.clipped_share or 0:.0%} clipped."
        )
    if trace.layer_medians:
        lines.append("By layer: " + ", ".join(f"{layer} {norm:.2g}" for layer, norm in trace.layer_medians.items()) + ".")
    if trace.through_time is not None:
        lines.append(f"Through time: {trace.through_time}")
    if trace.steps_per_second is not None:
        lines.append(f"Throughput: {trace.steps_per_second:,.0f} real time steps a second.")
    return [*lines, *trace.notes]


def as_text(trace: TrainingTrace) -> str:
    """Return the trace as it prints in 80 columns without colour."""
    from rich.console import Console

    console = Console(width=80, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(trace)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def as_html(trace: TrainingTrace) -> str:
    """Return a table for a notebook or a page."""
    columns = _columns(trace)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns.values())
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(line, columns, "█")) + "</tr>" for line in trace.lines
    )
    below = "".join(f"<p>{html.escape(line)}</p>" for line in summary(trace))
    return f'<table class="statewise-training"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{below}'


def _columns(trace: TrainingTrace) -> dict[str, str]:
    """Return the columns that hold something, with their headings; the words come last and take the rest of the width."""
    there = {
        "accuracy": any(line.accuracy is not None for line in trace.lines),
        "valid_loss": any(line.valid_loss is not None for line in trace.lines),
        "valid_accuracy": any(line.valid_accuracy is not None for line in trace.lines),
    }
    of = "train\n" if there["valid_loss"] or there["valid_accuracy"] else ""
    headings = {
        "epoch": "epoch",
        "loss": f"{of}loss",
        "bar": "",
        "accuracy": f"{of}{'acc.' if of else 'accuracy'}",
        "valid_loss": "valid\nloss",
        "valid_accuracy": "valid\nacc.",
        "observation": "observation",
    }
    return {name: heading for name, heading in headings.items() if there.get(name, True)}


def _table(trace: TrainingTrace, *, block: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = _columns(trace)
    table = Table(box=box.SIMPLE_HEAD if block != "#" else box.ASCII2, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for name, heading in columns.items():
        numeric = name not in {"bar", "observation"}
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=name != "observation", overflow="fold")
    for line in trace.lines:
        table.add_row(*map(Text, _cells(line, columns, block)), style="bold" if line.best else None)
    return table


def _cells(line: EpochLine, columns: Iterable[str], block: str) -> list[str]:
    columns = list(columns)
    width = _BAR_WIDTH if {"valid_loss", "valid_accuracy"}.isdisjoint(columns) else _BAR_WIDTH_BESIDE_VALIDATION
    figures = {
        "epoch": f"{line.epoch}{'*' if line.best else ' '}",
        "loss": _loss(line.loss),
        "bar": (block * max(round(line.bar * width), 1 if line.bar else 0)).ljust(width),
        "accuracy": _share(line.accuracy),
        "valid_loss": _loss(line.valid_loss),
        "valid_accuracy": _share(line.valid_accuracy),
        "observation": line.observation,
    }
    return [figures[name] for name in columns]


def _loss(loss: float | None) -> str:
    """Return a loss with three digits that tell something, however small it is; a dash for none.

    Example:
        >>> [_loss(value) for value in (1.2, 0.0123, 0.00001234, 12345.6, None)]
        ['1.200', '0.0123', '1.23e-05', '1.23e+04', '-']
    """
    if loss is None:
        return "-"
    size = abs(loss)
    if size >= 10_000 or 0 < size < 0.001:
        return f"{loss:.2e}"
    return f"{loss:.4f}" if size < 0.1 else f"{loss:.3f}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"
