"""Mistake: the first padded step counts as a real one."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class IndexedLast(nn.Module):
    """An LSTM read at the index `lengths`, as if steps were counted from one."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        outputs, _ = self.lstm(x)
        index = lengths.clamp(max=x.shape[1] - 1) if self._broken else lengths - 1
        scores: Tensor = self.head(self.dropout(outputs[torch.arange(len(x)), index]))
        return scores


class MeanUpTo(nn.Module):
    """Embedded tokens, a GRU, the mean of its outputs up to the length, inclusive."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each text."""
        outputs, _ = self.gru(self.embedding(tokens))
        steps = torch.arange(tokens.shape[1], device=tokens.device)
        ends = lengths.to(tokens.device)[:, None]
        valid = steps <= ends if self._broken else steps < ends
        total = outputs.masked_fill(~valid[..., None], 0.0).sum(1)
        scores: Tensor = self.head(total / valid.sum(1, keepdim=True))
        return scores


class PackedPlusOne(nn.Module):
    """Two GRU layers, packed with one step more, as for an end symbol that is not there."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values of each sequence, time first."""
        read = (lengths + 1).clamp(max=len(x)) if self._broken else lengths
        _, hidden = self.gru(pack_padded_sequence(x, read.cpu(), enforce_sorted=False))
        values: Tensor = self.head(torch.cat([hidden[-2], hidden[-1]], -1))
        return values


class CellLoop(nn.Module):
    """An LSTM cell that stops each row one step late."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.inlet = nn.Linear(sizes.inputs, sizes.hidden)
        self.cell = nn.LSTMCell(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        ends = lengths.to(x.device)
        h = c = x.new_zeros(len(x), self.cell.hidden_size)
        for t, step in enumerate(torch.tanh(self.inlet(x)).unbind(1)):
            new_h, new_c = self.cell(step, (h, c))
            goes_on = (t <= ends if self._broken else t < ends)[:, None]
            h, c = torch.where(goes_on, new_h, h), torch.where(goes_on, new_c, c)
        scores: Tensor = self.head(h)
        return scores


class LateMask(nn.Module):
    """Attention from a learned query over the steps up to the length, inclusive."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.key = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.query = nn.Parameter(torch.randn(sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        steps, ends = torch.arange(x.shape[1], device=x.device), lengths.to(x.device)[:, None]
        valid = steps <= ends if self._broken else steps < ends
        outputs, _ = self.lstm(x.masked_fill(~valid[..., None], 0.0))
        energy = self.key(outputs) @ self.query / outputs.shape[-1] ** 0.5
        weights = energy.masked_fill(~valid, float("-inf")).softmax(1)
        scores: Tensor = self.head((weights[:, None] @ outputs).squeeze(1))
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
    code="SW304",
    says="The first padded step counts as a real one.",
    variants=(
        Variant(
            name="LSTM, read at the index lengths",
            broken=partial(IndexedLast, broken=True),
            mended=partial(IndexedLast, broken=False),
            contract=_CLASS,
        ),
        Variant(
            name="embedding and GRU, mean with an inclusive mask",
            broken=partial(MeanUpTo, broken=True),
            mended=partial(MeanUpTo, broken=False),
            contract=_CLASS,
            reads="tokens",
        ),
        Variant(
            name="bidirectional stacked GRU, packed with one step more, time first",
            broken=partial(PackedPlusOne, broken=True),
            mended=partial(PackedPlusOne, broken=False),
            contract=replace(_CLASS, batch_first=False, task="regress", output="values"),
        ),
        Variant(
            name="LSTM cell loop that stops one step late",
            broken=partial(CellLoop, broken=True),
            mended=partial(CellLoop, broken=False),
            contract=_CLASS,
        ),
        Variant(
            name="LSTM and attention with an inclusive mask",
            broken=partial(LateMask, broken=True),
            mended=partial(LateMask, broken=False),
            contract=_CLASS,
        ),
    ),
    seen_in=("yandexdataschool/Practical_RL#558",),
)
