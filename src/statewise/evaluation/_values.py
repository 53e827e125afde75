"""How far are predicted values from the true ones, and is that less than what a naive method reaches? Regress and forecast.

    mse, rmse, mae    mean of the squared errors, its root, mean of the absolute errors
    r2                1 - sum of squared errors / sum of squared distances of the targets from their own mean
    skill             1 - mse / mse of a baseline, on the rows for which the baseline has an answer
    mase              of forecasts: mean of the absolute errors, each over the usual change of its series from a step to the next, or a
                      season later, in training (Hyndman and Koehler 2006): below 1 it is less than one naive step is wrong by

The baseline that is judged is the one with the lowest mse.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from statewise.errors import DataError
from statewise.evaluation._blocks import units_of
from statewise.evaluation._estimate import Estimate
from statewise.evaluation._jackknife import Metric, Sums, estimate, ratio, sums_over
from statewise.evaluation._metrics import divide
from statewise.evaluation._records import BaselineScore, Evaluation, Points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statewise.evaluation._blocks import RowUnits
    from statewise.evaluation._predictions import Predictions

MOST_POINTS = 400
_LARGEST = 1e150
"""A number from here on has no square."""

ERRORS = (
    Metric("mse", ratio("squared", "rows")),
    Metric("rmse", lambda sums: np.sqrt(divide(sums["squared"], sums["rows"]))),
    Metric("mae", ratio("absolute", "rows")),
)
R2 = Metric(
    "r2",
    lambda sums: 1 - divide(sums["squared"], sums["target squared"] - divide(sums["target"] ** 2, sums["rows"])),
    scale="log of 1 - x",
    is_share=True,
)
SKILL = Metric(
    "skill",
    lambda sums: 1 - divide(sums["shared"], sums["naive squared"]),
    scale="log of 1 - x",
    is_share=True,
    rests_on="naive rows",
)
MASE = Metric("mase", ratio("scaled", "changing"), rests_on="changing")


def evaluate_values(predictions: Predictions, notes: tuple[str, ...]) -> Evaluation:
    """Return the errors of values, overall, against each baseline, and of forecasts by how far ahead.

    Args:
        predictions: the rows that are scored.
        notes: what is known of them already.

    Raises:
        DataError: a prediction is NaN or infinite.
    """
    actual, predicted = _finite(predictions)
    units = units_of(predictions, predicted - actual)
    columns = _columns(actual, predicted)
    sums = sums_over(units.of_unit, columns, units.words)
    metrics = {metric.name: estimate(metric, sums) for metric in (*ERRORS, R2)} | _scaled(predictions, columns["absolute"], units)
    baselines = {name: _against(units, columns, actual, naive) for name, naive in predictions.baselines.items()}
    baselines = {name: each for name, each in baselines.items() if each.num_scored}
    judged = _best(predictions.baselines, baselines, actual)
    if judged is not None:
        metrics["skill"] = baselines[judged].skill
    naive = None if judged is None else predictions.baselines[judged]
    return Evaluation(
        task=predictions.task,
        source=predictions.source,
        metrics=metrics,
        unit=units.unit,
        num_units=units.num_units,
        num_scored=len(predictions),
        num_sequences=predictions.num_sequences,
        baselines=baselines,
        judged_baseline=judged,
        by_ahead=_by_ahead(predictions, units, columns, actual, naive),
        points=_points(predictions, actual, predicted),
        notes=(*notes, *units.notes, *_notes(baselines, judged, len(predictions))),
    )


def _finite(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    assert predictions.actual is not None
    for name, column in (("target", predictions.actual), ("prediction", predictions.predicted)):
        bad = np.flatnonzero(~(np.abs(column) < _LARGEST))
        if len(bad):
            raise DataError(
                asked="evaluate",
                where=f"column {name!r} of {predictions.source}, sequence {predictions.key[bad[0]]!r}",
                arrived=f"{column[bad[0]]} ({len(bad)} of {len(column)} are NaN, infinite or too large to be squared)",
                hint="Each scored row needs a finite number; leave a row out with weight 0.",
            )
    return predictions.actual, predictions.predicted


def _columns(actual: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Return what is summed of each row; targets from their mean, so that their squares lose no digits."""
    error, target = predicted - actual, actual - actual.mean()
    return {"rows": np.ones(len(error)), "squared": error**2, "absolute": np.abs(error), "target": target, "target squared": target**2}


def _scaled(predictions: Predictions, absolute: np.ndarray, units: RowUnits) -> dict[str, Estimate]:
    """Return the mean absolute scaled error, where the usual change of the series is known."""
    if predictions.change is None:
        return {}
    there = np.isfinite(predictions.change) & (predictions.change > 0)
    scaled = np.where(there, absolute / np.where(there, predictions.change, 1.0), 0.0)
    return {"mase": estimate(MASE, sums_over(units.of_unit, {"scaled": scaled, "changing": there.astype(np.float64)}, units.words))}


