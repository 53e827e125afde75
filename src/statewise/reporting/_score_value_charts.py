"""How do values become charts? What was predicted against what was, and the error by how far ahead, as Altair charts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from statewise.reporting._drawing import inline, require_altair, title
from statewise.reporting._palette import PAGE, Palette

if TYPE_CHECKING:
    from collections.abc import Mapping

    from altair import LayerChart

    from statewise.evaluation import Estimate, Points

_MOST_TICKS = 12


def value_chart(points: Points, *, palette: Palette = PAGE) -> LayerChart:
    """Draw predicted against actual values; on the line they are equal."""
    alt = require_altair()
    ahead = points.ahead or (0,) * len(points.actual)
    rows = [
        {"actual": actual, "predicted": predicted, "series": f"{steps} {'step' if steps == 1 else 'steps'} ahead"}
        for actual, predicted, steps in zip(points.actual, points.predicted, ahead, strict=True)
    ]
    low, high = min(*points.actual, *points.predicted), max(*points.actual, *points.predicted)
    names = list(dict.fromkeys(row["series"] for row in sorted(rows, key=lambda row: int(str(row["series"]).split()[0]))))
    scale = alt.Scale(domain=[low, high] if low < high else [low - 1, high + 1], nice=True, zero=False)
    x = alt.X("actual:Q", scale=scale, title="actual value", axis=alt.Axis(tickCount=6))
    y = alt.Y("predicted:Q", scale=scale, title="predicted value", axis=alt.Axis(tickCount=6))
    tooltip = [
        alt.Tooltip("actual:Q", title="actual", format=".4g"),
        alt.Tooltip("predicted:Q", title="predicted", format=".4g"),
        *([alt.Tooltip("series:N", title="forecast")] if points.ahead else []),
    ]
    colours = alt.Scale(domain=names, range=[palette.train, palette.valid][: len(names)])
    shown = alt.Color("series:N", scale=colours, legend=alt.Legend() if points.ahead else None)
    line = alt.Chart(inline([{"actual": end, "predicted": end} for end in (low, high)]))
    parts = [
        alt.Chart(inline(rows)).mark_circle(size=26, opacity=0.55).encode(x=x, y=y, color=shown, tooltip=tooltip),
        line.mark_line(color=palette.limit, strokeWidth=1.5).encode(x=x, y=y),
    ]
    chart: LayerChart = alt.layer(*parts).properties(height=340, title=title("Predicted against actual"))
    return chart


def ahead_chart(by_ahead: Mapping[int, Mapping[str, Estimate]], *, baseline: str | None, palette: Palette = PAGE) -> LayerChart:
    """Draw the root mean squared error by how many steps ahead, with its interval, beside that of a naive method.

    Args:
        by_ahead: `rmse` and where known `baseline_rmse`, by steps ahead.
        baseline: the name of that method.
        palette: the colours.
    """
    alt = require_altair()
    rows = _ahead_rows(by_ahead, {"rmse": "model", "baseline_rmse": baseline or "naive"})
    series = list(dict.fromkeys(row["series"] for row in rows))
    horizons = sorted(by_ahead)
    ticks = horizons[:: -(-len(horizons) // _MOST_TICKS)]
    x = alt.X("ahead:Q", title="steps ahead", scale=alt.Scale(nice=False), axis=alt.Axis(values=ticks, format="d"))
    base = alt.Chart(inline(rows)).encode(
        x=x,
        tooltip=[
            alt.Tooltip("ahead:Q", title="steps ahead"),
            alt.Tooltip("series:N", title="of"),
            alt.Tooltip("error:Q", title="RMSE", format=".4g"),
            alt.Tooltip("low:Q", title="95 % from", format=".4g"),
            alt.Tooltip("high:Q", title="to", format=".4g"),
        ],
    )
    y = alt.Y("error:Q", title="RMSE (units of the target)", scale=alt.Scale(zero=True))
    colours = alt.Scale(domain=series, range=[palette.valid, palette.muted][: len(series)])
    colour = alt.Color("series:N", scale=colours, legend=alt.Legend(symbolType="stroke"))
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=series, range=[[1, 0], [5, 4]][: len(series)]), legend=None)
    parts = [
        base.transform_filter("isValid(datum.low)").mark_area(opacity=0.2, color=palette.valid).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y, color=colour, strokeDash=dash),
        base.mark_circle(size=40, opacity=1).encode(y=y, color=colour),
    ]
    chart: LayerChart = alt.layer(*parts).properties(height=240, title=title("Error by how far ahead"))
    return chart


def _ahead_rows(by_ahead: Mapping[int, Mapping[str, Estimate]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"ahead": ahead, "error": found[name].value, "low": found[name].low, "high": found[name].high, "series": series}
        for name, series in names.items()
        for ahead, found in sorted(by_ahead.items())
        if name in found and not math.isnan(found[name].value)
    ]
