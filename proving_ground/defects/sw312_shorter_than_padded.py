"""Mistake: where every sequence is shorter than the padded length, outputs come shorter, or at other steps."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract

_Cells: TypeAlias = tuple[Tensor, Tensor]


class PackedTagger(nn.Module):
    """A packed LSTM that takes its state and returns it."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def initial_state(self, rows: int) -> _Cells:
        """Return zeros."""
        zeros = self.head.weight.new_zeros(self.lstm.num_layers, rows, self.lstm.hidden_size)
        return zeros, zeros

    def forward(self, x: Tensor, lengths: Tensor, state: _Cells) -> tuple[Tensor, _Cells]:
        """Return the scores of each step, and the state."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.lstm(packed, state)
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=None if self._broken else x.shape[1])
        return self.head(padded), state


class TimeFirstTagger(nn.Module):
    """A bidirectional GRU under a linear layer, time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.inlet = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.Tanh())
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, is_padding: Tensor) -> Tensor:
        """Return the scores of each step."""
        packed = pack_padded_sequence(self.inlet(x), (~is_padding).sum(0).cpu(), enforce_sorted=False)
        total = None if self._broken else len(x)
        outputs, _ = pad_packed_sequence(self.gru(packed)[0], total_length=total)
        scores: Tensor = self.head(outputs)
        return scores


class ResidualLayers(nn.Module):
    """Packed layers with skips, each of which cuts its input to what came out."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.layers = nn.ModuleList(nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True) for _ in range(2))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each step."""
        hidden = self.embedding(tokens)
        for layer in self.layers:
            packed = pack_padded_sequence(hidden, lengths.cpu(), batch_first=True, enforce_sorted=False)
            total = None if self._broken else tokens.shape[1]
            outputs, _ = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=total)
            hidden = hidden[:, : outputs.shape[1]] + outputs
        scores: Tensor = self.head(hidden)
        return scores


class LoopToLongest(nn.Module):
    """A GRU cell stepped as far as the longest sequence goes."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values of each step."""
        hidden = x.new_zeros(len(x), self.cell.hidden_size)
        values = []
        for t in range(int(lengths.max()) if self._broken else x.shape[1]):
            hidden = self.cell(x[:, t], hidden)
            values.append(self.head(hidden))
        return torch.stack(values, 1)


class FilledUpTagger(nn.Module):
    """The padded length is restored by hand, in front."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each step."""
        packed = pack_padded_sequence(x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        scores: Tensor = self.head(outputs)
        missing = x.shape[1] - scores.shape[1]
        return pad(scores, (0, 0, missing, 0) if self._broken else (0, 0, 0, missing))


_STEPS = Contract(
    task="tag",
    each="step",
    takes=("x", "lengths"),
    batch_first=True,
    padding="right",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
_MASKED = replace(_STEPS, takes=("x", "mask"), mask="valid", causal=False)

DEFECT = Defect(
    code="SW312",
    says="Where all sequences are shorter than the padded length, outputs come shorter or are shifted.",
    variants=(
        Variant(
            name="stacked LSTM with its state, unpacked to the longest",
            broken=partial(PackedTagger, broken=True),
            mended=partial(PackedTagger, broken=False),
            contract=replace(_STEPS, takes=("x", "lengths", "state"), initial_state="initial_state", returns_state=True),
        ),
        Variant(
            name="bidirectional GRU, unpacked to the longest, time first",
            broken=partial(TimeFirstTagger, broken=True),
            mended=partial(TimeFirstTagger, broken=False),
            contract=replace(_MASKED, mask="padding", batch_first=False),
        ),
        Variant(
            name="embedding and residual LSTM layers, cut to the longest",
            broken=partial(ResidualLayers, broken=True),
            mended=partial(ResidualLayers, broken=False),
            contract=_STEPS,
            reads="tokens",
        ),
        Variant(
            name="GRU cell loop to the longest",
            broken=partial(LoopToLongest, broken=True),
            mended=partial(LoopToLongest, broken=False),
            contract=replace(_STEPS, task="regress", output="values"),
        ),
        Variant(
            name="bidirectional GRU, filled up in front",
            broken=partial(FilledUpTagger, broken=True),
            mended=partial(FilledUpTagger, broken=False),
            contract=_MASKED,
        ),
    ),
    seen_in=("pytorch/pytorch#1591", "yzhangcs/crfpar#6"),
)
