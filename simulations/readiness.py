"""How often is a model called ready that is not? Models whose true figure lies just under the limit, judged as users do it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from simulations.worlds import Classes, Quality
from statewise.evaluation import Predictions, evaluate
from statewise.verdicts import Policy, judge

if TYPE_CHECKING:
    from collections.abc import Iterable

Limited: TypeAlias = Literal["accuracy", "recall", "precision"]

LIMIT = 0.80
TRUE = 0.79
UNITS = (50, 100, 300, 1000)
TOO_FEW = 49
GOOD = 0.99
"""The true figure of the models that are judged on too few units: good enough, but nobody can know it yet."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """How often models whose true figure is `true` were called ready under the limit of 0.80.

    Attributes:
        metric: the one that the policy limits.
        rows: what the units are.
        units: their number.
        true: the true figure.
        draws: how many.
        ready: how often the verdict was `ready`; `levels` counts the others too.
    """

    metric: Limited
    rows: Literal["one row a unit", "dependent rows"]
    units: int
    true: float
    draws: int
    ready: int
    levels: dict[str, int]


def cases() -> Iterable[tuple[Limited, Literal["one row a unit", "dependent rows"], int, float]]:
    """Yield what is judged: metric, rows, units, true figure."""
    metrics: tuple[Limited, ...] = ("accuracy", "recall", "precision")
    kinds: tuple[Literal["one row a unit", "dependent rows"], ...] = ("one row a unit", "dependent rows")
    for metric in metrics:
        for rows in kinds:
            yield from ((metric, rows, units, TRUE) for units in UNITS)
            yield metric, rows, TOO_FEW, GOOD


def simulate_ready(metric: Limited, rows: Literal["one row a unit", "dependent rows"], units: int, true: float, draws: int) -> Ready:
    """Draw data, evaluate and judge them under a policy that has this limit alone, the most lenient that there is."""
    world = world_with(metric, rows, true)
    random = np.random.default_rng([list(cases()).index((metric, rows, units, true))])
    policy = Policy(limits={metric: LIMIT})
    levels: Counter[str] = Counter()
    for _ in range(draws):
        drawn = world.draw(random, units)
        columns = {"key": drawn["unit"], "target": drawn["actual"], "prediction": drawn["first"]}
        if rows == "dependent rows":
            columns["step"] = np.arange(len(drawn["unit"]))
        predictions = Predictions.from_columns(columns, task="tag" if rows == "dependent rows" else "classify", class_names=("0", "1"))
        evaluation = evaluate(predictions, positive="1")
        levels[judge(evaluation=evaluation, policy=policy).level] += 1
    return Ready(metric=metric, rows=rows, units=units, true=true, draws=draws, ready=levels["ready"], levels=dict(levels))


def world_with(metric: Limited, rows: Literal["one row a unit", "dependent rows"], true: float) -> Classes:
    """Return a world in which a figure has the true value asked for; 40 % of the rows are positive."""
    world = Classes(
        name=rows,
        lengths="one" if rows == "one row a unit" else "log-normal",
        prevalence=Quality(-0.4, 0.6),
        recall=(Quality(1.7, 1.1), Quality(1.7, 1.1)),
        alarms=(Quality(-2.0, 1.1), Quality(-2.0, 1.1)),
    )
    low, high = -4.0, 6.0
    for _ in range(30):
        better = (low + high) / 2
        moved = _moved(world, metric, better)
        low, high = (better, high) if moved.truths[metric] < true else (low, better)
    return _moved(world, metric, low)


def _moved(world: Classes, metric: Limited, better: float) -> Classes:
    """Return the world with better answers: fewer misses, fewer alarms or both."""
    recall, alarms = world.recall[0], world.alarms[0]
    if metric != "precision":
        recall = recall._replace(logit=recall.logit + better)
    if metric != "recall":
        alarms = alarms._replace(logit=alarms.logit - better)
    return replace(world, recall=(recall, recall), alarms=(alarms, alarms))
