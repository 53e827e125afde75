"""What does the engine's plan of a batch look like, what does it cost, and how fast is the bare kernel on its blocks?

The only file here that knows the engine from inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from statewise.engine._plan import Plan, inverse_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.sequences import Module


def blocks_of(lengths: Tensor) -> list[tuple[int, int]]:
    """Return the time and the width of each dense block."""
    return [(block.time, block.width) for block in Plan(lengths).blocks]


def plan_all(lengths: Tensor) -> None:
    """Do all of a step that depends on the lengths alone: the plan, and both indices."""
    plan = Plan(lengths.clone())
    assert plan.blocks
    inverse_of(plan.gather(lengths.cumsum(0) - lengths, 1))


def described(lengths: Tensor) -> str:
    """Return what a reader must know of a batch and its plan."""
    blocks = blocks_of(lengths)
    steps, cells = int(lengths.sum()), sum(time * width for time, width in blocks)
    span = f"{int(lengths.min())}-{int(lengths.max())}"
    return f"{steps:,} steps in {len(lengths)} sequences of {span}; {len(blocks)} blocks, {cells / steps:.2f} cells a real step"


def chained(module: Module, lengths: Tensor, *, gradient: bool) -> Callable[[], None]:
    """Return one step of the same kernel on the plan's blocks, cut beforehand: what no engine around it can beat.

    The blocks hold random numbers, since only their sizes matter here.
    """
    blocks = [torch.randn(time, width, module.input_size, requires_grad=gradient) for time, width in blocks_of(lengths)]
    wanted = [torch.randn(*block.shape[:2], module.hidden_size) for block in blocks]
    begin = torch.zeros(1, blocks[0].shape[1], module.hidden_size)

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
