"""Mistake: a real step whose readings are all zero is taken for padding, which the module tells by its values."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class CountedLengths(nn.Module):
    """A packed LSTM, with lengths counted from the steps that are not all zero."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        if self._broken:
            lengths = (x != 0).any(-1).sum(1).clamp(min=1)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        scores: Tensor = self.head(hidden[-1])
        return scores


class AttentionOnReadings(nn.Module):
    """GRU outputs and attention that strikes out steps without a reading."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.score = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.Tanh(), nn.Linear(sizes.hidden, 1, bias=False))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        x = x.masked_fill(~mask[..., None], 0.0)
        seen = x.abs().sum(-1) > 0 if self._broken else mask
        outputs, _ = self.gru(x)
        weights = self.score(outputs).squeeze(-1).masked_fill(~seen, -1e4).softmax(1)
        scores: Tensor = self.head((weights[:, None] @ outputs).squeeze(1))
        return scores


class SkippingCell(nn.Module):
    """A GRU cell, time first, that holds its state where nothing was read, as a masking layer does."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, is_padding: Tensor) -> Tensor:
        """Return the values of each step."""
        goes_on = ~is_padding[..., None]
        if self._broken:
            goes_on = goes_on & (x != 0).any(-1, keepdim=True)
        hidden = x.new_zeros(x.shape[1], self.cell.hidden_size)
        states = []
        for step, flag in zip(x, goes_on, strict=True):
            hidden = torch.where(flag, self.cell(step, hidden), hidden)
            states.append(hidden)
        values: Tensor = self.head(torch.stack(states))
        return values


class TrimmedTagger(nn.Module):
    """A bidirectional tagger whose rows end at their last step that is not zero."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each step."""
        if self._broken:
            places = torch.arange(1, x.shape[1] + 1, device=x.device)
            lengths = ((x.abs().amax(-1) > 0) * places).amax(1).clamp(min=1)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])
        scores: Tensor = self.head(outputs)
        return scores


class MeanOfEvents(nn.Module):
    """Residual LSTM layers, and a mean over the steps at which something happened."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.inlet = nn.Linear(sizes.inputs, sizes.hidden)
        self.layers = nn.ModuleList(nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True) for _ in range(2))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        x = x.masked_fill(~mask[..., None], 0.0)
        hidden = self.inlet(x)
        for layer in self.layers:
            hidden = hidden + layer(hidden)[0]
        counts = (x != 0).any(-1) if self._broken else mask
        total = hidden.masked_fill(~counts[..., None], 0.0).sum(1)
        scores: Tensor = self.head(total / counts.sum(1, keepdim=True).clamp(min=1))
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
_CLASS_MASKED = replace(_CLASS, takes=("x", "mask"), mask="valid")

DEFECT = Defect(
    code="SW308",
    says="A real step that is all zeros is taken for padding, because the module tells padding by its values.",
    variants=(
        Variant(
            name="packed LSTM, lengths counted from the values",
            broken=partial(CountedLengths, broken=True),
            mended=partial(CountedLengths, broken=False),
            contract=_CLASS,
        ),
        Variant(
            name="GRU and attention, mask from the values",
            broken=partial(AttentionOnReadings, broken=True),
            mended=partial(AttentionOnReadings, broken=False),
            contract=_CLASS_MASKED,
        ),
        Variant(
            name="GRU cell loop that skips steps of zeros, time first",
            broken=partial(SkippingCell, broken=True),
            mended=partial(SkippingCell, broken=False),
            contract=replace(_CLASS_MASKED, task="regress", each="step", mask="padding", batch_first=False, causal=True, output="values"),
        ),
        Variant(
            name="bidirectional tagger, rows end at the last step that is not zero",
            broken=partial(TrimmedTagger, broken=True),
            mended=partial(TrimmedTagger, broken=False),
            contract=replace(_CLASS, task="tag", each="step"),
        ),
        Variant(
            name="residual LSTM stack, mean over steps that are not zero",
            broken=partial(MeanOfEvents, broken=True),
            mended=partial(MeanOfEvents, broken=False),
            contract=_CLASS_MASKED,
        ),
    ),
    seen_in=("sunlabuiuc/PyHealth#140",),
)
