"""How is an LSTM run on oneDNN's fast kernel, which knows dense blocks only and hands out c only at a block's end?

The chain of blocks is one autograd function: the graph has one node and not one a block, and the weights' gradients are added up
in it. The kernel is the one that `nn.LSTM` uses itself. Its threads have little to share where a block is narrow, so rows go to teams
that run side by side, a thread each. c at an end inside a block is computed anew from the outputs: all gates of
the row's steps in that block in one product, then c = sum over t of i_t g_t times the product of the forget gates after t.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from statewise.engine._again import gradients_with_graph
from statewise.engine._moves import at_ends
from statewise.engine._plan import Block, Plan
from statewise.engine._scans import Weights
from statewise.engine._side_by_side import side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterable

_LSTM = 2
"""The number of the LSTM among oneDNN's modes, as torch counts them."""


def run_blocks(
    data: Tensor, state: tuple[Tensor, Tensor], weights: Weights, plan: Plan, *, ends: np.ndarray | None, dtype: torch.dtype
) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
    """Return the outputs `[cells, units]` in `dtype`, and h and c of the rows `ends` in the dtypes of the state.

    Args:
        data: `[cells, features]`, in cell order.
        state: h and c, `[rows, units]`, longest row first.
        weights: as in `nn.LSTM`.
        plan: whose blocks are run.
        ends: places in the plan's order; None asks for no state.
        dtype: of the matrix products: float32, or bfloat16. c is float32 in either.
    """
    h, c = state
    train = torch.is_grad_enabled() and any(part.requires_grad for part in (data, h, c, *weights))
    outputs, carried = _Blocks.apply(data, h, c, *weights, plan, dtype, train)  # type: ignore[no-untyped-call]
    if ends is None:
        return outputs, None
    final_c = _c_at_ends(_Known(data, outputs, h, c.float(), carried), weights, plan, ends)
    return outputs, (at_ends(outputs, h, plan, ends), final_c.to(c.dtype))


class _Blocks(torch.autograd.Function):
    """Outputs of all cells, and c at the end of each block, block below block."""

    @staticmethod
    def forward(  # noqa: PLR0917  # autograd passes by position
        ctx: Any,
        data: Tensor,
        h: Tensor,
        c: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        plan: Plan,
        dtype: torch.dtype,
        train: bool,  # noqa: FBT001
    ) -> tuple[Tensor, Tensor]:
        weights = [weight.to(dtype) for weight in (w_ih, w_hh, b_ih, b_hh)]
        teams = _teams(plan, data.to(dtype), h.to(dtype), c.float())
        ran = side_by_side([partial(_chain_forward, team, weights, train=train) for team in teams])
        outputs, carried = torch.cat([out for each in ran for out in each.outputs]), torch.cat([c for each in ran for c in each.carried])
        if train:
            ctx.plan, ctx.dtype = plan, dtype
            ctx.set_materialize_grads(False)
            workspaces = [workspace for each in ran for workspace in each.workspaces]
            ctx.save_for_backward(data, h, c, w_ih, w_hh, b_ih, b_hh, outputs, carried, *workspaces)
        return outputs, carried

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        data, h, c, *weights, outputs, carried = ctx.saved_tensors[:9]
        given = (data, h, c, *weights)
        if torch.is_grad_enabled():
            return (*gradients_with_graph(lambda *inputs: _in_torch(*inputs, ctx.plan, ctx.dtype), given, gradients), None, None, None)
        d_outputs, d_carried = gradients
        d_outputs = torch.zeros_like(outputs) if d_outputs is None else d_outputs.contiguous()
        d_carried = torch.zeros_like(carried) if d_carried is None else d_carried
        cast = [weight.to(ctx.dtype) for weight in weights]
        teams = _teams(ctx.plan, data.to(ctx.dtype), h.to(ctx.dtype), c.float())
        workspaces = iter(ctx.saved_tensors[9:])
        sizes, heights = ctx.plan.num_team_cells, [sum(block.width for block in team.blocks) for team in teams]
        parts = (outputs.split(sizes), carried.split(heights), d_outputs.split(sizes), d_carried.split(heights))
        work = [
            partial(_chain_backward, team, cast, *of_team, workspaces=[next(workspaces) for _ in team.blocks])
            for team, *of_team in zip(teams, *parts, strict=True)
        ]
        ran = side_by_side(work)
        for other in ran[1:]:
            torch._foreach_add_(ran[0].weights, other.weights)
        summed = (
            torch.cat([d for each in ran for d in each.data]),
            _dealt_back(each.h for each in ran),
            _dealt_back(each.c for each in ran),
        )
        return (*(d.to(tensor.dtype) for d, tensor in zip((*summed, *ran[0].weights), given, strict=True)), None, None, None)


