"""How is the hidden state across time drawn? A heat map: a column a step, a row a unit, sign by hue, size by strength.

Zero is transparent, so the picture reads on light and on dark pages alike.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from statewise.tracing._numbers import level, number, scale_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from statewise.tracing._records import Core

NEGATIVE, POSITIVE, MISSING = "#2f7fd1", "#e2701d", "#8a8a8a"
PLOT, LEFT, TOP = 640.0, 96.0, 30.0
MAX_STEPS, MAX_UNITS, MAX_TITLED, SHADES = 160, 48, 1500, 40
_STANDALONE = "<style>svg{color:#1f2328}@media (prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"


def hidden_svg(cores: Sequence[Core], *, standalone: bool = False) -> str:
    """Return one picture with a panel for each core, one below the other.

    Args:
        cores: the opened recurrent parts; without any the picture says so.
        standalone: a file of its own (with its own text colour) rather than part of a page.
    """
    panels: list[str] = []
    top = 0.0
    for core in cores:
        panel, height = _panel(core.hidden.detach().cpu(), title_of(core), backward=any(cell.backward for cell in core.cells))
        panels.append(f'<g transform="translate(0 {top:g})">{panel}</g>')
        top += height
    if not panels:
        panels, top = [_text(8.0, 20.0, "No recurrent core was opened: there is no hidden state to draw.", anchor="start")], 32.0
    size = f'viewBox="0 0 {LEFT + PLOT + 24:g} {top:g}"'
    namespace = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    fixed = f' width="{LEFT + PLOT + 24:g}" height="{top:g}"' if standalone else ' style="width:100%;max-width:760px;height:auto"'
    return (
        f'<svg{namespace} {size}{fixed} role="img" aria-label="hidden state across time" font-family="system-ui,sans-serif" '
        f'font-size="12" fill="currentColor">{_STANDALONE if standalone else ""}{"".join(panels)}</svg>'
    )


def title_of(core: Core) -> str:
    """Return the heading of a core's panel."""
    name = f"{core.kind} {core.name!r}" if core.name else core.kind
    return f"Hidden state of {name}: {core.hidden.shape[0]} steps, {core.hidden.shape[1]} units"


def _panel(hidden: Tensor, title: str, *, backward: bool) -> tuple[str, float]:
    time, width = hidden.shape
    stride = max(1, math.ceil(time / MAX_STEPS))
    steps, units = list(range(0, time, stride)), list(range(min(width, MAX_UNITS)))
    across = min(48.0, PLOT / len(steps))
    down = max(6.0, min(24.0, 360 / len(units)))
    largest = scale_of(hidden)
    bottom = TOP + down * len(units)
    left_out = [f"one step in {stride}" if stride > 1 else "", f"first {MAX_UNITS} of {width} units" if width > MAX_UNITS else ""]
    shown = ", ".join(words for words in left_out if words)
    parts = [
        _text(LEFT, 16.0, title + (f" (shown: {shown})" if shown else ""), anchor="start", weight="600"),
        *_cells(hidden, steps, units, across=across, down=down),
        _frame(TOP, across * len(steps), down * len(units)),
        *_ticks(steps, units, across=across, down=down, bottom=bottom, half=width // 2 if backward else None),
        _text(LEFT + across * len(steps) / 2, bottom + 34, "step"),
        *_legend(bottom + 52, largest, float(hidden.min()), float(hidden.max())),
    ]
    return "".join(parts), bottom + 92


def _cells(hidden: Tensor, steps: list[int], units: list[int], *, across: float, down: float) -> Iterator[str]:
    """Draw small pictures cell by cell, each with its value under the pointer; large ones as one path a shade."""
    largest = scale_of(hidden)
    titled = len(steps) * len(units) <= MAX_TITLED
    shades: dict[tuple[str, float], list[str]] = {}
    for unit in units:
        values = hidden[:, unit].tolist()
        for place, step in enumerate(steps):
            x, y, (colour, strength) = LEFT + place * across, TOP + unit * down, shade(values[step], largest)
            if titled:
                yield (
                    f'<rect x="{x:.2f}" y="{y:.2f}" width="{across:.2f}" height="{down:.2f}" fill="{colour}" fill-opacity="{strength}">'
                    f"<title>step {step + 1}, unit {unit + 1}: {number(values[step])}</title></rect>"
                )
            else:
                shades.setdefault((colour, strength), []).append(f"M{x:.1f} {y:.1f}h{across:.2f}v{down:.2f}h-{across:.2f}z")
    for (colour, strength), cells in shades.items():
        yield f'<path fill="{colour}" fill-opacity="{strength}" d="{"".join(cells)}"/>'


def shade(value: float, largest: float) -> tuple[str, float]:
    """Return the hue and the strength, 0 to 1, of a value on a scale from -largest to largest.

    Example:
        >>> shade(0.0, 1.0)[1], shade(-1.0, 1.0) == (NEGATIVE, 1.0), shade(float("nan"), 1.0)[0] == MISSING
        (0.0, True, True)
    """
    if level(value, largest, 2) is None:
        return MISSING, 1.0
    return (NEGATIVE if value < 0 else POSITIVE), round(min(1.0, round(abs(value) / largest * SHADES) / SHADES), 3)


def _ticks(steps: list[int], units: list[int], *, across: float, down: float, bottom: float, half: int | None) -> Iterator[str]:
    for place in _spread(len(steps), at_most=max(2, int(across * len(steps) // 40))):
        yield _text(LEFT + (place + 0.5) * across, bottom + 16, str(steps[place] + 1))
    for place in _spread(len(units), at_most=max(2, int(down * len(units) // 13))):
        unit = units[place]
        words = f"unit {unit + 1}" if half is None else f"forward {unit + 1}" if unit < half else f"backward {unit - half + 1}"
        yield _text(LEFT - 8, TOP + (place + 0.5) * down + 4, words, anchor="end")


def _frame(top: float, width: float, height: float) -> str:
    return f'<rect x="{LEFT:g}" y="{top:g}" width="{width:g}" height="{height:g}" fill="none" stroke="currentColor" stroke-opacity=".35"/>'


def _spread(size: int, *, at_most: int) -> list[int]:
    stride = max(1, math.ceil(size / at_most))
    return list(range(0, size, stride))


def _legend(top: float, largest: float, low: float, high: float) -> Iterator[str]:
    """Draw the scale with its ends and zero, and the smallest and largest value beside it."""
    number_of, each = 21, 10.0
    for place in range(number_of):
        colour, strength = shade((place - number_of // 2) / (number_of // 2) * largest, largest)
        yield f'<rect x="{LEFT + place * each:g}" y="{top:g}" width="{each:g}" height="10" fill="{colour}" fill-opacity="{strength}"/>'
    yield _frame(top, number_of * each, 10.0)
    for share, value in ((0.0, -largest), (0.5, 0.0), (1.0, largest)):
        yield _text(LEFT + share * number_of * each, top + 24, number(value))
    yield _text(LEFT + number_of * each + 24, top + 9, f"smallest {number(low)}, largest {number(high)}", anchor="start")


def _text(x: float, y: float, words: str, *, anchor: str = "middle", weight: str = "400") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>'
