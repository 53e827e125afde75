"""How are some rows of a state taken, replaced, or begun anew, without touching the others?

`axes` says where the rows of each leaf are: one axis for all leaves, or a tree like the state with an axis a leaf, where
None marks a leaf that all rows share. The default, axis 1, is the layout of `nn.RNN`, `nn.LSTM` and `nn.GRU`
(`[layers, batch, hidden]`); it is never guessed from sizes. Nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - read at run time where shapes are checked

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from statewise.errors import ShapeError
from statewise.state._axes import Axes, Leaf, count_rows, leaves_with_axes
from statewise.state._tree import aligned, map_tensors, named, rebuild
from statewise.types import State


def select(state: State, rows: Int[Tensor, " k"] | Sequence[int], axes: Axes = 1) -> State:
    """Return the state of the given rows, in the order asked; a row may be asked for twice.

    Args:
        state: any tree of tensors.
        rows: numbers of the rows, `[k]`; none is allowed.
        axes: where the rows are, as told at the top of this module. A leaf shared by all rows is returned as it is.

    Raises:
        ShapeError: a row that is not there, rows that are not whole numbers, or axes that do not fit the state.

    Example:
        >>> h = torch.tensor([[[0.0], [1.0], [2.0]]])
        >>> select((h, None), [2, 0])[0].tolist()
        [[[2.0], [0.0]]]
    """
    asked = "select(state, rows)"
    parts = leaves_with_axes(state, axes, asked=asked)
    index = _as_index(rows, count_rows(parts, asked=asked), asked)
    return rebuild(state, [leaf if axis is None else leaf.index_select(axis, index.to(leaf.device)) for _, leaf, axis in parts])


def scatter(state: State, rows: Int[Tensor, " k"] | Sequence[int], new: State, axes: Axes = 1) -> State:
    """Return a state in which the given rows are those of `new`; the other rows, and shared leaves, stay as they are.

    Args:
        state: any tree of tensors, `n` rows.
        rows: numbers of the rows to replace, `[k]`, each once.
        new: the same tree with `k` rows; the first goes to `rows[0]`.
        axes: where the rows are, as told at the top of this module.

    Raises:
        ShapeError: trees or sizes that do not fit, a row that is not there or is named twice.

    Example:
        >>> scatter(torch.zeros(1, 3, 1), [1], torch.ones(1, 1, 1)).tolist()
        [[[0.0], [1.0], [0.0]]]
    """
    asked = "scatter(state, rows, new)"
    parts = leaves_with_axes(state, axes, asked=asked)
    index = _as_index(rows, count_rows(parts, asked=asked), asked)
    if len(set(index.tolist())) != len(index):
        raise ShapeError(asked=asked, where="rows", arrived=f"{index.tolist()!s:.60}", hint="Name each row once: its value must be clear.")
    replaced = []
    for part, value in zip(parts, aligned(state, new, asked=asked), strict=True):
        _, leaf, axis = part
        if axis is None:
            replaced.append(leaf)
            continue
        _require_rows(part, value, (len(index),), asked)
        replaced.append(leaf.index_copy(axis, index.to(leaf.device), value.to(leaf.dtype)))
    return rebuild(state, replaced)


def join(parts: Sequence[State], axes: Axes = 1) -> State:
    """Return the rows of all parts, one part after another, in the dtypes of the first.

    Args:
        parts: states of one structure, at least one, each of any number of rows.
        axes: where the rows are, as told at the top of this module. A leaf shared by all rows is that of the first part.

    Raises:
        ShapeError: trees that do not fit each other, or axes that do not fit them.

    Example:
        >>> join([torch.zeros(1, 1, 1), torch.ones(1, 2, 1)]).tolist()
        [[[0.0], [1.0], [1.0]]]
    """
    asked = "join(parts)"
    if len(parts) == 1:
        return parts[0]
    columns = zip(*[aligned(parts[0], part, asked=asked) for part in parts], strict=True)
    joined = []
    for (_, first, axis), column in zip(leaves_with_axes(parts[0], axes, asked=asked), columns, strict=True):
        joined.append(first if axis is None else torch.cat([leaf.to(first.dtype) for leaf in column], axis))
    return rebuild(parts[0], joined)


def reset(state: State, is_first: Bool[Tensor, " batch"], initial: State, axes: Axes = 1) -> State:
    """Return a state in which each row whose flag is set is that of `initial`, and the others are untouched.

    Rows are selected, never multiplied: NaN or infinity in a row that is reset does not survive, and the gradient that
    reaches the old state of that row is zero.

    Args:
        state: any tree of tensors.
        is_first: `[batch]`, true where a sequence begins.
        initial: the same tree with as many rows, or with one row that stands for all.
        axes: where the rows are, as told at the top of this module. A leaf shared by all rows stays as it is.

    Raises:
        ShapeError: trees or sizes that do not fit, or flags that are not one boolean a row.

    Example:
        >>> old = torch.full((1, 2, 1), float("nan"))
        >>> reset(old, torch.tensor([True, False]), torch.zeros(1, 1, 1)).tolist()
        [[[0.0], [nan]]]
    """
    asked = "reset(state, is_first, initial)"
    parts = leaves_with_axes(state, axes, asked=asked)
    count = count_rows(parts, asked=asked)
    if is_first.dtype != torch.bool or is_first.ndim != 1 or count not in (None, len(is_first)):
        raise ShapeError(
            asked=asked,
            where="is_first",
            arrived=f"a {is_first.dtype} tensor of shape {tuple(is_first.shape)} for a state of {count} rows",
            hint="Give one boolean a row, true where a sequence begins.",
        )
    chosen = []
    for part, fresh in zip(parts, aligned(state, initial, asked=asked), strict=True):
        _, leaf, axis = part
        if axis is None:
            chosen.append(leaf)
            continue
        _require_rows(part, fresh, (len(is_first), 1), asked)
        flags = is_first.to(leaf.device).view([-1 if place == axis else 1 for place in range(leaf.ndim)])
        chosen.append(torch.where(flags, fresh.to(leaf.dtype), leaf))
    return rebuild(state, chosen)


def detach(state: State) -> State:
    """Return the same state cut from its graph: the values are carried on, the gradient is not.

    Example:
        >>> detach((torch.ones(1, 1, 2, requires_grad=True), None))[0].requires_grad
        False
    """
    return map_tensors(Tensor.detach, state)


def num_rows(state: State, axes: Axes = 1) -> int | None:
    """Return the number of rows, or None for a state in which no leaf has any.

    Raises:
        ShapeError: two leaves disagree; the message names the leaf.

    Example:
        >>> num_rows((torch.zeros(1, 7, 3), torch.zeros(2, 7, 4)))
        7
    """
    asked = "num_rows(state)"
    return count_rows(leaves_with_axes(state, axes, asked=asked), asked=asked)


def _as_index(rows: Tensor | Sequence[int], count: int | None, asked: str) -> Tensor:
    """Return row numbers as an int64 tensor; numbers on an accelerator are not read back to be checked."""
    index = torch.as_tensor(rows)
    if index.ndim == 1 and (index.dtype in (torch.int64, torch.int32) or not len(index)):
        in_range = count is None or index.device.type != "cpu" or all(0 <= row < count for row in index.tolist())
        if in_range:
            return index.to(torch.int64)
    raise ShapeError(
        asked=asked,
        where="rows",
        arrived=f"{index.tolist()!s:.60} for a state of {count} rows",
        hint="Give whole numbers counted from 0; for a mask of rows use mask.nonzero().flatten().",
    )


def _require_rows(part: Leaf, other: Tensor, counts: tuple[int, ...], asked: str) -> None:
    """Refuse another leaf that differs in more than the number of its rows, which must be one of `counts`."""
    path, leaf, axis = part
    assert axis is not None
    wanted = [(*leaf.shape[:axis], count, *leaf.shape[axis + 1 :]) for count in counts]
    if tuple(other.shape) not in wanted:
        raise ShapeError(
            asked=asked,
            where=named(path),
            arrived=f"shape {tuple(other.shape)} for a leaf of shape {tuple(leaf.shape)} with its rows on axis {axis}",
            hint=f"Give {' or '.join(str(shape) for shape in wanted)}.",
        )
