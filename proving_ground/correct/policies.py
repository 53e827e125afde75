"""Recurrent policies that are right: what happens where an episode begins in the middle of a window?"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract

Pair = tuple[Tensor, Tensor]


class LstmPolicy(nn.Module):
    """A loop over an LSTM cell; rows that begin select the initial state."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.Tanh())
        self.cell = nn.LSTMCell(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Pair:
        """Return zeros of the weights' type."""
        zeros = self.head.weight.new_zeros(batch_size, self.cell.hidden_size)
        return zeros, zeros.clone()

    def forward(self, x: Tensor, state: Pair, is_first: Tensor) -> tuple[Tensor, Pair]:
        """Return `[batch, time, outputs]` and the state."""
        begin = self.initial_state(len(x))
        outputs = []
        for step, first in zip(self.encoder(x).unbind(1), is_first.unbind(1), strict=True):
            hidden, cell = (torch.where(first.unsqueeze(1), new, old) for new, old in zip(begin, state, strict=True))
            state = self.cell(step, (hidden, cell))
            outputs.append(self.head(state[0]))
        return torch.stack(outputs, 1), state


class GruPolicy(nn.Module):
    """Time first, as a rollout is; an episode begins from a learned state."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.start = nn.Parameter(torch.zeros(sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the learned state, once a row."""
        return self.start.expand(batch_size, -1)

    def forward(self, x: Tensor, is_first: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[time, batch, outputs]` and the state."""
        outputs = []
        for step, first in zip(x, is_first, strict=True):
            state = self.cell(step, torch.where(first.unsqueeze(-1), self.start, state))
            outputs.append(state)
        return self.head(torch.stack(outputs)), state


class SegmentPolicy(nn.Module):
    """Reads at once what lies between two steps at which any row begins; only the rows that begin are reset there."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.head.weight.new_zeros(2, batch_size, self.gru.hidden_size)

    def forward(self, x: Tensor, state: Tensor, is_first: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[time, batch, outputs]` and the state."""
        begins = is_first.any(1).nonzero().flatten().tolist()
        edges = sorted({0, *begins, len(x)})
        outputs = []
        for begin, end in pairwise(edges):
            state = state.masked_fill(is_first[begin].view(1, -1, 1), 0.0)
            segment, state = self.gru(x[begin:end], state)
            outputs.append(segment)
        return self.head(torch.cat(outputs)), state


class StackedFrames(nn.Module):
    """Reads the last three frames of its episode, and how old the episode is; frames of an earlier one are left out."""

    frames = 3

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(self.frames * sizes.inputs + 1, sizes.hidden), nn.Tanh())
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.inputs = sizes.inputs

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Return blank frames and no age."""
        weight = self.head.weight
        blank = weight.new_zeros(batch_size, self.frames - 1, self.inputs)
        return {"age": torch.zeros(batch_size, dtype=torch.int64, device=weight.device), "frames": blank}

    def forward(self, x: Tensor, state: dict[str, Tensor], is_first: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `[batch, time, outputs]` and the state."""
        age, frames = state["age"], state["frames"]
        outputs = []
        for frame, first in zip(x.unbind(1), is_first.unbind(1), strict=True):
            age = torch.where(first, 0, age) + 1
            seen = torch.cat([frames.masked_fill(first.view(-1, 1, 1), 0.0), frame.unsqueeze(1)], dim=1)
            outputs.append(self.body(torch.cat([seen.flatten(1), 1 / age.to(x.dtype).unsqueeze(1)], dim=1)))
            frames = seen[:, 1:]
        return self.head(torch.stack(outputs, 1)), {"age": age, "frames": frames}


class DecayPolicy(nn.Module):
    """Leaky sums of features at several speeds; at a beginning the sum starts again from nothing."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encoder = nn.Linear(sizes.inputs, sizes.hidden)
        self.speed = nn.Parameter(torch.linspace(-1.0, 3.0, sizes.hidden))
        self.head = nn.Sequential(nn.Tanh(), nn.Linear(sizes.hidden, sizes.outputs))

    def forward(self, x: Tensor, state: Tensor | None = None, is_first: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        keep = self.speed.sigmoid()
        values = self.encoder(x)
        total = torch.zeros_like(values[:, 0]) if state is None else state
        totals = []
        for step in range(x.shape[1]):
            if is_first is not None:
                total = torch.where(is_first[:, step, None], torch.zeros_like(total), total)
            total = keep * total + (1 - keep) * values[:, step]
            totals.append(total)
        return self.head(torch.stack(totals, 1)), total


class PaddedPolicy(nn.Module):
    """Takes lengths too: rows that have ended keep their state while the others go on."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.policy = nn.Sequential(nn.LayerNorm(sizes.hidden), nn.Linear(sizes.hidden, sizes.outputs), nn.Softmax(dim=-1))

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.cell.weight_hh.new_zeros(batch_size, self.cell.hidden_size)

    def forward(self, x: Tensor, lengths: Tensor, state: Tensor, is_first: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        lengths = lengths.to(x.device)
        outputs = []
        for step in range(x.shape[1]):
            before = state.masked_fill(is_first[:, step, None], 0.0)
            state = torch.where((step < lengths).unsqueeze(1), self.cell(x[:, step], before), state)
            outputs.append(state)
        return self.policy(torch.stack(outputs, 1)), state


POLICY = partial(
    Contract,
    task="tag",
    each="step",
    takes=("x", "state", "is_first"),
    batch_first=True,
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
FROM_START = partial(POLICY, initial_state="initial_state")

CORRECT: tuple[Correct, ...] = (
    Correct(name="LSTM cell policy", build=LstmPolicy, contract=FROM_START()),
    Correct(
        name="GRU policy with a learned beginning",
        build=GruPolicy,
        contract=FROM_START(takes=("x", "is_first", "state"), batch_first=False),
    ),
    Correct(name="GRU policy in segments", build=SegmentPolicy, contract=FROM_START(batch_first=False)),
    Correct(name="stacked frames and the age of an episode", build=StackedFrames, contract=FROM_START()),
    Correct(name="leaky sums with a reset", build=DecayPolicy, contract=POLICY()),
    Correct(
        name="policy on padded episodes",
        build=PaddedPolicy,
        contract=FROM_START(takes=("x", "lengths", "state", "is_first"), padding="right", output="probabilities"),
    ),
)
