"""Which predictions look better than they are, how much, and which do not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from proving_ground.evaluation.planted import Clean, Planted
from statewise.auditing import audit_predictions
from statewise.evaluation import Counts, Predictions

if TYPE_CHECKING:
    from numpy.random import Generator

    from statewise.auditing import Audit


def counts(source: Generator, *, rate: float, recall: float, false_alarms: float, num: int = 4000) -> Counts:
    """Return the four counts of a binary task."""
    positives = int(source.binomial(num, rate))
    hits, alarms = int(source.binomial(positives, recall)), int(source.binomial(num - positives, false_alarms))
    return Counts(tp=hits, fn=positives - hits, fp=alarms, tn=num - positives - alarms)


def forecasts(source: Generator, *, memory: float, known: float, num: int = 600) -> Predictions:
    """Return forecasts one step ahead of an autoregressive series.

    Args:
        source: of random numbers.
        memory: how much of each value stays.
        known: the share of the next change that the forecast knows; the rest is the last value.
        num: steps.
    """
    shocks = source.standard_normal(num + 1)
    series = np.zeros(num + 1)
    for at in range(1, num + 1):
        series[at] = memory * series[at - 1] + shocks[at]
    last, target = series[:-1], series[1:]
    answers = last + known * (target - last) + 0.02 * source.standard_normal(num)
    return Predictions(
        task="forecast", key=np.array([f"s{at // 20:02d}" for at in range(num)]), step=np.arange(num), ahead=np.ones(num, dtype=np.int64),
        predicted=answers, actual=target, baselines={"persistence": last},
    )  # fmt: skip


def _paradox(source: Generator, recall: float, select: str) -> Audit:
    return audit_predictions(counts(source, rate=0.02, recall=recall, false_alarms=0.012), select=[select])


def _skill(source: Generator, known: float, select: str) -> Audit:
    return audit_predictions(forecasts(source, memory=1.0, known=known), select=[select])


PLANTED = (
    Planted(code="SW821", says="fraud of 2 %, so much of it found", strengths=(0.7, 0.5, 0.4, 0.3, 0.12), weakest=0.3, audit=_paradox),
    Planted(
        code="SW822", says="a forecast that knows this share of the next change", strengths=(0.3, 0.1, 0.03, 0.0), weakest=0.0, audit=_skill
    ),
    Planted(code="SW823", says="the same; with skill it is only told", strengths=(0.3, 0.1, 0.0), weakest=0.0, audit=_skill),
)

CLEAN = (
    Clean(
        name="fraud, most of it found", audit=lambda source: audit_predictions(counts(source, rate=0.01, recall=0.88, false_alarms=0.02))
    ),
    Clean(name="two balanced classes", audit=lambda source: audit_predictions(counts(source, rate=0.5, recall=0.8, false_alarms=0.2))),
    Clean(name="forecasts with skill", audit=lambda source: audit_predictions(forecasts(source, memory=0.9, known=0.5))),
)
