"""Mistake: the values at padded steps do not matter, but how many there are does."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.functional import gelu
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class MeanPooling(nn.Module):
    """The mean of GRU outputs over time."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        outputs, _ = self.gru(x)
        outputs = outputs.masked_fill(~mask[..., None], 0.0)
        mean = outputs.mean(1) if self._broken else outputs.sum(1) / mask.sum(1, keepdim=True)
        scores: Tensor = self.head(mean)
        return scores


class PackedAttention(nn.Module):
    """A packed bidirectional LSTM; attention gives its padded outputs, all zeros, a share of the weight."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(2 * sizes.hidden, 1, bias=False)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each text."""
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=tokens.shape[1])
        energy = self.attention(torch.tanh(outputs)).squeeze(-1)
        if not self._broken:
            padded = torch.arange(tokens.shape[1], device=tokens.device) >= lengths.to(tokens.device)[:, None]
            energy = energy.masked_fill(padded, float("-inf"))
        context = (energy.softmax(1)[..., None] * outputs).sum(1)
        scores: Tensor = self.head(context)
        return scores


class RelativeTime(nn.Module):
    """How far along a step is, from 0 to 1, goes in beside its features."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs + 1, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values of each sequence."""
        batch, time, _ = x.shape
        steps = torch.arange(time, device=x.device, dtype=x.dtype).expand(batch, time)
        whole = time if self._broken else lengths.to(x.device)[:, None]
        timed = torch.cat([x, (steps / whole)[..., None]], -1)
        packed = pack_padded_sequence(timed, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        values: Tensor = self.head(hidden[-1])
        return values


class PackedLast(nn.Module):
    """Packed, unpacked, and read at the end of the padded output; time comes first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden)
        self.head = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.Tanh(), nn.Linear(sizes.hidden, sizes.outputs))
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], total_length=len(x))
        last = outputs[-1] if self._broken else outputs[lengths - 1, torch.arange(x.shape[1])]
        scores: Tensor = self.head(last)
        return scores


class TwoConvolutions(nn.Module):
    """Two convolutions before an LSTM; the second reads the bias of the first beyond the end."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.first = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3, padding=1)
        self.second = nn.Conv1d(sizes.hidden, sizes.hidden, kernel_size=3, padding=1)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each step."""
        padded = ~mask[:, None]
        signal = gelu(self.first(x.transpose(1, 2).masked_fill(padded, 0.0)))
        if not self._broken:
            signal = signal.masked_fill(padded, 0.0)
        signal = gelu(self.second(signal)).transpose(1, 2)
        scores: Tensor = self.head(self.lstm(signal)[0])
        return scores


class BlankedTokens(nn.Module):
    """Padding is embedded as zeros, through which the GRU still runs on."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each text."""
        outputs, hidden = self.gru(self.embedding(tokens.masked_fill(~mask, 0)))
        last = hidden[-1] if self._broken else outputs[torch.arange(len(tokens)), mask.sum(1) - 1]
        scores: Tensor = self.head(last)
        return scores


class BlankedTagger(nn.Module):
    """A bidirectional GRU whose backward half begins in zeros, not at the last real step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden // 2, bidirectional=True)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, is_padding: Tensor) -> Tensor:
        """Return the scores of each step, time first."""
        x = x.masked_fill(is_padding[..., None], 0.0)
        if self._broken:
            outputs, _ = self.gru(x)
        else:
            packed = pack_padded_sequence(x, (~is_padding).sum(0).cpu(), enforce_sorted=False)
            outputs, _ = pad_packed_sequence(self.gru(packed)[0], total_length=len(x))
        scores: Tensor = self.head(self.norm(outputs))
        return scores


class Centred(nn.Module):
    """A cell reads each step as it is, and less the mean of its sequence."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.inlet = nn.Linear(2 * sizes.inputs, sizes.hidden)
        self.cell = nn.GRUCell(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each step."""
        x = x.masked_fill(~mask[..., None], 0.0)
        count = x.shape[1] if self._broken else mask.sum(1)[:, None, None]
        both = torch.cat([x, x - x.sum(1, keepdim=True) / count], -1)
        hidden = x.new_zeros(len(x), self.cell.hidden_size)
        states = []
        for step in self.inlet(both).tanh().unbind(1):
            hidden = self.cell(step, hidden)
            states.append(hidden)
        scores: Tensor = self.head(torch.stack(states, 1))
        return scores


class MaxWithZeros(nn.Module):
    """The largest output of a packed LSTM, the zeros after its end among them."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._fill = 0.0 if broken else float("-inf")

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1], padding_value=self._fill)
        scores: Tensor = self.head(outputs.amax(1))
        return scores


