"""How often does each interval hold the true figure? The package's own functions and other methods, on the same draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulations.rivals import Sums, percentiles, resampled, standard_error
from simulations.worlds import WORLDS, Classes, Values
from statewise.evaluation._intervals import estimate_all, units_of_rows
from statewise.evaluation._jackknife import estimate, sums_over
from statewise.evaluation._metrics import divide
from statewise.evaluation._paired import difference_of_counts, difference_of_sums, paired_units
from statewise.evaluation._quantiles import student_quantile
from statewise.evaluation._values import ERRORS, SKILL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulations.rivals import Figure
    from statewise.evaluation._estimate import Estimate

SIZES = (8, 10, 20, 30, 50, 100, 200, 500, 1000)
RIVALS = ("percentile bootstrap", "Student t, plain scale", "rows as independent")
RESAMPLED = ("steps of sequences", "few errors", "errors of values")
"""Worlds in which the bootstrap is asked, too: it costs more than all else."""

_MAE = ERRORS[2]
_CELLS = ("tp", "fn", "fp", "tn")


@dataclass
class Tally:
    """How often the intervals of one figure held its true value.

    Attributes:
        world, metric, units: what was drawn.
        draws: how many.
        held: intervals that held it; `low` and `high` of the others lay wholly below and wholly above.
        none: draws without an interval.
        width: median of the intervals' widths.
        effect: the design effect, by how much the variance of the figure is larger than rows taken as independent say.
        rivals: how many intervals of each other method held it; `widths` are the medians of theirs.
    """

    world: str
    metric: str
    units: int
    draws: int
    held: int = 0
    low: int = 0
    high: int = 0
    none: int = 0
    width: float = 0.0
    effect: float = 0.0
    rivals: dict[str, int] = field(default_factory=dict)
    widths: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of the intervals that held the truth; NaN where there was none."""
        told = self.draws - self.none
        return self.held / told if told else math.nan


class _Seen(NamedTuple):
    """Ends of all draws by method, `[draws, 2]`, values and the errors that rows taken as independent give, `[draws]`."""

    ends: dict[str, np.ndarray]
    values: np.ndarray
    row_errors: np.ndarray


def simulate(place: int, num_units: int, draws: int) -> list[Tally]:
    """Return a tally of each figure of one world with so many units.

    Args:
        place: of the world among `WORLDS`.
        num_units: units of each draw.
        draws: how many.
    """
    world = WORLDS[place]
    random, again = (np.random.default_rng([place, num_units, stream]) for stream in (0, 1))
    seen = {
        metric: _Seen({name: np.full((draws, 2), np.nan) for name in ("ours", *RIVALS)}, np.zeros(draws), np.zeros(draws))
        for metric in world.truths
    }
    for number in range(draws):
        rows = world.draw(random, num_units)
        for metric, found in (_of_classes(rows) if isinstance(world, Classes) else _of_values(rows)).items():
            seen[metric].values[number] = found.value
            if found.low is not None and found.high is not None:
                seen[metric].ends["ours"][number] = found.low, found.high
        _ask_rivals(world, rows, seen, number, again)
    return [_tally(world.name, metric, num_units, each, world.truths[metric]) for metric, each in seen.items()]


def _tally(world: str, metric: str, num_units: int, seen: _Seen, truth: float) -> Tally:
    ours, asked = seen.ends["ours"], [name for name in RIVALS if np.isfinite(seen.ends[name]).any()]
    there = ~np.isnan(ours[:, 0])
    held = {name: int(((ends[:, 0] <= truth) & (truth <= ends[:, 1])).sum()) for name, ends in seen.ends.items()}
    return Tally(
        world=world,
        metric=metric,
        units=num_units,
        draws=len(ours),
        held=held["ours"],
        low=int((ours[:, 1] < truth).sum()),
        high=int((ours[:, 0] > truth).sum()),
        none=int((~there).sum()),
        width=float(np.median(np.diff(ours[there])[:, 0])) if there.any() else math.nan,
        effect=float(np.nanvar(seen.values) / np.mean(seen.row_errors**2)),
        rivals={name: held[name] for name in asked},
        widths={name: float(np.nanmedian(np.diff(seen.ends[name])[:, 0])) for name in asked},
    )


