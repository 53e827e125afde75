"""What is trained where state is carried from window to window? Streams on lanes, long enough to show what grows with them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from statewise.engine import unroll
from statewise.state import detach
from statewise.types import State

LANES, WINDOW, FEATURES, SIZE = 64, 128, 4, 128


@dataclass(frozen=True, kw_only=True, eq=False)
class Streams:
    """Long streams, one a lane: inputs `[time, lanes, feature]`, and a value to be told at each step."""

    inputs: Tensor
    targets: Tensor

    @classmethod
    def of(cls, steps: int) -> Streams:
        """Return streams of so many steps each."""
        source = torch.Generator().manual_seed(0)
        inputs = torch.randn(steps, LANES, FEATURES, generator=source)
        return cls(inputs=inputs, targets=inputs[..., 0])


def train_stateful(streams: Streams, window: int = WINDOW) -> State:
    """Train one pass over the streams, window after window, and return the state at their end."""
    torch.manual_seed(0)
    core, head = nn.LSTM(FEATURES, SIZE), nn.Linear(SIZE, 1)
    optimizer = torch.optim.AdamW([*core.parameters(), *head.parameters()])
    state: State = None
    for inputs, targets in zip(streams.inputs.split(window), streams.targets.split(window), strict=True):
        outputs, state = unroll(core, inputs, state)
        loss = nn.functional.mse_loss(head(outputs)[..., 0], targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = detach(state)
    return state
