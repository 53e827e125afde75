"""Modules that take their state and give it back, and are right: in how many shapes does a state come?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract

if TYPE_CHECKING:
    from statewise.contracts import Batch

Pair = tuple[Tensor, Tensor]


class LstmStream(nn.Module):
    """Two layers; the state is torch's own pair."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Pair:
        """Return zeros of the weights' type."""
        zeros = self.head.weight.new_zeros(2, batch_size, self.lstm.hidden_size)
        return zeros, zeros.clone()

    def forward(self, x: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """Return `[batch, time, outputs]` and the state."""
        outputs, state = self.lstm(x, state)
        return self.head(outputs), state


class OptionalState(nn.Module):
    """No state given means the beginning, as in torch."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return `[time, batch, outputs]` and the state."""
        outputs, hidden = self.gru(x, hidden)
        return self.head(outputs), hidden


class DictState(nn.Module):
    """Two modules of different kinds, whose states have names."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lower = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.upper = nn.RNN(sizes.hidden, sizes.hidden // 2, batch_first=True)
        self.head = nn.Linear(sizes.hidden // 2, sizes.outputs)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Return zeros for both."""
        new = self.head.weight.new_zeros
        return {"lower": new(1, batch_size, self.lower.hidden_size), "upper": new(1, batch_size, self.upper.hidden_size)}

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `[batch, time, outputs]` and the state."""
        middle, lower = self.lower(x, state["lower"])
        outputs, upper = self.upper(middle, state["upper"])
        return self.head(outputs), {"lower": lower, "upper": upper}


@dataclass(frozen=True)
class Memory:
    """What is known after some steps, and how many they were."""

    hidden: Tensor
    steps: Tensor


class CountedSteps(nn.Module):
    """The phase of a slow wave goes in beside the inputs: the number of steps read is part of the state, an integer a row."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs + 2, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Memory:
        """Return zeros, and no steps."""
        weight = self.head.weight
        hidden = weight.new_zeros(batch_size, self.cell.hidden_size)
        return Memory(hidden, torch.zeros(batch_size, dtype=torch.int64, device=weight.device))

    def forward(self, x: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Return `[batch, time, outputs]` and the state."""
        outputs = []
        for step in x.unbind(1):
            phase = state.steps.to(x.dtype).unsqueeze(1) / 12
            hidden = self.cell(torch.cat([step, phase.sin(), phase.cos()], dim=1), state.hidden)
            state = Memory(hidden, state.steps + 1)
            outputs.append(self.head(hidden))
        return torch.stack(outputs, 1), state


class NestedCells(nn.Module):
    """LSTM cells on top of each other; the state is a tuple of pairs."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTMCell(sizes.inputs, sizes.hidden), nn.LSTMCell(sizes.hidden, sizes.hidden)])
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> tuple[Pair, ...]:
        """Return a pair of zeros a cell."""
        zeros = self.head.weight.new_zeros(batch_size, self.head.in_features)
        return tuple((zeros.clone(), zeros.clone()) for _ in self.cells)

    def forward(self, x: Tensor, state: tuple[Pair, ...]) -> tuple[Tensor, tuple[Pair, ...]]:
        """Return `[batch, time, outputs]` and the state."""
        outputs = []
        for step in x.unbind(1):
            after: list[Pair] = []
            value = step
            for cell, before in zip(self.cells, state, strict=True):
                after.append(cell(value, before))
                value = after[-1][0]
            state = tuple(after)
            outputs.append(self.head(value))
        return torch.stack(outputs, 1), state


class OwnEnds(nn.Module):
    """A padded batch with a state: each row's state is that at its own end."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def init_hidden(self, batch_size: int) -> Pair:
        """Return zeros of the weights' type."""
        zeros = self.head.weight.new_zeros(1, batch_size, self.lstm.hidden_size)
        return zeros, zeros

    def forward(self, x: Tensor, lengths: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """Return `[batch, time, outputs]` and the state."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.lstm(packed, state)
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        return self.head(padded), state


class SortedWithState(nn.Module):
    """Rows are sorted by hand, and so is the state that comes in; both come back in order."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def init_hidden(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.head.weight.new_zeros(2, batch_size, self.gru.hidden_size)

    def forward(self, x: Tensor, state: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        order = lengths.argsort(descending=True)
        back = order.argsort()
        packed = pack_padded_sequence(x[order], lengths[order].cpu(), batch_first=True)
        outputs, state = self.gru(packed, state[:, order])
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        return self.head(padded[back]), state[:, back]


class SummaryStream(nn.Module):
    """One output a call, about all that was read so far; the mask holds the state in the padding."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.head.weight.new_zeros(batch_size, self.cell.hidden_size)

    def forward(self, x: Tensor, mask: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, outputs]` and the state."""
        for step, is_real in zip(x.unbind(1), mask.unbind(1), strict=True):
            state = torch.where(is_real.unsqueeze(1), self.cell(step, state), state)
        return self.head(state), state


class CarriedContext(nn.Module):
    """A causal convolution before the GRU: the last steps that it saw are part of the state, each row's own."""

    width = 4

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, self.width)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Return zeros: silence before the beginning."""
        new = self.head.weight.new_zeros
        context = new(batch_size, self.width - 1, self.conv.in_channels)
        return {"context": context, "hidden": new(1, batch_size, self.gru.hidden_size)}

    def forward(self, x: Tensor, lengths: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `[batch, time, outputs]` and the state."""
        seen = torch.cat([state["context"], x], dim=1)
        found = torch.tanh(self.conv(seen.transpose(1, 2))).transpose(1, 2)
        packed = pack_padded_sequence(found, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, hidden = self.gru(packed, state["hidden"])
        last = lengths.to(x.device).unsqueeze(1) + torch.arange(self.width - 1, device=x.device)
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        return self.head(padded), {"context": seen.take_along_dim(last.unsqueeze(-1), 1), "hidden": hidden}


class SharedClock(nn.Module):
    """A state without rows: the position, which is the same for all since they go in step."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(sizes.inputs + 2, sizes.hidden), nn.Tanh(), nn.Linear(sizes.hidden, sizes.outputs))

    def initial_state(self, batch_size: int) -> Tensor:  # noqa: ARG002  # one clock for any number of rows
        """Return zero steps."""
        return torch.zeros((), dtype=torch.int64)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the position after the last step."""
        positions = state.to(x.device) + torch.arange(x.shape[1], device=x.device)
        angles = positions.to(x.dtype) / 8
        wave = torch.stack([angles.sin(), angles.cos()], dim=-1).expand(len(x), -1, -1)
        return self.body(torch.cat([x, wave], dim=-1)), state + x.shape[1]


class RowsFirst(nn.Module):
    """Its state is laid out `[batch, layers, hidden]`, and transposed, not viewed, for torch."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, num_layers=3, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.head.weight.new_zeros(batch_size, self.gru.num_layers, self.gru.hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        outputs, after = self.gru(x, state.transpose(0, 1).contiguous())
        return self.head(outputs), after.transpose(0, 1)


class LearnedPair(NamedTuple):
    """A state with names."""

    hidden: Tensor
    cell: Tensor


class LearnedBeginning(nn.Module):
    """The first state is learned, and handed out for any number of rows."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.start = nn.Parameter(torch.randn(2, 1, 1, sizes.hidden) / sizes.hidden**0.5)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> LearnedPair:
        """Return the learned state, once a row."""
        hidden, cell = self.start.expand(-1, -1, batch_size, -1).unbind(0)
        return LearnedPair(hidden.contiguous(), cell.contiguous())

    def forward(self, x: Tensor, state: LearnedPair) -> tuple[Tensor, LearnedPair]:
        """Return `[batch, time, outputs]` and the state."""
        outputs, after = self.lstm(x, tuple(state))
        return self.head(outputs), LearnedPair(*after)


class ThreeResults(nn.Module):
    """Takes and returns both parts of its state on their own, so that its user says how it is called."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor, h: Tensor | None = None, c: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return `[batch, time, outputs]` and both parts of the state."""
        before = x.new_zeros(len(x), self.cell.hidden_size)
        h, c = before if h is None else h, before if c is None else c
        outputs = []
        for step in range(x.shape[1]):
            after = self.cell(x[:, step], (h, c))
            h, c = (torch.where(mask[:, step, None], new, old) for new, old in zip(after, (h, c), strict=True))
            outputs.append(self.head(h))
        return torch.stack(outputs, 1), h, c


def call_three_results(module: ThreeResults, batch: Batch) -> tuple[Tensor, Pair]:
    """Return the outputs, and the state as one value."""
    assert isinstance(batch.x, Tensor)
    outputs, h, c = module(batch.x, batch.mask, *(batch.state or ()))
    return outputs, (h, c)


STREAM = partial(
    Contract,
    task="tag",
    each="step",
    takes=("x", "state"),
    batch_first=True,
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
FROM_START = partial(STREAM, initial_state="initial_state")
RAGGED = partial(STREAM, padding="right")

CORRECT: tuple[Correct, ...] = (
    Correct(name="LSTM with state", build=LstmStream, contract=FROM_START()),
    Correct(name="optional state, time first", build=OptionalState, contract=STREAM(batch_first=False)),
    Correct(name="dict state", build=DictState, contract=FROM_START()),
    Correct(name="dataclass state with an integer step counter", build=CountedSteps, contract=FROM_START()),
    Correct(name="nested tuple state", build=NestedCells, contract=FROM_START()),
    Correct(
        name="state at each row's own end", build=OwnEnds, contract=RAGGED(takes=("x", "lengths", "state"), initial_state="init_hidden")
    ),
    Correct(
        name="state sorted by hand", build=SortedWithState, contract=RAGGED(takes=("x", "state", "lengths"), initial_state="init_hidden")
    ),
    Correct(
        name="one output a call, state held by the mask",
        build=SummaryStream,
        contract=RAGGED(task="classify", each="sequence", takes=("x", "mask", "state"), mask="valid", initial_state="initial_state"),
    ),
    Correct(
        name="causal convolution with its context carried",
        build=CarriedContext,
        contract=RAGGED(takes=("x", "lengths", "state"), initial_state="initial_state"),
    ),
    Correct(name="one clock for all rows", build=SharedClock, contract=FROM_START(order_matters=False)),
    Correct(name="state with rows first", build=RowsFirst, contract=FROM_START()),
    Correct(name="learned beginning, named tuple", build=LearnedBeginning, contract=FROM_START()),
    Correct(
        name="three results, called by its user's line",
        build=ThreeResults,
        contract=RAGGED(takes=("x", "mask", "state"), mask="valid"),
        call=call_three_results,
    ),
)