class _Team(NamedTuple):
    """What one team reads: its blocks, their data `[cells, features]`, and h and c of its rows."""

    blocks: tuple[Block, ...]
    data: Tensor
    h: Tensor
    c: Tensor


class _Ran(NamedTuple):
    """What a forward pass leaves, a block each."""

    outputs: list[Tensor]
    carried: list[Tensor]
    workspaces: list[Tensor | None]


class _Gradients(NamedTuple):
    """What a backward pass leaves: of the data a block each, of the weights, and of h and c at the beginning."""

    data: list[Tensor]
    weights: list[Tensor]
    h: Tensor
    c: Tensor


def _teams(plan: Plan, data: Tensor, h: Tensor, c: Tensor) -> list[_Team]:
    num = plan.num_teams
    parts = zip(plan.teams, data.split(plan.num_team_cells), strict=True)
    return [_Team(blocks, part, h[number::num].contiguous(), c[number::num].contiguous()) for number, (blocks, part) in enumerate(parts)]


def _dealt_back(parts: Iterable[Tensor]) -> Tensor:
    """Return rows that were dealt out to teams in their own order."""
    dealt = list(parts)
    if len(dealt) == 1:
        return dealt[0]
    rows = dealt[0].new_empty(sum(map(len, dealt)), dealt[0].shape[1])
    for number, part in enumerate(dealt):
        rows[number :: len(dealt)] = part
    return rows


def _chain_forward(team: _Team, weights: list[Tensor], *, train: bool) -> _Ran:
    """Run the blocks of one team."""
    ran = _Ran([], [], [])
    h, c = team.h, team.c
    for dense, block in zip(_dense(team.data, team.blocks), team.blocks, strict=True):
        out, h, c, workspace = _forward(dense, weights, h[: block.width], c[: block.width], train=train)
        ran.outputs.append(out.flatten(0, 1))
        ran.carried.append(c)
        ran.workspaces.append(workspace)
    return ran


def _chain_backward(  # noqa: PLR0917  # outputs and carried, and the gradients of both
    team: _Team,
    weights: list[Tensor],
    outputs: Tensor,
    carried: Tensor,
    d_outputs: Tensor,
    d_carried: Tensor,
    *,
    workspaces: list[Tensor],
) -> _Gradients:
    """Go back through the blocks of one team."""
    widths = [block.width for block in team.blocks]
    begun = _begun(team, outputs, carried)
    parts = list(
        zip(
            *(_dense(cells, team.blocks) for cells in (team.data, outputs, d_outputs)),
            carried.split(widths),
            d_carried.split(widths),
            workspaces,
            begun,
            strict=True,
        )
    )
    d_h, d_c = outputs.new_zeros(0, outputs.shape[1]), carried.new_zeros(0, carried.shape[1])
    d_data: list[Tensor] = []
    d_weights: list[Tensor] = []
    for dense, out, d_out, c_end, d_c_end, workspace, (h, c) in reversed(parts):
        d_h, d_c = _widened(d_h, len(h)), _widened(d_c, len(h)) + d_c_end
        d_dense, *of_weights, d_h, d_c = _backward(dense, weights, (h, c), (out, c_end), (d_out, d_h, d_c), workspace)
        d_data.append(d_dense.flatten(0, 1))
        if d_weights:
            torch._foreach_add_(d_weights, of_weights)
        else:
            d_weights = of_weights
    return _Gradients(d_data[::-1], d_weights, _widened(d_h, len(team.h)), _widened(d_c, len(team.c)))


