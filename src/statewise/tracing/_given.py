"""In which forms may a sequence come, and which single sequence does a trace then look at?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from statewise.errors import DataError, OptionError, ShapeError, kind_of
from statewise.sequences import Ragged, Sequences


@dataclass(frozen=True, kw_only=True)
class Given:
    """One sequence, ready to be run.

    Attributes:
        data: the sequence as `Sequences` of one, or None where a whole batch was given as a tensor.
        dense: the batch `[a, b, feature]` as it was given, or None.
        notes: what was changed or chosen.
    """

    data: Sequences | None = None
    dense: Tensor | None = None
    notes: tuple[str, ...] = ()


def as_given(sequence: Any, module: nn.Module, row: int) -> Given:
    """Return the sequence in one form.

    Args:
        sequence: `[time, feature]`, `[time]` numbers or token numbers, `[a, b, feature]`, lists and arrays of these, a `Ragged`,
            a dict of them, or `Sequences`.
        module: decides whether whole numbers are tokens (it has an embedding), and the precision.
        row: which sequence of several.

    Raises:
        DataError: it holds no numbers, or no step.
        ShapeError: it has no axis of time, or more than three axes.
        OptionError: there is no such row.
    """
    if isinstance(sequence, Sequences):
        given = _one_of(sequence, row)
    elif isinstance(sequence, Ragged):
        given = _one_of(Sequences(inputs=sequence), row)
    elif isinstance(sequence, Mapping):
        given = _one_of(Sequences(inputs={name: _as_ragged(name, part, module) for name, part in sequence.items()}), row)
    else:
        given = _from_tensor(as_tensor(sequence), module)
    if given.data is None:
        return given
    if not given.data.num_steps:
        raise DataError(
            asked="trace", where="the sequence", arrived="it has no step", hint="Give at least one step: there is nothing to follow."
        )
    return replace(given, data=_cast(given.data, module))


def as_tensor(values: Any) -> Tensor:
    """Return a list, an array or a tensor as a tensor.

    Raises:
        DataError: it holds something other than numbers, or rows of unequal length.
    """
    if isinstance(values, Tensor):
        return values.detach()
    try:
        found = torch.as_tensor(np.asarray(values))
    except (TypeError, ValueError, RuntimeError) as problem:
        raise DataError(
            asked="trace",
            where="the sequence",
            arrived=f"{kind_of(values)} that is no table of numbers",
            hint="Give one row of numbers a step: a tensor [time, feature], or a list of equally long lists.",
        ) from problem
    return found


def _as_ragged(name: str, part: Any, module: nn.Module) -> Ragged:
    if isinstance(part, Ragged):
        return part
    given = _from_tensor(as_tensor(part), module)
    if given.data is None:
        raise ShapeError(
            asked="trace",
            where=f"input {name!r}",
            arrived=f"a tensor of shape {tuple(as_tensor(part).shape)}",
            hint="With several inputs give each as [time, feature], of one sequence.",
        )
    return given.data.parts["x"]


def _one_of(data: Sequences, row: int) -> Given:
    if not -len(data) <= row < len(data):
        raise OptionError(
            asked="trace",
            where="row",
            arrived=f"{row}, but there are {len(data)} sequences",
            hint=f"Give a row from 0 to {len(data) - 1}." if len(data) else "Give a sequence.",
        )
    chosen = data.select([row % len(data)])
    if len(data) == 1:
        return Given(data=chosen)
    key = (chosen.keys or ("",))[0]
    return Given(data=chosen, notes=(f"Shown: sequence {row % len(data) + 1} of {len(data)} (key {key}). Another one with row=.",))


def _from_tensor(values: Tensor, module: nn.Module) -> Given:
    tokens = reads_tokens(module) and not values.is_floating_point()
    if values.ndim == 1:
        return _single(values if tokens else values.unsqueeze(1))
    if values.ndim == 2 and not tokens:
        return _single(values)
    if (values.ndim == 3) or (values.ndim == 2 and tokens):
        return Given(dense=values if tokens else values.to(dtype_of(module)))
    raise ShapeError(
        asked="trace",
        where="the sequence",
        arrived=f"a tensor of shape {tuple(values.shape)}",
        hint="Give one sequence as [time, feature], token numbers as [time], or a batch with three axes.",
    )


def _single(values: Tensor) -> Given:
    return Given(data=Sequences(inputs=Ragged(values, torch.tensor([len(values)])), source="the sequence given to trace"))


def _cast(data: Sequences, module: nn.Module) -> Sequences:
    """Bring every numeric input to the precision of the module; token numbers stay whole."""
    dtype, tokens = dtype_of(module), reads_tokens(module)

    def cast(name: str, part: Ragged) -> Ragged:
        keep = not part.values.is_floating_point() and (tokens or name in data.categories)
        return part if keep else part.with_values(part.values.to(dtype))

    parts = {name: cast(name, part) for name, part in data.parts.items()}
    static = None if data.static is None else data.static.to(dtype)
    return replace(data, inputs=parts["x"] if isinstance(data.inputs, Ragged) else parts, static=static)


def reads_tokens(module: nn.Module) -> bool:
    """Return whether a part of the module looks rows up by number, so that whole numbers are tokens and not measurements."""
    return any(isinstance(part, (nn.Embedding, nn.EmbeddingBag)) for part in module.modules())


def dtype_of(module: nn.Module) -> torch.dtype:
    """Return the precision of the module's first floating parameter or buffer; torch's default for one without any."""
    found = (each.dtype for each in [*module.parameters(), *module.buffers()] if each.is_floating_point())
    return next(found, torch.get_default_dtype())
