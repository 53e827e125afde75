"""How is the reach of the loss back in time drawn? The norm of its gradient by lag, after the first epoch and after the last."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from statewise.reporting._drawing import inline, require_altair, title
from statewise.reporting._palette import PAGE, Palette

if TYPE_CHECKING:
    from collections.abc import Sequence

    from altair import LayerChart

    from statewise.runs import Lags

_HEIGHT = 240
_MOST_POWERS = 7


def lag_chart(records: Sequence[Lags], refit: Sequence[Lags] = (), *, best: int | None = None, palette: Palette = PAGE) -> LayerChart:
    """Draw the norm of the loss's gradient with respect to what is read at each step, by lag, on a logarithmic axis.

    Args:
        records: one an epoch, at least one; the first, the last and the best are drawn.
        refit: those of the training on both parts afterwards; the last is drawn, dashed.
        best: the epoch whose weights were kept.
        palette: the colours.
    """
    alt = require_altair()
    chosen = next((record for record in records if record.epoch == best), records[-1])
    drawn = {_named(records[0]): (records[0], palette.muted, [2, 3])}
    drawn |= {_named(records[-1]): (records[-1], palette.ink, [7, 3])}
    drawn.pop(_named(chosen), None)
    kept = " (kept)" if chosen.epoch == best else ""
    drawn[f"{_named(chosen)}{kept}"] = (chosen, palette.train, [1, 0])
    if refit:
        drawn[f"refit, {_named(refit[-1])}"] = (refit[-1], palette.refit, [5, 4])
    rows = [row for name, (record, *_) in drawn.items() for row in _rows(name, record)]
    lines = alt.Chart(inline(rows)).encode(x=_lag_axis(rows), y=_norm_axis(rows))
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=list(drawn), range=[colour for _, colour, _ in drawn.values()]),
        legend=alt.Legend(symbolType="stroke", columns=alt.ExprRef("width < 500 ? 2 : 4")),
    )
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=list(drawn), range=[dash for *_, dash in drawn.values()]))
    few = max(len(record.lags) for record, *_ in drawn.values()) <= 20
    dots = lines.mark_circle(size=34 if few else 140, opacity=1 if few else 0)
    chart: LayerChart = alt.layer(
        lines.mark_line(strokeWidth=2).encode(color=colour, strokeDash=dash), dots.encode(color=colour, tooltip=_tooltip())
    ).properties(height=_HEIGHT, title=title("Gradient by lag", "how far back in time the loss reaches"))
    return chart


def _named(record: Lags) -> str:
    return f"epoch {record.epoch}"


def is_drawable(records: Sequence[Lags]) -> bool:
    """Return whether the first or the last record has a norm that a logarithmic axis can hold."""
    return any(_rows("", record) for record in (*records[:1], *records[-1:]))


def _rows(series: str, record: Lags) -> list[dict[str, Any]]:
    """Return the norms of one record; a logarithmic axis has no place for zero."""
    return [
        {"series": series, "lag": lag, "norm": norm, "sequences": count}
        for lag, norm, count in zip(record.lags, record.norms, record.counts, strict=True)
        if norm
    ]


def _lag_axis(rows: Sequence[dict[str, Any]]) -> Any:
    alt = require_altair()
    longest = max(row["lag"] for row in rows)
    ticks = alt.Axis(format="d", values=list(range(longest + 1))) if longest <= 15 else alt.Axis(format="d", tickMinStep=1)
    return alt.X("lag:Q", title="lag: steps before the loss", axis=ticks, scale=alt.Scale(domain=[0, max(longest, 1)], nice=False))


def _norm_axis(rows: Sequence[dict[str, Any]]) -> Any:
    alt = require_altair()
    norms = [row["norm"] for row in rows]
    low, high = math.floor(math.log10(min(norms))), math.ceil(math.log10(max(norms)))
    every = max(1, -(-(high - low) // _MOST_POWERS))
    powers = [10.0**power for power in range(high, low - 1, -every)]
    axis = alt.Axis(format="~g" if low > -4 and high < 5 else "~e", values=powers)
    scale = alt.Scale(type="log", domain=[10.0**low, 10.0 ** max(high, low + 1)])
    return alt.Y("norm:Q", title="gradient norm (log scale)", axis=axis, scale=scale)


def _tooltip() -> list[Any]:
    alt = require_altair()
    return [
        alt.Tooltip("series:N", title="measured"),
        alt.Tooltip("lag:Q", title="lag"),
        alt.Tooltip("norm:Q", title="median norm", format=".3~g"),
        alt.Tooltip("sequences:Q", title="sequences"),
    ]
