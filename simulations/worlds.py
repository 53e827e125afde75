"""Which data are drawn, and what is true of them? Units of heavy-tailed lengths, of which each has its own quality.

The quality of a unit is logit-normal (shares) or log-normal (errors), so that rows of one unit rise and fall together; in one world long
units are worse. The true figures are those of all rows of all units that could be drawn, by quadrature and not by drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

Lengths: TypeAlias = Literal["log-normal", "Pareto", "one"]

MOST_ROWS = 5000
"""No unit is longer."""

_TYPICAL = 3.5  # the logarithm of the length of which the quality is told
_GRID = 40_000  # quantiles of the lengths that stand for all of them
_NODES = 60  # of the Gauss-Hermite quadrature over qualities


class Quality(NamedTuple):
    """A share that differs between units: its logit is normal, and changes by `slope` as units become e times as long."""

    logit: float
    spread: float
    slope: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Rows of two classes and two models that answer them.

    Attributes:
        name: of the world.
        lengths: how many rows the units have.
        prevalence: share of positives in a unit.
        recall: share of positives that are found, of each model.
        alarms: share of negatives that are called positive, likewise.
        alike: how much the qualities of the two models have in common, as a correlation, and the share of rows on which they answer by
            the same luck.
    """

    name: str
    lengths: Lengths
    prevalence: Quality
    recall: tuple[Quality, Quality]
    alarms: tuple[Quality, Quality]
    alike: float = 0.7

    def draw(self, random: np.random.Generator, num_units: int) -> dict[str, np.ndarray]:
        """Return the columns of unit, actual, first and second."""
        lengths = draw_lengths(random, self.lengths, num_units)
        of_unit = np.repeat(np.arange(num_units), lengths)
        actual = random.random(len(of_unit)) < _shares(self.prevalence, lengths, random.standard_normal(num_units))[of_unit]
        same = random.random(len(of_unit)) < self.alike
        luck = random.random(len(of_unit))
        shared = random.standard_normal((2, num_units))
        found = {"unit": of_unit, "actual": actual.astype(np.int64)}
        for place, name in enumerate(("first", "second")):
            own = random.standard_normal((2, num_units))
            mixed = shared if place == 0 else self.alike * shared + np.sqrt(1 - self.alike**2) * own
            recall, alarms = (_shares(each[place], lengths, z)[of_unit] for each, z in zip((self.recall, self.alarms), mixed, strict=True))
            roll = luck if place == 0 else np.where(same, luck, random.random(len(of_unit)))
            found[name] = (roll < np.where(actual, recall, alarms)).astype(np.int64)
        return found

    @cached_property
    def truths(self) -> dict[str, float]:
        """The true figures of the first model, and by how much they are above those of the second."""
        ours, theirs = (_figures(*self._cells(place)) for place in (0, 1))
        return ours | {f"difference of {name}": ours[name] - theirs[name] for name in ("accuracy", "f1")}

    def _cells(self, place: int) -> tuple[float, float, float, float]:
        """Return tp, fn, fp, tn as parts of all rows."""
        lengths = grid_of(self.lengths)
        weights = lengths / lengths.sum()
        positive, found, called = (_mean_share(each, lengths) for each in (self.prevalence, self.recall[place], self.alarms[place]))
        tp, fp = float(weights @ (positive * found)), float(weights @ ((1 - positive) * called))
        share = float(weights @ positive)
        return tp, share - tp, fp, 1 - share - fp


@dataclass(frozen=True, kw_only=True)
class Values:
    """Errors of two models and of a naive method: of Laplace's distribution, with a scale that differs between units.

    Attributes:
        name: of the world.
        lengths: how many rows the units have.
        spread: standard deviation of the logarithm of a unit's scale.
        better: by how much the logarithm of the second model's scale is lower.
        alike: the correlation of the logarithms of the two models' scales.
        apart: standard deviation of the logarithm by which the naive method's scale differs from the first model's.
    """

    name: str
    lengths: Lengths
    spread: float = 0.5
    better: float = 0.1
    alike: float = 0.8
    apart: float = 0.3

    def draw(self, random: np.random.Generator, num_units: int) -> dict[str, np.ndarray]:
        """Return the columns of unit, first, second and naive: errors with their signs."""
        lengths = draw_lengths(random, self.lengths, num_units)
        of_unit = np.repeat(np.arange(num_units), lengths)
        shared, own, naive = random.standard_normal((3, num_units))
        first = np.exp(self.spread * shared)[of_unit]
        second = np.exp(self.spread * (self.alike * shared + np.sqrt(1 - self.alike**2) * own) - self.better)[of_unit]
        errors = random.laplace(size=(3, len(of_unit)))
        return {
            "unit": of_unit,
            "first": first * errors[0],
            "second": second * (0.6 * errors[0] + 0.8 * errors[1]) / _MEAN_OF_MIXED,
            "naive": first * np.exp(self.apart * naive)[of_unit] * (errors[0] + 0.8 * errors[2]),
        }

    @cached_property
    def truths(self) -> dict[str, float]:
        """The true figures of the first model, and by how much its mae is above that of the second."""
        mae = float(np.exp(self.spread**2 / 2))
        return {
            "mae": mae,
            "rmse": float(np.sqrt(2 * np.exp(2 * self.spread**2))),
            "mae, a sequence once": mae,
            "skill": 1 - float(np.exp(-2 * self.apart**2)) / (1 + 0.8**2),
            "difference of mae": mae * (1 - float(np.exp(-self.better))),
        }


