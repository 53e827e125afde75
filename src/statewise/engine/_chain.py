"""How is a plan run? Block after block: rows that have ended leave with their state, the others hand theirs on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from statewise.engine._plan import Plan
from statewise.errors import ContractError
from statewise.state import Axes, join, leaves, leaves_with_axes, named, rebuild
from statewise.types import State

_ASKED = "unroll sequences of unequal lengths"
Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""Runs one dense block `[time, width, *]` from a state of `width` rows."""


def chain(step: Step, data: Tensor, state: State, axes: Axes, plan: Plan) -> tuple[Tensor, State]:
    """Return the outputs of all cells and the state of each row at its own end.

    Args:
        step: runs one dense block.
        data: `[cells, *]`, in packed order.
        state: one row a row of the plan, longest first.
        axes: the batch axis of each leaf.
        plan: at least one block.

    Raises:
        ContractError: a leaf that all rows share changes, so that rows which end at different times cannot share it.
    """
    outputs: list[Tensor] = []
    ended: list[State] = []
    running = state
    for block, cells in zip(plan.blocks, torch.split(data, [block.time * block.width for block in plan.blocks]), strict=True):
        running, done = split_rows(running, block.width, axes)
        ended.append(done)
        out, carried = step(cells.view(block.time, block.width, *data.shape[1:]), running)
        _require_shared(running, carried, axes)
        running = carried
        outputs.append(out.flatten(0, 1))
    return torch.cat(outputs), join([running, *reversed(ended)], axes)


def split_rows(state: State, width: int, axes: Axes) -> tuple[State, State]:
    """Return the first `width` rows and the others; a leaf that all rows share goes into both."""
    first, others = [], []
    for _, leaf, axis in leaves_with_axes(state, axes, asked=_ASKED):
        if axis is None or leaf.shape[axis] == width:
            first.append(leaf)
            others.append(leaf if axis is None else leaf.narrow(axis, 0, 0))
        else:
            # cuDNN refuses a state that is not contiguous.
            first.append(leaf.narrow(axis, 0, width).contiguous())
            others.append(leaf.narrow(axis, width, leaf.shape[axis] - width))
    return rebuild(state, first), rebuild(state, others)


def _require_shared(before: State, after: State, axes: Axes) -> None:
    """Refuse a leaf that all rows share and that a block has changed."""
    for (path, old, axis), (_, new) in zip(leaves_with_axes(before, axes, asked=_ASKED), leaves(after), strict=True):
        if axis is None and new is not old and not torch.equal(new, old):
            raise ContractError(
                asked=_ASKED,
                where=named(path),
                arrived="all rows share it, but the module changes it from step to step",
                hint="Give the leaf a batch axis, so that each row holds its own.",
            )
