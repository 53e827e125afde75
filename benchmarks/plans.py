"""What does the engine's plan of a batch look like, what does it cost, and how fast is the bare kernel on its blocks?

All that a row must know of the engine from inside; `costs` alone knows it too, since it measures the engine's ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmarks.contest import DEVICE
from statewise.engine._kernels import kernel_for
from statewise.engine._moves import moves_of
from statewise.engine._plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.sequences import Module


def plan_of(module: Module, lengths: Tensor, *, gradient: bool = True) -> Plan:
    """Return the plan that the engine makes for a module and a batch."""
    values = torch.empty(0, module.input_size, device=DEVICE)
    with torch.set_grad_enabled(gradient):
        return kernel_for(module).plan(lengths.numpy(), values)


def plan_all(module: Module, lengths: Tensor) -> None:
    """Do all of a step that depends on the lengths alone: the plan, and both indices."""
    plan = plan_of(module, lengths.clone())
    assert plan.blocks
    index = plan.gather(plan.lengths.cumsum() - plan.lengths, 1)
    moves_of(index, plan.cells.run_on, lengths.device)


def described(module: Module, lengths: Tensor, *, gradient: bool) -> str:
    """Return what a reader must know of a batch and its plan."""
    plan = plan_of(module, lengths, gradient=gradient)
    steps = int(lengths.sum())
    span = f"{int(lengths.min())}-{int(lengths.max())}"
    blocks = f"{len(plan.blocks)} blocks, {plan.num_cells / steps:.2f} cells a real step"
    return f"{steps:,} steps in {len(lengths)} sequences of {span}; {blocks}"


def chained(module: Module, lengths: Tensor, *, gradient: bool) -> Callable[[], None]:
    """Return one step of the same kernel on the plan's blocks, cut beforehand: what no engine around it can beat.

    The blocks hold random numbers, since only their sizes matter here.
    """
    blocks = [
        torch.randn(block.time, block.width, module.input_size, device=DEVICE, requires_grad=gradient)
        for block in plan_of(module, lengths, gradient=gradient).blocks
    ]
    wanted = [torch.randn(*block.shape[:2], module.hidden_size, device=DEVICE) for block in blocks]
    begin = torch.zeros(1, blocks[0].shape[1], module.hidden_size, device=DEVICE)

    def step() -> None:
        for tensor in (*module.parameters(), *blocks):
            tensor.grad = None
        state: tuple[Tensor, ...] = (begin, begin) if isinstance(module, nn.LSTM) else (begin,)
        outputs = []
        with torch.set_grad_enabled(gradient):
            for block in blocks:
                state = tuple(part.narrow(1, 0, block.shape[1]) for part in state)
                out, final = module(block, state if isinstance(module, nn.LSTM) else state[0])
                state = final if isinstance(module, nn.LSTM) else (final,)
                outputs.append(out)
        if gradient:
            torch.autograd.backward(outputs, wanted)

    return step
