"""How well do scores rank? The areas under the ROC curve and under the precision-recall curve, and what each unit does to them.

Both sort once. The area under the ROC curve is a mean over pairs, so that leaving out a unit takes its pairs out: exactly. Average
precision is not; what a unit does to it is its derivative by the weight of the unit's rows (the infinitesimal jackknife of Jaeckel, 1972).
"""

from __future__ import annotations

import numpy as np

from statewise.evaluation._metrics import divide


def roc_area(score: np.ndarray, is_of_class: np.ndarray, of_unit: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the area under the ROC curve, and what it would be without each unit.

    Args:
        score: higher for what is more likely of the class: `[rows]`.
        is_of_class: bool `[rows]`, some True and some False.
        of_unit: the unit of each row, from 0 without gaps: int64 `[rows]`.

    Returns:
        The area, and `[units]`, NaN where a unit holds all rows of one side.

    Example:
        >>> area, without = roc_area(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), np.arange(4))
        >>> area, without.tolist()
        (0.75, [0.5, 1.0, 1.0, 0.5])
    """
    place = np.unique(score, return_inverse=True)[1].reshape(-1)
    num_units = int(of_unit.max()) + 1
    pairs = _above(place, is_of_class)
    wins = np.bincount(of_unit, weights=pairs, minlength=num_units)  # each pair is counted at both of its rows
    if num_units < len(of_unit):
        wins -= _inside(place, is_of_class, of_unit, num_units)
    positives = np.bincount(of_unit[is_of_class], minlength=num_units)
    negatives = np.bincount(of_unit[~is_of_class], minlength=num_units)
    total = pairs[is_of_class].sum()
    left = divide(total - wins, (positives.sum() - positives) * (negatives.sum() - negatives))
    return float(total / (positives.sum() * negatives.sum())), left


def pr_area(score: np.ndarray, is_of_class: np.ndarray, of_unit: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the average precision, and about what it would be without each unit; arguments as of `roc_area`.

    Example:
        >>> round(pr_area(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), np.arange(4))[0], 4)
        0.8333
    """
    place = np.unique(score, return_inverse=True)[1].reshape(-1)
    num_units, there = int(of_unit.max()) + 1, is_of_class.astype(np.float64)
    at = np.bincount(place, weights=there)
    found, called = (np.cumsum(column[::-1])[::-1] for column in (at, np.bincount(place).astype(np.float64)))
    precision = found / called
    area = float((at * precision).sum() / at.sum())
    gained, lost = np.cumsum(at / called), np.cumsum(at * precision / called)
    influence = (there * (precision[place] + gained[place] - area) - lost[place]) / at.sum()
    left = area - np.bincount(of_unit, weights=influence, minlength=num_units)
    last = np.bincount(of_unit, weights=there, minlength=num_units) == at.sum()
    return area, np.where(last, np.nan, left)


def _above(place: np.ndarray, is_of_class: np.ndarray) -> np.ndarray:
    """Return of each row of the class how many others it is above, and of each other row how many of the class are above it."""
    size = int(place.max()) + 1
    of_class, others = np.bincount(place[is_of_class], minlength=size), np.bincount(place[~is_of_class], minlength=size)
    below = np.cumsum(others) - others / 2
    above = of_class.sum() - np.cumsum(of_class) + of_class / 2
    found: np.ndarray = np.where(is_of_class, below[place], above[place])
    return found


def _inside(place: np.ndarray, is_of_class: np.ndarray, of_unit: np.ndarray, num_units: int) -> np.ndarray:
    """Return the pairs that are won inside each unit: counted at both rows, they would be taken out twice."""
    size = int(place.max()) + 1
    at, code = np.unique(of_unit * size + place, return_inverse=True)
    unit, code = at // size, code.reshape(-1)
    others = np.bincount(code[~is_of_class], minlength=len(at))
    before = np.cumsum(others) - others
    begins = np.searchsorted(unit, np.arange(num_units))
    below = before - before[begins][unit] + others / 2
    found: np.ndarray = np.bincount(of_unit[is_of_class], weights=below[code][is_of_class], minlength=num_units)
    return found
