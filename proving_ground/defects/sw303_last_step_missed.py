"""Mistake: the last real step is never read."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class GatheredLast(nn.Module):
    """An LSTM whose output at the end is gathered, one index too early."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._back = 2 if broken else 1

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        outputs, _ = self.lstm(x)
        index = (lengths.to(x.device) - self._back).clamp(min=0)
        last = outputs.gather(1, index[:, None, None].expand(-1, 1, outputs.shape[-1])).squeeze(1)
        scores: Tensor = self.head(last)
        return scores


class LengthsFromMask(nn.Module):
    """Lengths are the index of the last real token, where their number is meant."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each text."""
        last = (mask * torch.arange(mask.shape[1], device=mask.device)).amax(1)
        lengths = last.clamp(min=1) if self._broken else last + 1
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, hidden = self.gru(packed)
        scores: Tensor = self.head(hidden[-1])
        return scores


class GatedLoop(nn.Module):
    """A recurrence of its own: one gate mixes old and new; rows at their end are held."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gate = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.candidate = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values of each sequence."""
        ends = (lengths - 1 if self._broken else lengths).to(x.device)
        hidden = x.new_zeros(len(x), self.head.in_features)
        for t in range(x.shape[1]):
            seen = torch.cat([x[:, t], hidden], -1)
            gate = torch.sigmoid(self.gate(seen))
            new = gate * hidden + (1 - gate) * torch.tanh(self.candidate(seen))
            hidden = torch.where((t < ends)[:, None], new, hidden)
        values: Tensor = self.head(hidden)
        return values


class MaskedMean(nn.Module):
    """The mean of GRU outputs up to, and wrongly without, the last step; time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        outputs, _ = self.rnn(x)
        ends = lengths.to(x.device) - 1 if self._broken else lengths.to(x.device)
        valid = torch.arange(len(x), device=x.device)[:, None] < ends
        total = outputs.masked_fill(~valid[..., None], 0.0).sum(0)
        scores: Tensor = self.head(total / valid.sum(0).clamp(min=1)[:, None])
        return scores


class ShortPackedTagger(nn.Module):
    """A bidirectional tagger, packed one step short."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each step."""
        read = (lengths - 1).clamp(min=1) if self._broken else lengths
        packed = pack_padded_sequence(x, read.cpu(), batch_first=True, enforce_sorted=False)
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
    code="SW303",
    says="The last real step is not read.",
    variants=(
        Variant(
            name="stacked LSTM, gathered at lengths - 2",
            broken=partial(GatheredLast, broken=True),
            mended=partial(GatheredLast, broken=False),
            contract=_CLASS,
        ),
        Variant(
            name="embedding and packed GRU, lengths from the mask minus one",
            broken=partial(LengthsFromMask, broken=True),
            mended=partial(LengthsFromMask, broken=False),
            contract=replace(_CLASS, takes=("x", "mask"), mask="valid"),
            reads="tokens",
        ),
        Variant(
            name="own gated loop, held from lengths - 1",
            broken=partial(GatedLoop, broken=True),
            mended=partial(GatedLoop, broken=False),
            contract=replace(_CLASS, task="regress", output="values"),
        ),
        Variant(
            name="GRU, mean over all steps but the last, time first",
            broken=partial(MaskedMean, broken=True),
            mended=partial(MaskedMean, broken=False),
            contract=replace(_CLASS, batch_first=False),
        ),
        Variant(
            name="bidirectional tagger, packed one step short",
            broken=partial(ShortPackedTagger, broken=True),
            mended=partial(ShortPackedTagger, broken=False),
            contract=replace(_CLASS, task="tag", each="step"),
        ),
    ),
)