def _against(units: RowUnits, columns: Mapping[str, np.ndarray], actual: np.ndarray, naive: np.ndarray) -> BaselineScore:
    """Return what a naive method reaches, and the skill of the model on the rows for which it has an answer."""
    there = np.abs(naive) < _LARGEST
    error = np.where(there, naive, actual) - actual
    shared = {"naive rows": there.astype(float), "shared": np.where(there, columns["squared"], 0.0), "naive squared": error**2}
    shared |= {"naive absolute": np.abs(error), "shared absolute": np.where(there, columns["absolute"], 0.0)}
    sums = sums_over(units.of_unit, shared, units.words)
    return BaselineScore(
        figures=_errors(sums.total, "naive squared", "naive absolute"),
        skill=estimate(SKILL, sums),
        num_scored=int(there.sum()),
        model={} if there.all() else _errors(sums.total, "shared", "shared absolute"),
    )


def _errors(total: Sums, squared: str, absolute: str) -> dict[str, float]:
    """Return the errors on the rows for which a naive method has an answer, from two sums over them."""
    mse = float(divide(total[squared], total["naive rows"]))
    return {"mse": mse, "rmse": math.sqrt(mse), "mae": float(divide(total[absolute], total["naive rows"]))}


def _best(columns: Mapping[str, np.ndarray], baselines: Mapping[str, BaselineScore], actual: np.ndarray) -> str | None:
    """Return the baseline with the lowest mse, on the rows for which all have an answer where there are any.

    One that answers less than half as many rows as another is not judged: it would speak of few rows for all.
    """
    if not baselines:
        return None
    most = max(score.num_scored for score in baselines.values())
    usual = [name for name, score in baselines.items() if 2 * score.num_scored >= most]
    errors = {name: np.where(np.abs(columns[name]) < _LARGEST, columns[name] - actual, np.nan) ** 2 for name in usual}
    shared = np.logical_and.reduce([np.abs(columns[name]) < _LARGEST for name in usual])
    own = {name: baselines[name].figures["mse"] for name in usual}
    figures = {name: float(error[shared].mean()) for name, error in errors.items()} if shared.any() else own
    return min(figures, key=lambda name: figures[name])


def _by_ahead(
    predictions: Predictions, units: RowUnits, columns: Mapping[str, np.ndarray], actual: np.ndarray, naive: np.ndarray | None
) -> dict[int, dict[str, Estimate]]:
    """Return the errors by how many steps ahead, and the skill against the baseline that is judged."""
    if predictions.ahead is None:
        return {}
    found = {}
    for ahead in np.unique(predictions.ahead).tolist():
        rows = predictions.ahead == ahead
        of_unit = np.unique(units.of_unit[rows], return_inverse=True)[1].reshape(-1)
        here = units._replace(of_unit=of_unit)
        part = {name: column[rows] for name, column in columns.items()}
        sums = sums_over(of_unit, part, units.words)
        found[ahead] = {metric.name: estimate(metric, sums) for metric in ERRORS if metric.name != "mse"}
        if naive is not None and (np.abs(naive[rows]) < _LARGEST).any():
            score = _against(here, part, actual[rows], naive[rows])
            alone = {"low": None, "high": None, "units": score.skill.units, "method": "of the baseline", "is_share": False}
            found[ahead] |= {"baseline_rmse": Estimate(value=score.figures["rmse"], **alone), "skill": score.skill}  # type: ignore[arg-type]
    return found


def _points(predictions: Predictions, actual: np.ndarray, predicted: np.ndarray) -> Points:
    """Return rows to draw: of forecasts those of the nearest and the farthest horizon."""
    rows = np.arange(len(actual))
    if predictions.ahead is not None:
        ends = (predictions.ahead.min(), predictions.ahead.max())
        rows = rows[np.isin(predictions.ahead, ends)]
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, MOST_POINTS).astype(np.int64))]
    return Points(
        actual=tuple(actual[rows].tolist()),
        predicted=tuple(predicted[rows].tolist()),
        ahead=() if predictions.ahead is None else tuple(predictions.ahead[rows].tolist()),
    )


def _notes(baselines: Mapping[str, BaselineScore], judged: str | None, num_rows: int) -> list[str]:
    if judged is None:
        return ["no baseline: whether a naive method does as well is not known; give it as a column 'baseline_<name>'"]
    return [
        f"baseline {name!r} has an answer for {each.num_scored:,} of {num_rows:,} scored rows; skill is told on these"
        for name, each in baselines.items()
        if each.num_scored < num_rows
    ]
