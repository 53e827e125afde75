"""How does a trace look as text, 80 columns wide? Lines of (text, style) pairs: plain text joins them, a terminal colours them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

from statewise.tracing._numbers import chosen, lags_shown, left_out, level, log_shares, number, scale_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statewise.tracing._records import Stage, Submodule, Trace

Line: TypeAlias = list[tuple[str, str]]

WIDTH = 80
INDENT = 4
CELL = 8
BLOCKS = "▁▂▃▄▅▆▇█"
DIGITS = "12345678"
MAX_COLUMNS = 8
MAX_ENTRIES = 12
MAX_SUBMODULES = 24


def trace_lines(trace: Trace, *, ascii_only: bool = False) -> list[Line]:
    """Return the whole trace: the pipeline, one prediction, the submodules, the notes.

    Args:
        trace: what to show.
        ascii_only: use no block characters, for a terminal that has none.
    """
    lines: list[Line] = [[(text, "bold")] for text in _wrapped(f"Trace of {trace.title}", first="", rest="  ")]
    lines += [[], [("FROM SEQUENCE TO OUTPUT", "bold cyan")], []]
    lines += _pipeline(trace.stages, ascii_only=ascii_only)
    if trace.layers:
        lines += [[], [("ONE PREDICTION, LAYER BY LAYER", "bold cyan")], []]
        lines += _pipeline(trace.layers, ascii_only=ascii_only)
    if trace.gradients is not None:
        lines += [[], [("BACK THROUGH TIME", "bold cyan")], []]
        lines += _pipeline([trace.gradients], ascii_only=ascii_only)
    if trace.submodules:
        lines += [[], [("EVERY SUBMODULE, IN THE ORDER OF THE CALLS", "bold cyan")], []]
        lines += _table(trace.submodules)
    if trace.notes:
        lines += [[], [("NOTES", "bold cyan")], []]
        lines += [[(text, "")] for note in trace.notes for text in _wrapped(note, first="  - ", rest="    ")]
    return [[(_ascii(text), style) for text, style in line] for line in lines] if ascii_only else lines


def _ascii(text: str) -> str:
    return text.translate(str.maketrans("│▼…→█", "|v.>#"))


def _pipeline(stages: Sequence[Stage], *, ascii_only: bool) -> Iterator[Line]:
    for place, stage in enumerate(stages, start=1):
        if place > 1:
            yield [("    │", "dim")]
            yield [("    ▼", "dim")]
        yield from _heading(f"{place:2}  {stage.name}", stage.shape)
        yield from ([(text, "dim")] for text in _wrapped(stage.says))
        yield from _body(stage, ascii_only=ascii_only)


def _heading(name: str, shape: str) -> Iterator[Line]:
    room = WIDTH - len(name) - len(shape)
    if room >= 2:
        yield [(name, "bold"), (" " * room, ""), (shape, "cyan")]
    else:
        yield [(name, "bold")]
        yield from ([(text, "cyan")] for text in _wrapped(shape))


def _wrapped(text: str, *, first: str = " " * INDENT, rest: str = " " * INDENT) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=True)


def _body(stage: Stage, *, ascii_only: bool) -> Iterator[Line]:
    if stage.view in ("bars", "lags"):
        yield from _bars(stage) if stage.view == "bars" else _lags(stage)
        return
    parts = {name: values.flatten(0, -2) if values.ndim > 2 else values for name, values in stage.parts().items()}
    if stage.axes[0] == "step" and len(parts) > 1 and len({len(values) for values in parts.values()}) == 1:
        yield from _by_step(parts, stage)
    else:
        yield from _numbers(parts, stage)
    if stage.view == "heat":
        yield []
        yield from heat_strips(stage.parts()[""], ascii_only=ascii_only)


def _numbers(parts: dict[str, Tensor], stage: Stage) -> Iterator[Line]:
    """Show rows of numbers: every row under the name of its part, or numbered by what a row is."""
    row_word, column_word = stage.axes
    shown = list(parts.items())[:MAX_ENTRIES]
    labels = [name if len(values) == 1 else f"{name} {row_word} {len(values)}".strip() for name, values in shown]
    label_width = max([8, *(len(label) for label in labels)]) + 1
    columns = _num_columns(label_width)
    widest = max((values.shape[1] for _, values in shown), default=0)
    header: tuple[str, ...] = ()
    for name, values in shown:
        if (names := stage.column_names(name)) != header:
            header = names
            yield from _header(names, named=names == stage.columns, label_width=label_width, columns=columns)
        rows = chosen(len(values), first=4, last=2, whole=12)
        for place in rows:
            if place is None:
                yield [(" " * INDENT + f"… {len(values) - len(rows) + 1} {_plural(row_word)} left out; all are in .values", "dim")]
                continue
            yield _row(name if len(values) == 1 else f"{name} {row_word} {place + 1}".strip(), values[place], label_width, columns)
    if widest > columns:
        yield [(" " * INDENT + f"first {columns} of {widest} {_plural(column_word)}; all are in .values", "dim")]
    if len(parts) > len(shown):
        yield [(" " * INDENT + f"first {len(shown)} of {len(parts)} rows; all are in .values", "dim")]


def _header(names: tuple[str, ...], *, named: bool, label_width: int, columns: int) -> Iterator[Line]:
    """Write names over the columns, or where these are only numbered the word once and the numbers."""
    if len(names) < 2:
        return
    word = "" if named else names[0].rsplit(" ", 1)[0]
    heads = "".join(_head(name if named else name.rsplit(" ", 1)[1]) for name in names[:columns])
    yield [(" " * INDENT + f"{word:<{label_width}}{heads}", "dim")]


def _by_step(parts: dict[str, Tensor], stage: Stage) -> Iterator[Line]:
    """Show several things step by step: what went in and what came out at each of the first and last steps."""
    shown = dict(list(parts.items())[:MAX_ENTRIES])
    label_width = max(len(name) for name in shown) + 3
    columns = _num_columns(label_width)
    time = len(next(iter(parts.values())))
    steps = chosen(time, first=2 if len(shown) <= 4 else 1, last=1, whole=3 if len(shown) <= 4 else 2)
    for place in steps:
        if place is None:
            left_out = f"steps {len(steps) - 1} to {time - 1}" if time > len(steps) else f"step {time - 1}"
            yield [(" " * INDENT + f"… {left_out} likewise", "dim")]
            continue
        yield [(" " * INDENT + f"step {place + 1}", "")]
        for name, values in shown.items():
            yield _row(f"  {name}", values[place], label_width, columns)
    if stage.columns:
        yield from ([(text, "dim")] for text in _wrapped(f"{list(parts)[-1]}: {', '.join(stage.columns)}"))
    widest = max(values.shape[1] for values in shown.values())
    if widest > columns:
        yield [(" " * INDENT + f"first {columns} of up to {widest} numbers; all are in .values", "dim")]
    if len(parts) > len(shown):
        yield [(" " * INDENT + f"first {len(shown)} of {len(parts)} rows of a step; all are in .values", "dim")]


def _num_columns(label_width: int) -> int:
    return max(1, min(MAX_COLUMNS, (WIDTH - INDENT - label_width) // CELL))


def _row(label: str, values: Tensor, label_width: int, columns: int) -> Line:
    shown = "".join(f"{number(value):>{CELL}}" for value in values[:columns].tolist())
    return [(" " * INDENT + f"{label:<{label_width}}", "dim"), (shown, "")]


def _head(text: str) -> str:
    half = CELL // 2 - 1
    short = text if len(text) < CELL else f"{text[:half]}…{text[-half:]}"
    return f"{short:>{CELL}}"


def _plural(word: str) -> str:
    return f"{word}es" if word.endswith("s") else "numbers" if word in ("", "out") else f"{word}s"


def heat_strips(hidden: Tensor, *, ascii_only: bool = False) -> Iterator[Line]:
    """Show the hidden state across time: a row a unit, a column a step, the height of a block its value.

    Reads without colour: blocks in the lower half are negative, in the upper half positive.
    """
    time, width = hidden.shape
    room = 44
    stride = -(-time // room)
    steps = list(range(0, time, stride))
    wide = max(1, min(3, room // len(steps)))
    marks, largest = DIGITS if ascii_only else BLOCKS, scale_of(hidden)
    label_width = 9
    ends = f"step 1 → {steps[-1] + 1}"
    yield [(" " * INDENT + f"{'':<{label_width}}{ends}" + (f" (one step in {stride})" if stride > 1 else ""), "dim")]
    for unit in range(min(width, MAX_COLUMNS)):
        values = hidden[:, unit].tolist()
        line: Line = [(" " * INDENT + f"{f'unit {unit + 1}':<{label_width}}", "dim")]
        line += [(mark_of(values[step], largest, marks) * wide, "blue" if values[step] < 0 else "dark_orange") for step in steps]
        yield [*line, (f"  {number(min(values))} to {number(max(values))}", "dim")]
    legend = f"{marks[0]} {number(-largest)}   {marks[3]} just below 0   {marks[4]} 0 and above   {marks[7]} {number(largest)}"
    unknown = "" if hidden.isfinite().all() else "   ? not finite"
    yield [(" " * INDENT + " " * label_width + legend + unknown, "dim")]
    if width > MAX_COLUMNS:
        yield [(" " * INDENT + f"first {MAX_COLUMNS} of {width} units; all are in .hidden", "dim")]


def mark_of(value: float, largest: float, marks: str = BLOCKS) -> str:
    """Return the block of one value on a scale from -largest to largest.

    Example:
        >>> [mark_of(value, 1.0) for value in (-1.0, -0.01, 0.0, 1.0)]
        ['▁', '▄', '▅', '█']
    """
    found = level(value, largest, len(marks))
    return "?" if found is None else marks[found]


def _bars(stage: Stage) -> Iterator[Line]:
    """Show probabilities as bars, one a class; of many the most likely ones."""
    values = stage.parts()[""][0].tolist()
    order = list(range(len(values)))
    if len(order) > MAX_ENTRIES:
        order = sorted(order, key=lambda place: -values[place])[:MAX_ENTRIES]
    label_width = min(24, max(len(stage.columns[place]) for place in order)) + 1
    room = WIDTH - INDENT - label_width - CELL - 2
    best = max(values)
    for place in order:
        style = "bold green" if values[place] == best else ""
        label = f"{stage.columns[place][: label_width - 1]:<{label_width}}"
        bar = "█" * round(max(0.0, min(1.0, values[place])) * room) if values[place] == values[place] else ""
        yield [(" " * INDENT + label, "dim"), (f"{number(values[place]):>{CELL}}  ", style), (bar, style)]
    if len(values) > len(order):
        yield [(" " * INDENT + f"the {len(order)} most likely of {len(values)} classes; all are in .probabilities", "dim")]


def _lags(stage: Stage) -> Iterator[Line]:
    """Show norms as bars, one a lag, on a logarithmic scale; of many lags the first ones and some of each doubling."""
    values = stage.parts()[""][:, 0].tolist()
    lags, shares = lags_shown(len(values)), log_shares(values)
    label_width = len(f"lag {lags[-1]}") + 2
    room = WIDTH - INDENT - label_width - CELL - 2
    for lag in lags:
        bar = "█" * max(round(shares[lag] * room), 1) if shares[lag] else ""
        yield [(" " * INDENT + f"{f'lag {lag}':<{label_width}}", "dim"), (f"{number(values[lag]):>{CELL}}  ", ""), (bar, "blue")]
    yield [(" " * INDENT + "bars on a logarithmic scale" + left_out(lags, values), "dim")]


def _table(rows: Sequence[Submodule]) -> Iterator[Line]:
    shown = rows[:MAX_SUBMODULES]
    names = [row.name or "(itself)" for row in shown]
    name_width = min(26, max(len(name) for name in names)) + 2
    kind_width = min(18, max(len(row.kind) for row in shown)) + 2
    yield [(f"    {'name':<{name_width}}{'kind':<{kind_width}}input -> output", "dim")]
    for name, row in zip(names, shown, strict=True):
        times = f"  ({row.calls} calls)" if row.calls > 1 else ""
        head = f"    {_short(name, name_width - 2):<{name_width}}{_short(row.kind, kind_width - 2):<{kind_width}}"
        text = textwrap.wrap(f"{row.inputs} -> {row.outputs}{times}", WIDTH - len(head)) or [""]
        yield [(head, ""), (text[0], "cyan")]
        yield from ([(" " * len(head) + more, "cyan")] for more in text[1:])
    if len(rows) > len(shown):
        yield [(f"    first {len(shown)} of {len(rows)}; all are in .submodules", "dim")]


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[-(width - 1) :]
