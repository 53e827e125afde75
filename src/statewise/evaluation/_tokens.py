"""How well is the next token foreseen? Cross-entropy, and the bits that it saves against the frequencies of the tokens.

cross_entropy    mean of nll, in nats
bits             the same in bits: cross_entropy / log 2
perplexity       exp(cross_entropy)
accuracy         share of tokens that were the likeliest
skill            1 - bits / bits of a baseline
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from statewise.errors import DataError
from statewise.evaluation._blocks import units_of
from statewise.evaluation._intervals import share_of_right
from statewise.evaluation._jackknife import Metric, estimate, ratio, sums_over
from statewise.evaluation._metrics import divide
from statewise.evaluation._records import BaselineScore, Evaluation

if TYPE_CHECKING:
    from statewise.evaluation._predictions import Predictions

CODE_LENGTHS = (
    Metric("cross_entropy", ratio("nll", "rows")),
    Metric("bits", lambda sums: divide(sums["nll"], sums["rows"]) / math.log(2)),
    Metric("perplexity", lambda sums: np.exp(divide(sums["nll"], sums["rows"])), scale="log of log"),
)
SKILL = Metric("skill", lambda sums: 1 - divide(sums["nll"], sums["naive"]), scale="log of 1 - x", is_share=True)


def evaluate_tokens(predictions: Predictions, notes: tuple[str, ...]) -> Evaluation:
    """Return how well the next token was foreseen.

    Args:
        predictions: the rows that are scored.
        notes: what is known of them already.

    Raises:
        DataError: there is no `nll`, or one is negative or not finite.
    """
    actual, nll = predictions.actual, _code_lengths(predictions)
    assert actual is not None
    units = units_of(predictions, nll)
    columns = {"rows": np.ones(len(nll)), "nll": nll}
    sums = sums_over(units.of_unit, columns, units.words)
    metrics = {metric.name: estimate(metric, sums) for metric in CODE_LENGTHS}
    metrics["accuracy"] = share_of_right(predictions.predicted == actual, units.of_unit, unit=units.unit)
    baselines = {}
    for name, naive in predictions.baselines.items():
        skill = estimate(SKILL, sums_over(units.of_unit, columns | {"naive": naive}, units.words))
        figures = {"cross_entropy": float(naive.mean()), "bits": float(naive.mean()) / math.log(2)}
        baselines[name] = BaselineScore(figures=figures, skill=skill, num_scored=len(naive))
    judged = min(baselines, key=lambda name: baselines[name].figures["bits"], default=None)
    if judged is not None:
        metrics["skill"] = baselines[judged].skill
    support = np.bincount(actual, minlength=len(predictions.class_names))
    return Evaluation(
        task=predictions.task,
        source=predictions.source,
        metrics=metrics,
        unit=units.unit,
        num_units=units.num_units,
        num_scored=len(predictions),
        num_sequences=predictions.num_sequences,
        majority_class=predictions.class_names[int(support.argmax())],
        majority_accuracy=int(support.max()) / len(nll),
        baselines=baselines,
        judged_baseline=judged,
        notes=(*notes, *units.notes, *(() if judged else ("no baseline: give the nll of one as a column 'baseline_<name>'",))),
    )


def _code_lengths(predictions: Predictions) -> np.ndarray:
    """Return the nll of each row, and refuse what cannot be one; likewise of the baselines."""
    if predictions.nll is None:
        hint = "Give -log of the probability that each token was given, in nats."
        raise DataError(asked="evaluate", where=f"column 'nll' of {predictions.source}", arrived="no such column", hint=hint)
    for name, column in {"nll": predictions.nll, **{f"baseline_{name}": each for name, each in predictions.baselines.items()}}.items():
        bad = np.flatnonzero(~(np.isfinite(column) & (column >= -1e-9)))
        if len(bad):
            raise DataError(
                asked="evaluate",
                where=f"column {name!r} of {predictions.source}, sequence {predictions.key[bad[0]]!r}",
                arrived=f"{column[bad[0]]} ({len(bad)} of {len(column)} are negative, NaN or infinite)",
                hint="It is -log of a probability, in nats: 0 or more. A token of probability 0 has none: mix in a little of every token.",
            )
    found: np.ndarray = np.maximum(predictions.nll, 0.0)
    return found
