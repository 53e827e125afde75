"""How are a GRU and a plain RNN run step by step, as fast as a loop in Python can be?

Data is in packed order, so each step is one slice, no cell is wasted, and nothing is computed that is not read. All that does not
depend on the step before stands outside the loop: the inputs' share of the gates, the factors of the backward pass, and the
gradients of the weights, which are one matrix product each and not one a step. What is left are a few operations in place.
torch's own loop makes a graph node of every operation of every step, which takes 1.2 to 6 times as long in training.

The equations are those of `nn.GRU` and `nn.RNN`: https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from statewise.engine._again import gradients_with_graph
from statewise.engine._plan import Plan


class Weights(NamedTuple):
    """The weights of a layer, as in `nn.GRU` and its kin: the gates one below the other."""

    w_ih: Float[Tensor, "gates features"]
    w_hh: Float[Tensor, "gates units"]
    b_ih: Float[Tensor, " gates"]
    b_hh: Float[Tensor, " gates"]


def scan_gru(
    data: Float[Tensor, "cells features"], begin: Float[Tensor, "rows units"], weights: Weights, plan: Plan
) -> Float[Tensor, "cells units"]:
    """Return the outputs of a GRU layer, in packed order.

    Args:
        data: in packed order.
        begin: h of each row, longest row first.
        weights: of the reset, the update and the new gate.
        plan: without wasted cells.
    """
    outputs: Tensor = _GRU.apply(data, begin, *weights, plan.widths.tolist())  # type: ignore[no-untyped-call]
    return outputs


def scan_rnn(
    data: Float[Tensor, "cells features"], begin: Float[Tensor, "rows units"], weights: Weights, plan: Plan, *, relu: bool
) -> Float[Tensor, "cells units"]:
    """Return the outputs of a layer of a plain RNN, in packed order; arguments as in `scan_gru`."""
    outputs: Tensor = _RNN.apply(data, begin, *weights, plan.widths.tolist(), relu)  # type: ignore[no-untyped-call]
    return outputs


class _GRU(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  # autograd passes by position
        ctx: Any, data: Tensor, begin: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, widths: list[int]
    ) -> Tensor:
        units = w_hh.shape[1]
        two = 2 * units
        gates = torch.addmm(b_ih[:two] + b_hh[:two], data, w_ih[:two].t())  # reset and update
        new = torch.addmm(b_ih[two:], data, w_ih[two:].t())
        recalled, outputs = torch.empty_like(new), torch.empty_like(new)  # recalled: what the new gate reads of h, before reset
        to_gates, to_new, b_new = w_hh[:two].t(), w_hh[two:].t(), b_hh[two:]
        h = begin
        steps = (part.split(widths) for part in (gates, gates[:, :units], gates[:, units:], new, recalled, outputs))
        for both, reset, update, fresh, seen, out in zip(*steps, strict=True):
            h = h[: len(out)]
            both.addmm_(h, to_gates).sigmoid_()
            torch.addmm(b_new, h, to_new, out=seen)
            fresh.addcmul_(reset, seen).tanh_()
            h = torch.lerp(fresh, h, update, out=out)
        ctx.widths = widths
        ctx.save_for_backward(data, begin, w_ih, w_hh, b_ih, b_hh, gates, new, recalled, outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        data, begin, w_ih, w_hh, b_ih, b_hh, gates, new, recalled, outputs = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = (data, begin, w_ih, w_hh, b_ih, b_hh)
            return (*gradients_with_graph(lambda *given: [_in_torch(torch.gru, *given, ctx.widths)], inputs, gradients), None)
        units = w_hh.shape[1]
        before = _before(outputs, begin, ctx.widths)
        reset, update = gates[:, :units], gates[:, units:]
        of_new = (1 - update) * (1 - new * new)
        # What each gate's sum gets per unit of gradient of h: reset, update, and the new gate's share that was recalled from h.
        factors = torch.stack([of_new * recalled * reset * (1 - reset), (before - new) * update * (1 - update), of_new * reset], dim=1)
        towards = gradients[0].clone(memory_format=torch.contiguous_format)
        sums = torch.empty_like(factors)
        flat, d_begin = sums.flatten(1), torch.zeros_like(begin)
        steps = [part.split(ctx.widths) for part in (towards, factors, update, sums, flat)]
        earlier = [d_begin, *steps[0][:-1]]
        for d_h, factor, kept, d_sum, d_flat, d_before in zip(*map(reversed, (*steps, earlier)), strict=True):
            torch.mul(d_h.unsqueeze(1), factor, out=d_sum)
            d_before[: len(d_h)].addcmul_(d_h, kept).addmm_(d_flat, w_hh)
        d_gates = torch.cat([flat[:, : 2 * units], towards * of_new], dim=1)
        return (
            d_gates @ w_ih if ctx.needs_input_grad[0] else None,
            d_begin,
            d_gates.t() @ data,
            flat.t() @ before,
            d_gates.sum(0),
            flat.sum(0),
            None,
        )


class _RNN(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  # autograd passes by position
        ctx: Any,
        data: Tensor,
        begin: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        widths: list[int],
        relu: bool,  # noqa: FBT001
    ) -> Tensor:
        outputs = torch.addmm(b_ih + b_hh, data, w_ih.t())
        back, h = w_hh.t(), begin
        for out in outputs.split(widths):
            out.addmm_(h[: len(out)], back)
            h = out.relu_() if relu else out.tanh_()
        ctx.widths, ctx.relu = widths, relu
        ctx.save_for_backward(data, begin, w_ih, w_hh, b_ih, b_hh, outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        data, begin, w_ih, w_hh, b_ih, b_hh, outputs = ctx.saved_tensors
        if torch.is_grad_enabled():
            function = torch.rnn_relu if ctx.relu else torch.rnn_tanh
            inputs = (data, begin, w_ih, w_hh, b_ih, b_hh)
            return (*gradients_with_graph(lambda *given: [_in_torch(function, *given, ctx.widths)], inputs, gradients), None, None)
        slopes = (outputs > 0).to(outputs.dtype) if ctx.relu else 1 - outputs * outputs
        sums, d_begin = gradients[0].clone(memory_format=torch.contiguous_format), torch.zeros_like(begin)
        steps = [part.split(ctx.widths) for part in (sums, slopes)]
        for d_sum, slope, d_before in zip(*map(reversed, (*steps, [d_begin, *steps[0][:-1]])), strict=True):
            d_sum.mul_(slope)
            d_before[: len(d_sum)].addmm_(d_sum, w_hh)
        d_bias = sums.sum(0)
        d_data = sums @ w_ih if ctx.needs_input_grad[0] else None
        return d_data, d_begin, sums.t() @ data, sums.t() @ _before(outputs, begin, ctx.widths), d_bias, d_bias, None, None


def _before(outputs: Tensor, begin: Tensor, widths: list[int]) -> Tensor:
    """Return h before each cell: that of the step before, at the first step the one it began with."""
    parts = outputs.split(widths)
    return torch.cat([begin[: widths[0]], *(part[:width] for part, width in zip(parts, widths[1:], strict=False))])


def _in_torch(function: Any, data: Tensor, begin: Tensor, *weights_and_widths: Any) -> Tensor:
    """Return the same outputs by torch's own function, a call for each stretch of equal width."""
    *weights, widths = weights_and_widths
    edges = [0, *(place for place, (wide, narrow) in enumerate(pairwise(widths), 1) if wide != narrow), len(widths)]
    h, outputs, cell = begin.unsqueeze(0), [], 0
    for first, last in pairwise(edges):
        time, width = last - first, widths[first]
        dense = data[cell : cell + time * width].view(time, width, -1)
        out, h = function(dense, h[:, :width].contiguous(), weights, True, 1, 0.0, False, False, False)  # noqa: FBT003
        outputs.append(out.flatten(0, 1))
        cell += time * width
    return torch.cat(outputs)
