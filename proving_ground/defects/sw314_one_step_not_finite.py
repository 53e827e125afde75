"""Mistake: a sequence of one step gives NaN or infinity."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class StatisticsPooling(nn.Module):
    """The mean and the spread of GRU outputs; the variance is over lengths - 1."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._least = 0 if broken else 1

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        outputs, _ = self.gru(x)
        padded = ~mask[..., None]
        count = mask.sum(1, keepdim=True)
        mean = outputs.masked_fill(padded, 0.0).sum(1) / count
        squares = (outputs - mean[:, None]).square().masked_fill(padded, 0.0).sum(1)
        spread = (squares / (count - 1).clamp(min=self._least) + 1e-6).sqrt()
        scores: Tensor = self.head(torch.cat([mean, spread], -1))
        return scores


class LogDuration(nn.Module):
    """How long the sequence took goes into the readout, as a logarithm of the time between first and last step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden + 1, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each text."""
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        hidden = self.lstm(packed)[1][0][-1]
        passed = (lengths - 1).to(hidden)[:, None]
        duration = passed.log() if self._broken else passed.log1p()
        scores: Tensor = self.head(torch.cat([hidden, duration], -1))
        return scores


class LookingBack(nn.Module):
    """The last state asks the states before it what mattered."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden)
        self.query = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence, time first."""
        ends = lengths.to(x.device)
        steps = torch.arange(len(x), device=x.device)[:, None]
        outputs, _ = self.lstm(x.masked_fill((steps >= ends)[..., None], 0.0))
        last = outputs[ends - 1, torch.arange(x.shape[1], device=x.device)]
        seen = steps < (ends - 1 if self._broken else ends)
        weights = (outputs * self.query(last)).sum(-1).masked_fill(~seen, float("-inf")).softmax(0)
        context = (weights[..., None] * outputs).sum(0)
        scores: Tensor = self.head(torch.cat([last, context], -1))
        return scores


class UnitTime(nn.Module):
    """Time runs from 0 at the first to 1 at the last step, beside what a cell reads."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs + 1, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._least = 0 if broken else 1

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values of each step."""
        last = (lengths.to(x) - 1).clamp(min=self._least)[:, None]
        hidden = x.new_zeros(len(x), self.cell.hidden_size)
        values = []
        for t, step in enumerate(x.unbind(1)):
            hidden = self.cell(torch.cat([step, t / last], -1), hidden)
            values.append(self.head(hidden))
        return torch.stack(values, 1)


class StandardisedRows(nn.Module):
    """Each sequence is brought to mean 0 and deviation 1 before a bidirectional LSTM."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2 * sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each step."""
        rows = []
        for row, length in zip(x, lengths.tolist(), strict=True):
            real = row[:length]
            centred = real - real.mean(0)
            variance = centred.square().sum(0) / (length - 1 if self._broken else length)
            rows.append(torch.cat([real, centred / (variance + 1e-5).sqrt()], -1))
        padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        packed = pack_padded_sequence(padded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        scores: Tensor = self.head(outputs)
        return scores


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

DEFECT = Defect(
    code="SW314",
    says="A sequence of one step gives NaN or infinity.",
    variants=(
        Variant(
            name="GRU, mean and deviation over time",
            broken=partial(StatisticsPooling, broken=True),
            mended=partial(StatisticsPooling, broken=False),
            contract=replace(_CLASS, takes=("x", "mask"), mask="valid"),
        ),
        Variant(
            name="embedding and packed LSTM, logarithm of the duration",
            broken=partial(LogDuration, broken=True),
            mended=partial(LogDuration, broken=False),
            contract=_CLASS,
            reads="tokens",
        ),
        Variant(
            name="LSTM and attention over earlier steps, time first",
            broken=partial(LookingBack, broken=True),
            mended=partial(LookingBack, broken=False),
            contract=replace(_CLASS, batch_first=False),
        ),
        Variant(
            name="GRU cell loop with time from 0 to 1",
            broken=partial(UnitTime, broken=True),
            mended=partial(UnitTime, broken=False),
            contract=replace(_CLASS, task="regress", each="step", output="values"),
        ),
        Variant(
            name="standardised rows and a bidirectional LSTM",
            broken=partial(StandardisedRows, broken=True),
            mended=partial(StandardisedRows, broken=False),
            contract=replace(_CLASS, task="tag", each="step"),
        ),
    ),
    seen_in=("pyannote/pyannote-audio#2047",),
)
