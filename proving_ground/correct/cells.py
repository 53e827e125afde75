"""Cells and linear recurrences of one's own that are right: what is carried from step to step, and how is it kept in bounds?"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract

Pair = tuple[Tensor, Tensor]


class MinGru(nn.Module):
    """A GRU whose gate and candidate do not look at the state."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gate = nn.Linear(sizes.inputs, sizes.hidden)
        self.candidate = nn.Linear(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.head.weight.new_zeros(batch_size, self.head.in_features)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        gates, candidates = self.gate(x).sigmoid(), self.candidate(x)
        states = []
        for step in range(x.shape[1]):
            state = torch.lerp(state, candidates[:, step], gates[:, step])
            states.append(state)
        return self.head(torch.stack(states, 1)), state


class GatedScan(nn.Module):
    """A gated linear recurrence, all steps at once: spans of doubling length are joined."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.keep = nn.Linear(sizes.inputs, sizes.hidden)
        self.value = nn.Linear(sizes.inputs, sizes.hidden)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.head.weight.new_zeros(batch_size, self.head.in_features)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        keep = self.keep(x).sigmoid()
        total = (1 - keep) * self.value(x)
        span = 1
        while span < x.shape[1]:
            total = torch.cat([total[:, :span], total[:, span:] + keep[:, span:] * total[:, :-span]], dim=1)
            keep = torch.cat([keep[:, :span], keep[:, span:] * keep[:, :-span]], dim=1)
            span *= 2
        states = total + keep * state.unsqueeze(1)
        return self.head(self.norm(states)), states[:, -1]


class DiagonalStates(nn.Module):
    """A diagonal state space with complex states, four a feature, run as a recurrence."""

    poles = 4

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Linear(sizes.inputs, sizes.hidden)
        self.log_step = nn.Parameter(torch.empty(sizes.hidden, 1).uniform_(-5.0, -1.0))
        self.log_decay = nn.Parameter(torch.full((sizes.hidden, self.poles), 0.5).log())
        self.frequency = nn.Parameter(torch.pi * torch.arange(self.poles).repeat(sizes.hidden, 1).to(torch.get_default_dtype()))
        self.mix = nn.Parameter(torch.randn(sizes.hidden, self.poles, 2))
        self.skip = nn.Parameter(torch.randn(sizes.hidden))
        self.head = nn.Sequential(nn.GELU(), nn.Linear(sizes.hidden, sizes.outputs))

    def initial_state(self, batch_size: int) -> Tensor:
        """Return complex zeros."""
        return torch.view_as_complex(self.mix).new_zeros(batch_size, *self.mix.shape[:2])

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        poles = torch.complex(-self.log_decay.exp(), self.frequency)
        keep = (poles * self.log_step.exp()).exp()
        mix = torch.view_as_complex(self.mix) * (keep - 1) / poles
        values = self.embed(x)
        outputs = []
        for value in values.unbind(1):
            state = keep * state + value.unsqueeze(-1)
            outputs.append(2 * (mix * state).sum(-1).real)
        return self.head(torch.stack(outputs, 1) + self.skip * values), state


class Stabilised(NamedTuple):
    """Cell and normaliser, both divided by the exponential of a running maximum, and the output."""

    cell: Tensor
    normaliser: Tensor
    maximum: Tensor
    hidden: Tensor


class ExponentialGates(nn.Module):
    """An LSTM with exponential gates, which a running maximum keeps finite; it begins at minus infinity."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.inputs = nn.Linear(sizes.inputs, 4 * sizes.hidden)
        self.recurrent = nn.Linear(sizes.hidden, 4 * sizes.hidden, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Stabilised:
        """Return zeros, and a maximum of nothing."""
        zeros = self.head.weight.new_zeros(batch_size, self.head.in_features)
        return Stabilised(zeros, zeros.clone(), torch.full_like(zeros, float("-inf")), zeros.clone())

    def forward(self, x: Tensor, state: Stabilised) -> tuple[Tensor, Stabilised]:
        """Return `[batch, time, outputs]` and the state."""
        outputs = []
        for step in self.inputs(x).unbind(1):
            value, log_in, log_keep, out = (step + self.recurrent(state.hidden)).chunk(4, dim=-1)
            log_keep = functional.logsigmoid(log_keep) + state.maximum
            maximum = torch.maximum(log_keep, log_in)
            keep, write = (log_keep - maximum).exp(), (log_in - maximum).exp()
            cell = keep * state.cell + write * value.tanh()
            normaliser = keep * state.normaliser + write
            state = Stabilised(cell, normaliser, maximum, out.sigmoid() * cell / normaliser)
            outputs.append(self.head(state.hidden))
        return torch.stack(outputs, 1), state


class Echo(nn.Module):
    """A fixed random reservoir of spectral radius 0.9; only the readout is trained."""

    inward: Tensor
    around: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        around = torch.randn(sizes.hidden, sizes.hidden)
        self.register_buffer("inward", torch.rand(sizes.hidden, sizes.inputs) - 0.5)
        self.register_buffer("around", 0.9 * around / torch.linalg.eigvals(around).abs().max())
        self.head = nn.Linear(sizes.hidden + sizes.inputs, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return a reservoir at rest."""
        return self.around.new_zeros(batch_size, len(self.around))

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        states = []
        for step in x.unbind(1):
            state = 0.7 * state + 0.3 * torch.tanh(step @ self.inward.T + state @ self.around.T)
            states.append(state)
        return self.head(torch.cat([torch.stack(states, 1), x], dim=-1)), state


class ConvolvedLstm(nn.Module):
    """An LSTM whose gates are convolutions along the features: its states are images of one row."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.channels, self.width = sizes.hidden // 4, sizes.inputs
        self.gates = nn.Conv1d(1 + self.channels, 4 * self.channels, 3, padding=1)
        self.head = nn.Linear(self.channels * self.width, sizes.outputs)

    def initial_state(self, batch_size: int) -> Pair:
        """Return zeros of the weights' type."""
        zeros = self.head.weight.new_zeros(batch_size, self.channels, self.width)
        return zeros, zeros.clone()

    def forward(self, x: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """Return `[batch, time, outputs]` and the state."""
        hidden, cell = state
        outputs = []
        for step in x.unsqueeze(2).unbind(1):
            write, keep, out, value = self.gates(torch.cat([step, hidden], dim=1)).chunk(4, dim=1)
            cell = keep.sigmoid() * cell + write.sigmoid() * value.tanh()
            hidden = out.sigmoid() * cell.tanh()
            outputs.append(self.head(hidden.flatten(1)))
        return torch.stack(outputs, 1), (hidden, cell)


class NormalisedLstm(nn.Module):
    """An LSTM cell with layer normalisation at the gates and the cell; both of its states wait in the padding."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.inputs = nn.Linear(sizes.inputs, 4 * sizes.hidden)
        self.recurrent = nn.Linear(sizes.hidden, 4 * sizes.hidden, bias=False)
        self.gates = nn.LayerNorm(4 * sizes.hidden)
        self.inside = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> list[Tensor]:
        """Return zeros of the weights' type."""
        return [self.head.weight.new_zeros(batch_size, self.head.in_features) for _ in range(2)]

    def forward(self, x: Tensor, mask: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return `[batch, time, outputs]` and the state."""
        hidden, cell = state
        outputs = []
        for step in range(x.shape[1]):
            write, keep, out, value = self.gates(self.inputs(x[:, step]) + self.recurrent(hidden)).chunk(4, dim=-1)
            new_cell = (keep + 1).sigmoid() * cell + write.sigmoid() * value.tanh()
            new_hidden = out.sigmoid() * self.inside(new_cell).tanh()
            real = mask[:, step, None]
            hidden, cell = torch.where(real, new_hidden, hidden), torch.where(real, new_cell, cell)
            outputs.append(self.head(hidden))
        return torch.stack(outputs, 1), [hidden, cell]


class FastWeights(nn.Module):
    """Linear attention as a recurrence: a matrix of keys and values a row, and what to divide by."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.keys = sizes.hidden // 2
        self.project = nn.Linear(sizes.inputs, 2 * self.keys + sizes.hidden)
        self.decay = nn.Parameter(torch.tensor(2.0))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Return zeros of the weights' type."""
        new = self.head.weight.new_zeros
        return {"memory": new(batch_size, self.keys, self.head.in_features), "weight": new(batch_size, self.keys)}

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `[batch, time, outputs]` and the state."""
        memory, weight = state["memory"], state["weight"]
        keep = self.decay.sigmoid()
        outputs = []
        for step in self.project(x).unbind(1):
            query, key, value = step.split([self.keys, self.keys, self.head.in_features], dim=-1)
            query, key = functional.elu(query) + 1, functional.elu(key) + 1
            memory = keep * memory + key.unsqueeze(2) * value.unsqueeze(1)
            weight = keep * weight + key
            read = torch.einsum("bk,bkv->bv", query, memory)
            outputs.append(self.head(read / ((query * weight).sum(-1, keepdim=True) + 1e-3)))
        return torch.stack(outputs, 1), {"memory": memory, "weight": weight}


class TwoClocks(nn.Module):
    """Half of the units move at every step and half at every third, by a count that is part of the state, an integer a row."""

    period = 3

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        half = sizes.hidden // 2
        self.fast = nn.GRUCell(sizes.inputs + half, half)
        self.slow = nn.GRUCell(sizes.inputs + half, half)
        self.head = nn.Linear(2 * half, sizes.outputs)

    def initial_state(self, batch_size: int) -> tuple[Pair, Tensor]:
        """Return zeros, and no steps."""
        weight = self.head.weight
        zeros = weight.new_zeros(batch_size, self.fast.hidden_size)
        return (zeros, zeros.clone()), torch.zeros(batch_size, dtype=torch.int64, device=weight.device)

    def forward(self, x: Tensor, state: tuple[Pair, Tensor]) -> tuple[Tensor, tuple[Pair, Tensor]]:
        """Return `[batch, time, outputs]` and the state."""
        (fast, slow), count = state
        outputs = []
        for step in x.unbind(1):
            moved = self.slow(torch.cat([step, fast], dim=1), slow)
            slow = torch.where((count % self.period == 0).unsqueeze(1), moved, slow)
            fast = self.fast(torch.cat([step, slow], dim=1), fast)
            count = count + 1
            outputs.append(self.head(torch.cat([fast, slow], dim=1)))
        return torch.stack(outputs, 1), ((fast, slow), count)


class WeightNormed(nn.Module):
    """A GRU cell whose recurrent weights are a direction and a length; the last real state is kept as the loop goes."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = parametrizations.weight_norm(nn.GRUCell(sizes.inputs, sizes.hidden), "weight_hh")
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        hidden = x.new_zeros(len(x), self.head.in_features)
        last = hidden
        for step in range(x.shape[1]):
            hidden = self.cell(x[:, step], hidden)
            last = torch.where((lengths.to(x.device) == step + 1).unsqueeze(1), hidden, last)
        logits: Tensor = self.head(last)
        return logits


class SpectralNormed(nn.Module):
    """A residual recurrence whose recurrent matrix stretches nothing; the matrix is taken once a call."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.inward = nn.Linear(sizes.inputs, sizes.hidden)
        self.around = parametrizations.spectral_norm(nn.Linear(sizes.hidden, sizes.hidden, bias=False))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.head.weight.new_zeros(batch_size, self.head.in_features)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[time, batch, outputs]` and the state."""
        around = self.around.weight
        assert isinstance(around, Tensor)
        states = []
        for step in self.inward(x):
            state = 0.5 * state + 0.5 * torch.tanh(step + functional.linear(state, around))
            states.append(state)
        return self.head(torch.stack(states)), state


class Zoneout(nn.Module):
    """In training each unit keeps its old value now and then; in eval mode it moves by the mean of that."""

    rate = 0.1

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        hidden = x.new_zeros(len(x), self.cell.hidden_size) if state is None else state
        outputs = []
        for step in x.unbind(1):
            moved = self.cell(step, hidden)
            kept = torch.rand_like(hidden) < self.rate if self.training else self.rate
            hidden = torch.where(kept, hidden, moved) if isinstance(kept, Tensor) else kept * hidden + (1 - kept) * moved
            outputs.append(self.head(hidden))
        return torch.stack(outputs, 1), hidden


class ProjectedCell(nn.Module):
    """An LSTM with a narrow recurrent projection and peepholes: the two parts of its state differ in width."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        narrow = sizes.hidden // 2
        self.gates = nn.Linear(sizes.inputs + narrow, 4 * sizes.hidden)
        self.peep = nn.Parameter(torch.randn(3, sizes.hidden) / sizes.hidden**0.5)
        self.project = nn.Linear(sizes.hidden, narrow, bias=False)
        self.head = nn.Linear(narrow, sizes.outputs)

    def initial_state(self, batch_size: int) -> Pair:
        """Return zeros of the weights' type."""
        new = self.head.weight.new_zeros
        return new(batch_size, self.project.out_features), new(batch_size, self.project.in_features)

    def forward(self, x: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """Return `[batch, time, outputs]` and the state."""
        hidden, cell = state
        outputs = []
        for step in x.unbind(1):
            write, keep, out, value = self.gates(torch.cat([step, hidden], dim=1)).chunk(4, dim=1)
            kept = (keep + self.peep[0] * cell).sigmoid() * cell
            cell = kept + (write + self.peep[1] * cell).sigmoid() * value.tanh()
            hidden = self.project((out + self.peep[2] * cell).sigmoid() * cell.tanh())
            outputs.append(self.head(hidden))
        return torch.stack(outputs, 1), (hidden, cell)


CELL = partial(
    Contract,
    task="tag",
    each="step",
    takes=("x", "state"),
    batch_first=True,
    initial_state="initial_state",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)

CORRECT: tuple[Correct, ...] = (
    Correct(name="minimal GRU", build=MinGru, contract=CELL()),
    Correct(name="gated linear recurrence by a scan", build=GatedScan, contract=CELL()),
    Correct(name="diagonal state space, complex state", build=DiagonalStates, contract=CELL()),
    Correct(name="exponential gates with a running maximum", build=ExponentialGates, contract=CELL()),
    Correct(name="echo state network", build=Echo, contract=CELL()),
    Correct(name="convolutional LSTM", build=ConvolvedLstm, contract=CELL()),
    Correct(
        name="LSTM cell with layer normalisation, list state",
        build=NormalisedLstm,
        contract=CELL(takes=("x", "mask", "state"), mask="valid", padding="right"),
    ),
    Correct(name="fast weights", build=FastWeights, contract=CELL()),
    Correct(name="two clocks and an integer count", build=TwoClocks, contract=CELL()),
    Correct(
        name="GRU cell with weight normalisation",
        build=WeightNormed,
        contract=Contract(
            task="classify",
            each="sequence",
            takes=("x", "lengths"),
            batch_first=True,
            padding="right",
            returns_state=False,
            causal=True,
            stateful=False,
            order_matters=True,
            output="logits",
        ),
    ),
    Correct(name="spectral normalisation, time first", build=SpectralNormed, contract=CELL(batch_first=False)),
    Correct(name="zoneout", build=Zoneout, contract=CELL(initial_state=None)),
    Correct(name="projected LSTM cell with peepholes", build=ProjectedCell, contract=CELL()),
)
