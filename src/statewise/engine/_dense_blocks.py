"""How is one layer run over dense blocks by a function that knows no ends, such as cuDNN's?

Rows that end inside a block run on (`_plan`). h at an end is the output there, and c of an LSTM is computed anew (`_c_at_ends`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from statewise.engine._c_at_ends import Known, c_at_ends
from statewise.engine._moves import at_ends, on_device

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from statewise.engine._layer import Leaves
    from statewise.engine._plan import Plan
    from statewise.engine._scans import Weights


def run_dense(  # noqa: PLR0917  # one call, whose arguments are told apart by their types
    call: Callable[[Tensor, Leaves], tuple[Tensor, Leaves]],
    data: Tensor,
    state: Leaves,
    weights: Weights,
    plan: Plan,
    ends: np.ndarray | None,
) -> tuple[Tensor, Leaves | None]:
    """Return the outputs of all cells, and the state of the rows `ends`, each at its own end.

    Args:
        call: runs the layer over one block `[time, width, *]` from the state of its rows.
        data: `[cells, features]`, in cell order.
        state: h, or h and c, one row a row of the plan, longest first.
        weights: of the layer, for c.
        plan: at least one block.
        ends: places in the plan's order; None asks for no state.
    """
    outputs: list[Tensor] = []
    carried: list[Leaves] = []
    running = state
    for block, cells in zip(plan.blocks, data.split([block.time * block.width for block in plan.blocks]), strict=True):
        begin = tuple(leaf[: block.width].contiguous() for leaf in running)  # cuDNN refuses a state that is not
        out, running = call(cells.view(block.time, block.width, -1), begin)
        outputs.append(out.flatten(0, 1))
        carried.append(running)
    flat = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
    if ends is None:
        return flat, None
    if plan.is_whole:
        (rows,) = on_device(flat.device, ends)
        return flat, tuple(leaf.index_select(0, rows) for leaf in running)
    final: Leaves = (at_ends(flat, state[0], plan, ends),)
    if len(state) == 2:
        known = Known(data, flat, *state, torch.cat([c for _, c in carried]))
        final += (c_at_ends(known, weights, plan, ends),)
    return flat, final
