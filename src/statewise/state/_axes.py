"""Which axis of each leaf holds the rows: as the caller says, or found from two states for two batch sizes."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

from statewise.errors import ShapeError
from statewise.state._tree import aligned, children, is_container, leaves, named, rebuild
from statewise.types import State

Axes: TypeAlias = Any
"""The batch axis of all leaves, or a tree like the state with the axis of each leaf (None: shared by all rows)."""


class Leaf(NamedTuple):
    """A tensor of a state, its path, and the axis of its rows, counted from the front (None: shared by all rows)."""

    path: str
    tensor: Tensor
    axis: int | None


def find_axes(state_a: State, size_a: int, state_b: State, size_b: int) -> Axes:
    """Return a tree like the states that holds the batch axis of each leaf, or None where all rows share the leaf.

    Args:
        state_a: the state of a batch of `size_a` rows.
        size_a: its number of rows.
        state_b: the state of a batch of `size_b` rows, from the same module.
        size_b: another number of rows.

    Raises:
        ShapeError: a leaf in which two axes follow the batch, or one does in another way than one entry a row; it is named.

    Example:
        >>> import torch
        >>> find_axes((torch.zeros(3, 2), torch.ones(4)), 2, (torch.zeros(3, 5), torch.ones(4)), 5)
        (1, None)
    """
    asked = f"find the batch axes of a state from batches of {size_a} and {size_b} rows"
    if size_a == size_b:
        raise ShapeError(asked=asked, where="size_b", arrived="the same size twice", hint="Take two batch sizes, such as 2 and 5.")
    found: list[int | None] = []
    for (path, a), b in zip(leaves(state_a), aligned(state_a, state_b, asked=asked), strict=True):
        differing = [axis for axis in range(min(a.ndim, b.ndim)) if a.shape[axis] != b.shape[axis]]
        follows = len(differing) == 1 and (a.shape[differing[0]], b.shape[differing[0]]) == (size_a, size_b)
        if a.shape != b.shape and (a.ndim != b.ndim or not follows):
            raise ShapeError(
                asked=asked,
                where=named(path),
                arrived=f"shapes {tuple(a.shape)} and {tuple(b.shape)}, in which no single axis is the number of rows",
                hint="Give each leaf one axis with one entry a row, or name the axes in the module's `state_axes`.",
            )
        found.append(differing[0] if differing else None)
    return rebuild(state_a, found)


def leaves_with_axes(state: State, axes: Axes, *, asked: str) -> list[Leaf]:
    """Return each leaf with its batch axis, in the order of `leaves`.

    Raises:
        ShapeError: axes of another structure than the state, or an axis that a leaf does not have.
    """
    found: list[Leaf] = []

    def visit(path: str, node: Any, axis: Any) -> None:
        if isinstance(node, Tensor):
            if axis is not None and not (type(axis) is int and -node.ndim <= axis < node.ndim):
                raise _no_axis(path, f"a leaf of shape {tuple(node.shape)}", axis, asked)
            found.append(Leaf(path, node, None if axis is None else axis % node.ndim))
        elif node is not None:
            parts = children(node, path)
            inner = dict.fromkeys(parts, axis) if type(axis) is int else children(axis) if is_container(axis) else {}
            if inner.keys() != parts.keys():
                raise _no_axis(path, f"a {type(node).__name__} of {', '.join(parts)}", axis, asked)
            for step, part in parts.items():
                visit(path + step, part, inner[step])

    visit("", state, axes)
    return found


def count_rows(parts: list[Leaf], *, asked: str) -> int | None:
    """Return the number of rows on which all leaves agree; None where no leaf has any.

    Raises:
        ShapeError: two leaves disagree; the message names both.
    """
    counts = [(path, leaf.shape, leaf.shape[axis]) for path, leaf, axis in parts if axis is not None]
    for path, shape, count in counts:
        first_path, first_shape, first_count = counts[0]
        if count != first_count:
            raise ShapeError(
                asked=asked,
                where=named(path),
                arrived=f"{count} rows in shape {tuple(shape)}, but {first_count} in {named(first_path)} of shape {tuple(first_shape)}",
                hint="Every leaf holds the same rows: look at axes=, the batch axis of each leaf.",
            )
    return counts[0][2] if counts else None


def _no_axis(path: str, standing: str, axis: Any, asked: str) -> ShapeError:
    return ShapeError(
        asked=asked,
        where=f"axes of {named(path)}",
        arrived=f"{axis!r:.60} for {standing}",
        hint="axes is the batch axis of all leaves, or a tree like the state with an axis a leaf (None: shared by all rows).",
    )
