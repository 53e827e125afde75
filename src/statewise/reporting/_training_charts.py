"""How do the records of a training become charts? Loss, accuracy and gradient norms by layer, from records to an Altair chart.

Field names are ours and names of users are values only, so that no name is ever read as an expression. What is drawn over
thousands of updates is thinned first, by `_thinning.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any

from statewise.reporting._drawing import inline, require_altair, title
from statewise.reporting._palette import PAGE, Palette
from statewise.reporting._thinning import Bin, bins_by_phase, shifted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from altair import LayerChart

    from statewise.runs import Epoch, Update
    from statewise.verdicts import GradientRules

_TRAIN, _VALID, _REFIT = "training", "validation", "refit on both"
_ALL_LAYERS = "all together"
_HEIGHT, _TALL = 240, 280


def loss_chart(
    epochs: Sequence[Epoch], refit: Sequence[Epoch] = (), *, best: int | None = None, unit: str = "nats", palette: Palette = PAGE
) -> LayerChart:
    """Draw the loss of each epoch, in training and in validation, with the epoch whose weights were kept.

    Args:
        epochs: of the phase that validation watched.
        refit: of the training on both parts afterwards, drawn dashed.
        best: the epoch whose weights were kept.
        unit: of the loss, for the axis.
        palette: the colours.
    """
    rows = [
        *({"epoch": each.epoch, "series": _TRAIN, "value": each.train_loss} for each in epochs),
        *({"epoch": each.epoch, "series": _VALID, "value": each.valid_loss} for each in epochs),
        *({"epoch": each.epoch, "series": _REFIT, "value": each.train_loss} for each in refit),
    ]
    broken = [each.train_loss is None for each in epochs]
    return _curves(rows, heading="Loss by epoch", value=f"loss ({unit})", best=best, broken=broken, palette=palette)


def accuracy_chart(epochs: Sequence[Epoch], refit: Sequence[Epoch] = (), *, best: int | None = None, palette: Palette = PAGE) -> LayerChart:
    """Draw the accuracy of each epoch, that of validation with its 95 % interval as a band."""
    rows = [
        *({"epoch": each.epoch, "series": _TRAIN, "value": each.train_accuracy} for each in epochs),
        *(
            {
                "epoch": each.epoch,
                "series": _VALID,
                "value": each.valid_accuracy,
                "low": each.valid_accuracy_low,
                "high": each.valid_accuracy_high,
            }
            for each in epochs
        ),
        *({"epoch": each.epoch, "series": _REFIT, "value": each.train_accuracy} for each in refit),
    ]
    return _curves(rows, heading="Accuracy by epoch", value="accuracy (share)", best=best, domain=(0.0, 1.0), palette=palette)


def gradient_chart(
    updates: Sequence[Update], refit: Sequence[Update] = (), *, rules: GradientRules, clip: float = 0.0, palette: Palette = PAGE
) -> LayerChart:
    """Draw the gradient norms of each layer and of all together, before clipping, on a logarithmic axis.

    The safe range for the median of all together is shaded. Many updates are drawn as bins: the median of each, and from
    least to greatest for all together.

    Args:
        updates: the optimiser steps.
        refit: those of the training on both parts afterwards, drawn after a line, counted on.
        rules: the safe range of the policy.
        clip: the norm above which gradients were scaled down; 0 for none.
        palette: the colours.
    """
    alt = require_altair()
    border, updates = len(updates), [*updates, *refit]
    total = bins_by_phase([update.gradient_norm for update in updates], border)
    names = dict.fromkeys(name for update in updates for name in update.norms)
    layers = {name: bins_by_phase([update.norms.get(name) for update in updates], border) for name in names}
    rows = [row for name, bins in {_ALL_LAYERS: total, **layers}.items() for row in _norm_rows(name, bins, border)]
    frame = _norm_frame(rows, len(updates), [clip, rules.median_low, rules.median_high], palette)
    lines = alt.Chart(inline(rows)).encode(x=frame.x, y=frame.y, detail="phase:N")
    whole = lines.transform_filter(alt.datum.series == _ALL_LAYERS)
    colours = [palette.ink, *(palette.layers[number % len(palette.layers)] for number in range(len(layers)))]
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=[_ALL_LAYERS, *layers], range=colours),
        legend=alt.Legend(symbolType="stroke", columns=alt.ExprRef("width < 500 ? 2 : 5")),
    )
    few = len(total) < 3
    parts = [
        _safe_range(rules, frame),
        whole.mark_area(color=palette.ink, opacity=0.14).encode(y=alt.Y("low:Q"), y2="high:Q"),
        lines.mark_line(strokeWidth=1.5, opacity=0.85).encode(color=colour),
        whole.mark_line(strokeWidth=2.5, color=palette.ink),
        lines.mark_circle(size=60 if few else 140, opacity=1.0 if few else 0.0).encode(color=colour, tooltip=_norm_tooltip()),
        *(_refit_rule(border, frame) if 0 < border < len(updates) else []),
        *(_clipping(total, updates, clip, frame) if clip > 0 else []),
        *_broken_bands([update.gradient_norm is None for update in updates], frame, "update"),
    ]
    heading = title("Gradient norms by layer", "before clipping; shaded: safe range")
    chart: LayerChart = alt.layer(*parts).properties(height=_TALL, title=heading)
    return chart


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """What the layers of one chart share; `lowest` is the foot of a logarithmic axis."""

    x: Any
    y: Any
    palette: Palette
    lowest: float = 0.0


def _curves(
    rows: list[dict[str, Any]],
    *,
    heading: str,
    value: str,
    best: int | None,
    palette: Palette,
    broken: Sequence[bool] = (),
    domain: Sequence[float] | None = None,
) -> LayerChart:
    """Draw figures by epoch, one line a series that has any."""
    alt = require_altair()
    last = max(row["epoch"] for row in rows)
    series = [name for name in (_TRAIN, _VALID, _REFIT) if any(row["series"] == name and row["value"] is not None for row in rows)]
    rows = [row for row in rows if row["series"] in series]
    frame = _epoch_frame(last, value, domain, palette)
    colours = {_TRAIN: palette.train, _VALID: palette.valid, _REFIT: palette.refit}
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=series, range=[colours[name] for name in series]),
        legend=alt.Legend(symbolType="stroke", offset=24),
    )
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=series, range=[[5, 4] if name == _REFIT else [1, 0] for name in series]))
    lines = alt.Chart(inline(rows)).encode(x=frame.x, y=frame.y)
    band = lines.transform_filter("isValid(datum.low)").mark_area(color=palette.valid, opacity=0.14).encode(y=alt.Y("low:Q"), y2="high:Q")
    parts = [
        *([band] if any(row.get("low") is not None for row in rows) else []),
        *(_best_rule(best, last, frame) if best is not None else []),
        lines.mark_line(strokeWidth=2).encode(color=colour, strokeDash=dash),
        lines.transform_filter("isValid(datum.value)").mark_circle(size=34, opacity=1 if last <= 60 else 0).encode(color=colour),
        *_broken_bands(broken, frame, "epoch"),
        _hover(rows, series, last, frame),
    ]
    chart: LayerChart = alt.layer(*parts).properties(height=_HEIGHT, title=title(heading))
    return chart


def _epoch_frame(last: int, value: str, domain: Sequence[float] | None, palette: Palette) -> _Frame:
    alt = require_altair()
    epochs = alt.Scale(domain=[0.5, last + 0.5] if last < 3 else [1, last], nice=False)
    ticks = alt.Axis(format="d", values=list(range(1, last + 1))) if last <= 15 else alt.Axis(format="d", tickMinStep=1)
    values = alt.Scale(zero=True) if domain is None else alt.Scale(domain=list(domain))
    return _Frame(
        x=alt.X("epoch:Q", title="epoch", axis=ticks, scale=epochs),
        y=alt.Y("value:Q", title=value, axis=alt.Axis(tickCount=5), scale=values),
        palette=palette,
    )


def _hover(rows: Sequence[dict[str, Any]], series: Sequence[str], last: int, frame: _Frame) -> Any:
    """Return invisible bars, one an epoch, that say all its figures."""
    alt = require_altair()
    by_epoch: dict[int, dict[str, Any]] = {}
    for row in rows:
        by_epoch.setdefault(row["epoch"], {"epoch": row["epoch"]})[f"figure_{series.index(row['series'])}"] = row["value"]
    tooltip = [alt.Tooltip("epoch:Q", title="epoch")]
    tooltip += [alt.Tooltip(f"figure_{place}:Q", title=name, format=".4~g") for place, name in enumerate(series)]
    bars = alt.Chart(inline(list(by_epoch.values()))).mark_rule(strokeWidth=max(3.0, 500 / last), opacity=0)
    return bars.encode(x=frame.x, tooltip=tooltip)


def _best_rule(best: int, last: int, frame: _Frame) -> list[Any]:
    alt = require_altair()
    rule = alt.Chart(inline([{"epoch": best, "says": f"best epoch {best}"}])).encode(x=frame.x)
    label = rule.mark_text(align="right" if best > last / 2 else "left", dy=-5, baseline="bottom", color=frame.palette.muted)
    return [rule.mark_rule(strokeDash=[3, 3], color=frame.palette.muted), label.encode(text="says:N", y=alt.value(0))]


def _broken_bands(broken: Sequence[bool], frame: _Frame, field: str) -> list[Any]:
    """Return a band over every stretch in which a figure was not finite; `broken` has one entry for each place, from 1."""
    alt = require_altair()
    ends = [place for place, (before, now) in enumerate(pairwise([False, *broken, False]), 1) if before != now]
    rows = [
        {field: start - 0.5, "until": stop - 0.5, "says": f"not finite: {field} {start}{'' if stop - start == 1 else f' to {stop - 1}'}"}
        for start, stop in zip(ends[::2], ends[1::2], strict=True)
    ]
    band = alt.Chart(inline(rows)).mark_rect(color=frame.palette.bad, opacity=0.25, clip=True)
    return [band.encode(x=frame.x, x2="until:Q", tooltip=[alt.Tooltip("says:N", title="figure")])] if rows else []


def _norm_rows(series: str, bins: Sequence[Bin], border: int) -> list[dict[str, Any]]:
    """Return the bins of one layer; a logarithmic axis has no place for a norm of zero, so such a bin is left out."""
    return [
        {
            "series": series,
            "phase": "fit" if each.start < border else "refit",
            "update": each.update,
            "updates": each.label if each.start < border else f"{shifted(each, -border).label} of the refit",
            "value": each.middle,
            "low": each.low or each.middle,
            "high": each.high,
        }
        for each in bins
        if each.middle
    ]


def _refit_rule(border: int, frame: _Frame) -> list[Any]:
    """Return a line between the updates of the fit and those of the refit, with its name at the foot."""
    alt = require_altair()
    rule = alt.Chart(inline([{"update": border + 0.5, "says": "refit"}])).encode(x=frame.x)
    label = rule.mark_text(align="left", dx=5, dy=-14, baseline="bottom", color=frame.palette.refit)
    return [
        rule.mark_rule(strokeDash=[3, 3], color=frame.palette.refit, strokeWidth=1.5),
        label.encode(text="says:N", y=alt.value(_TALL)),
    ]


def _norm_frame(rows: Sequence[dict[str, Any]], num_updates: int, marked: Sequence[float], palette: Palette) -> _Frame:
    """Return axes that hold all norms and the marked ones: limits and the norm of clipping."""
    alt = require_altair()
    shown = [value for value in [*marked, *(row["low"] for row in rows), *(row["high"] for row in rows)] if value > 0]
    lowest, highest = min(shown), max(shown)
    powers = [10.0**power for power in range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)]
    return _Frame(
        x=alt.X(
            "update:Q",
            title="update",
            axis=alt.Axis(format="~s", tickMinStep=1),
            scale=alt.Scale(domain=[0.5, num_updates + 0.5], nice=False),
        ),
        y=alt.Y(
            "value:Q",
            title="gradient norm (log scale)",
            axis=alt.Axis(format="~g", values=powers),
            scale=alt.Scale(type="log", domain=[lowest, highest], nice=True),
        ),
        palette=palette,
        lowest=lowest,
    )


def _norm_tooltip() -> list[Any]:
    alt = require_altair()
    figures = (("value", "median norm"), ("low", "least"), ("high", "greatest"))
    words = (("series", "layer"), ("updates", "update"))
    return [
        *(alt.Tooltip(f"{name}:N", title=label) for name, label in words),
        *(alt.Tooltip(f"{name}:Q", title=label, format=".3~g") for name, label in figures),
    ]


def _safe_range(rules: GradientRules, frame: _Frame) -> Any:
    alt = require_altair()
    place = inline([{"value": max(rules.median_low, frame.lowest), "high": rules.median_high}])
    return alt.Chart(place).mark_rect(color=frame.palette.good, opacity=0.09).encode(y=frame.y, y2="high:Q")


def _clipping(total: Sequence[Bin], updates: Sequence[Update], clip: float, frame: _Frame) -> list[Any]:
    """Return the line of the clipping norm, and a mark at the foot wherever updates were clipped, stronger for more of them."""
    alt, palette = require_altair(), frame.palette
    line = alt.Chart(inline([{"value": clip, "says": f"clipped above {clip:g}"}])).encode(y=frame.y)
    halo, label = (
        line.mark_text(align="right", baseline="bottom", dx=-4, dy=-3, **colours).encode(text="says:N", x=alt.value("width"))
        for colours in ({"stroke": palette.paper, "strokeWidth": 5, "strokeJoin": "round"}, {"color": palette.bad})
    )
    shares = [(each, fmean(update.clipped for update in updates[each.start : each.stop])) for each in total]
    rows = [{"update": each.update, "updates": each.label, "share": share} for each, share in shares if share]
    marks = alt.Chart(inline(rows)).mark_tick(color=palette.bad, size=9, thickness=3, orient="vertical")
    tooltip = [alt.Tooltip("updates:N", title="update"), alt.Tooltip("share:Q", title="share clipped", format=".0%")]
    strength = alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.15, 1]), legend=None)
    feet = marks.encode(x=frame.x, y=alt.value(_TALL - 6), opacity=strength, tooltip=tooltip)
    return [line.mark_rule(color=palette.bad, strokeDash=[6, 4]), halo, label, *([feet] if rows else [])]