World: TypeAlias = Classes | Values

# The mean of |0.6 a + 0.8 b| of two Laplace variables: (p^2 + p q + q^2) / (p + q) for the weights p and q.
_MEAN_OF_MIXED = (0.6**2 + 0.6 * 0.8 + 0.8**2) / (0.6 + 0.8)

_USUAL = Classes(
    name="steps of sequences",
    lengths="log-normal",
    prevalence=Quality(-0.9, 0.6),
    recall=(Quality(1.8, 1.1), Quality(1.65, 1.1)),
    alarms=(Quality(-2.8, 1.1), Quality(-2.7, 1.1)),
)

WORLDS: tuple[World, ...] = (
    _USUAL,
    replace(
        _USUAL,
        name="Pareto lengths",
        lengths="Pareto",
        recall=(Quality(2.1, 1.6), Quality(1.9, 1.6)),
        alarms=(Quality(-3.1, 1.6), Quality(-3.0, 1.6)),
        alike=0.6,
    ),
    Classes(
        name="few errors",
        lengths="log-normal",
        prevalence=Quality(0.0, 0.6),
        recall=(Quality(4.3, 1.4), Quality(4.1, 1.4)),
        alarms=(Quality(-4.3, 1.4), Quality(-4.1, 1.4)),
    ),
    Classes(
        name="long ones worse",
        lengths="log-normal",
        prevalence=Quality(-0.9, 0.6),
        recall=(Quality(2.1, 0.9, -0.4), Quality(1.95, 0.9, -0.4)),
        alarms=(Quality(-2.9, 0.9, 0.4), Quality(-2.8, 0.9, 0.4)),
    ),
    replace(_USUAL, name="one row a unit", lengths="one"),
    Values(name="errors of values", lengths="log-normal"),
    Values(name="errors, Pareto lengths", lengths="Pareto"),
)


def draw_lengths(random: np.random.Generator, lengths: Lengths, num_units: int) -> np.ndarray:
    """Return the number of rows of each unit."""
    return _lengths_at(lengths, random.random(num_units))


def grid_of(lengths: Lengths) -> np.ndarray:
    """Return lengths at evenly spaced quantiles, which stand for all of them."""
    return _lengths_at(lengths, (np.arange(_GRID) + 0.5) / _GRID)


def _lengths_at(lengths: Lengths, quantiles: np.ndarray) -> np.ndarray:
    from scipy.special import ndtri  # type: ignore[import-untyped]

    if lengths == "one":
        return np.ones(len(quantiles), dtype=np.int64)
    rows: np.ndarray = np.exp(_TYPICAL + 0.9 * ndtri(quantiles)) if lengths == "log-normal" else 15 * (1 - quantiles) ** (-1 / 2.2)
    found: np.ndarray = np.clip(np.round(rows), 1, MOST_ROWS).astype(np.int64)
    return found


def _shares(quality: Quality, lengths: np.ndarray, normal: np.ndarray) -> np.ndarray:
    logits = quality.logit + quality.slope * (np.log(lengths) - _TYPICAL) + quality.spread * normal
    found: np.ndarray = 1 / (1 + np.exp(-logits))
    return found


def _mean_share(quality: Quality, lengths: np.ndarray) -> np.ndarray:
    """Return the mean share over units of each length."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    distinct, back = np.unique(lengths, return_inverse=True)
    means = np.zeros(len(distinct))
    for z, weight in zip(nodes, weights / weights.sum(), strict=True):
        means += weight * _shares(quality, distinct, np.full(len(distinct), z))
    found: np.ndarray = means[back]
    return found


def _figures(tp: float, fn: float, fp: float, tn: float) -> dict[str, float]:
    recall, specificity = tp / (tp + fn), tn / (tn + fp)
    return {
        "accuracy": tp + tn,
        "balanced_accuracy": (recall + specificity) / 2,
        "recall": recall,
        "precision": tp / (tp + fp),
        "f1": 2 * tp / (2 * tp + fp + fn),
    }


def rates(truths: Mapping[str, float]) -> str:
    """Return true figures in a line."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in truths.items())
