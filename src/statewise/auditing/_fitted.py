"""Which numbers were fitted before a training, and to which parts do they belong? Means and spreads, or least and largest values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from statewise.auditing._parts import moments_of, numbers_of
from statewise.errors import OptionError, kind_of
from statewise.models import Model
from statewise.sequences import Scale, Statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    from statewise.sequences import Sequences

Kind: TypeAlias = Literal["mean", "spread", "low", "high"]
_HINT = "Give what fit_statistics returns, a fitted StandardScaler or MinMaxScaler, or {'mean': [...], 'scale': [...]}."
_CLOSE = 2e-5
"""Statistics in float32 are equal where they differ by less than this share of the spread."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Statistics of the features of one input.

    Attributes:
        figures: by kind, one number a feature.
    """

    figures: Mapping[Kind, NDArray[np.float64]]


def fitted_of(scaling: Any, model: nn.Module | None, train: Sequences) -> dict[str, Fitted]:
    """Return the statistics that were given, else those that a model of ours holds, by input; none where neither is there.

    Args:
        scaling: `Statistics`, a `Scale`, a fitted scaler, or a mapping, of the first input of numbers.
        model: the model of a run.
        train: tells how many features there are.

    Raises:
        OptionError: it is none of these, or of another number of features.
    """
    widths = {name: values.shape[1] for name, values in numbers_of(train).items()}
    if scaling is None:
        return _of_model(model, widths)
    if isinstance(scaling, Statistics):
        found = {name: _moments(scale.mean, scale.scale) for name, scale in scaling.inputs.items() if name in widths}
    else:
        found = {name: _read(scaling) for name in list(widths)[:1]}
    for name, each in found.items():
        for kind, figures in each.figures.items():
            if figures.shape != (widths[name],):
                raise OptionError(
                    asked="audit_data", where="scaling", arrived=f"{figures.size} numbers ({kind}) for {widths[name]} features", hint=_HINT
                )
    return found


def _of_model(model: nn.Module | None, widths: Mapping[str, int]) -> dict[str, Fitted]:
    if not isinstance(model, Model):
        return {}
    layers: Any = model.encoder.numeric.values()
    held = {name: _moments(layer.mean.tolist(), layer.scale.tolist()) for name, layer in zip(model.config.numeric, layers, strict=True)}
    return {name: each for name, each in held.items() if name in widths and each.figures["mean"].shape == (widths[name],)}


def _moments(mean: Sequence[float], scale: Sequence[float]) -> Fitted:
    return Fitted(figures={"mean": np.asarray(mean, dtype=np.float64), "spread": np.asarray(scale, dtype=np.float64)})


def _read(scaling: Any) -> Fitted:
    if isinstance(scaling, Scale):
        return _moments(scaling.mean, scaling.scale)
    given = scaling if isinstance(scaling, Mapping) else {}
    names: dict[Kind, tuple[str, str]] = {
        "mean": ("mean", "mean_"), "spread": ("scale", "scale_"), "low": ("min", "data_min_"), "high": ("max", "data_max_"),
    }  # fmt: skip
    figures: dict[Kind, NDArray[np.float64]] = {}
    for kind, (key, attribute) in names.items():
        value = given.get(key, getattr(scaling, attribute, None))
        if value is not None and not (kind == "spread" and "mean" not in figures):  # the scale_ of a MinMaxScaler is no spread
            figures[kind] = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if not figures:
        raise OptionError(asked="audit_data", where="scaling", arrived=kind_of(scaling), hint=_HINT)
    return Fitted(figures=figures)


def figures_of(values: NDArray[np.float64]) -> dict[Kind, NDArray[np.float64]]:
    """Return the statistics of `[steps, features]`; NaN takes no part."""
    mean, spread = moments_of(values)
    low, high = (of(np.where(np.isfinite(values), values, mean), axis=0) for of in (np.min, np.max))
    return {"mean": mean, "spread": spread, "low": low, "high": high}


def farthest(one: Mapping[Kind, NDArray[np.float64]], other: Mapping[Kind, NDArray[np.float64]], num_rows: int) -> float:
    """Return the largest difference between two sets of statistics, in spreads of the second; a feature that never changes is left out.

    Args:
        one: some kinds of statistics.
        other: all kinds.
        num_rows: that the second was fitted on: dividing by one less gives the other usual spread, which counts as equal.
    """
    spread = np.where(other["spread"] > 0, other["spread"], np.nan)
    gaps = []
    for kind, figures in one.items():
        gap = np.abs(figures - other[kind]) / spread
        if kind == "spread" and num_rows > 1:
            gap = np.minimum(gap, np.abs(figures - other[kind] * np.sqrt(num_rows / (num_rows - 1))) / spread)
        gaps.append(gap)
    found = np.concatenate(gaps)
    found = found[np.isfinite(found)]
    return float(found.max()) if len(found) else 0.0


def is_close(gap: float) -> bool:
    """Whether a difference is no more than that of rounding."""
    return gap < _CLOSE
