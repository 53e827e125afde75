"""How far may the truth lie from a figure? Each unit is left out in turn, and what that changes says it (delete-one jackknife).

The figure is taken on a scale on which it is about symmetric: the logit of a share, the logarithm of an error. There the interval is
Student's t, with three answers to what breaks it where units are few, unequal or skewed:

- **Degrees of freedom** are one less than the *effective* number of units, 2 (sum d^2)^2 / sum d^4 of the changes d and at most their
  number: where a few long or bad units decide, they are few. For units that are alike it is two thirds of their number.
- **The longer tail**: the end on that side moves out by a (2 t^2 + 1) standard errors, a = sum d^3 / (6 (sum d^2)^1.5) being the
  acceleration; this is Hall's correction of a skewed mean (1992), without its other half, which would move the other end in.
- **Nothing varies**: then there is no standard error, and the caller says what else is known.

How often such intervals hold the true figure, beside those of other methods, stands in docs/intervals.md. Random
numbers take no part.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from statewise.evaluation._quantiles import student_quantile

_EFFECTIVE = 2.0
"""By which the ratio of moments is the effective number of units. 3 is its expectation for changes of the normal distribution; the
simulation prefers fewer."""

_MOST_T = 2.0
"""The t from which the correction grows no more: it is made for many units."""

_ALIKE = 1e-24
"""Squares below this are rounding: the changes are of figures near 1."""


class Reach(NamedTuple):
    """How far an interval reaches below and above the figure, on its scale."""

    below: float
    above: float


def powers(changes: np.ndarray, repeats: np.ndarray | None = None) -> np.ndarray:
    """Return the sums over units of the first four powers of what leaving each out changes: `[4, *figures]`.

    Args:
        changes: the figure without each unit less that of all, which may be infinite: `[units, *figures]`.
        repeats: how many units each row stands for: `[units]`.
    """
    weights = np.ones(len(changes)) if repeats is None else repeats
    squares = np.square(changes)
    with np.errstate(invalid="ignore", over="ignore"):  # an infinite change makes infinite sums, or NaN, of which nothing is concluded
        return np.stack([weights @ each for each in (changes, squares, squares * changes, squares**2)])


def reach(sums: np.ndarray, num_units: int, resting: int) -> Reach | None:
    """Return how far the interval of one figure reaches, or None where nothing tells.

    Args:
        sums: of the first four powers of the changes: `[4]`.
        num_units: number of units that were left out.
        resting: number of those that the figure rests on.

    Example:
        >>> changes = np.array([0.1, -0.1, 0.2, -0.2])
        >>> reach(powers(changes), 4, 4)
        Reach(below=0.87, above=0.87)
        >>> reach(powers(np.zeros(4)), 4, 4) is None
        True
    """
    if not np.isfinite(sums).all():
        return None
    first, second, third, fourth = sums.tolist()
    mean = first / num_units
    squares = second - num_units * mean**2
    if squares <= _ALIKE:
        return None
    cubes = third - 3 * mean * second + 2 * num_units * mean**3
    quarts = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * num_units * mean**4
    effective = min(_EFFECTIVE * squares**2 / quarts, resting)
    t = student_quantile(0.975, max(effective - 1, 1.0))
    error = math.sqrt((num_units - 1) / num_units * squares)
    # Leaving out a unit that lies above lowers the figure, so that the signs of changes and of deviations differ.
    acceleration = -cubes / (6 * squares**1.5)
    more = acceleration * (2 * min(t, _MOST_T) ** 2 + 1)
    return Reach(below=(t + max(-more, 0.0)) * error, above=(t + max(more, 0.0)) * error)