class Countdown(nn.Module):
    """How many steps remain goes in beside the features."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs + 1, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values of each step."""
        batch, time, _ = x.shape
        ends = torch.full((batch,), time, device=x.device) if self._broken else lengths.to(x.device)
        remaining = (ends[:, None] - torch.arange(1, time + 1, device=x.device)).clamp(min=0)
        outputs, _ = self.gru(torch.cat([x, torch.log1p(remaining.to(x.dtype))[..., None]], -1))
        values: Tensor = self.head(outputs)
        return values


_CLASS = Contract(
    task="classify",
    each="sequence",
    takes=("x", "lengths"),
    batch_first=True,
    padding="right",
    returns_state=False,
    causal=False,
    stateful=False,
    order_matters=True,
    output="logits",
)
_CLASS_MASKED = replace(_CLASS, takes=("x", "mask"), mask="valid")
_STEPS_MASKED = replace(_CLASS_MASKED, task="tag", each="step")

DEFECT = Defect(
    code="SW302",
    says="The values at padded steps do not matter, but their number does.",
    variants=(
        Variant(
            name="GRU, mean over the padded length",
            broken=partial(MeanPooling, broken=True),
            mended=partial(MeanPooling, broken=False),
            contract=_CLASS_MASKED,
        ),
        Variant(
            name="packed bidirectional LSTM, softmax over the scores of zeros",
            broken=partial(PackedAttention, broken=True),
            mended=partial(PackedAttention, broken=False),
            contract=_CLASS,
            reads="tokens",
        ),
        Variant(
            name="time relative to the padded length",
            broken=partial(RelativeTime, broken=True),
            mended=partial(RelativeTime, broken=False),
            contract=replace(_CLASS, task="regress", output="values"),
        ),
        Variant(
            name="packed LSTM, read at the end of the padded output, time first",
            broken=partial(PackedLast, broken=True),
            mended=partial(PackedLast, broken=False),
            contract=replace(_CLASS, batch_first=False),
        ),
        Variant(
            name="two convolutions and an LSTM, masked only at the first",
            broken=partial(TwoConvolutions, broken=True),
            mended=partial(TwoConvolutions, broken=False),
            contract=_STEPS_MASKED,
        ),
        Variant(
            name="GRU that runs on through zero embeddings",
            broken=partial(BlankedTokens, broken=True),
            mended=partial(BlankedTokens, broken=False),
            contract=_CLASS_MASKED,
            reads="tokens",
        ),
        Variant(
            name="bidirectional tagger that begins backwards in zeros, time first",
            broken=partial(BlankedTagger, broken=True),
            mended=partial(BlankedTagger, broken=False),
            contract=replace(_STEPS_MASKED, mask="padding", batch_first=False),
        ),
        Variant(
            name="GRU cell on inputs centred over the padded length",
            broken=partial(Centred, broken=True),
            mended=partial(Centred, broken=False),
            contract=_STEPS_MASKED,
        ),
        Variant(
            name="packed LSTM, maximum with the zeros of padding",
            broken=partial(MaxWithZeros, broken=True),
            mended=partial(MaxWithZeros, broken=False),
            contract=_CLASS,
        ),
        Variant(
            name="steps remaining, counted from the padded end",
            broken=partial(Countdown, broken=True),
            mended=partial(Countdown, broken=False),
            contract=replace(_CLASS, task="regress", each="step", output="values"),
        ),
    ),
    seen_in=("mead-ml/mead-baseline#325",),
)
