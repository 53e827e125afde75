"""What may take part in a training that we have not written, and must all the same go on to the bit? A module, an optimiser, a sampler."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statewise.sequences import Sequences


class Odd(torch.optim.Optimizer):
    """Keeps what no usual optimiser keeps: numbers, text, tuples, nothing, and sums in double precision."""

    def __init__(self, parameters: Any, rate: float) -> None:
        super().__init__(parameters, {"lr": rate, "plan": ("slow", None, float("inf"))})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state |= {"sum": torch.zeros_like(parameter, dtype=torch.float64), "count": 0, "trail": [], "note": ("a", None)}
                assert state["sum"].dtype == torch.float64
                state["sum"] += parameter.grad.double() ** 2
                state["count"] += 1
                state["trail"] = [*state["trail"], float(state["sum"].sum())][-2:]
                rate = group["lr"] / (1 + sum(state["trail"]))
                parameter.sub_((rate * parameter.grad / (state["sum"].sqrt() + 1e-3)).float())


class Noisy(nn.Module):
    """Draws from the generators of torch, NumPy and, where asked, Python, and counts its calls in a buffer."""

    calls: Tensor

    def __init__(self, features: int = 2, hidden: int = 3, *, python: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rnn, self.head = nn.GRU(features, hidden, batch_first=True), nn.Linear(hidden, 2)
        self.python = python
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.training:
            self.calls.add_(1)
            x = x + 0.1 * (np.random.randn() + torch.randn(()) + (random.gauss() if self.python else 0))  # noqa: NPY002
        outputs, _ = self.rnn(x)
        return self.head(outputs[torch.arange(len(x)), lengths - 1])  # type: ignore[no-any-return]


def rounds(train: Sequences, epoch: int) -> Iterator[Tensor]:
    """Go round twice; the second order is drawn when half of the updates are done, from the generator that everything uses."""
    for _ in range(2):
        yield from torch.randperm(len(train)).split(max(1, len(train) // 3))
