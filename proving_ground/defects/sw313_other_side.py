"""Mistake: the module reads sequences padded on the other side than its contract says."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


def _rolled(values: Tensor, by: Tensor) -> Tensor:
    """Return every row rolled by its own number of steps, to the left."""
    time = values.shape[1]
    places = (torch.arange(time, device=values.device) + by.to(values.device)[:, None]) % time
    return values[torch.arange(len(values), device=values.device)[:, None], places]


class PackedLeft(nn.Module):
    """Packs rows that begin with padding, as if they ended with it."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        if not self._broken:
            x = _rolled(x, x.shape[1] - lengths)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        scores: Tensor = self.head(hidden[-1])
        return scores


class AttentionAtEnd(nn.Module):
    """Attention over the last `lengths` steps, of rows whose real steps come first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.score = nn.Linear(sizes.hidden, 1, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each text."""
        time, ends = tokens.shape[1], lengths.to(tokens.device)[:, None]
        steps = torch.arange(time, device=tokens.device)
        valid = steps >= time - ends if self._broken else steps < ends
        outputs, _ = self.gru(self.embedding(tokens))
        weights = self.score(outputs).squeeze(-1).masked_fill(~valid, float("-inf")).softmax(1)
        scores: Tensor = self.head(torch.einsum("bt,bth->bh", weights, outputs))
        return scores


class CellFromLeft(nn.Module):
    """A GRU cell, time first, that steps in the first `lengths` steps; the real ones come last."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values of each sequence."""
        steps, ends = torch.arange(len(x), device=x.device)[:, None], lengths.to(x.device)
        valid = steps < ends if self._broken else steps >= len(x) - ends
        hidden = x.new_zeros(x.shape[1], self.cell.hidden_size)
        for step, flag in zip(x, valid[..., None], strict=True):
            hidden = torch.where(flag, self.cell(step, hidden), hidden)
        values: Tensor = self.head(hidden)
        return values


class TurnedRound(nn.Module):
    """An encoder that reads from the end; turned round, the row begins with its padding."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.inlet = nn.Linear(sizes.inputs, sizes.hidden)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        turned = self.inlet(x).flip(1)
        if not self._broken:
            turned = _rolled(turned, x.shape[1] - lengths)
        packed = pack_padded_sequence(turned, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        scores: Tensor = self.head(hidden[-1])
        return scores


class LeftTagger(nn.Module):
    """A bidirectional tagger that counts the real steps of a mask, and takes them to come first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each step."""
        lengths = mask.sum(1)
        shift = torch.zeros_like(lengths) if self._broken else x.shape[1] - lengths
        packed = pack_padded_sequence(_rolled(x, shift), lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])
        scores: Tensor = self.head(_rolled(outputs, -shift))
        return scores


_RIGHT = Contract(
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
_LEFT = replace(_RIGHT, padding="left")

DEFECT = Defect(
    code="SW313",
    says="Sequences are read as padded on the other side than the contract says.",
    variants=(
        Variant(
            name="stacked LSTM, packs rows padded on the left",
            broken=partial(PackedLeft, broken=True),
            mended=partial(PackedLeft, broken=False),
            contract=_LEFT,
        ),
        Variant(
            name="embedding, GRU and attention over the last steps of rows padded on the right",
            broken=partial(AttentionAtEnd, broken=True),
            mended=partial(AttentionAtEnd, broken=False),
            contract=_RIGHT,
            reads="tokens",
        ),
        Variant(
            name="GRU cell loop over the first steps of rows padded on the left, time first",
            broken=partial(CellFromLeft, broken=True),
            mended=partial(CellFromLeft, broken=False),
            contract=replace(_LEFT, task="regress", batch_first=False, output="values"),
        ),
        Variant(
            name="LSTM that reads from the end, rows flipped with their padding",
            broken=partial(TurnedRound, broken=True),
            mended=partial(TurnedRound, broken=False),
            contract=_RIGHT,
        ),
        Variant(
            name="bidirectional tagger of rows padded on the left",
            broken=partial(LeftTagger, broken=True),
            mended=partial(LeftTagger, broken=False),
            contract=replace(_LEFT, task="tag", each="step", takes=("x", "mask"), mask="valid"),
        ),
    ),
    seen_in=("Atcold/NYU-DLSP20#19",),
)
