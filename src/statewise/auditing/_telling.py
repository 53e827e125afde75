"""Can a target be read off one number? By a copy of it, under another name or in another unit, or by what is nearly a function of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COPY, FUNCTION = 1e-3, 0.05
"""What is left over of a target, as a share of its usual step from one to the next: of a copy, and of what is nearly a function."""
_ACCURACY = 0.999
_FEW = 100
"""Fewer targets than these on either side tell nothing."""
_COMMON = 0.95
"""A class with a larger share than this is met by always naming it."""


class Told(NamedTuple):
    """How a target can be read off a number: whether as a copy, and the share that is left over (of classes: that is wrong)."""

    is_copy: bool
    left: float


def told_value(number: NDArray[np.float64], target: NDArray[np.float64], step: float) -> Told | None:
    """Return how a target of numbers can be read off another number; None where it cannot.

    Args:
        number: what it may be read off.
        target: the target.
        step: the usual step of the target from one to the next: what is smooth is near to all that is near to it.

    Example:
        >>> draws = np.random.default_rng(0).standard_normal((2, 1000))
        >>> told_value(draws[0] * 3 + 1, draws[0], 1.4).is_copy, told_value(draws[1], draws[0], 1.4)
        (True, None)
    """
    known = np.isfinite(number) & np.isfinite(target)
    number, target = number[known], target[known]
    if len(number) < _FEW or not number.std() > 0 or not target.std() > 0 or not step > 0:
        return None
    step = min(step, float(target.std()) * 2**0.5)
    straight = float(np.corrcoef(number, target)[0, 1])
    left = float(target.std()) * max(1 - straight * straight, 0.0) ** 0.5 / step
    if left <= COPY:
        return Told(is_copy=True, left=left)
    if len(np.unique(number)) < len(number) / 2:
        return None  # of many equal numbers the order says nothing
    left = float(np.abs(np.diff(target[np.argsort(number, kind="stable")])).mean()) / step
    return Told(is_copy=False, left=left) if left <= FUNCTION else None


def told_class(number: NDArray[np.float64], target: NDArray[np.int64], is_first: NDArray[np.bool_]) -> Told | None:
    """Return how a class can be read off a number; None where it cannot.

    Args:
        number: what it may be read off.
        target: the classes.
        is_first: which of them are looked up, to name the others by the nearest number.

    Example:
        >>> target = np.random.default_rng(0).integers(0, 2, 1000)
        >>> told_class(5.0 - target, target, np.arange(1000) < 500)
        Told(is_copy=True, left=0.0)
    """
    known = np.isfinite(number)
    number, target, is_first = number[known], target[known], is_first[known]
    if is_first.sum() < _FEW or (~is_first).sum() < _FEW or np.bincount(target).max() > _COMMON * len(target):
        return None
    pairs = len(np.unique(np.stack([number, target.astype(np.float64)]), axis=1).T)
    if pairs == len(np.unique(number)) == len(np.unique(target)):
        return Told(is_copy=True, left=0.0)
    order = np.argsort(number[is_first], kind="stable")
    there, names = number[is_first][order], target[is_first][order]
    after = np.minimum(np.searchsorted(there, number[~is_first]), len(there) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(there[before] - number[~is_first]) < np.abs(there[after] - number[~is_first])
    wrong = float((names[np.where(nearer, before, after)] != target[~is_first]).mean())
    return Told(is_copy=False, left=wrong) if wrong <= 1 - _ACCURACY else None
