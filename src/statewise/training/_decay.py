"""From how far each sequence's loss reaches back to one record: norms by lag, a fitted rate with its interval, and cuts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from statewise.evaluation import student_quantile
from statewise.runs import Lags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.runs import Phase

_EVERY_LAG_TO = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """How far back one loss reaches.

    Attributes:
        norms: `[lags]`, the norm of its gradient with respect to each step, from the step of the loss backwards.
        output: the norm of its gradient with respect to the output that it was made from.
        smallest: norms below this may have lost their digits, or the whole of themselves, to the precision of the module.
        ahead: the largest norm of a step after that of the loss.
        moved: where the gradient ends early, whether a change of what was read before moves the output; None where that is not known.
    """

    norms: np.ndarray
    output: float
    smallest: float
    ahead: float = 0.0
    moved: bool | None = None

    @property
    def last(self) -> int:
        """The largest lag with a gradient; -1 without any."""
        there = np.flatnonzero(self.norms)
        return int(there[-1]) if len(there) else -1

    @property
    def is_cut(self) -> bool:
        """Whether further steps get no gradient at all, although it was no tiny one before them."""
        last = self.last
        return last < len(self.norms) - 1 and (last < 0 or not self.norms[last] <= self.smallest)


def lags_of(
    reaches: Sequence[Reach],
    *,
    epoch: int = 0,
    phase: Phase = "fit",
    both_ways: bool = False,
    inputs: str = "inputs",
    max_lag: int | None = None,
) -> Lags:
    """Return the record of some sequences.

    Example:
        >>> halving = Reach(norms=0.5 ** np.arange(4), output=1.0, smallest=1e-35)
        >>> found = lags_of([halving, halving])
        >>> found.norms, round(found.half_life, 6)
        ((1.0, 0.5, 0.25, 0.125), 1.0)
    """
    heard = [reach for reach in reaches if reach.output != 0]
    longest = max((len(reach.norms) for reach in heard), default=0) - 1
    lags = _shown(longest if max_lag is None else min(longest, max_lag))
    norms, counts = _norms_and_counts(heard, lags)
    both_ways = both_ways or any(reach.ahead > 0 for reach in heard)
    rate = _Rate() if both_ways else _rate_of(heard)
    cut = [reach for reach in heard if reach.is_cut]
    return Lags(
        epoch=epoch,
        lags=tuple(lags),
        norms=norms,
        counts=counts,
        factor=rate.factor,
        factor_low=rate.low,
        factor_high=rate.high,
        r_squared=rate.r_squared,
        half_life=half_life_of(rate.factor),
        num_cut=len(cut),
        cut_after=max((reach.last for reach in cut), default=None),
        cut=_kind_of_cut(cut),
        both_ways=both_ways,
        inputs=inputs,
        num_silent=len(reaches) - len(heard),
        phase=phase,
    )


def _norms_and_counts(reaches: Sequence[Reach], lags: Sequence[int]) -> tuple[tuple[float | None, ...], tuple[int, ...]]:
    """Return the median norm at each lag over the sequences that have it, in units of the output's, and how many these are."""
    scale = float(np.median([reach.output for reach in reaches])) if reaches else 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        by_lag = [np.array([reach.norms[lag] / reach.output for reach in reaches if len(reach.norms) > lag]) for lag in lags]
        norms = [scale * float(np.median(found)) for found in by_lag]
    return tuple(norm if math.isfinite(norm) else None for norm in norms), tuple(map(len, by_lag))


def half_life_of(factor: float | None) -> float | None:
    """Return the steps after which a norm that changes by `factor` a step is halved; None where it does not fall.

    Example:
        >>> half_life_of(0.5), half_life_of(1.0)
        (1.0, None)
    """
    # A rate of one, but for rounding, is no fall: its half-life would be any large number.
    return -math.log(2) / math.log(factor) if factor is not None and 0 < factor < 1 - 1e-9 else None


def _kind_of_cut(cut: Sequence[Reach]) -> Literal["detached", "unread"] | None:
    moved = {reach.moved for reach in cut} - {None}
    return None if not moved else "detached" if True in moved else "unread"


def _shown(last: int) -> list[int]:
    """Return every lag up to 32, then four of each doubling, and the last.

    Example:
        >>> _shown(60)[30:]
        [30, 31, 32, 38, 45, 53, 60]
    """
    places = list(range(min(last, _EVERY_LAG_TO) + 1))
    further = _EVERY_LAG_TO * 2**0.25
    while further < last:
        places.append(int(further))
        further *= 2**0.25
    return places if not places or places[-1] == last else [*places, last]


class _Rate(NamedTuple):
    """What a step further back multiplies a norm by, with its 95 % interval, and how much of the differences it explains."""

    factor: float | None = None
    low: float | None = None
    high: float | None = None
    r_squared: float | None = None


def _rate_of(reaches: Sequence[Reach]) -> _Rate:
    """Return one rate, fitted by least squares to the logarithms of the norms, each sequence around its own mean.

    A sequence weighs by the spread of its lags. The interval leaves out one sequence at a time (the jackknife).
    """
    sums = np.array([found for reach in reaches if (found := _sums(reach)) is not None])
    if not len(sums):
        return _Rate()
    steps, both, norms = sums.T
    slope = both.sum() / steps.sum()
    left = norms.sum() - slope * both.sum()
    r_squared = float(1 - left / norms.sum()) if norms.sum() > 1e-12 else 1.0
    if len(sums) < 3:
        return _Rate(factor=float(np.exp(slope)), r_squared=r_squared)
    without = (both.sum() - both) / (steps.sum() - steps)
    error = math.sqrt((len(sums) - 1) * float(np.square(without - without.mean()).mean()))
    away = student_quantile(0.975, len(sums) - 1.0) * error
    factor, low, high = (float(np.exp(each)) for each in (slope, slope - away, slope + away))
    return _Rate(factor, low, high, r_squared)


def _sums(reach: Reach) -> tuple[float, float, float] | None:
    """Return the sums of squares and products of lags and logarithms around their means; None for fewer than two that count."""
    lags = np.flatnonzero((reach.norms > reach.smallest) & np.isfinite(reach.norms))
    if len(lags) < 2:
        return None
    steps, logs = lags - lags.mean(), np.log(reach.norms[lags])
    logs = logs - logs.mean()
    return float(steps @ steps), float(steps @ logs), float(logs @ logs)
