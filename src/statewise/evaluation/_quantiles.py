"""Where do the beta and Student distributions reach a given probability? Without scipy, which is no dependency.

Both rest on the regularised incomplete beta function, computed by its continued fraction (Abramowitz and Stegun 26.5.8)
with the modified Lentz recursion.
"""

from __future__ import annotations

import math
from statistics import NormalDist

_TINY = 1e-300  # stands for an exact 0, by which nothing can be divided
_LOG_OF_THE_SMALLEST = -745.0  # below this exp gives 0
_PRECISION = 1e-15  # of the continued fraction
_CLOSE = 1e-12  # of a quantile, relative


def beta_quantile(probability: float, a: float, b: float, *, begin: float | None = None) -> float:
    """Return the x at which the beta distribution with parameters `a` and `b` has reached `probability`.

    Halley's steps that fall outside the bracket, or that meet a flat place, are replaced by halving it, so that it always ends.

    Args:
        probability: above 0 and below 1.
        a: above 0; need not be whole.
        b: above 0; need not be whole.
        begin: where to begin, which decides how many steps it takes and nothing else; None for an approximation.

    Example:
        >>> round(beta_quantile(0.025, 10.0, 1.0), 4)  # the lower limit of 10 successes in 10 trials
        0.6915
    """
    low, high = 0.0, 1.0
    x = _approximation(probability, a, b) if begin is None else begin
    if not 0 < x < 1:
        x = a / (a + b)
    for _ in range(200):
        reached, density = _probability_and_density(x, a, b)
        low, high = (low, x) if reached > probability else (x, high)
        step = _step(reached - probability, density, (a - 1) / x - (b - 1) / (1 - x)) if density else math.inf
        if abs(step) <= _CLOSE * x:
            return x - step
        following = x - step
        if not low < following < high:
            following = (low + high) / 2
            if not low < following < high:
                return following
        x = following
    return x


def _step(excess: float, density: float, bend: float) -> float:
    """Return Newton's step with Halley's correction, for a density that changes by `bend` of itself."""
    newton = excess / density
    return newton / (1 - min(newton * bend, 1.0) / 2)


def student_quantile(probability: float, degrees: float) -> float:
    """Return the t at which Student's distribution with `degrees` of freedom has reached `probability`, which is above one half.

    Example:
        >>> round(student_quantile(0.975, 4.0), 3)
        2.776
    """
    # t^2 / (degrees + t^2) has the beta distribution with parameters 1/2 and degrees / 2.
    # It is begun at the first terms of the expansion of t around the normal quantile (Abramowitz and Stegun 26.7.5).
    z = NormalDist().inv_cdf(probability)
    t = z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    share = beta_quantile(2 * probability - 1, 0.5, degrees / 2, begin=t**2 / (degrees + t**2))
    return math.sqrt(degrees * share / (1 - share))


def _approximation(probability: float, a: float, b: float) -> float:
    """Return about where the quantile is (Abramowitz and Stegun 26.5.22), and the mean where that says nothing."""
    if min(a, b) <= 1:
        return a / (a + b)
    y = -NormalDist().inv_cdf(probability)
    flat, steep = 1 / (2 * a - 1), 1 / (2 * b - 1)
    bend, size = (y * y - 3) / 6, 2 / (flat + steep)
    w = y * math.sqrt(max(size + bend, 0.0)) / size - (steep - flat) * (bend + 5 / 6 - 2 / (3 * size))
    return a / (a + b * math.exp(min(2 * w, 700.0)))


def beta_probability(x: float, a: float, b: float) -> float:
    """Return the probability that the beta distribution gives to values up to `x`.

    Example:
        >>> beta_probability(0.5, 2.0, 2.0)
        0.5
    """
    return _probability_and_density(x, a, b)[0] if 0 < x < 1 else float(x >= 1)


def _probability_and_density(x: float, a: float, b: float) -> tuple[float, float]:
    """Return how much the distribution gives to values up to `x`, and its density there; 0 < x < 1."""
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    front = math.exp(log_front) if log_front > _LOG_OF_THE_SMALLEST else 0.0
    density = front / (x * (1 - x))
    # The fraction converges fast below the mean; above it the other tail is computed.
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a, density
    return 1 - front * _fraction(1 - x, b, a) / b, density


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function, two terms at a time."""
    numerator = 1.0
    denominator = value = 1 / ((1 - (a + b) * x / (a + 1)) or _TINY)
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            denominator = 1 / ((1 + term * denominator) or _TINY)
            numerator = (1 + term / numerator) or _TINY
            change = denominator * numerator
            value *= change
        if abs(change - 1) < _PRECISION:
            break
    return value
