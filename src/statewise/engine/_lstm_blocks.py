"""How is an LSTM run on oneDNN's fast kernel, which knows dense blocks only and hands out c only at a block's end?

The kernel is the one that `nn.LSTM` uses itself. A long chain of blocks is one autograd function: the graph has one node and not one
a block, the weights' gradients are added up in it, and what the backward pass needs is freed at once, so that the allocator keeps the
memory for the next batch. Of a short chain torch's own graph is faster. c at an end inside a block is computed anew (`_c_at_ends`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from statewise.engine._again import gradients_with_graph
from statewise.engine._c_at_ends import Known, c_at_ends
from statewise.engine._moves import at_ends
from statewise.engine._plan import Block, Plan
from statewise.engine._scans import Weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_LSTM = 2
"""The number of the LSTM among oneDNN's modes, as torch counts them."""
_SHORT = 2
"""The most blocks of a chain that is faster in torch's own graph."""


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
    # In bfloat16 also a short chain is ours: c is float32 beside it, and to differentiate the backward pass of oneDNN again torch would
    # multiply the one by the other, which it refuses ("mat1 and mat2 must have the same dtype").
    if train and (len(plan.blocks) > _SHORT or dtype != torch.float32):
        outputs, carried = _Blocks.apply(data, h, c, *weights, plan.blocks, dtype)  # type: ignore[no-untyped-call]
    else:
        outputs, carried, _ = _run_each(data, h, c, weights, plan.blocks, dtype, train=train)
    if ends is None:
        return outputs, None
    final_c = c_at_ends(Known(data, outputs, h, c.float(), carried), weights, plan, ends)
    return outputs, (at_ends(outputs, h, plan, ends), final_c.to(c.dtype))


def _run_each(  # noqa: PLR0917  # as autograd passes them
    data: Tensor, h: Tensor, c: Tensor, weights: Sequence[Tensor], blocks: tuple[Block, ...], dtype: torch.dtype, *, train: bool
) -> tuple[Tensor, Tensor, list[Any]]:
    """Return the outputs of all cells, c at the end of each block, block below block, and what each block's backward pass needs."""
    cells = data.to(dtype).contiguous()  # oneDNN reads what it is given as if it were
    w_ih, w_hh, b_ih, b_hh = (weight.to(dtype).contiguous() for weight in weights)
    h, c = h.to(dtype).contiguous(), c.float().contiguous()
    outputs, carried, workspaces = [], [], []
    for dense, block in zip(_dense(cells, blocks), blocks, strict=True):
        out, h, c, workspace = torch.mkldnn_rnn_layer(
            dense, w_ih, w_hh, b_ih, b_hh, h[: block.width], c[: block.width],
            False, [], _LSTM, h.shape[1], 1, True, False, False, train,  # noqa: FBT003  # reverse, ..., has_biases, bidirectional, batch_first
        )  # fmt: skip
        outputs.append(out.flatten(0, 1))
        carried.append(c)
        workspaces.append(workspace)
    return _joined(outputs), _joined(carried), workspaces


class _Blocks(torch.autograd.Function):
    """A long chain; its outputs are those of all cells, and c at the end of each block."""

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
        blocks: tuple[Block, ...],
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        given = (data, h, c, w_ih, w_hh, b_ih, b_hh)
        with torch.enable_grad():  # torch keeps what the backward pass needs only where gradients are enabled
            x, h_begin, c_begin, *weights = (tensor.detach() for tensor in given)
            flat, ends, workspaces = _run_each(x, h_begin, c_begin, weights, blocks, dtype, train=True)
        ctx.blocks, ctx.dtype = blocks, dtype
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*given, flat, ends, *workspaces)
        return flat, ends

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        data, h, c, *weights, flat, ends = ctx.saved_tensors[:9]
        given = (data, h, c, *weights)
        if torch.is_grad_enabled():
            found = gradients_with_graph(lambda *inputs: _in_torch(*inputs, ctx.blocks, ctx.dtype), given, gradients)
            return (*found, None, None)
        d_flat, d_ends = (
            torch.zeros_like(of) if gradient is None else gradient.contiguous()
            for of, gradient in zip((flat, ends), gradients, strict=True)
        )
        known = Known(data.to(ctx.dtype).contiguous(), flat, h.to(ctx.dtype).contiguous(), c.float().contiguous(), ends)
        cast = [weight.to(ctx.dtype).contiguous() for weight in weights]
        summed = _back_through(ctx.blocks, known, cast, (d_flat, d_ends), ctx.saved_tensors[9:])
        return (*(gradient.to(tensor.dtype) for gradient, tensor in zip(summed, given, strict=True)), None, None)


