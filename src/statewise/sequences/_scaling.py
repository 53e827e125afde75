"""By what are features brought to one scale? Statistics of the training part alone, which travel with the model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import torch
from jaxtyping import Float, Int
from torch import Tensor

from statewise.errors import DataError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statewise.sequences._sequences import Sequences

_ROWS_AT_ONCE = 65_536


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and population standard deviation of each feature; a feature that never changes has the scale 1."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a model must know of the data that it was trained on.

    Attributes:
        inputs: the scale of each input of numbers, over all steps.
        static: the scale of the features of whole sequences.
        categories: the categories of each categorical input that occur, in the order of the data's `categories`.
    """

    inputs: dict[str, Scale]
    static: Scale | None = None
    categories: dict[str, tuple[str, ...]] = {}


def fit_statistics(data: Sequences) -> Statistics:
    """Return the statistics of one part: fit them on the training part, and on nothing else.

    A value that is missing (NaN, where the data says `missing="mean"`) takes no part. Computed in float64 and without squares of
    large numbers, so that values up to the limit of their type are fine. A part without steps has mean 0 and scale 1.

    Raises:
        DataError: a value is NaN or infinite; the feature is named.

    Example:
        >>> from statewise.sequences import Ragged, Sequences
        >>> fit_statistics(Sequences(inputs=Ragged(torch.tensor([[1.0, 5.0], [3.0, 5.0]]), torch.tensor([2])))).inputs["x"]
        Scale(mean=(2.0, 5.0), scale=(1.0, 1.0))
    """
    inputs, categories = {}, {}
    for name, part in data.parts.items():
        if name not in data.categories:
            inputs[name] = _scale(part.values, data.feature_names_of(name), f"input {name!r}", skip_nan=data.missing == "mean")
        if name in data.categories:
            seen = part.values.unique(sorted=True).tolist()
            categories[name] = tuple(data.categories[name][code] for code in seen if code >= 0)
    static = None if data.static is None else _scale(data.static, data.static_names, "static")
    return Statistics(inputs=inputs, static=static, categories=categories)


def target_scale(data: Sequences) -> Scale:
    """Return mean and spread of the targets that are scored, for targets that are values.

    Example:
        >>> from statewise.sequences import Ragged, Sequences
        >>> target_scale(Sequences(inputs=Ragged(torch.zeros(3, 1), torch.tensor([3])), targets=[1.0, 3.0, 9.0], weights=[1, 1, 0]))
        Scale(mean=(2.0,), scale=(1.0,))
    """
    assert isinstance(data.targets, Tensor), "the caller has refused data without targets"
    assert data.scored is not None
    return _scale(data.targets[data.scored][:, None], ("target",), "targets")


def standardize(
    values: Float[Tensor, "steps *rest"], mean: Tensor | Sequence[float], scale: Tensor | Sequence[float]
) -> Float[Tensor, "steps *rest"]:
    """Return `(values - mean) / scale`, feature by feature, in the type and on the device of the values.

    Args:
        values: `[steps, feature]`, or `[steps]` for a single feature; leading axes are free.
        mean: one number a feature.
        scale: one positive number a feature.

    Example:
        >>> standardize(torch.tensor([[1.0, 5.0], [3.0, 5.0]]), (2.0, 5.0), (1.0, 1.0)).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
    """
    center = torch.as_tensor(mean, dtype=values.dtype, device=values.device)
    spread = torch.as_tensor(scale, dtype=values.dtype, device=values.device)
    width = values.shape[-1] if values.ndim > 1 else 1
    if center.shape != (width,) or spread.shape != (width,):
        raise ShapeError(
            asked="standardize(values, mean, scale)",
            where="values",
            arrived=f"{width} features a step, but statistics of {center.numel()}",
            hint="Give the features that the statistics were fitted on, in the same order.",
        )
    return (values - center) / spread


