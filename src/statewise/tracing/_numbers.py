"""How are numbers, and picks of many rows, written for the eye?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def number(value: float | int) -> str:  # noqa: PYI041 - token numbers are whole, and are checked as such in the tests
    """Return a number with three or four digits, at most seven characters.

    Example:
        >>> [number(value) for value in (0, 3, 0.0, -0.55541, 12.345, -123.45, 4567.8, 0.000012, -2e30, float("nan"))]
        ['0', '3', '0', '-0.555', '12.35', '-123.5', '4568', '1.2e-5', '-2.0e30', 'nan']
    """
    if isinstance(value, (bool, int)):
        return str(int(value)) if abs(value) < 1e6 else f"{value:.0e}".replace("e+", "e")
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else f"{value:g}"
    size = abs(value)
    if size < 0.0005 or size >= 99_999.5:
        digits, exponent = f"{value:.1e}".split("e")
        return f"{digits}e{int(exponent)}"
    return f"{value:.{3 if size < 9.9995 else 2 if size < 99.995 else 1 if size < 999.95 else 0}f}"


def chosen(size: int, *, first: int, last: int, whole: int) -> list[int | None]:
    """Return which of `size` rows to show: all up to `whole`, else the first and last ones with None for the gap.

    Example:
        >>> chosen(3, first=2, last=1, whole=4), chosen(9, first=2, last=1, whole=4)
        ([0, 1, 2], [0, 1, None, 8])
    """
    if size <= max(whole, first + last):
        return list(range(size))
    return [*range(first), None, *range(size - last, size)]


def scale_of(values: Tensor) -> float:
    """Return the largest finite magnitude, or 1 where all is zero or not finite."""
    finite = values[values.isfinite()].double()
    largest = float(finite.abs().max()) if finite.numel() else 0.0
    return largest or 1.0


def level(value: float, largest: float, levels: int) -> int | None:
    """Return which of `levels` equal parts of the range from -largest to largest a value falls into; None where it is not finite.

    Zero is the first level of the upper half.
    """
    if not math.isfinite(value):
        return None
    return max(0, min(levels - 1, math.floor((value / largest + 1) / 2 * levels)))


def lags_shown(size: int) -> list[int]:
    """Return which of `size` lags to show: all of up to 16, else the first eight, two of each doubling, and the last.

    Example:
        >>> lags_shown(40)
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 39]
    """
    if size <= 16:
        return list(range(size))
    further = sorted(start * 2**power for start in (8, 12) for power in range(40))
    return [*range(8), *(lag for lag in further if lag < size - 1), size - 1]


def left_out(lags: Sequence[int], values: Sequence[float]) -> str:
    """Return the end of a line that says how many lags are not shown."""
    return f"; {len(values) - len(lags)} lags left out; all are in .values" if len(values) > len(lags) else ""


def log_shares(values: Sequence[float]) -> list[float]:
    """Return how long the bar of each norm is, from 0 for none to 1 for the largest, on a logarithmic scale.

    The smallest is a third as long as the largest, unless more than eighteen powers of ten lie between them.

    Example:
        >>> [round(share, 2) for share in log_shares([1.0, 0.1, 0.01, 0.0])]
        [1.0, 0.67, 0.33, 0.0]
    """
    logs = [math.log10(value) if 0 < value < math.inf else None for value in values]
    there = [log for log in logs if log is not None]
    if not there:
        return [0.0] * len(logs)
    largest = max(there)
    span = min(max(largest - min(there), 1.0) * 1.5, 18.0)
    return [0.0 if log is None else max(1 - (largest - log) / span, 0.01) for log in logs]
