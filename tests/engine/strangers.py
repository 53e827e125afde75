"""Recurrent modules as a stranger would write them: with a dict, a dataclass, a buffer of past inputs, and two cells as state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

State = Any


class Decaying(nn.Module):
    """A linear recurrence (an exponential moving average of each channel, rates learnt), its whole window at once; a dict is its state."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        self.into = nn.Linear(features, channels)
        self.rate = nn.Parameter(torch.linspace(-2.0, 2.0, channels))
        self.out = nn.Linear(channels, channels)

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> State:
        return {"average": torch.zeros(batch_size, len(self.rate), device=device, dtype=dtype)}

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        keep = torch.sigmoid(self.rate)
        entering = (1 - keep) * self.into(inputs)
        time = len(inputs)
        lags = torch.arange(time).view(-1, 1) - torch.arange(time)  # what entered at s has decayed t - s times at t
        weights = torch.where(lags.unsqueeze(-1) >= 0, keep ** lags.clamp(min=0).unsqueeze(-1), 0.0)
        averages = torch.einsum("tsc,sbc->tbc", weights, entering)
        begun = keep ** torch.arange(1, time + 1).view(-1, 1, 1) * state["average"]
        averages = averages + begun
        return self.out(averages), {"average": averages[-1]}


@dataclass
class Memory:
    """A state of two tensors; the rows are on another axis in each."""

    hidden: Tensor
    seen: Tensor | None
    count: Tensor


class Counting(nn.Module):
    """Batch first: an Elman step that also reads how many steps there were, 0.1 each; a dataclass is its state."""

    batch_first = True

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.step = nn.Linear(features + units + 1, units)
        self.first = nn.Parameter(torch.full((units,), 0.3))

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> Memory:
        count = torch.zeros(1, batch_size, device=device, dtype=dtype)
        return Memory(hidden=self.first.to(dtype).expand(batch_size, -1), seen=None, count=count)

    def forward(self, inputs: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        hidden, count, outputs = state.hidden, state.count, []
        for step in inputs.unbind(1):
            count = count + 0.1
            hidden = torch.tanh(self.step(torch.cat([step, hidden, count.t()], dim=1)))
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), Memory(hidden=hidden, seen=None, count=count)


class Causal(nn.Module):
    """A causal convolution over time; the last inputs, which the next window still needs, are its state: `[batch, feature, past]`."""

    def __init__(self, features: int, channels: int, width: int = 4) -> None:
        super().__init__()
        self.past = width - 1
        self.features = features
        self.convolution = nn.Conv1d(features, channels, width)

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.zeros(batch_size, self.features, self.past, device=device, dtype=dtype)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        whole = torch.cat([state, inputs.permute(1, 2, 0)], dim=2)
        outputs: Tensor = torch.tanh(self.convolution(whole)).permute(2, 0, 1)
        return outputs, whole[:, :, -self.past :]


class TwoCells(nn.Module):
    """A GRU cell that feeds an LSTM cell; their states, nested, are its state."""

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.lower, self.upper = nn.GRUCell(features, units), nn.LSTMCell(units, units)

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> State:
        zeros = torch.zeros(batch_size, self.lower.hidden_size, device=device, dtype=dtype)
        return [zeros, (zeros, zeros)]

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        lower, upper = state
        outputs = []
        for step in inputs:
            lower = self.lower(step, lower)
            upper = self.upper(lower, upper)
            outputs.append(upper[0])
        return torch.stack(outputs), [lower, upper]


STRANGERS = (Decaying, Counting, Causal, TwoCells)
