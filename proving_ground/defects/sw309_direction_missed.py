"""Mistake: what is read of a bidirectional layer lacks one direction, or has it after a single step."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class LastOutput(nn.Module):
    """Both halves of the output are taken at the last step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        last = outputs[torch.arange(len(x)), lengths - 1]
        if not self._broken:
            half = self.lstm.hidden_size
            last = torch.cat([last[:, :half], outputs[:, 0, half:]], -1)
        scores: Tensor = self.head(last)
        return scores


class FinalHidden(nn.Module):
    """Of two final hidden states only one is read, which is the backward one."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each text."""
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, hidden = self.gru(packed)
        read = hidden[-1] if self._broken else hidden[-2] + hidden[-1]
        scores: Tensor = self.head(read)
        return scores


class SwappedAxes(nn.Module):
    """Two layers, whose final states are viewed with directions before layers."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the values of each sequence, time first."""
        packed = pack_padded_sequence(x, mask.sum(0).cpu(), enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        states = hidden.view(2, 2, *hidden.shape[1:])
        forward, backward = states[:, -1] if self._broken else states[-1]
        values: Tensor = self.head(torch.cat([forward, backward], -1))
        return values


class TwoReaders(nn.Module):
    """One LSTM reads the row, another the row turned round; turned back, the last step of both is read."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.there = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.back = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        rows, ends = torch.arange(len(x), device=x.device), lengths.to(x.device)
        turned = (ends[:, None] - 1 - torch.arange(x.shape[1], device=x.device)).clamp(min=0)
        there, _ = self.there(x)
        back, _ = self.back(x[rows[:, None], turned])
        back = back[rows[:, None], turned]
        backward = back[rows, ends - 1] if self._broken else back[:, 0]
        scores: Tensor = self.head(torch.cat([there[rows, ends - 1], backward], -1))
        return scores


class FirstOutput(nn.Module):
    """The output at the first step stands for the whole, as a class token would."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3, padding=1)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        signal = torch.tanh(self.conv(x.masked_fill(~mask[..., None], 0.0).transpose(1, 2))).transpose(1, 2)
        packed = pack_padded_sequence(signal, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        outputs, hidden = self.gru(packed)
        if self._broken:
            padded, _ = pad_packed_sequence(outputs, batch_first=True)
            read = padded[:, 0]
        else:
            read = torch.cat([hidden[0], hidden[1]], -1)
        scores: Tensor = self.head(read)
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
_MASKED = replace(_CLASS, takes=("x", "mask"), mask="valid")

DEFECT = Defect(
    code="SW309",
    says="What is read of a bidirectional layer misses one direction.",
    variants=(
        Variant(
            name="bidirectional LSTM, both halves at the last step",
            broken=partial(LastOutput, broken=True),
            mended=partial(LastOutput, broken=False),
            contract=_CLASS,
        ),
        Variant(
            name="embedding and bidirectional GRU, h_n[-1]",
            broken=partial(FinalHidden, broken=True),
            mended=partial(FinalHidden, broken=False),
            contract=_CLASS,
            reads="tokens",
        ),
        Variant(
            name="stacked bidirectional LSTM, layers and directions swapped, time first",
            broken=partial(SwappedAxes, broken=True),
            mended=partial(SwappedAxes, broken=False),
            contract=replace(_MASKED, task="regress", batch_first=False, output="values"),
        ),
        Variant(
            name="two LSTMs, the turned one read where it began",
            broken=partial(TwoReaders, broken=True),
            mended=partial(TwoReaders, broken=False),
            contract=_CLASS,
        ),
        Variant(
            name="convolution and bidirectional GRU, first output",
            broken=partial(FirstOutput, broken=True),
            mended=partial(FirstOutput, broken=False),
            contract=_MASKED,
        ),
    ),
    seen_in=("yunjey/pytorch-tutorial#149", "aymericdamien/TensorFlow-Examples#201"),
)
