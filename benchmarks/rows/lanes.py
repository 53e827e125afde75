"""How fast is an LSTM over a window of lanes in which sequences end and begin, as in truncated backpropagation or a policy's update?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmarks.contest import DEVICE, Contest, Contestant, Peer, Row, needing, timed
from benchmarks.peers.lanes import CELLS, LaneWay, Pair, dense, ours, torchrl_ways

if TYPE_CHECKING:
    from collections.abc import Mapping

LANES, TIME, SIZE, EVERY = 64, 128, 128, 40


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """One window of lanes, and what is done with it: forward, and backward from all outputs."""

    module: nn.LSTM
    inputs: Tensor
    is_first: Tensor
    state: Pair
    gradient: Tensor

    def run(self, way: LaneWay) -> list[Tensor]:
        """Do it once; return outputs, carried state, and the gradients of inputs and weights."""
        leaves = [self.inputs, *self.module.parameters()]
        for leaf in leaves:
            leaf.grad = None
        outputs, (h, c) = way(self.module, self.inputs, self.is_first, self.state)
        outputs.backward(self.gradient)
        return [outputs, h, c, *(leaf.grad for leaf in leaves if leaf.grad is not None)]

    def variants(self, ways: Mapping[str, LaneWay]) -> tuple[Contestant, ...]:
        """Return the ways to do it."""
        return tuple(
            Contestant(name=name, figure=timed(partial(self.run, way)), answer=partial(self._answer, way)) for name, way in ways.items()
        )

    def _answer(self, way: LaneWay) -> list[Tensor]:
        return [tensor.detach().clone() for tensor in self.run(way)]


def make_window(seed: int) -> Window:
    """Return a window drawn from a seed, with a state carried into it and sequences of 40 steps on average."""
    source = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    return Window(
        module=nn.LSTM(SIZE, SIZE, device=DEVICE),
        inputs=torch.randn(TIME, LANES, SIZE, generator=source).to(DEVICE).requires_grad_(),
        is_first=(torch.rand(TIME, LANES, generator=source) < 1 / EVERY).to(DEVICE),
        state=(torch.randn(LANES, SIZE, generator=source).tanh().to(DEVICE), torch.randn(LANES, SIZE, generator=source).to(DEVICE)),
        gradient=torch.randn(TIME, LANES, SIZE, generator=source).to(DEVICE),
    )


def _contest(seed: int) -> Contest:
    window = make_window(seed)
    without = Contestant(name="dense", figure=timed(partial(window.run, dense)))
    return Contest(
        ours=window.variants({"ours": ours})[0],
        peers=(
            needing("torchrl", "torchrl", "LSTMModule of TorchRL", lambda: window.variants(torchrl_ways(window.module))),
            Peer(name="cells", says="a loop over steps that selects the state", variants=window.variants(CELLS)),
            Peer(name="dense", says="the module itself, without resets", variants=(without,), rival=False),
        ),
        notes=f"{TIME * LANES:,} steps, {int(window.is_first.sum())} resets",
    )


SAYS = f"nn.LSTM {SIZE} to {SIZE}, forward and backward; {LANES} lanes of {TIME} steps, a reset every {EVERY} on average, state carried"
ROWS = (Row(name="lanes", says=SAYS, contest=_contest),)
