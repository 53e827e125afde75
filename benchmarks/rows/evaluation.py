"""What does it cost to be sure? All metrics of two classes with intervals, beside scikit-learn computing them once without any.

`evaluate` is timed from the predictions to the record, its confusion matrix, baselines and notes included; with scores, those of
probabilities, the areas under curves and what each threshold trades too. The resamples are the other way to an interval: 1,000 of them
with each metric of the confusion matrix, as products of matrices.
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
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from simulations.rivals import Figure

NUM_SEQUENCES = 100_000
RESAMPLES = 1_000
NAMES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "negative_predictive_value")
SCORES = ("log_loss", "brier", "roc_auc", "pr_auc", "calibration_error")
BINS = 15


def draw(steps: int, num_sequences: int = NUM_SEQUENCES, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the class, the answer and the sequence of each row: two classes, of which a tenth is answered at random."""
    random = np.random.default_rng(seed)
    rows = num_sequences * steps
    actual = (random.random(rows) < 0.3).astype(np.int64)
    return actual, np.where(random.random(rows) < 0.9, actual, random.integers(0, 2, rows)), np.arange(rows) // steps


def draw_scores(steps: int, num_sequences: int = NUM_SEQUENCES, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the class, the probability of the second and the sequence of each row: of two sequences one may be surer than the other."""
    random = np.random.default_rng(seed)
    rows = num_sequences * steps
    of_unit = np.arange(rows) // steps
    logit = 1.5 * random.normal(size=num_sequences)[of_unit] + random.normal(size=rows) - 1
    score = 1 / (1 + np.exp(-logit))
    return (random.random(rows) < score).astype(np.int64), score, of_unit


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


def scores_by_scikit_learn(actual: np.ndarray, score: np.ndarray) -> list[float]:
    """Return log loss, Brier score, the two areas, and the calibration error of bins of equal width."""
    from sklearn import metrics
    from sklearn.calibration import calibration_curve  # type: ignore[import-untyped]

    came, said = calibration_curve(actual, score, n_bins=BINS)
    share = np.histogram(score, bins=BINS, range=(0, 1))[0] / len(score)
    return [
        metrics.log_loss(actual, score),
        metrics.brier_score_loss(actual, score),
        metrics.roc_auc_score(actual, score),
        metrics.average_precision_score(actual, score),
        float((share[share > 0] * np.abs(came - said)).sum()),
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


def scores_by_resamples(actual: np.ndarray, score: np.ndarray, of_unit: np.ndarray, resamples: int) -> dict[str, tuple[float, float]]:
    """Return the ends of the percentile intervals of log loss, Brier score and the two areas, of scores that all differ."""
    random, order = np.random.default_rng(0), np.argsort(-score)
    of_unit, score, is_positive = of_unit[order], score[order], actual[order] == 1
    nats, squared = -np.log(np.where(is_positive, score, 1 - score)), (score - is_positive) ** 2
    number, found = int(of_unit.max()) + 1, np.empty((resamples, 4))
    for place in range(resamples):
        weight = np.bincount(random.integers(0, number, number), minlength=number)[of_unit]
        rows, of_positives = weight.sum(), weight * is_positive
        hits, called = np.cumsum(of_positives), np.cumsum(weight)
        positives = hits[-1]
        won = ((weight - of_positives) * hits).sum() / (positives * (rows - positives))
        precision = (of_positives * np.divide(hits, called, out=np.zeros(len(hits)), where=called > 0)).sum() / positives
        found[place] = (weight * nats).sum() / rows, (weight * squared).sum() / rows, won, precision
    ends = np.quantile(found, (0.025, 0.975), axis=0).T
    return {name: (float(low), float(high)) for name, (low, high) in zip(SCORES, ends, strict=False)}


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
    predictions = predictions_of({"key": of_unit, "target": actual, "prediction": predicted}, steps)

    def with_resamples() -> list[Tensor]:
        found = by_resamples(actual, predicted, of_unit)
        return [torch.tensor([found[name][0] for name in NAMES], dtype=torch.float64)]

    ours = ("resamples", with_resamples) if resample else ("evaluate", partial(_evaluated, predictions, NAMES))
    return _beside_scikit_learn(ours, partial(by_scikit_learn, actual, predicted), len(actual))


def _contest_of_scores(seed: int, *, steps: int) -> Contest:
    actual, score, of_unit = draw_scores(steps, seed=seed)
    predictions = predictions_of({"key": of_unit, "target": actual, "score": score}, steps)

    def once() -> list[float]:
        return [*by_scikit_learn(actual, (score >= 0.5).astype(np.int64)), *scores_by_scikit_learn(actual, score)]

    return _beside_scikit_learn(("evaluate", partial(_evaluated, predictions, (*NAMES, *SCORES))), once, len(actual))


def predictions_of(columns: dict[str, np.ndarray], steps: int) -> Predictions:
    """Return the predictions, with a column that numbers the steps of each sequence where there are several."""
    return Predictions.from_columns(columns | ({"step": np.arange(len(columns["key"])) % steps} if steps > 1 else {}))


def _evaluated(predictions: Predictions, names: tuple[str, ...]) -> list[Tensor]:
    metrics = evaluate(predictions, positive="1").metrics
    return [torch.tensor([metrics[name].value for name in names], dtype=torch.float64)]


def _beside_scikit_learn(ours: tuple[str, Callable[[], list[Tensor]]], theirs: Callable[[], list[float]], num_rows: int) -> Contest:
    name, work = ours

    def answer() -> list[Tensor]:
        return [torch.tensor(theirs(), dtype=torch.float64)]

    once = Contestant(name="metrics, once", figure=timed(theirs), answer=answer)
    peer = Peer(name="scikit-learn", says="each metric computed once, without an interval", variants=(once,))
    return Contest(ours=Contestant(name=name, figure=timed(work), answer=work), peers=(peer,), notes=f"{num_rows:,} rows")


_WORKS: dict[str, tuple[str, Callable[..., Contest]]] = {
    "evaluate": ("all metrics of the confusion matrix with intervals", partial(_contest, resample=False)),
    "resamples": ("the same metrics of 1,000 resamples", partial(_contest, resample=True)),
    "scores": ("those and log loss, Brier score, calibration error and both areas with intervals", _contest_of_scores),
}

ROWS = tuple(
    Row(
        name=f"{name}-{kind}",
        says=f"{says} over 100,000 sequences of {steps} step{'s' * (steps > 1)}",
        contest=partial(contest, steps=steps),
        is_drawn=False,
        warm_up=1,
        repeats=7,
    )
    for name, (says, contest) in _WORKS.items()
    for kind, steps in (("labels", 1), ("steps", 10))
)