def recode(codes: Int[Tensor, "*any"], categories: Sequence[str], seen: Sequence[str]) -> Int[Tensor, "*any"]:
    """Return codes in which 0 is unknown, and the categories seen in training count from 1.

    Args:
        codes: places in `categories`; below 0 is a category that is not in it.
        categories: the names behind the codes, as in `Sequences.categories`.
        seen: the categories of the training part, as in `Statistics.categories`.

    Raises:
        ShapeError: a code that has no category.

    Example:
        >>> recode(torch.tensor([0, 1, 2, -1]), categories=["a", "b", "c"], seen=["c", "a"]).tolist()
        [2, 0, 1, 0]
    """
    if codes.numel() and int(codes.max()) >= len(categories):
        raise ShapeError(
            asked="recode(codes, categories, seen)",
            where="codes",
            arrived=f"the code {int(codes.max())} for {len(categories)} categories",
            hint="Codes count from 0; give the categories that the data was read with.",
        )
    place = {name: number for number, name in enumerate(seen, start=1)}
    table = torch.tensor([0, *(place.get(name, 0) for name in categories)], device=codes.device)
    return table[codes.to(torch.int64).clamp(min=-1) + 1]


def _scale(values: Tensor, names: Sequence[str] | None, where: str, *, skip_nan: bool = False) -> Scale:
    """Return mean and standard deviation of each feature (the last axis, or one without it) over everything else.

    Part after part, three times: copies in float64 of all of a long stream would take several times its memory.
    """
    flat = values.detach().flatten(0, -2) if values.ndim > 1 else values.detach()[:, None]
    zeros = torch.zeros(flat.shape[1], dtype=torch.float64)
    if not len(flat):
        return Scale(mean=tuple(zeros.tolist()), scale=tuple((zeros + 1).tolist()))
    low, high, count = zeros + math.inf, zeros - math.inf, zeros.clone()
    for table, there in _parts(flat, skip_nan=skip_nan):
        if not bool(torch.where(there, table, 0.0).isfinite().all()):
            raise _not_finite(flat.isinf() if skip_nan else ~flat.isfinite(), flat, names, where)
        low = torch.minimum(low, torch.where(there, table, math.inf).amin(0))
        high = torch.maximum(high, torch.where(there, table, -math.inf).amax(0))
        count += there.sum(0)
    low, high = low.masked_fill(count == 0, 0.0), high.masked_fill(count == 0, 0.0)
    size = torch.maximum(low.abs(), high.abs()).clamp(min=torch.finfo(torch.float64).tiny)
    total, squares = zeros.clone(), zeros.clone()
    for table, there in _parts(flat, skip_nan=skip_nan):
        total += torch.where(there, table / size, 0.0).sum(0)
    mean = total / count.clamp(min=1)
    for table, there in _parts(flat, skip_nan=skip_nan):
        squares += torch.where(there, table / size - mean, 0.0).square().sum(0)
    deviation = (squares / count.clamp(min=1)).sqrt() * size
    is_constant = (low == high) | (deviation == 0)
    center = torch.where(low == high, low, mean * size)
    return Scale(mean=tuple(center.tolist()), scale=tuple(deviation.masked_fill(is_constant, 1.0).tolist()))


def _parts(flat: Tensor, *, skip_nan: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield rows in float64, some thousands at a time, and which of their values take part."""
    for part in flat.split(_ROWS_AT_ONCE):
        table = part.to("cpu", torch.float64)
        yield table, ~table.isnan() if skip_nan else torch.ones_like(table, dtype=torch.bool)


def _not_finite(bad: Tensor, flat: Tensor, names: Sequence[str] | None, where: str) -> DataError:
    step, feature = bad.nonzero()[0].tolist()
    name = names[feature] if names else f"number {feature}"
    return DataError(
        asked="fit_statistics(data)",
        where=f"{where}, feature {name}",
        arrived=f"{int(bad.sum())} values that are not finite, the first is {flat[step, feature].item()}",
        hint="Drop or fill these steps: they would spoil every step after them.",
    )
