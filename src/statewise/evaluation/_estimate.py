"""What is a figure with its interval, and how is it written?"""

from __future__ import annotations

import math

import msgspec

SMALL_BELOW = 200
"""A figure that rests on fewer units is marked as that of a small sample: docs/intervals.md says what intervals are worth there."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 95 % interval.

    Attributes:
        value: the figure; NaN where it is undefined (0 of 0), which is null in JSON.
        low: lower end of the interval; None where there is none, and `method` says why.
        high: upper end.
        units: number of independent units that the figure rests on: for the recall of a class those in which it occurs.
        method: how the interval was made.
        is_share: whether it is written as a part of 1, with three decimals; an error has its own size, and digits that count.
        small: whether it has an interval from a small sample, of fewer than 200 units. It follows from the others.

    Example:
        >>> print(Estimate(value=0.85, low=0.765, high=0.914, units=100, method="exact"))
        0.850 (0.765 to 0.914)
        >>> print(Estimate(value=702.04, low=655.1, high=752.3, units=100, method="jackknife", is_share=False))
        702.0 (655.1 to 752.3)
    """

    value: float
    low: float | None
    high: float | None
    units: int
    method: str
    is_share: bool = True
    small: bool = False

    def __post_init__(self) -> None:
        """Mark a small sample."""
        msgspec.structs.force_setattr(self, "small", self.low is not None and self.units < SMALL_BELOW)

    def __str__(self) -> str:
        """Return the figure and its interval, or that it is undefined."""
        return self.written if self.interval is None or math.isnan(self.value) else f"{self.written} ({self.interval})"

    @property
    def written(self) -> str:
        """The figure alone."""
        return self.write(self.value)

    @property
    def interval(self) -> str | None:
        """The interval in words, or None."""
        return None if self.low is None or self.high is None else f"{self.write(self.low)} to {self.write(self.high)}"

    def write(self, value: float) -> str:
        """Return a figure of this kind as it is written."""
        return figure(value) if self.is_share else amount(value)


def figure(value: float) -> str:
    """Return a share with three decimals; what is below 1 is never shown as 1, nor what is above 0 as 0.

    Example:
        >>> [figure(value) for value in (0.914, 0.99996, 1.0, 0.0001, -0.0001, float("nan"))]
        ['0.914', '>0.999', '1.000', '<0.001', '>-0.001', 'undefined']
    """
    if math.isnan(value):
        return "undefined"
    if 0 < abs(value) < 0.0005:
        return "<0.001" if value > 0 else ">-0.001"
    return ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def amount(value: float) -> str:
    """Return a figure that has a size of its own with four digits that count.

    Example:
        >>> [amount(value) for value in (702.0396, 0.00012345, 12345.6, 1e9, 0.0, float("nan"))]
        ['702.0', '0.0001234', '12,346', '1.000e+09', '0', 'undefined']
    """
    if math.isnan(value):
        return "undefined"
    if value == 0:
        return "0"
    return f"{value:,.0f}" if 10_000 <= abs(value) < 10**7 else f"{value:#.4g}".removesuffix(".")
