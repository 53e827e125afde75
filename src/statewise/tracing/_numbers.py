"""How are numbers, and picks of many rows, written for the eye?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