def _back_through(
    blocks: tuple[Block, ...], known: Known, weights: list[Tensor], gradients: tuple[Tensor, Tensor], workspaces: Sequence[Tensor]
) -> list[Tensor]:
    """Return the gradients to data, h and c at the beginning, and weights, from those to the outputs and to c at each block's end."""
    widths = [block.width for block in blocks]
    cells = (_dense(part, blocks) for part in (known.data, known.outputs, gradients[0]))
    ended = (part.split(widths) for part in (known.carried, gradients[1]))
    parts = list(zip(*cells, *ended, _begun(known, blocks), workspaces, strict=True))
    d_h, d_c = known.outputs[:0], known.carried[:0]
    d_data: list[Tensor] = []
    d_weights: list[Tensor] = []
    for dense, out, d_out, c_end, d_c_end, begun, workspace in reversed(parts):
        width = len(c_end)
        towards = d_out, _widened(d_h, width), _widened(d_c, width) + d_c_end
        d_dense, *of_weights, d_h, d_c = _backward(dense, weights, begun, (out, c_end), towards, workspace)
        d_data.append(d_dense.flatten(0, 1))
        if d_weights:
            torch._foreach_add_(d_weights, of_weights)
        else:
            d_weights = of_weights
    return [torch.cat(d_data[::-1]), _widened(d_h, len(known.h)), _widened(d_c, len(known.c)), *d_weights]


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


def _joined(parts: list[Tensor]) -> Tensor:
    """Return the parts one below the other; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _dense(cells: Tensor, blocks: tuple[Block, ...]) -> list[Tensor]:
    """Return the cells of each block as `[time, width, *]`."""
    parts = cells.split([block.time * block.width for block in blocks])
    return [part.view(block.time, block.width, -1) for part, block in zip(parts, blocks, strict=True)]


def _begun(known: Known, blocks: tuple[Block, ...]) -> list[tuple[Tensor, Tensor]]:
    """Return h and c at the beginning of each block."""
    ended = zip(_dense(known.outputs, blocks), known.carried.split([block.width for block in blocks]), strict=True)
    before = [(known.h, known.c), *((out[-1], c_end) for out, c_end in ended)]
    return [(h_end[: block.width], c_end[: block.width]) for (h_end, c_end), block in zip(before, blocks, strict=False)]


def _widened(gradient: Tensor, width: int) -> Tensor:
    """Return the gradient of more rows; of those that went no further it is zero."""
    return gradient if len(gradient) == width else functional.pad(gradient, (0, 0, 0, width - len(gradient)))


def _in_torch(data: Tensor, h: Tensor, c: Tensor, *rest: Any) -> list[Tensor]:
    """Return the same by torch's own function, a call a block."""
    *weights, blocks, dtype = rest
    weights = [weight.to(dtype) for weight in weights]
    h, c = h.to(dtype).unsqueeze(0), c.to(dtype).unsqueeze(0)
    outputs, carried = [], []
    for dense, block in zip(_dense(data.to(dtype), blocks), blocks, strict=True):
        begin = h[:, : block.width].contiguous(), c[:, : block.width].contiguous()
        out, h, c = torch.lstm(dense, begin, weights, True, 1, 0.0, False, False, False)  # noqa: FBT003
        outputs.append(out.flatten(0, 1))
        carried.append(c[0].float())
    return [torch.cat(outputs), torch.cat(carried)]
