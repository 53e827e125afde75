"""Forward writes into what it is given, so that the caller's batch is another one after the call."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class ScaledClassifier(nn.Module):
    """Each series is divided by its range before a bidirectional LSTM reads it."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each series."""
        largest = 1 + x.abs().amax(dim=(1, 2), keepdim=True)
        if self._broken:
            x /= largest
        else:
            x = x / largest
        _, (last, _) = self.rnn(x)
        return self.head(torch.cat([last[0], last[1]], dim=-1))  # type: ignore[no-any-return]


class LastStepClassifier(nn.Module):
    """A GRU read at the last real step, whose index is made out of the lengths themselves."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        last = (lengths.sub_(1) if self._broken else lengths - 1).to(x.device)
        padded = torch.arange(x.shape[1], device=x.device) > last[:, None]
        outputs, _ = self.rnn(x.masked_fill(padded[..., None], 0.0))
        return self.head(outputs[torch.arange(len(x), device=x.device), last])  # type: ignore[no-any-return]


class RareTokens(nn.Module):
    """A packed LSTM over tokens, of which the rare ones, the second half of the vocabulary, count as one unknown word."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.unknown = 1
        self.common = sizes.vocabulary // 2
        self.embed = nn.Embedding(self.common, sizes.hidden, padding_idx=0)
        self.rnn = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sentence."""
        rare = tokens >= self.common
        tokens = tokens.masked_fill_(rare, self.unknown) if self._broken else tokens.masked_fill(rare, self.unknown)
        _, (last, _) = self.rnn(pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False))
        return self.head(last[-1])  # type: ignore[no-any-return]


class ChangeTagger(nn.Module):
    """A loop over an LSTM cell, time first, that reads changes from step to step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def changes(self, x: Tensor) -> Tensor:
        """Return the first step, and what each later one adds to the one before."""
        if self._broken:
            x[1:] -= x[:-1].clone()
            return x
        return torch.cat([x[:1], x.diff(dim=0)])

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of each step."""
        hidden = cell = x.new_zeros(x.shape[1], self.cell.hidden_size)
        outputs = []
        for step in self.changes(x):
            hidden, cell = self.cell(step, (hidden, cell))
            outputs.append(hidden)
        return self.head(torch.stack(outputs))  # type: ignore[no-any-return]


class MaskedAttention(nn.Module):
    """A convolution and a GRU with attention; the mask is turned round on the spot to fill what is padding."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3, padding=1)
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.score = nn.Linear(sizes.hidden, 1, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence; the mask is True at real steps."""
        padded = (mask.logical_not_() if self._broken else mask.logical_not())[..., None]
        features = self.conv(x.masked_fill(padded, 0.0).transpose(1, 2)).transpose(1, 2)
        outputs, _ = self.rnn(torch.relu(features))
        weights = self.score(outputs).masked_fill(padded, -math.inf).softmax(dim=1)
        return self.head((weights * outputs).sum(dim=1))  # type: ignore[no-any-return]


DEFECT = Defect(
    code="SW606",
    says="A call changes its own arguments.",
    variants=(
        Variant(
            name="series scaled in place before an LSTM",
            broken=partial(ScaledClassifier, broken=True),
            mended=partial(ScaledClassifier, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=True,
                each="sequence",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="lengths made to indices",
            broken=partial(LastStepClassifier, broken=True),
            mended=partial(LastStepClassifier, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="rare tokens overwritten",
            broken=partial(RareTokens, broken=True),
            mended=partial(RareTokens, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
            reads="tokens",
        ),
        Variant(
            name="changes written over values in a cell loop",
            broken=partial(ChangeTagger, broken=True),
            mended=partial(ChangeTagger, broken=False),
            contract=Contract(
                task="regress",
                takes=("x",),
                batch_first=False,
                each="step",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
        Variant(
            name="mask turned round under attention",
            broken=partial(MaskedAttention, broken=True),
            mended=partial(MaskedAttention, broken=False),
            contract=Contract(
                takes=("x", "mask"),
                batch_first=True,
                mask="valid",
                padding="right",
                each="sequence",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
)
