"""How do raw outputs become columns of predictions? One function for each kind of task, batch by batch, so that memory stays bounded.

Calling the model is `_predict`'s, what naive methods answer `_baselines`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from statewise.contracts import class_probabilities
from statewise.errors import DataError, ShapeError, nearest
from statewise.sequences import aligned, steps_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statewise.contracts import Contract
    from statewise.sequences import Sequences
    from statewise.types import KnownTask

Columns: TypeAlias = dict[str, np.ndarray]
"""Columns of equal length; `"row"` is the sequence or step of the data that each belongs to."""
Made: TypeAlias = "Callable[[Tensor, Sequences, Tensor, Contract, Sequence[str]], Columns]"


def columns_of(task: KnownTask) -> Made:
    """Return the function that turns outputs `[rows, out]` of some sequences or steps into columns.

    It takes the outputs, the data, the places `[rows]` in it that they belong to, the contract and the class names.
    """
    made = _OF_TASK[task]

    def columns(values: Tensor, data: Sequences, at: Tensor, contract: Contract, class_names: Sequence[str]) -> Columns:
        found = made(values, data, at, contract, class_names)
        return found if "row" in found else found | {"row": at.numpy()}

    return columns


def _classes(values: Tensor, data: Sequences, at: Tensor, contract: Contract, class_names: Sequence[str]) -> Columns:
    probabilities = class_probabilities(values, contract.output)
    found = {"predicted": probabilities.argmax(dim=1).numpy(), "probabilities": probabilities.numpy()}
    if isinstance(data.targets, Tensor):
        found["actual"] = _renumbered(data.targets[at].numpy(), data, class_names)
    return found


def _labels(values: Tensor, data: Sequences, at: Tensor, contract: Contract, class_names: Sequence[str]) -> Columns:
    probabilities = values if contract.output == "probabilities" else values.sigmoid()
    found = {"predicted": (probabilities >= 0.5).numpy(), "probabilities": probabilities.numpy()}
    if isinstance(data.targets, Tensor):
        _require_same_labels(data, class_names)
        found["actual"] = data.targets[at].numpy()
    return found


def _values(values: Tensor, data: Sequences, at: Tensor, contract: Contract, class_names: Sequence[str]) -> Columns:
    _require_width(values, 1, contract)
    assert not class_names, "values have no classes"
    found = {"predicted": values[:, 0].numpy()}
    return found | ({"actual": data.targets[at].numpy()} if isinstance(data.targets, Tensor) else {})


def _forecasts(values: Tensor, data: Sequences, at: Tensor, contract: Contract, class_names: Sequence[str]) -> Columns:
    """Return one row a step and step ahead; steps beyond the end have no target, and with features known beforehand no row."""
    horizon = contract.horizon or values.shape[1]
    _require_width(values, horizon, contract)
    assert not class_names, "values have no classes"
    _, inside = steps_ahead(data.lengths, horizon, at=at)
    kept = inside if data.known else torch.ones_like(inside)
    row, place = (index.numpy() for index in kept.nonzero(as_tuple=True))
    found = {"row": at.numpy()[row], "ahead": place + 1, "predicted": values.numpy()[row, place]}
    if isinstance(data.targets, Tensor):
        items = aligned(data, "forecast", horizon, at=at)
        actual = torch.where(inside, items.targets, torch.nan).double().numpy()
        found |= {"actual": actual[row, place]}
        if data.weights is not None:
            found["weight"] = items.weights.numpy()[row, place]
    return found


def _next(values: Tensor, data: Sequences, at: Tensor, contract: Contract, class_names: Sequence[str]) -> Columns:
    """Return one row for each step that has a step after it; without targets one for every step."""
    if contract.output == "probabilities":
        logs = class_probabilities(values, "probabilities").clamp_min(torch.finfo(values.dtype).tiny).log()
    elif values.shape[1] == 1:
        logs = torch.cat([torch.nn.functional.logsigmoid(-values), torch.nn.functional.logsigmoid(values)], dim=1)
    else:
        logs = values.log_softmax(dim=1)
    found = {"predicted": logs.argmax(dim=1).numpy()}
    if not isinstance(data.targets, Tensor):
        return found
    items = aligned(data, "next", at=at)
    _, inside = steps_ahead(data.lengths, 1, at=at)
    row = inside[:, 0].nonzero()[:, 0]
    actual = torch.from_numpy(_renumbered(items.targets.numpy(), data, class_names))[row]
    found = {"row": at[row].numpy(), "predicted": found["predicted"][row.numpy()], "actual": actual.numpy()}
    found["nll"] = -logs[row, actual].numpy()
    if data.weights is not None:
        found["weight"] = items.weights[row].numpy()
    return found


def _renumbered(numbers: np.ndarray, data: Sequences, class_names: Sequence[str]) -> np.ndarray:
    """Return the targets numbered as the model numbers its classes."""
    if data.class_names is None or tuple(data.class_names) == tuple(class_names):
        return numbers
    unknown = [name for number, name in enumerate(data.class_names) if name not in class_names and bool((numbers == number).any())]
    if unknown:
        raise DataError(
            asked="predict",
            where=f"targets of {data.source}",
            arrived=f"label {unknown[0]!r}, which the model does not know",
            hint=nearest(unknown[0], class_names),
        )
    places = list(class_names)
    place_of = np.array([places.index(name) if name in places else 0 for name in data.class_names])
    return np.asarray(place_of[numbers])


def _require_same_labels(data: Sequences, class_names: Sequence[str]) -> None:
    if data.class_names is not None and tuple(data.class_names) != tuple(class_names):
        raise DataError(
            asked="predict",
            where=f"targets of {data.source}",
            arrived=f"the labels {', '.join(data.class_names[:8])}; the model's are {', '.join(class_names[:8])}",
            hint="Read the data with the columns of the training part as target, in their order.",
        )


def _require_width(values: Tensor, width: int, contract: Contract) -> None:
    if values.shape[1] != width:
        raise ShapeError(
            asked="predict",
            where="outputs",
            arrived=f"{values.shape[1]} a row, where task={contract.task!r} has {width}",
            hint="Give one output a value to be predicted, a forecast one for each step ahead.",
        )


def as_fields(columns: Columns, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the columns under the names that `Predictions` has for them: of two classes the score of the second stands for both."""
    found: dict[str, Any] = {name: column for name, column in columns.items() if name != "row"}
    if "probabilities" in found and len(class_names) == 2 and found["predicted"].ndim == 1:
        found |= {"score": found.pop("probabilities")[:, 1], "score_class": class_names[1]}
    return found


_OF_TASK: dict[KnownTask, Made] = {
    "classify": _classes,
    "tag": _classes,
    "multilabel": _labels,
    "regress": _values,
    "forecast": _forecasts,
    "next": _next,
}
