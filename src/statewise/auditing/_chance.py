"""How likely is what was found where nothing is the matter? Tails of the binomial and of a rank test, without scipy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LIMIT = 1e-6
"""A check that goes by chance finds something only below this."""


def at_least(number: int, of: int, share: float) -> float:
    """Return the probability of so many or more among `of`, each with this share.

    Example:
        >>> round(at_least(2, 2, 0.5), 6), at_least(0, 5, 0.1)
        (0.25, 1.0)
    """
    if number <= 0 or share >= 1.0:
        return 1.0
    if share <= 0.0:
        return 0.0
    many = np.arange(number, of + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, of + 1)))])
    terms = logs[of] - logs[many] - logs[of - many] + many * math.log(share) + (of - many) * math.log1p(-share)
    top = float(terms.max())
    return min(1.0, math.exp(top) * float(np.exp(terms - top).sum()))


def ranks_differ(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Return p of a two-sided rank test (Mann and Whitney, normal, ties counted) and by how much a draw of the second is above one.

    The second figure is the share of pairs in which the second is larger less that in which it is smaller: -1 to 1.

    Example:
        >>> p, above = ranks_differ(np.arange(30.0), np.arange(30.0) + 100)
        >>> p < 1e-9, above
        (True, 1.0)
    """
    both = np.concatenate([one, other])
    _, places, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    n, m, total = len(one), len(other), len(both)
    above = float(ranks[n:].sum() - m * (m + 1) / 2)
    ties = float((counts.astype(np.float64) ** 3 - counts).sum())
    variance = n * m / 12 * (total + 1 - ties / max(total * (total - 1), 1))
    if variance <= 0:
        return 1.0, 0.0
    z = max(abs(above - n * m / 2) - 0.5, 0.0) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)), 2 * above / (n * m) - 1


def least_p(one: int, other: int) -> float:
    """Return the least p that an order of so many and so many can have.

    Example:
        >>> round(least_p(2, 2), 4)
        0.3333
    """
    return min(1.0, 2 / math.comb(one + other, min(one, other)))


def higher_than_chance(p: NDArray[np.float64]) -> float:
    """Return p that the smallest of many p are this small together, whichever number of them is looked at (Bonferroni over it).

    Example:
        >>> higher_than_chance(np.array([1e-9, 0.5])) < 1e-6, higher_than_chance(np.linspace(0.01, 1, 100)) > 1e-2
        (True, True)
    """
    ordered = np.sort(p)[: min(len(p), 1_000)]
    tails = [at_least(number, len(p), float(each)) for number, each in enumerate(ordered, start=1)]
    return min(1.0, len(tails) * min(tails, default=1.0))
