"""How often do intervals over blocks of one long stream hold the truth? Errors that follow an autoregression, evaluated as users do it."""

from __future__ import annotations

import math

import numpy as np

from simulations.coverage import Tally
from statewise.evaluation import Estimate, Predictions, evaluate

STEPS = (1000, 5000, 20_000)
COEFFICIENTS = (0.5, 0.9)
_WRONG_ABOVE = 1.0
"""Of a normal variable: the true accuracy is 0.841."""


def simulate_stream(coefficient: float, num_steps: int, draws: int) -> list[Tally]:
    """Return a tally of the accuracy, the mae and the rmse over streams of so many steps; its `units` are the steps.

    Args:
        coefficient: how much of an error is left in the next one, less than 1.
        num_steps: of each stream.
        draws: how many streams.
    """
    random = np.random.default_rng([round(100 * coefficient), num_steps])
    truths = {"accuracy": (1 + math.erf(_WRONG_ABOVE / math.sqrt(2))) / 2, "mae": math.sqrt(2 / math.pi), "rmse": 1.0}
    ends, values = ({name: np.full((draws, 2), np.nan) for name in truths} for _ in range(2))
    row_errors = {name: np.zeros(draws) for name in truths}
    for number in range(draws):
        error = _autoregression(random, coefficient, num_steps)
        for name, found in _evaluated(error).items():
            ends[name][number] = found.low, found.high
            values[name][number] = found.value
        wrong = error > _WRONG_ABOVE
        deviations = (wrong, np.abs(error), (error**2) / (2 * math.sqrt((error**2).mean())))
        for name, each in zip(truths, deviations, strict=True):
            row_errors[name][number] = each.std() / math.sqrt(num_steps)
    made = []
    for name, truth in truths.items():
        low, high = ends[name].T
        row_low, row_high = (values[name][:, 0] + side * 1.96 * row_errors[name] for side in (-1, 1))
        made.append(
            Tally(
                world=f"one stream, {coefficient}",
                metric=name,
                units=num_steps,
                draws=draws,
                held=int(((low <= truth) & (truth <= high)).sum()),
                low=int((high < truth).sum()),
                high=int((low > truth).sum()),
                none=int(np.isnan(low).sum()),
                width=float(np.nanmedian(high - low)),
                effect=float(values[name][:, 0].var() / np.mean(row_errors[name] ** 2)),
                rivals={"rows as independent": int(((row_low <= truth) & (truth <= row_high)).sum())},
                widths={"rows as independent": float(np.median(row_high - row_low))},
            )
        )
    return made


def _evaluated(error: np.ndarray) -> dict[str, Estimate]:
    steps = {"key": np.zeros(len(error), dtype=np.int64), "step": np.arange(len(error))}
    wrong = (error > _WRONG_ABOVE).astype(np.int64)
    actual = np.arange(len(error)) % 2
    classes = Predictions.from_columns(steps | {"target": actual, "prediction": np.where(wrong, 1 - actual, actual)}, task="tag")
    values = Predictions.from_columns(steps | {"target": np.zeros(len(error)), "prediction": error}, task="regress")
    metrics = evaluate(values).metrics
    return {"accuracy": evaluate(classes).metrics["accuracy"], "mae": metrics["mae"], "rmse": metrics["rmse"]}


def _autoregression(random: np.random.Generator, coefficient: float, num_steps: int) -> np.ndarray:
    """Return errors of variance 1."""
    from scipy.signal import lfilter  # type: ignore[import-untyped]

    new = math.sqrt(1 - coefficient**2) * random.standard_normal(num_steps)
    begin = random.standard_normal(1) * coefficient
    found: np.ndarray = lfilter([1.0], [1.0, -coefficient], new, zi=begin)[0]
    return found
