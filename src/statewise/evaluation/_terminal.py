"""How does an evaluation look, in a terminal, as plain text and in a notebook?

Labels are data: they are put in as `Text` and escaped, so that nothing in them is read as markup.
"""

from __future__ import annotations

import html
import io
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from statewise.evaluation._estimate import SMALL_BELOW, Estimate, figure
from statewise.evaluation._facts import metric_words
from statewise.evaluation._records import Evaluation
from statewise.evaluation._sections import MOST_ROWS as _MANY
from statewise.evaluation._sections import baseline_says, metric_name, tables_of
from statewise.evaluation._table import Table as SectionTable
from statewise.evaluation._trade_off_table import threshold_lines
from statewise.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType

_NAME_WIDTH, _FIRST_WIDTH = 20, 24
_AXES = "rows: actual, columns: predicted"
_UNITS = {"group": "groups", "sequence": "sequences", "block": "blocks", "count": "cases"}


def render(evaluation: Evaluation, width: int) -> Iterator[RenderableType]:
    """Yield what a terminal of `width` columns shows: metrics, how they were had, confusions, classes, notes."""
    yield Text(headline(evaluation), style="bold")
    yield _metrics(evaluation)
    yield lines_of([*_methods(evaluation), *_small(evaluation)], style="dim")
    yield lines_of(baseline_lines(evaluation))
    if evaluation.confusion.counts:
        yield Text()
        yield from _confusion(evaluation, width)
        yield Text()
        yield from _classes(evaluation)
    for table in tables_of(evaluation):
        yield Text()
        yield _title(table.title)
        yield _plain(table)
    if evaluation.notes:
        yield lines_of(("note", note) for note in evaluation.notes)


def as_text(evaluation: Evaluation) -> str:
    """Return what the terminal shows, as plain text of 80 columns."""
    buffer = io.StringIO()
    Console(file=buffer, width=80, color_system=None, force_terminal=False).print(Group(*render(evaluation, 80)))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def as_html(evaluation: Evaluation) -> str:
    """Return metrics, and confusion matrix or what else there is, as plain tables for a notebook."""
    metrics = [
        (name, each.written, each.interval or "none", f"{each.units:,}{', small sample' * each.small}") for name, each in _named(evaluation)
    ]
    names = evaluation.confusion.class_names
    counts = [(name, *map(str, row)) for name, row in zip(names, evaluation.confusion.counts, strict=True)]
    positive = "" if evaluation.positive is None else f"; positive class: {evaluation.positive}"
    return "".join(
        [
            f"<p><b>{html.escape(headline(evaluation))}</b></p>",
            _html_table("", ("metric", "value", "95 % interval", "units"), metrics),
            _html_table(f"Confusion matrix ({_AXES}{positive})", ("", *names), counts) if names else "",
            *(_html_table(table.title, table.header, table.rows) for table in tables_of(evaluation)),
        ]
    )


def headline(evaluation: Evaluation) -> str:
    """Return in one line what was scored, and on how much."""
    parts = [counted(evaluation.num_scored, evaluation.counted.removesuffix("s"))]
    if evaluation.num_sequences is not None and evaluation.counted != "sequences":
        parts.append(counted(evaluation.num_sequences, "sequence"))
    if evaluation.unit in ("group", "block"):
        parts.append(counted(evaluation.num_units, evaluation.unit))
    kinds = {"classes": (len(evaluation.confusion.class_names), "classes"), "labels": (len(evaluation.label_counts), "labels")}
    number, kind = kinds.get(evaluation.holds, (0, ""))
    return f"Evaluation of {evaluation.source}: {', '.join(parts)}" + (f", {number} {kind}" if number else "")


