"""Trainable parameters that no output depends on: a layer is built, perhaps even run, and its result dropped."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class TwoLayerTagger(nn.Module):
    """Two LSTM layers with a norm between, of which the head reads the first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.first = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.second = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each step."""
        low, _ = self.first(x)
        high, _ = self.second(self.norm(low))
        return self.head(low if self._broken else high)  # type: ignore[no-any-return]


class AttentiveTokens(nn.Module):
    """A bidirectional GRU over tokens with attention whose weights are computed, and a plain mean that is returned."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden // 2, batch_first=True, bidirectional=True)
        self.attend = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.Tanh(), nn.Linear(sizes.hidden, 1, bias=False))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sentence."""
        packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=tokens.shape[1])
        lengths = lengths.to(tokens.device)[:, None]
        padded = torch.arange(tokens.shape[1], device=tokens.device) >= lengths
        weights = self.attend(states).masked_fill(padded[..., None], -math.inf).softmax(dim=1)
        context = states.sum(dim=1) / lengths if self._broken else (weights * states).sum(dim=1)
        return self.head(context)  # type: ignore[no-any-return]


class LearnedStart(nn.Module):
    """A GRU, time first, with a first state that is meant to be learned and is never given to it."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden)
        self.start = nn.Parameter(torch.zeros(1, 1, sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of each sequence."""
        start = self.start.expand(-1, x.shape[1], -1).contiguous()
        _, last = self.rnn(x) if self._broken else self.rnn(x, start)
        return self.head(last[-1])  # type: ignore[no-any-return]


class SkippingRecurrence(nn.Module):
    """Blocks of a linear recurrence with a projection beside it, to be added; one loop variable overwrites the other."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.skips = nn.ModuleList(nn.Linear(sizes.hidden, sizes.hidden) for _ in range(2))
        self.drives = nn.ModuleList(nn.Linear(sizes.hidden, 2 * sizes.hidden) for _ in range(2))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence; the mask is True at real steps."""
        stream = self.enter(x.masked_fill(~mask[..., None], 0.0))
        for skip, drive in zip(self.skips, self.drives, strict=True):
            beside = skip(stream)
            ahead = torch.relu(scan(*drive(stream).chunk(2, dim=-1)))
            stream = ahead if self._broken else beside + ahead
        last = mask.sum(dim=1) - 1
        return self.head(stream[torch.arange(len(x), device=x.device), last])  # type: ignore[no-any-return]


def scan(gate: Tensor, values: Tensor) -> Tensor:
    """Return the running level of values, each mixed in as far as its gate is open."""
    level, levels = torch.zeros_like(values[:, 0]), []
    for opened, value in zip(torch.sigmoid(gate).unbind(1), values.unbind(1), strict=True):
        level = torch.lerp(level, value, opened)
        levels.append(level)
    return torch.stack(levels, dim=1)


DEFECT = Defect(
    code="SW507",
    says="Parameters are trained that no output depends on.",
    variants=(
        Variant(
            name="second LSTM layer dropped",
            broken=partial(TwoLayerTagger, broken=True),
            mended=partial(TwoLayerTagger, broken=False),
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
            name="attention weights not used",
            broken=partial(AttentiveTokens, broken=True),
            mended=partial(AttentiveTokens, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
            reads="tokens",
        ),
        Variant(
            name="learned first state not given",
            broken=partial(LearnedStart, broken=True),
            mended=partial(LearnedStart, broken=False),
            contract=Contract(
                task="regress",
                takes=("x",),
                batch_first=False,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
        Variant(
            name="projection beside a linear recurrence overwritten",
            broken=partial(SkippingRecurrence, broken=True),
            mended=partial(SkippingRecurrence, broken=False),
            contract=Contract(
                takes=("x", "mask"),
                batch_first=True,
                mask="valid",
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
)
