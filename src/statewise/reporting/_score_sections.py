"""What does the page show of a task that tells no classes apart? Tables and charts of values, next tokens and labels, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statewise.evaluation import baseline_says, tables_of

if TYPE_CHECKING:
    from statewise.evaluation import Evaluation

_SHOWN = ("baselines", "ahead", "labels")
_DIGITS = 280
"""Width in pixels beyond which a square chart of points tells no more."""


@dataclass(frozen=True, kw_only=True)
class ScoreSection:
    """A section of its own: words, a chart, a table; each of these may be absent.

    Attributes:
        id: of the section, and of its chart.
        title: its heading.
        short: its name in the navigation.
        says: one sentence above.
        chart_says: what the chart shows; empty without one.
        header: of the table; its first column is of words.
        rows: of the table.
        most: width in pixels beyond which the chart would be needlessly wide.
    """

    id: str
    title: str
    short: str
    says: str = ""
    chart_says: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    most: int | None = None


def sections_of(evaluation: Evaluation) -> tuple[ScoreSection, ...]:
    """Return the sections that follow the metrics."""
    tables = {table.kind: table for table in tables_of(evaluation) if table.kind in _SHOWN}
    found = []
    if "baselines" in tables:
        table = tables["baselines"]
        says = f"{baseline_says(evaluation)}.".capitalize() if evaluation.judged_baseline is None else f"{baseline_says(evaluation)}."
        found.append(ScoreSection(id="baselines", title=table.title, short="Baselines", says=says, header=table.header, rows=table.rows))
    if evaluation.points.actual:
        number = len(evaluation.points.actual)
        says = f"{number:,} of {evaluation.num_scored:,} {evaluation.counted}, evenly spaced; on the line a prediction is right."
        ends = sorted(set(evaluation.points.ahead))
        horizons = f" Those {' and '.join(map(str, ends))} {'step' if ends == [1] else 'steps'} ahead." if ends else ""
        found.append(
            ScoreSection(id="values", title="Predicted and actual values", short="Values", chart_says=says + horizons, most=2 * _DIGITS)
        )
    if "ahead" in tables:
        table = tables["ahead"]
        says = "Root mean squared error by how many steps ahead, with its 95 % interval; dashed: the naive method that is judged."
        found.append(ScoreSection(id="ahead", title=table.title, short="Ahead", chart_says=says, header=table.header, rows=table.rows))
    if "labels" in tables:
        table = tables["labels"]
        worst = f"The worst label is {evaluation.worst_class!r}, by f1." if evaluation.worst_class is not None else ""
        found.append(ScoreSection(id="labels", title=table.title, short="Labels", says=worst, header=table.header, rows=table.rows))
    return tuple(found)
