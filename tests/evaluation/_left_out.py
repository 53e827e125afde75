"""The interval of a figure from what leaving each unit out changes, written anew with scipy: what the package is held against."""

from __future__ import annotations

import numpy as np
from scipy import stats  # type: ignore[import-untyped]


def ends(centre: float, left: np.ndarray) -> tuple[float, float]:
    """Return both ends on the scale of `centre`, from the figures without each unit."""
    n, d = len(left), left.mean() - left
    t = stats.t.ppf(0.975, max(min(2 * (d**2).sum() ** 2 / (d**4).sum(), n) - 1, 1))
    error = np.sqrt((n - 1) / n * (d**2).sum())
    more = stats.skew(d) / np.sqrt(n) / 6 * (2 * min(t, 2) ** 2 + 1)
    return centre - (t + max(-more, 0)) * error, centre + (t + max(more, 0)) * error