def _forward(dense: Tensor, weights: list[Tensor], h: Tensor, c: Tensor, *, train: bool) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Run one block: outputs, h and c at its end, and what the backward pass needs."""
    units = weights[1].shape[1]
    with torch.set_grad_enabled(train):  # torch keeps what the backward pass needs only where gradients are enabled
        w_ih, w_hh, b_ih, b_hh = (weight.detach() for weight in weights)
        out, h_end, c_end, workspace = torch.mkldnn_rnn_layer(
            dense.detach(), w_ih, w_hh, b_ih, b_hh, h.detach().unsqueeze(0), c.detach().unsqueeze(0),
            False, [], _LSTM, units, 1, True, False, False, train,  # noqa: FBT003  # reverse, ..., has_biases, bidirectional, batch_first
        )  # fmt: skip
    return out, h_end[0], c_end[0], workspace


def _backward(  # noqa: PLR0917  # named as torch's own
    dense: Tensor,
    weights: list[Tensor],
    begun: tuple[Tensor, Tensor],
    ended: tuple[Tensor, Tensor],
    gradients: tuple[Tensor, Tensor, Tensor],
    workspace: Tensor,
) -> tuple[Tensor, ...]:
    """Return the gradients to a block's data, four weights, h and c."""
    units = weights[1].shape[1]
    (h, c), (out, c_end), (d_out, d_h, d_c) = begun, ended, gradients
    *found, d_h, d_c = torch.ops.aten.mkldnn_rnn_layer_backward(
        dense, *weights, h.unsqueeze(0), c.unsqueeze(0), out, out[-1:], c_end.unsqueeze(0), d_out, d_h.unsqueeze(0), d_c.unsqueeze(0),
        False, _LSTM, units, 1, True, True, False, [], False, workspace,  # noqa: FBT003
    )  # fmt: skip
    return (*found, d_h[0], d_c[0])


def _dense(cells: Tensor, blocks: tuple[Block, ...]) -> list[Tensor]:
    """Return the cells of each block as `[time, width, *]`."""
    parts = cells.split([block.time * block.width for block in blocks])
    return [part.view(block.time, block.width, -1) for part, block in zip(parts, blocks, strict=True)]


