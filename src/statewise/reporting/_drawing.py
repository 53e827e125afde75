"""What do all charts share? The library, the frame of a chart on the page, and the picture of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statewise.errors import missing_extra
from statewise.reporting._palette import PAGE, Palette, chart_config

if TYPE_CHECKING:
    from altair import LayerChart, TopLevelMixin


def chart_spec(chart: LayerChart, *, palette: Palette = PAGE) -> dict[str, Any]:
    """Return a chart as a Vega-Lite specification that fills the width of its place."""
    filled = chart.properties(width="container", autosize={"type": "fit-x", "contains": "padding"})
    return {**filled.to_dict(), "config": chart_config(palette)}


def chart_png(chart: TopLevelMixin, *, palette: Palette, scale: float = 2.0) -> bytes:
    """Return a chart as a PNG picture; the chart must have been drawn with the same palette, of plain colours."""
    require_altair()
    try:
        import vl_convert
    except ImportError as problem:
        raise missing_extra("draw a chart", "vl_convert", "report") from problem
    return bytes(vl_convert.vegalite_to_png({**chart.to_dict(), "config": chart_config(palette)}, scale=scale))


def require_altair() -> Any:
    """Return the module `altair`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import altair as alt
    except ImportError as problem:
        raise missing_extra("draw a chart", "altair", "report") from problem
    return alt


def title(text: str, *subtitle: str) -> Any:
    """Return the title of a chart, with smaller lines below it."""
    return require_altair().TitleParams(text, subtitle=list(subtitle))


def inline(rows: list[dict[str, Any]]) -> Any:
    """Return rows as the data of a chart."""
    return require_altair().InlineData(values=rows)
