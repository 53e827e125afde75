"""Mistake: the mask is read as the opposite of what it says."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class AdditiveAttention(nn.Module):
    """GRU outputs pooled by attention, in which the real steps are struck out."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.score = nn.Linear(sizes.hidden, 1, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        struck = mask if self._broken else ~mask
        outputs = self.gru(x)[0].masked_fill(struck[..., None], 0.0)
        energy = self.score(outputs).squeeze(-1).masked_fill(struck, -1e4)
        context = (energy.softmax(1)[..., None] * outputs).sum(1)
        scores: Tensor = self.head(context)
        return scores


class HeldCells(nn.Module):
    """An LSTM cell, time first, which should hold its state where the mask says padding."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, is_padding: Tensor) -> Tensor:
        """Return the values of each sequence."""
        update = is_padding if self._broken else ~is_padding
        h = c = x.new_zeros(x.shape[1], self.cell.hidden_size)
        for step, flag in zip(x, update[..., None], strict=True):
            new_h, new_c = self.cell(step, (h, c))
            h, c = torch.where(flag, new_h, h), torch.where(flag, new_c, c)
        values: Tensor = self.head(h)
        return values


class WeightedMean(nn.Module):
    """Embedded text, a stacked LSTM, and a mean with weights of one and zero."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each text."""
        outputs, _ = self.lstm(self.embedding(tokens))
        weight = mask.to(outputs.dtype)
        if self._broken:
            weight = 1 - weight
        mean = torch.einsum("bt,bth->bh", weight, outputs) / weight.sum(1, keepdim=True).clamp(min=1.0)
        scores: Tensor = self.head(mean)
        return scores


class HeadsOverSteps(nn.Module):
    """An LSTM and torch's attention, whose mask is True where a key must not be seen."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.attention = nn.MultiheadAttention(sizes.hidden, num_heads=2, batch_first=True)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each step."""
        outputs, _ = self.lstm(x.masked_fill(~mask[..., None], 0.0))
        unseen = mask if self._broken else ~mask
        attended, _ = self.attention(outputs, outputs, outputs, key_padding_mask=unseen, need_weights=False)
        scores: Tensor = self.head(self.norm(outputs + attended))
        return scores


class BlankedTagger(nn.Module):
    """A GRU tagger that blanks what the mask marks, and was written for masks that mark padding."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.inlet = nn.Linear(sizes.inputs, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each step."""
        blank = mask if self._broken else ~mask
        outputs, _ = self.gru(self.inlet(x.masked_fill(blank[..., None], 0.0)))
        scores: Tensor = self.head(outputs)
        return scores


_CLASS = Contract(
    task="classify",
    each="sequence",
    takes=("x", "mask"),
    batch_first=True,
    mask="valid",
    padding="right",
    returns_state=False,
    causal=False,
    stateful=False,
    order_matters=True,
    output="logits",
)
_STEPS = replace(_CLASS, task="tag", each="step")

DEFECT = Defect(
    code="SW306",
    says="The mask is used inverted.",
    variants=(
        Variant(
            name="GRU and attention that sees only padding",
            broken=partial(AdditiveAttention, broken=True),
            mended=partial(AdditiveAttention, broken=False),
            contract=_CLASS,
        ),
        Variant(
            name="LSTM cell loop that steps only in padding, time first",
            broken=partial(HeldCells, broken=True),
            mended=partial(HeldCells, broken=False),
            contract=replace(_CLASS, task="regress", mask="padding", batch_first=False, output="values"),
        ),
        Variant(
            name="embedding and stacked LSTM, mean over padding",
            broken=partial(WeightedMean, broken=True),
            mended=partial(WeightedMean, broken=False),
            contract=_CLASS,
            reads="tokens",
        ),
        Variant(
            name="LSTM and multi-head attention, key_padding_mask of valid steps",
            broken=partial(HeadsOverSteps, broken=True),
            mended=partial(HeadsOverSteps, broken=False),
            contract=_STEPS,
        ),
        Variant(
            name="stacked GRU tagger that blanks the real steps",
            broken=partial(BlankedTagger, broken=True),
            mended=partial(BlankedTagger, broken=False),
            contract=replace(_STEPS, causal=True),
        ),
    ),
    seen_in=("speechbrain/speechbrain#2276",),
)