def _of_classes(rows: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
    units = units_of_rows(rows["actual"], rows["first"], of_unit=rows["unit"], num_classes=2, unit="sequence")
    metrics = estimate_all(units, positive=1).metrics
    both = paired_units(rows["actual"], rows["first"], rows["second"], of_unit=rows["unit"], num_classes=2, unit="sequence")
    found = {name: metrics[name] for name in ("accuracy", "balanced_accuracy", "recall", "precision", "f1")}
    return found | {
        "difference of accuracy": difference_of_counts("accuracy", *both, positive=1),
        "difference of f1": difference_of_counts("f1", *both, positive=1),
    }


def _of_values(rows: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
    ours, theirs = (sums_over(rows["unit"], _columns(rows[name], rows["naive"]), "sequences") for name in ("first", "second"))
    length = ours.parts["rows"]
    once = sums_over(np.arange(len(length)), {"rows": np.ones(len(length)), "absolute": ours.parts["absolute"] / length}, "sequences")
    return {
        "mae": estimate(_MAE, ours),
        "rmse": estimate(ERRORS[1], ours),
        "mae, a sequence once": estimate(_MAE, once),
        "skill": estimate(SKILL, ours),
        "difference of mae": difference_of_sums(_MAE, ours, theirs),
    }


def _columns(error: np.ndarray, naive: np.ndarray) -> dict[str, np.ndarray]:
    one = np.ones(len(error))
    squared = error**2
    return {"rows": one, "squared": squared, "absolute": np.abs(error), "naive rows": one, "shared": squared, "naive squared": naive**2}


def _ask_rivals(
    world: Classes | Values, rows: Mapping[str, np.ndarray], seen: Mapping[str, _Seen], number: int, random: np.random.Generator
) -> None:
    figures, by_row, by_unit = _as_sums(world, rows)
    again = resampled(by_unit, figures, random) if world.name in RESAMPLED else {}
    t = student_quantile(0.975, float(len(by_unit.repeats)) - 1)
    for metric, figure in figures.items():
        value, ends = seen[metric].values[number], seen[metric].ends
        row_error = standard_error(by_row, figure)
        seen[metric].row_errors[number] = row_error
        if again:
            ends[RIVALS[0]][number] = percentiles(again[metric])
        reach = t * standard_error(by_unit, figure)
        ends[RIVALS[1]][number] = value - reach, value + reach
        ends[RIVALS[2]][number] = value - 1.96 * row_error, value + 1.96 * row_error


def _as_sums(world: Classes | Values, rows: Mapping[str, np.ndarray]) -> tuple[Mapping[str, Figure], Sums, Sums]:
    """Return the figures as functions of sums, and the sums of each row (kinds of rows told once) and of each unit."""
    if isinstance(world, Classes):
        cell = [np.where(rows["actual"] == 1, 1 - rows[name], 2 + (1 - rows[name])) for name in ("first", "second")]
        kinds, counts = np.unique(cell[0] * 4 + cell[1], return_counts=True)
        columns = {f"{name} {of}": (kinds // 4 if of == 0 else kinds % 4) == at for of in (0, 1) for at, name in enumerate(_CELLS)}
        by_row = Sums({name: column.astype(np.float64) for name, column in columns.items()}, counts)
        num_units = int(rows["unit"][-1]) + 1
        crossed = [np.bincount(rows["unit"] * 4 + each, minlength=4 * num_units).reshape(num_units, 4) for each in cell]
        units = {f"{name} {of}": crossed[of][:, at] for of in (0, 1) for at, name in enumerate(_CELLS)}
        return _CLASS_FIGURES, by_row, Sums(units, np.ones(num_units, dtype=np.int64))
    row = _columns(rows["first"], rows["naive"]) | {"theirs": np.abs(rows["second"])}
    summed = sums_over(rows["unit"], row, "sequences").parts
    length = summed["rows"]
    units = dict(summed) | {"once": summed["absolute"] / length, "units": np.ones(len(length))}
    row = row | {"once": row["absolute"] / length[rows["unit"]], "units": 1 / length[rows["unit"]]}
    return _VALUE_FIGURES, Sums(row, np.ones(len(rows["unit"]))), Sums(units, np.ones(len(length), dtype=np.int64))


def _accuracy(sums: Mapping[str, np.ndarray], of: int = 0) -> np.ndarray:
    return divide(sums[f"tp {of}"] + sums[f"tn {of}"], sums[f"tp {of}"] + sums[f"tn {of}"] + sums[f"fp {of}"] + sums[f"fn {of}"])


def _f1(sums: Mapping[str, np.ndarray], of: int = 0) -> np.ndarray:
    return divide(2 * sums[f"tp {of}"], 2 * sums[f"tp {of}"] + sums[f"fp {of}"] + sums[f"fn {of}"])


def _recall(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    return divide(sums["tp 0"], sums["tp 0"] + sums["fn 0"])


_CLASS_FIGURES: dict[str, Figure] = {
    "accuracy": _accuracy,
    "balanced_accuracy": lambda sums: (_recall(sums) + divide(sums["tn 0"], sums["tn 0"] + sums["fp 0"])) / 2,
    "recall": _recall,
    "precision": lambda sums: divide(sums["tp 0"], sums["tp 0"] + sums["fp 0"]),
    "f1": _f1,
    "difference of accuracy": lambda sums: _accuracy(sums) - _accuracy(sums, 1),
    "difference of f1": lambda sums: _f1(sums) - _f1(sums, 1),
}
_VALUE_FIGURES: dict[str, Figure] = {
    "mae": _MAE.of,
    "rmse": ERRORS[1].of,
    "mae, a sequence once": lambda sums: divide(sums["once"], sums["units"]),
    "skill": SKILL.of,
    "difference of mae": lambda sums: divide(sums["absolute"], sums["rows"]) - divide(sums["theirs"], sums["rows"]),
}
