"""What does the section on thresholds show? A curve, a slider whose matrix is that of its threshold, and a short table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from statewise.evaluation import tables_of, threshold_lines, written
from statewise.reporting._drawing import inline, require_altair, title
from statewise.reporting._figures import short
from statewise.reporting._palette import PAGE, Palette
from statewise.words import sentence

if TYPE_CHECKING:
    from altair import LayerChart

    from statewise.evaluation import Evaluation, TradeOff


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The section on thresholds.

    Attributes:
        says: one sentence above.
        lines: how the threshold was chosen, and what it saves, where that is so.
        positive, negative: the two classes.
        slider: what the slider's script reads: a list for each figure, an entry for each position; exact numbers.
        begins: the position that it begins at, that of the threshold in use.
        header, rows: the short table.
        mistakes: a table of the figures with intervals, its header first; empty where no threshold was chosen and no cost told.
    """

    says: str
    lines: tuple[str, ...]
    positive: str
    negative: str
    slider: dict[str, Any]
    begins: int
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    mistakes: tuple[tuple[str, ...], ...]


def thresholds_of(evaluation: Evaluation) -> Thresholds | None:
    """Return the section, or None where there are no scores."""
    trade_off = evaluation.trade_off
    if trade_off is None:
        return None
    tables = {table.kind: table for table in tables_of(evaluation)}
    mistakes = (tables["mistakes"].header, *tables["mistakes"].rows) if "mistakes" in tables else ()
    begins = trade_off.thresholds.index(0.5) if trade_off.used is None else trade_off.used
    positive = short(trade_off.positive)
    return Thresholds(
        says=(
            f"A case counts as {positive!r} from the threshold on. Here is what that gives on {trade_off.num_scored:,} cases, at "
            f"{len(trade_off.thresholds):,} thresholds between {trade_off.num_distinct:,} different scores. "
            "Choose one on validation data, never here."
        ),
        lines=tuple(f"Threshold {text}." if name == "threshold" else sentence(text) for name, text in threshold_lines(evaluation)),
        positive=trade_off.positive,
        negative=next(name for name in evaluation.confusion.class_names if name != trade_off.positive),
        slider=_slider(trade_off),
        begins=begins,
        header=tables["trade-off"].header,
        rows=tables["trade-off"].rows,
        mistakes=mistakes,
    )


def _slider(trade_off: TradeOff) -> dict[str, Any]:
    """Return what the script reads: the four counts and the cost at each threshold; it computes shares of them itself."""
    return {
        "thresholds": list(trade_off.thresholds),
        "written": [written(each) for each in trade_off.thresholds],
        "tp": list(trade_off.tp),
        "fp": list(trade_off.fp),
        "fn": list(trade_off.fn),
        "tn": list(trade_off.tn),
        "cost": list(trade_off.cost_per_case),
        "used": trade_off.used,
    }


def trade_off_chart(trade_off: TradeOff, *, palette: Palette = PAGE) -> LayerChart:
    """Draw precision against recall at every threshold; the point in use is marked, and another follows the slider of the page."""
    alt = require_altair()
    figures = zip(trade_off.thresholds, trade_off.recall, trade_off.precision, trade_off.alerts_per_thousand, strict=True)
    rows = [
        {"place": place, "threshold": written(at), "recall": recall, "precision": precision, "alerts": alerts}
        for place, (at, recall, precision, alerts) in enumerate(figures)
        if not (math.isnan(recall) or math.isnan(precision))
    ]
    share = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X("recall:Q", scale=share, title="recall: positives that are found", axis=alt.Axis(format=".1f", tickCount=6))
    y = alt.Y("precision:Q", scale=share, title="precision: alerts that are right", axis=alt.Axis(format=".1f", tickCount=6))
    tooltip = [
        alt.Tooltip("threshold:N", title="threshold"),
        alt.Tooltip("recall:Q", title="recall", format=".3f"),
        alt.Tooltip("precision:Q", title="precision", format=".3f"),
        alt.Tooltip("alerts:Q", title="alerts per 1,000", format=",.1f"),
    ]
    base = alt.Chart(inline(rows)).encode(x=x, y=y, tooltip=tooltip)
    used = -1 if trade_off.used is None else trade_off.used
    at = alt.param(name="at", value=used)
    parts = [
        base.mark_line(color=palette.valid, strokeWidth=2, interpolate="linear").encode(order=alt.Order("place:Q")),
        base.mark_circle(color=palette.valid, size=14, opacity=0.6),
        base.transform_filter(f"datum.place === {used}").mark_point(color=palette.limit, size=170, strokeWidth=2.5, filled=False),
        base.transform_filter("datum.place === at").mark_circle(color=palette.train, size=110, opacity=1),
    ]
    chart: LayerChart = alt.layer(*parts).add_params(at).properties(height=300, title=title("Precision against recall"))
    return chart