def _begun(team: _Team, outputs: Tensor, carried: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return h and c at the beginning of each block."""
    ended = zip(_dense(outputs, team.blocks), carried.split([block.width for block in team.blocks]), strict=True)
    before = [(team.h, team.c), *((out[-1], c) for out, c in ended)]
    return [(h[: block.width], c[: block.width]) for (h, c), block in zip(before, team.blocks, strict=False)]


def _widened(gradient: Tensor, width: int) -> Tensor:
    """Return the gradient of more rows; of those that went no further it is zero."""
    return gradient if len(gradient) == width else functional.pad(gradient, (0, 0, 0, width - len(gradient)))


def _in_torch(data: Tensor, h: Tensor, c: Tensor, *rest: Any) -> list[Tensor]:
    """Return the same by torch's own function, a call a block."""
    *weights, plan, dtype = rest
    weights = [weight.to(dtype) for weight in weights]
    outputs, carried = [], []
    for blocks, cells, h_team, c_team in _teams(plan, data.to(dtype), h.to(dtype), c.to(dtype)):
        h_end, c_end = h_team.unsqueeze(0), c_team.unsqueeze(0)
        for dense, block in zip(_dense(cells, blocks), blocks, strict=True):
            begin = h_end[:, : block.width].contiguous(), c_end[:, : block.width].contiguous()
            out, h_end, c_end = torch.lstm(dense, begin, weights, True, 1, 0.0, False, False, False)  # noqa: FBT003
            outputs.append(out.flatten(0, 1))
            carried.append(c_end[0].float())
    return [torch.cat(outputs), torch.cat(carried)]


class _Known(NamedTuple):
    """What is known after all blocks: data and outputs of all cells, h and c at the beginning, c at the end of each block."""

    data: Tensor
    outputs: Tensor
    h: Tensor
    c: Tensor
    carried: Tensor


def _c_at_ends(known: _Known, weights: Weights, plan: Plan, ends: np.ndarray) -> Tensor:
    """Return c of the rows `ends` at their own ends.

    A row starts from the last c known of it, at a block's end or its beginning, and runs through the gates of the steps since.
    """
    lengths = plan.sorted_lengths[ends]
    since, base = np.zeros_like(lengths), ends.copy()  # the time at which c is last known, and where in the rows below
    begin = len(known.c)
    for team, blocks in enumerate(plan.teams):
        mine = ends % plan.num_teams == team
        until, heights = np.cumsum([0, *(block.time for block in blocks)]), np.cumsum([0, *(block.width for block in blocks)])
        passed = np.searchsorted(until, lengths[mine], side="right") - 1  # blocks that the row has run through to their end
        since[mine] = until[passed]
        base[mine] = np.where(passed > 0, begin + heights[passed - 1] + ends[mine] // plan.num_teams, ends[mine])
        begin += heights[-1]
    c = torch.cat([known.c, known.carried]).index_select(0, torch.from_numpy(base))
    num_steps = lengths - since
    if not num_steps.any():
        return c
    rows = np.repeat(np.arange(len(ends)), num_steps)
    step = since[rows] + np.arange(len(rows)) - (np.cumsum(num_steps) - num_steps)[rows]
    places = ends[rows]
    h_before = known.outputs.index_select(0, torch.from_numpy(plan.cell_of(np.maximum(step - 1, 0), places)))
    is_begin = step == 0
    if is_begin.any():
        begun = known.h.index_select(0, torch.from_numpy(places)).to(h_before.dtype)
        h_before = torch.where(torch.from_numpy(is_begin)[:, None], begun, h_before)
    data = known.data.index_select(0, torch.from_numpy(plan.cell_of(step, places)))
    return _run_through(c, data, h_before, weights, torch.from_numpy(rows))


def _run_through(c: Tensor, data: Tensor, h_before: Tensor, weights: Weights, rows: Tensor) -> Tensor:
    """Return c after steps `[steps, *]` of some rows; `rows` says whose each step is, in order.

    Products of forget gates are differences of running sums of their logarithms: in float64, so that a difference is as good as a product.
    """
    units = c.shape[1]
    w_ih, w_hh, b_ih, b_hh = (weight[: 3 * units].to(h_before.dtype) for weight in weights)  # input, forget and cell gate
    sums = (functional.linear(data.to(h_before.dtype), w_ih, b_ih) + functional.linear(h_before, w_hh, b_hh)).float()
    entering = (sums[:, :units].sigmoid() * sums[:, 2 * units :].tanh()).double()
    forgotten = functional.pad(functional.logsigmoid(sums[:, units : 2 * units]).double().cumsum(0), (0, 0, 1, 0))
    end = torch.bincount(rows, minlength=len(c)).cumsum(0)
    at_end = forgotten.index_select(0, end)
    kept = (at_end.index_select(0, rows) - forgotten[1:]).exp()
    whole = (at_end - forgotten.index_select(0, functional.pad(end, (1, -1)))).exp()
    result: Tensor = c.double() * whole + torch.zeros_like(at_end).index_add(0, rows, entering * kept)
    return result.float()
