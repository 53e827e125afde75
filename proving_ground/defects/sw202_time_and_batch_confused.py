"""Time and batch are confused: a batch-first input reaches a time-first recurrence, which then runs along the batch."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class Tagger(nn.Module):
    """One GRU and a linear layer, without or with `batch_first=True`."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, batch_first=not broken)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        out, _ = self.rnn(x)
        scores: Tensor = self.fc(out)
        return scores


class ActivityClassifier(nn.Module):
    """Stacked LSTM, of which the output at each row's own last step is read."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=not broken)
        self.fc = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, sizes.outputs))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        shape = (2, x.size(0) if self.lstm.batch_first else x.size(1), self.lstm.hidden_size)
        out, _ = self.lstm(x, (x.new_zeros(shape), x.new_zeros(shape)))
        rows = torch.arange(len(x), device=x.device)
        scores: Tensor = self.fc(out[rows, lengths.to(x.device) - 1])
        return scores


class CellTagger(nn.Module):
    """Tokens and LSTMCell in a loop, with a residual around the cell."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.cell = nn.LSTMCell(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._time = 0 if broken else 1

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        words = self.embed(tokens)
        h = c = words.new_zeros(words.select(self._time, 0).shape)
        hidden = []
        for word in words.unbind(dim=self._time):
            h, c = self.cell(word, (h, c))
            hidden.append(h + word)
        scores: Tensor = self.head(torch.stack(hidden, dim=self._time))
        return scores


class PooledBiGRU(nn.Module):
    """Projection, bidirectional GRU in its time-first default, maximum over time."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.LayerNorm(sizes.hidden), nn.ReLU())
        self.gru = nn.GRU(sizes.hidden, sizes.hidden // 2, bidirectional=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._as_it_comes = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        features = self.project(x)
        out = self.gru(features)[0] if self._as_it_comes else self.gru(features.transpose(0, 1))[0].transpose(0, 1)
        scores: Tensor = self.head(out.amax(dim=1))
        return scores


DEFECT = Defect(
    code="SW202",
    says="Time and batch are confused, so that the recurrence runs along the batch.",
    variants=(
        Variant(
            name="GRU tagger without batch_first",
            broken=partial(Tagger, broken=True),
            mended=partial(Tagger, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x",),
                batch_first=True,
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="stacked LSTM classifier, zeros given, read at its lengths",
            broken=partial(ActivityClassifier, broken=True),
            mended=partial(ActivityClassifier, broken=False),
            contract=Contract(
                task="classify",
                each="sequence",
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="LSTMCell loop over tokens with a residual, loop over dim 0",
            broken=partial(CellTagger, broken=True),
            mended=partial(CellTagger, broken=False),
            reads="tokens",
            contract=Contract(
                task="tag",
                each="step",
                takes=("x",),
                batch_first=True,
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="bidirectional GRU with maximum over time, transpose forgotten",
            broken=partial(PooledBiGRU, broken=True),
            mended=partial(PooledBiGRU, broken=False),
            contract=Contract(
                task="classify",
                each="sequence",
                takes=("x",),
                batch_first=True,
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
)
