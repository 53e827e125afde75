"""How does an evaluation become charts? Metrics with their intervals, and the confusion matrix, as Altair charts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from statewise.reporting._drawing import inline, require_altair, title
from statewise.reporting._figures import metric_label, short
from statewise.reporting._palette import PAGE, Palette

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from altair import LayerChart

    from statewise.evaluation import Confusion, Estimate


def metric_chart(metrics: Mapping[str, Estimate], limits: Mapping[str, float], *, palette: Palette = PAGE) -> LayerChart:
    """Draw each metric that is a share with its 95 % interval, and the policy's limit as a tick; below 0 as far as -1."""
    alt = require_altair()
    rows = [
        {
            "metric": metric_label(name),
            "value": each.value,
            "low": each.low,
            "high": each.high,
            "limit": limits.get(name),
            "units": each.units,
        }
        for name, each in metrics.items()
        if each.is_share and not math.isnan(each.value)
    ]
    ends = [each.value if each.low is None else each.low for each in metrics.values() if each.is_share and not math.isnan(each.value)]
    lowest = min([0.0, *ends])
    share = alt.Scale(domain=[max(math.floor(10 * lowest) / 10, -1.0), 1], clamp=True)
    axis = alt.Axis(domain=False, ticks=False, grid=True, labelLimit=170, labelPadding=8, labelColor=palette.ink)
    y = alt.Y("metric:N", sort=None, title=None, axis=axis)
    tooltip = [
        alt.Tooltip("metric:N", title="metric"),
        alt.Tooltip("value:Q", title="estimate", format=".3f"),
        alt.Tooltip("low:Q", title="95 % from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
        alt.Tooltip("limit:Q", title="limit", format=".2f"),
        alt.Tooltip("units:Q", title="independent units"),
    ]
    base = alt.Chart(inline(rows)).encode(y=y, tooltip=tooltip)
    value = alt.X("value:Q", scale=share, title="share of 1", axis=alt.Axis(format=".1f", tickCount=6))
    parts = [
        base.mark_rule(strokeWidth=11, opacity=0.4, color=palette.valid).encode(x=alt.X("low:Q", scale=share), x2="high:Q"),
        base.mark_circle(size=48, opacity=1, color=palette.valid).encode(x=value),
        base.transform_filter("isValid(datum.limit)")
        .mark_tick(size=22, thickness=2.5, opacity=1, color=palette.limit)
        .encode(x=alt.X("limit:Q", scale=share)),
    ]
    chart: LayerChart = alt.layer(*parts).properties(height=34 * max(len(rows), 1), title=title("Metrics with 95 % intervals"))
    return chart


def confusion_chart(
    confusion: Confusion, *, positive: str | None = None, counted: str = "sequences", palette: Palette = PAGE
) -> LayerChart:
    """Draw the confusion matrix: rows actual, columns predicted, darker where a larger share of the actual class went.

    Args:
        confusion: the counts.
        positive: the class that a binary task looks for, named below the title.
        counted: what was counted.
        palette: the colours.
    """
    alt = require_altair()
    names = list(confusion.class_names)
    classes = alt.Scale(domain=names)  # and not sort=names, which Vega-Lite writes into an expression
    base = alt.Chart(inline(_confusion_rows(confusion))).encode(
        x=alt.X("predicted:N", scale=classes, title="predicted class", axis=_class_axis(names)),
        y=alt.Y("actual:N", scale=classes, title="actual class", axis=alt.Axis(labelLimit=110, domain=False, ticks=False)),
        tooltip=[
            alt.Tooltip("actual:N", title="actual"),
            alt.Tooltip("predicted:N", title="predicted"),
            alt.Tooltip("count:Q", title=counted, format=","),
            alt.Tooltip("share:Q", title="share of the actual class", format=".1%"),
        ],
    )
    kinds = alt.Scale(domain=["right", "mistake"], range=[palette.train, palette.valid])
    cells = base.mark_rect(stroke=palette.grid, strokeWidth=1, cornerRadius=2).encode(
        fill=alt.Fill("kind:N", scale=kinds, legend=alt.Legend(symbolType="square")),
        fillOpacity=alt.FillOpacity("strength:Q", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=None),
    )
    subtitle = [f"positive class: {short(positive)}"] if positive is not None else []
    subtitle += ["rows: actual, columns: predicted", f"number of {counted}, share of the row"]
    chart: LayerChart = alt.layer(cells, *_cell_texts(base, len(names), palette)).properties(
        height=max(_cell_size(len(names)) * len(names), 60), title=title("Actual against predicted class", *subtitle)
    )
    return chart


def _class_axis(names: Sequence[str]) -> Any:
    crowded = len(names) > 3 and max(map(len, names)) > 3
    return require_altair().Axis(orient="top", labelAngle=-45 if crowded else 0, labelLimit=90, domain=False, ticks=False)


def _cell_texts(base: Any, num_classes: int, palette: Palette) -> list[Any]:
    """Return the counts, and the shares below them, as far as cells have room for them."""
    alt = require_altair()
    colour = alt.condition("datum.share > 0.45", alt.value(palette.paper), alt.value(palette.ink))
    if num_classes > 20:
        return []
    if num_classes > 10:
        return [base.mark_text(fontSize=10, fontWeight=600).encode(text="shown:N", color=colour)]
    counts = base.mark_text(fontSize=13, fontWeight=600, dy=-7).encode(text="shown:N", color=colour)
    return [counts, base.mark_text(fontSize=10, dy=9).encode(text="percent:N", color=colour)]


def _confusion_rows(confusion: Confusion) -> list[dict[str, Any]]:
    rows = []
    for actual, counts in zip(confusion.class_names, confusion.counts, strict=True):
        whole = sum(counts)
        for predicted, count in zip(confusion.class_names, counts, strict=True):
            share = count / whole if whole else 0.0
            rows.append(
                {
                    "actual": actual,
                    "predicted": predicted,
                    "count": count,
                    "share": share,
                    "kind": "right" if actual == predicted else "mistake",
                    "strength": 0.0 if not count else 0.12 + 0.88 * share,
                    "shown": f"{count:,}" if count else "",
                    "percent": f"{share:.0%}" if count else "",
                }
            )
    return rows


def _cell_size(num_classes: int) -> int:
    return next(size for most, size in ((3, 72), (6, 54), (10, 42), (20, 28), (num_classes, 18)) if num_classes <= most)
