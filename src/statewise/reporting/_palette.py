"""Which colours and letters do the charts use, on a page that follows the reader's light or dark setting and in a picture?"""

from __future__ import annotations

from typing import Any

import msgspec

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


class Palette(msgspec.Struct, frozen=True, kw_only=True):
    """Colours by what they mean; anything that a style sheet takes as a colour.

    Attributes:
        ink, muted, grid, paper: text, text beside it, lines behind the data, and what everything lies on.
        train, valid, refit: the parts of training; `valid` is also the colour of the evaluation.
        limit: what a policy asks for.
        good: a range or cell that is as it should be.
        bad: what is not.
        layers: one colour a layer, reused in turn where there are more.
    """

    ink: str
    muted: str
    grid: str
    paper: str
    train: str
    valid: str
    refit: str
    limit: str
    good: str
    bad: str
    layers: tuple[str, ...]


# The variables of style.css, so that one chart serves a light screen, a dark one and paper.
PAGE = Palette(
    ink="var(--ink)",
    muted="var(--muted)",
    grid="var(--line)",
    paper="var(--card)",
    train="var(--train)",
    valid="var(--valid)",
    refit="var(--refit)",
    limit="var(--limit)",
    good="var(--good)",
    bad="var(--bad)",
    layers=tuple(f"var(--layer-{number})" for number in range(1, 7)),
)

PICTURE = Palette(
    ink="#1b2530",
    muted="#566270",
    grid="#e2e6ea",
    paper="#ffffff",
    train="#2468b4",
    valid="#b4540a",
    refit="#6d4bb0",
    limit="#1b2530",
    good="#1a7a46",
    bad="#b3261e",
    layers=("#2468b4", "#b4540a", "#1a7a46", "#a8327e", "#7a6a00", "#2b7f86"),
)


def chart_config(palette: Palette) -> dict[str, Any]:
    """Return the Vega-Lite configuration that gives every chart its letters, lines and room."""
    text = {"labelColor": palette.muted, "titleColor": palette.muted, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "aria": False,  # the figure around a chart says in words what it shows
        "background": "transparent" if palette is PAGE else palette.paper,
        "font": FONT,
        "view": {"stroke": None},
        "axis": text
        | {"domainColor": palette.grid, "gridColor": palette.grid, "tickColor": palette.grid, "labelLimit": 130, "titlePadding": 8},
        "axisX": {"grid": False},
        "legend": text
        | {"orient": "top", "title": None, "labelLimit": 110, "symbolStrokeWidth": 3, "symbolSize": 120, "columnPadding": 14},
        "title": {
            "anchor": "start",
            "frame": "bounds",
            "color": palette.ink,
            "subtitleColor": palette.muted,
            "fontSize": 14,
            "fontWeight": 600,
            "subtitleFontSize": 12,
            "subtitlePadding": 4,
            "offset": 10,
        },
        "text": {"color": palette.ink, "fontSize": 12},
    }