def baseline_lines(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return, as titles and texts, what the figures have to be held against."""
    if not evaluation.confusion.counts:
        return _other_baseline_lines(evaluation)
    accuracy = percent(evaluation.metrics["accuracy"].value)
    always = f"always answering {evaluation.majority_class!r} has accuracy {percent(evaluation.majority_accuracy)}, this {accuracy}"
    lines = [("baseline", f"{always}; chance of balanced accuracy {percent(evaluation.chance)}")]
    if evaluation.positive is None:
        return [*lines, *_worst(evaluation, "class")]
    positives = f"{evaluation.num_positives:,} of {evaluation.num_scored:,}"
    share = percent(evaluation.prevalence or 0.0)
    recall = percent(evaluation.metrics["recall"].value)
    missed = f"{evaluation.num_missed:,} of {evaluation.num_positives:,} positives were missed (recall {recall})"
    return [("positive class", f"{evaluation.positive!r}, {positives} ({share})"), ("missed", missed), *lines, *threshold_lines(evaluation)]


def _other_baseline_lines(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return the same for tasks without a confusion matrix."""
    if evaluation.holds == "labels":
        return [("baseline", f"chance of balanced accuracy {percent(evaluation.chance)}"), *_worst(evaluation, "label")]
    lines = [("baseline", baseline_says(evaluation))]
    if evaluation.task == "next":
        always = f"always answering {evaluation.majority_class!r} has accuracy {percent(evaluation.majority_accuracy)}"
        lines.append(("", f"{always}, this {percent(evaluation.metrics['accuracy'].value)}"))
    return lines


def _worst(evaluation: Evaluation, word: str) -> list[tuple[str, str]]:
    return [] if evaluation.worst_class is None else [(f"worst {word}", f"{evaluation.worst_class!r}, by f1")]


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal; only what is 0 or all is shown as 0 or 100.

    Example:
        >>> [percent(share) for share in (0.98, 0.99999, 1.0, float("nan"))]
        ['98.0 %', '>99.9 %', '100.0 %', 'undefined']
    """
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return "undefined" if share != share else f"{100 * share:.1f} %"  # noqa: PLR0124 - NaN is the only number that is not itself


def _named(evaluation: Evaluation) -> list[tuple[str, Estimate]]:
    """Return each metric with a name that says what it is of."""
    return [(metric_name(evaluation, name), each) for name, each in evaluation.metrics.items()]


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)


def _title(text: str) -> Text:
    return Text(text, style="bold")


def _metrics(evaluation: Evaluation) -> Table:
    table = _table()
    table.add_column("metric", overflow="fold")
    for title in ("value", "95 % interval", _UNITS[evaluation.unit]):
        table.add_column(title, justify="right", no_wrap=True)
    for name, each in _named(evaluation):
        table.add_row(Text(name), each.written, each.interval or "none", f"{each.units:,}")
    return table


def _plain(section: SectionTable) -> Table:
    """Return a table of words and figures."""
    table = _table()
    for number, title in enumerate(section.header):
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    for first, *others in section.rows:
        table.add_row(Text(_shortened(first, _FIRST_WIDTH)), *others)
    return table


def _methods(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return the method of the intervals, each with the metrics that it served."""
    served: dict[str, list[str]] = {}
    for name, each in evaluation.metrics.items():
        served.setdefault(each.method, []).append(metric_words(name))
    return [("intervals", f"{', '.join(names)}: {method}") for method, names in served.items()]


def _small(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return which figures rest on few units."""
    names = [metric_words(name) for name, each in evaluation.metrics.items() if each.small]
    few = f"fewer than {SMALL_BELOW} {_UNITS[evaluation.unit]}; what the whole interval allows may be true"
    return [("small sample", f"{', '.join(names)}: {few}")] if names else []


def lines_of(lines: Iterable[tuple[str, str]], style: str = "") -> Table:
    """Return titles and texts in two columns; long texts wrap."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style=style or "bold")
    table.add_column(overflow="fold", style=style)
    for title, text in lines:
        table.add_row(Text(title), Text(text))
    return table


def _confusion(evaluation: Evaluation, width: int) -> Iterator[RenderableType]:
    """Yield the matrix, or the most frequent confusions where it would be too wide."""
    names, counts = evaluation.confusion.class_names, evaluation.confusion.counts
    columns = [_shortened(name) for name in names]
    rows = [_marked(evaluation, name) for name in names]
    widths = [max(len(name), *(len(f"{row[place]:,}") for row in counts)) for place, name in enumerate(columns)]
    if max(map(len, [*rows, "actual"])) + sum(widths) + 3 * len(names) > width:
        yield from _most_frequent_confusions(evaluation)
        return
    table = _table()
    table.add_column("actual", no_wrap=True)
    for name in columns:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for name, row in zip(rows, counts, strict=True):
        table.add_row(Text(name), *(f"{count:,}" for count in row))
    yield _title(f"Confusion matrix ({_AXES})")
    yield table


def _most_frequent_confusions(evaluation: Evaluation) -> Iterator[RenderableType]:
    names, counts = evaluation.confusion.class_names, evaluation.confusion.counts
    pairs = [(count, a, b) for a, row in enumerate(counts) for b, count in enumerate(row) if count and a != b]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    table = _table()
    for title in ("actual", "predicted"):
        table.add_column(title, overflow="fold")
    table.add_column("times", justify="right")
    table.add_column("of", justify="right")
    for count, actual, predicted in pairs[:_MANY]:
        table.add_row(Text(names[actual]), Text(names[predicted]), f"{count:,}", f"{sum(counts[actual]):,}")
    yield _title(f"Most frequent confusions: {len(pairs[:_MANY])} of {len(pairs)} pairs (the whole matrix is in the JSON)")
    yield table


def _classes(evaluation: Evaluation) -> Iterator[RenderableType]:
    """Return a row a class, the worst of many where not all can be shown."""
    support = evaluation.support
    names = list(support)
    if len(names) > _MANY:
        names = sorted((name for name in names if support[name]), key=lambda name: evaluation.per_class[name]["f1"].value)[:_MANY]
    table = _table()
    table.add_column("class", overflow="fold")
    for title in ("targets", "precision", "recall", "95 % of recall", "f1"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for name in names:
        each = evaluation.per_class[name]
        figures = [figure(each[metric].value) for metric in ("precision", "recall", "f1")]
        mark = "worst" if evaluation.positive is None and name == evaluation.worst_class else ""
        table.add_row(
            Text(_marked(evaluation, name)), f"{support[name]:,}", *figures[:2], each["recall"].interval or "none", figures[2], mark
        )
    yield _title("Classes" if len(names) == len(support) else f"The {len(names)} classes with the lowest f1, of {len(support)}")
    yield table


def _marked(evaluation: Evaluation, name: str) -> str:
    return _shortened(name) + (" (positive)" if name == evaluation.positive else "")


def _shortened(name: str, width: int = _NAME_WIDTH) -> str:
    """Return a label without its middle where it is long: labels often differ at their ends."""
    return name if len(name) <= width else f"{name[: width - 10]}...{name[-7:]}"


def _html_table(caption: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{html.escape(title)}</th>" for title in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
