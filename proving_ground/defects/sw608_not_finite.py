"""Finite inputs of ordinary size give NaN or infinity: a logarithm or a ratio at zero, or a power that grows with time."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class LoudnessTagger(nn.Module):
    """A bidirectional LSTM over frames and the logarithm of their energy; a silent frame has none."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(sizes.inputs + 1, sizes.hidden), nn.LayerNorm(sizes.hidden))
        self.rnn = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each frame."""
        real = torch.arange(x.shape[1], device=x.device) < lengths.to(x.device)[:, None]
        x = x.masked_fill(~real[..., None], 1.0)
        energy = x.square().sum(dim=-1, keepdim=True)
        loudness = energy.log() if self._broken else energy.log1p()
        frames = self.enter(torch.cat([x, loudness], dim=-1))
        packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])
        return self.head(outputs)  # type: ignore[no-any-return]


class DirectionTagger(nn.Module):
    """A GRU, time first, that hands its state on and reads directions; who stands still has none."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(2 * sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._least = 0.0 if broken else 1.0

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state that sequences begin with."""
        return self.head.weight.new_zeros(1, batch_size, self.rnn.hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of each step, and the state to go on from."""
        direction = x / (self._least + x.norm(dim=-1, keepdim=True))
        outputs, state = self.rnn(torch.cat([x, direction], dim=-1), state)
        return self.head(outputs), state


class DecayingSum(nn.Module):
    """A selective linear recurrence with fixed rates, summed in one go with growing weights or step by step."""

    rates: Tensor

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.register_buffer("rates", torch.arange(1.0, sizes.hidden + 1))
        self.pace = nn.Linear(sizes.inputs, 1)
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each step."""
        decay = functional.softplus(self.pace(x)) * self.rates
        values = self.enter(x)
        if self._broken:
            age = decay.cumsum(dim=1)
            return self.head(torch.exp(-age) * (torch.exp(age) * values).cumsum(dim=1))  # type: ignore[no-any-return]
        level, levels = torch.zeros_like(values[:, 0]), []
        for kept, value in zip(torch.exp(-decay).unbind(1), values.unbind(1), strict=True):
            level = kept * level + value
            levels.append(level)
        return self.head(torch.stack(levels, dim=1))  # type: ignore[no-any-return]


class StyledTokens(nn.Module):
    """A packed GRU over tokens whose head is told how many common words come to a rare one; some sentences have no rare word."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.first_rare = sizes.vocabulary // 2
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden + 1, sizes.outputs)
        self._least = 0 if broken else 1

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sentence."""
        _, last = self.rnn(pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False))
        lengths = lengths.to(tokens.device)[:, None]
        real = torch.arange(tokens.shape[1], device=tokens.device) < lengths
        rare = ((tokens >= self.first_rare) & real).sum(dim=1, keepdim=True)
        ratio = (lengths - rare).to(last.dtype) / (self._least + rare)
        return self.head(torch.cat([last[-1], ratio], dim=-1))  # type: ignore[no-any-return]


class ReturnForecaster(nn.Module):
    """A loop over an LSTM cell that reads values and how much they grew, as a part of the value before."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(2 * sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the values that follow each sequence."""
        before = torch.cat([x[:, :1], x[:, :-1]], dim=1)
        growth = (x - before) / (before if self._broken else 1 + before.abs())
        hidden = cell = x.new_zeros(len(x), self.cell.hidden_size)
        for step in torch.cat([x, growth], dim=-1).unbind(1):
            hidden, cell = self.cell(step, (hidden, cell))
        return self.head(hidden)  # type: ignore[no-any-return]


DEFECT = Defect(
    code="SW608",
    says="Finite inputs of ordinary size give outputs that are not finite.",
    variants=(
        Variant(
            name="logarithm of a silent frame's energy",
            broken=partial(LoudnessTagger, broken=True),
            mended=partial(LoudnessTagger, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="step",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="direction of a step of no length",
            broken=partial(DirectionTagger, broken=True),
            mended=partial(DirectionTagger, broken=False),
            contract=Contract(
                takes=("x", "state"),
                batch_first=False,
                each="step",
                initial_state="initial_state",
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="linear recurrence summed with growing weights",
            broken=partial(DecayingSum, broken=True),
            mended=partial(DecayingSum, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=True,
                each="step",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="ratio of common to rare tokens",
            broken=partial(StyledTokens, broken=True),
            mended=partial(StyledTokens, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
            reads="tokens",
        ),
        Variant(
            name="growth from zero in a cell loop",
            broken=partial(ReturnForecaster, broken=True),
            mended=partial(ReturnForecaster, broken=False),
            contract=Contract(
                task="regress",
                takes=("x",),
                batch_first=True,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
    ),
)
