"""Modules that look suspicious and are right: what may differ between two calls, and what may a state hold?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract

if TYPE_CHECKING:
    from statewise.contracts import Batch


class Cache(nn.Module):
    """Causal attention step by step: its state is all keys and values so far, and grows."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Linear(sizes.inputs, sizes.hidden)
        self.query = nn.Linear(sizes.hidden, sizes.hidden)
        self.key = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.value = nn.Linear(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return no keys and no values."""
        nothing = self.head.weight.new_zeros(batch_size, 0, self.query.in_features)
        return nothing, nothing.clone()

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return `[batch, time, outputs]` and the state."""
        steps = self.embed(x)
        keys = torch.cat([state[0], self.key(steps)], dim=1)
        values = torch.cat([state[1], self.value(steps)], dim=1)
        age = torch.arange(keys.shape[1] - x.shape[1], keys.shape[1], device=x.device).unsqueeze(1)
        age = age - torch.arange(keys.shape[1], device=x.device)
        scores = self.query(steps) @ keys.transpose(1, 2) / keys.shape[2] ** 0.5 - 0.2 * age
        read = scores.masked_fill(age < 0, float("-inf")).softmax(-1) @ values
        return self.head(torch.cat([steps, read], dim=-1)), (keys, values)


class SampledCode(nn.Module):
    """Draws its code in training, and takes its mean in eval mode, where the spread is not asked for."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.mean = nn.Linear(sizes.hidden, sizes.hidden // 2)
        self.log_spread = nn.Linear(sizes.hidden, sizes.hidden // 2)
        self.head = nn.Sequential(nn.Tanh(), nn.Linear(sizes.hidden // 2, sizes.outputs))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        _, hidden = self.gru(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        code = self.mean(hidden[-1])
        if self.training:
            code = code + self.log_spread(hidden[-1]).exp() * torch.randn_like(code)
        logits: Tensor = self.head(code)
        return logits


class NoisyTraining(nn.Module):
    """Noise on inputs and states in training only."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def noisy(self, values: Tensor) -> Tensor:
        """Return values with noise in training, and as they are otherwise."""
        return values + 0.1 * torch.randn_like(values) if self.training else values

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        hidden = x.new_zeros(len(x), self.cell.hidden_size)
        outputs = []
        for step in self.noisy(x).unbind(1):
            hidden = self.cell(step, self.noisy(hidden))
            outputs.append(self.head(hidden))
        return torch.stack(outputs, 1)


class FromTheEnd(nn.Module):
    """Reads each row from its last step to its first, and answers there."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        turned = x.new_zeros(x.shape)
        for row, length in enumerate(lengths.tolist()):
            turned[row, :length] = x[row, :length].flip(0)
        packed = pack_padded_sequence(turned, lengths.cpu(), batch_first=True, enforce_sorted=False)
        logits: Tensor = self.head(self.lstm(packed)[1][0][-1])
        return logits


class HighestSoFar(nn.Module):
    """The greatest value of each learned feature so far; before the first step that is minus infinity."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.features = nn.Linear(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return minus infinity."""
        return self.head.weight.new_full((batch_size, self.head.in_features), float("-inf"))

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, outputs]` and the state."""
        values = torch.cat([state.unsqueeze(1), self.features(x)], dim=1)
        highest = values.cummax(1).values[:, 1:]
        return self.head(highest), highest[:, -1]


class GrowingTable(nn.Module):
    """Positions come from a table that is lengthened when a longer row comes: what is kept inside changes no answer."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Linear(sizes.inputs, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.table: Tensor | None = None

    def positions(self, values: Tensor) -> Tensor:
        """Return `[time, hidden]`, sines of the position."""
        table, time = self.table, values.shape[1]
        if table is None or len(table) < time or table.dtype != values.dtype or table.device != values.device:
            steps = torch.arange(2 * time, dtype=values.dtype, device=values.device).unsqueeze(1)
            rates = 100.0 ** -torch.linspace(0, 1, values.shape[2], dtype=values.dtype, device=values.device)
            table = self.table = (steps * rates).sin()
        return table[:time]

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        values = self.embed(x)
        packed = pack_padded_sequence(values + self.positions(values), lengths.cpu(), batch_first=True, enforce_sorted=False)
        logits: Tensor = self.head(self.gru(packed)[1][-1])
        return logits


class ReadsPacked(nn.Module):
    """Wants its input packed: its user packs it, and pads what comes back."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, packed: PackedSequence) -> PackedSequence:
        """Return the outputs, packed."""
        outputs, _ = self.gru(packed)
        return outputs._replace(data=self.head(outputs.data))  # type: ignore[no-any-return]


def call_packed(module: ReadsPacked, batch: Batch) -> Tensor:
    """Return `[batch, time, outputs]`."""
    assert isinstance(batch.x, Tensor)
    packed = pack_padded_sequence(batch.x, batch.lengths.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(module(packed), batch_first=True, total_length=batch.x.shape[1])[0]


class Recomputed(nn.Module):
    """Saves memory in training: the recurrent layer is run again for the backward pass."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        outputs = checkpoint(self.gru, x, use_reentrant=False)[0] if self.training else self.gru(x)[0]
        logits: Tensor = self.head(outputs)
        return logits


class EmptyPlace(nn.Module):
    """Its state has a place for a memory that this kind does without."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> tuple[Tensor, None]:
        """Return zeros, and nothing."""
        return self.head.weight.new_zeros(1, batch_size, self.gru.hidden_size), None

    def forward(self, x: Tensor, state: tuple[Tensor, None]) -> tuple[Tensor, tuple[Tensor, None]]:
        """Return `[batch, time, outputs]` and the state."""
        outputs, hidden = self.gru(x, state[0])
        return self.head(outputs), (hidden, None)


class Ensemble(nn.Module):
    """Three members of different kinds; their probabilities are averaged."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.members = nn.ModuleList(kind(sizes.inputs, sizes.hidden, batch_first=True) for kind in (nn.RNN, nn.GRU, nn.LSTM))
        self.heads = nn.ModuleList(nn.Linear(sizes.hidden, sizes.outputs) for _ in self.members)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        rows = torch.arange(len(x), device=x.device)
        ends = lengths.to(x.device) - 1
        answers = [head(member(x)[0][rows, ends]).softmax(-1) for member, head in zip(self.members, self.heads, strict=True)]
        return torch.stack(answers).mean(0)


class RowByRow(nn.Module):
    """Calls its LSTM once a row, on real steps only, and fills the rest with minus one."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        answers = x.new_full((*mask.shape, self.head.out_features), -1.0)
        for row, real in enumerate(mask):
            answers[row, real] = self.head(self.lstm(x[row, real])[0])
        return answers


ODD = partial(
    Contract,
    batch_first=True,
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
OF_ROWS = partial(ODD, task="classify", each="sequence", takes=("x", "lengths"), padding="right")
OF_STEPS = partial(ODD, task="tag", each="step", takes=("x",))
STREAM = partial(OF_STEPS, takes=("x", "state"), returns_state=True, initial_state="initial_state")

CORRECT: tuple[Correct, ...] = (
    Correct(name="attention with a growing cache", build=Cache, contract=STREAM()),
    Correct(name="code sampled in training", build=SampledCode, contract=OF_ROWS()),
    Correct(name="noise in training", build=NoisyTraining, contract=OF_STEPS()),
    Correct(name="rows read from their end", build=FromTheEnd, contract=OF_ROWS(causal=False)),
    Correct(name="highest so far, from minus infinity", build=HighestSoFar, contract=STREAM(order_matters=False)),
    Correct(name="table of positions that grows", build=GrowingTable, contract=OF_ROWS()),
    Correct(
        name="packed by its user",
        build=ReadsPacked,
        contract=OF_STEPS(takes=("x", "lengths"), padding="right", causal=False),
        call=call_packed,
    ),
    Correct(name="recomputed in training", build=Recomputed, contract=OF_STEPS()),
    Correct(name="state with an empty place", build=EmptyPlace, contract=STREAM()),
    Correct(name="averaged probabilities", build=Ensemble, contract=OF_ROWS(output="probabilities")),
    Correct(
        name="row by row, filled with minus one",
        build=RowByRow,
        contract=OF_STEPS(takes=("x", "mask"), mask="valid", padding="right", causal=False),
    ),
)
