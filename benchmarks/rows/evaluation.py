"""What does it cost to be sure? All metrics of the confusion matrix with intervals, beside scikit-learn computing them once without any.

`evaluate` is timed from the predictions to the record, its confusion matrix, baselines and notes included. The resamples are the other
way to an interval: 1,000 of them with each metric, as products of matrices.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.contest import Contest, Contestant, Peer, Row, timed
from simulations.rivals import resampled, told_once
from statewise.evaluation import Predictions, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from simulations.rivals import Figure

NUM_SEQUENCES = 100_000
RESAMPLES = 1_000
NAMES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "negative_predictive_value")


def draw(steps: int, num_sequences: int = NUM_SEQUENCES, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the class, the answer and the sequence of each row: two classes, of which a tenth is answered at random."""
    random = np.random.default_rng(seed)
    rows = num_sequences * steps
    actual = (random.random(rows) < 0.3).astype(np.int64)
    return actual, np.where(random.random(rows) < 0.9, actual, random.integers(0, 2, rows)), np.arange(rows) // steps


def by_scikit_learn(actual: np.ndarray, predicted: np.ndarray) -> list[float]:
    """Return each metric, and compute the confusion matrix and the figures of each class besides, as `evaluate` does."""
    from sklearn import metrics  # type: ignore[import-untyped]

    metrics.confusion_matrix(actual, predicted)
    metrics.precision_recall_fscore_support(actual, predicted)
    return [
        metrics.accuracy_score(actual, predicted),
        metrics.balanced_accuracy_score(actual, predicted),
        metrics.precision_score(actual, predicted),
        metrics.recall_score(actual, predicted),
        metrics.f1_score(actual, predicted),
        metrics.recall_score(actual, predicted, pos_label=0),
        metrics.precision_score(actual, predicted, pos_label=0),
    ]


def by_resamples(
    actual: np.ndarray, predicted: np.ndarray, of_unit: np.ndarray, resamples: int = RESAMPLES
) -> dict[str, tuple[float, float, float]]:
    """Return each metric, and the ends of its percentile interval over resamples of the sequences."""
    cell = of_unit * 4 + 2 * actual + predicted
    counts = np.bincount(cell, minlength=4 * (int(of_unit[-1]) + 1)).reshape(-1, 4)
    units = told_once(dict(zip(("tn", "fp", "fn", "tp"), counts.T, strict=True)))
    again = resampled(units, _FIGURES, np.random.default_rng(0), resamples)
    total = units.total
    return {name: (float(figure(total)), *np.quantile(again[name], (0.025, 0.975)).tolist()) for name, figure in _FIGURES.items()}


def _recall(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    found: np.ndarray = sums["tp"] / (sums["tp"] + sums["fn"])
    return found


def _specificity(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    found: np.ndarray = sums["tn"] / (sums["tn"] + sums["fp"])
    return found


_FIGURES: dict[str, Figure] = {
    "accuracy": lambda sums: (sums["tp"] + sums["tn"]) / (sums["tp"] + sums["tn"] + sums["fp"] + sums["fn"]),
    "balanced_accuracy": lambda sums: (_recall(sums) + _specificity(sums)) / 2,
    "precision": lambda sums: sums["tp"] / (sums["tp"] + sums["fp"]),
    "recall": _recall,
    "f1": lambda sums: 2 * sums["tp"] / (2 * sums["tp"] + sums["fp"] + sums["fn"]),
    "specificity": _specificity,
    "negative_predictive_value": lambda sums: sums["tn"] / (sums["tn"] + sums["fn"]),
}


def _contest(seed: int, *, steps: int, resample: bool) -> Contest:
    actual, predicted, of_unit = draw(steps, seed=seed)
    columns = {"key": of_unit, "target": actual, "prediction": predicted}
    predictions = Predictions.from_columns(columns | ({"step": np.arange(len(actual)) % steps} if steps > 1 else {}))

    def evaluated() -> list[Tensor]:
        metrics = evaluate(predictions, positive="1").metrics
        return [torch.tensor([metrics[name].value for name in NAMES], dtype=torch.float64)]

    def with_resamples() -> list[Tensor]:
        found = by_resamples(actual, predicted, of_unit)
        return [torch.tensor([found[name][0] for name in NAMES], dtype=torch.float64)]

    def theirs() -> list[Tensor]:
        return [torch.tensor(by_scikit_learn(actual, predicted), dtype=torch.float64)]

    name, work = ("resamples", with_resamples) if resample else ("evaluate", evaluated)
    once = Contestant(name="metrics, once", figure=timed(partial(by_scikit_learn, actual, predicted)), answer=theirs)
    peer = Peer(name="scikit-learn", says="each metric computed once, without an interval", variants=(once,))
    return Contest(ours=Contestant(name=name, figure=timed(work), answer=work), peers=(peer,), notes=f"{len(actual):,} rows")


ROWS = tuple(
    Row(
        name=f"{name}-{kind}",
        says=f"{says} over 100,000 sequences of {steps} step{'s' * (steps > 1)}",
        contest=partial(_contest, steps=steps, resample=name == "resamples"),
        is_drawn=False,
        warm_up=1,
        repeats=7,
    )
    for name, says in (
        ("evaluate", "all metrics of the confusion matrix with intervals"),
        ("resamples", "the same metrics of 1,000 resamples"),
    )
    for kind, steps in (("labels", 1), ("steps", 10))
)
