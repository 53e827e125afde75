"""How do values get into cell order and outputs back, with one gather each way?

Both directions of both moves are an `index_select`, the fastest move that torch has on a CPU; the backward pass that torch itself
would take adds into zeros. Run-on cells are dropped by indexing: nothing that they computed is added or multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from statewise.engine._plan import Plan
from statewise.engine._transforms import is_transformed


@dataclass(frozen=True, eq=False)
class Moves:
    """Where everything goes.

    Args:
        index: `[cells]`, which value each cell reads.
        places: `[steps]`, the one cell that is a value's own.
        run_on: `[wasted]`, cells that are nobody's own.
    """

    index: Int[Tensor, " cells"]
    places: Int[Tensor, " steps"]
    run_on: Int[Tensor, " wasted"]

    def to_cells(self, values: Shaped[Tensor, "steps *rest"]) -> Shaped[Tensor, "cells *rest"]:
        """Return what each cell reads; a run-on cell gives no gradient."""
        if not values.requires_grad or is_transformed():
            return values.index_select(0, self.index)
        moved: Tensor = _ToCells.apply(values, self.index, self.places)  # type: ignore[no-untyped-call]
        return moved

    def to_values(self, cells: Shaped[Tensor, "cells *rest"]) -> Shaped[Tensor, "steps *rest"]:
        """Return what each value's own cell holds; a run-on cell gets no gradient."""
        if not cells.requires_grad or is_transformed():
            return cells.index_select(0, self.places)
        moved: Tensor = _ToValues.apply(cells, self.places, self.index, self.run_on)  # type: ignore[no-untyped-call]
        return moved


def moves_of(index: np.ndarray, run_on: np.ndarray, device: torch.device) -> Moves:
    """Return the moves of a plan whose cells read the values `index`; each value has one cell that is not run on."""
    is_own = np.ones(len(index), dtype=bool)
    is_own[run_on] = False
    cells = np.flatnonzero(is_own)
    places = np.empty_like(cells)
    places[index[cells]] = cells
    return Moves(*on_device(device, index, places, run_on))


def on_device(device: torch.device, *numbers: Shaped[np.ndarray, " _"]) -> list[Tensor]:
    """Return arrays of one dtype as tensors on a device; a GPU is handed all of them at once and not waited for."""
    if device.type != "cuda":
        return [torch.from_numpy(part).to(device) for part in numbers]
    joined = torch.from_numpy(np.concatenate(numbers)).pin_memory().to(device, non_blocking=True)
    return list(joined.split([len(part) for part in numbers]))


def at_ends(outputs: Tensor, begin: Tensor, plan: Plan, ends: np.ndarray) -> Tensor:
    """Return h of the rows `ends` at their ends: the output of the last step, or for a row without one what it began with."""
    last = plan.last_cells
    is_empty = ends >= len(last)
    empty = np.flatnonzero(is_empty)
    cells, places, rows = on_device(outputs.device, last[np.minimum(ends, len(last) - 1)], empty, ends[empty])
    found = outputs.index_select(0, cells).to(begin.dtype)
    return found.index_copy(0, places, begin.index_select(0, rows)) if len(empty) else found


def permuted(cells: Shaped[Tensor, "cells *rest"], permutation: Int[Tensor, " cells"]) -> Shaped[Tensor, "cells *rest"]:
    """Return the cells in another order; the permutation is its own inverse."""
    if not cells.requires_grad or is_transformed():
        return cells.index_select(0, permutation)
    moved: Tensor = _ToCells.apply(cells, permutation, permutation)  # type: ignore[no-untyped-call]
    return moved


class _ToCells(torch.autograd.Function):
    """Gather; backward, each value takes the gradient of its own cell."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        return values.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0].index_select(0, ctx.saved_tensors[0]), None, None


class _ToValues(torch.autograd.Function):
    """Gather; backward, each cell takes the gradient of the value that it is the own one of, and a run-on cell zero."""

    @staticmethod
    def forward(ctx: Any, cells: Tensor, places: Tensor, index: Tensor, run_on: Tensor) -> Tensor:
        ctx.save_for_backward(index, run_on)
        return cells.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        index, run_on = ctx.saved_tensors
        moved = gradients[0].index_select(0, index)
        if len(run_on):
            moved = moved.index_fill(0, run_on, 0.0) if torch.is_grad_enabled() else moved.index_fill_(0, run_on, 0.0)
        return moved, None, None, None
