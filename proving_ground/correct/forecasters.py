"""Forecasters that are right: what does each add to what it has just seen?"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract


class Persistence(nn.Module):
    """Says that the first feature stays as it is, and learns how far it does not."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.head.weight.new_zeros(1, batch_size, self.gru.hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        outputs, state = self.gru(x, state)
        return x[..., :1] + self.head(outputs), state


class MovingAverage(nn.Module):
    """An exponential moving average, corrected for its beginning at zero; nothing in it is learned."""

    def __init__(self, sizes: Sizes, keep: float = 0.8) -> None:
        super().__init__()
        self.horizon, self.keep = sizes.outputs, keep

    def forward(self, x: Tensor, state: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `[batch, time, outputs]` and the state: the average as it is, and the number of steps in it."""
        if state is None:
            state = {"average": x.new_zeros(len(x)), "steps": torch.zeros(len(x), dtype=torch.int64, device=x.device)}
        average, steps = state["average"], state["steps"]
        levels = []
        for value in x.mean(-1).unbind(1):
            average = self.keep * average + (1 - self.keep) * value
            steps = steps + 1
            levels.append(average / (1 - self.keep ** steps.to(x.dtype)))
        outputs = torch.stack(levels, 1).unsqueeze(-1).expand(-1, -1, self.horizon)
        return outputs, {"average": average, "steps": steps}


class Trend(nn.Module):
    """Level and trend, smoothed at learned rates; the first value is the first level."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.mix = nn.Linear(sizes.inputs, 1)
        self.rates = nn.Parameter(torch.tensor([0.0, -1.0]))
        self.horizon = sizes.outputs

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return level, trend, and whether there is a level yet."""
        zeros = self.mix.weight.new_zeros(batch_size, 1)
        return zeros, zeros.clone(), torch.zeros(batch_size, 1, dtype=torch.bool, device=zeros.device)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Return `[batch, time, outputs]` and the state."""
        level, trend, has_begun = state
        alpha, beta = self.rates.sigmoid()
        ahead = torch.arange(1, self.horizon + 1, device=x.device)
        outputs = []
        for value in self.mix(x).unbind(1):
            smoothed = torch.where(has_begun, alpha * value + (1 - alpha) * (level + trend), value)
            trend = torch.where(has_begun, beta * (smoothed - level) + (1 - beta) * trend, trend)
            level, has_begun = smoothed, torch.ones_like(has_begun)
            outputs.append(level + trend * ahead)
        return torch.stack(outputs, 1), (level, trend, has_begun)


class Differences(nn.Module):
    """Reads changes instead of values: the last value seen is part of the state, since the next call needs it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Return zeros: what comes before the first value is nothing."""
        new = self.head.weight.new_zeros
        hidden = new(1, batch_size, self.lstm.hidden_size)
        return {"hidden": hidden, "cell": hidden.clone(), "last": new(batch_size, 1, self.lstm.input_size)}

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `[batch, time, outputs]` and the state."""
        changes = torch.diff(x, dim=1, prepend=state["last"])
        outputs, (hidden, cell) = self.lstm(changes, (state["hidden"], state["cell"]))
        return x[..., -1:] + self.head(outputs), {"hidden": hidden, "cell": cell, "last": x[:, -1:]}


class EncoderDecoder(nn.Module):
    """Reads a row to its own end, and then feeds each forecast back as the next input."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encoder = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.decoder = nn.GRUCell(1, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, 1)
        self.horizon = sizes.outputs

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        _, hidden = self.encoder(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        memory = hidden[-1]
        value = x[torch.arange(len(x)), lengths - 1, :1]
        values = []
        for _ in range(self.horizon):
            memory = self.decoder(value, memory)
            value = value + self.head(memory)
            values.append(value)
        return torch.cat(values, 1)


class OwnScale(nn.Module):
    """Takes mean and spread of each row's real steps out before reading, and puts them back into the forecast."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        padding = ~mask.unsqueeze(-1)
        counts = mask.sum(1).view(-1, 1, 1)
        mean = x.masked_fill(padding, 0.0).sum(1, keepdim=True) / counts
        centred = (x - mean).masked_fill(padding, 0.0)
        spread = (centred.square().sum(1, keepdim=True) / counts + 1e-3).sqrt()
        outputs, _ = self.gru(centred / spread)
        last = outputs.take_along_dim(counts - 1, 1).squeeze(1)
        forecast: Tensor = self.head(last) * spread[:, 0, :1] + mean[:, 0, :1]
        return forecast


class Quantiles(nn.Module):
    """Quantiles that cannot cross: each is the one before and something positive."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden)
        self.lowest = nn.Linear(sizes.hidden, 1)
        self.gaps = nn.Linear(sizes.hidden, sizes.outputs - 1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return `[time, batch, outputs]` and the state."""
        outputs, after = self.lstm(x, state)
        steps = torch.cat([self.lowest(outputs), nn.functional.softplus(self.gaps(outputs))], dim=-1)
        return steps.cumsum(-1), after


FORECASTER = partial(
    Contract,
    task="forecast",
    each="step",
    takes=("x", "state"),
    batch_first=True,
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="values",
)
OF_ROWS = partial(
    Contract,
    task="regress",
    each="sequence",
    batch_first=True,
    padding="right",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="values",
)

CORRECT: tuple[Correct, ...] = (
    Correct(name="persistence and a GRU", build=Persistence, contract=FORECASTER(initial_state="initial_state")),
    Correct(name="moving average without parameters", build=MovingAverage, contract=FORECASTER()),
    Correct(name="level and trend", build=Trend, contract=FORECASTER(initial_state="initial_state")),
    Correct(name="LSTM on differences", build=Differences, contract=FORECASTER(initial_state="initial_state")),
    Correct(name="encoder and decoder", build=EncoderDecoder, contract=OF_ROWS(takes=("x", "lengths"))),
    Correct(name="each row in its own scale", build=OwnScale, contract=OF_ROWS(takes=("x", "mask"), mask="valid")),
    Correct(name="quantiles that cannot cross", build=Quantiles, contract=FORECASTER(task="regress", batch_first=False)),
)
