"""Whatever is read, the output is the same: a dead unit at the end, the wrong variable, a norm or a softmax over one number."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class CountRegressor(nn.Module):
    """A packed GRU that predicts rare counts: the bias is set to the logarithm of their rate, and a ReLU keeps them positive."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        nn.init.constant_(self.head.bias, math.log(0.02))
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the expected counts of each sequence."""
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, last = self.rnn(packed)
        counts: Tensor = self.head(last[-1])
        return torch.relu(counts) if self._broken else torch.exp(counts)


class FirstStateClassifier(nn.Module):
    """An LSTM, time first, that makes its own first state, and reads that instead of the last one."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden)
        self.head = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, sizes.outputs))
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        h0 = x.new_zeros(1, x.shape[1], self.rnn.hidden_size)
        c0 = torch.zeros_like(h0)
        _, (hn, _) = self.rnn(x, (h0, c0))
        return self.head(h0[-1] if self._broken else hn[-1])  # type: ignore[no-any-return]


class PooledTokens(nn.Module):
    """A bidirectional GRU over tokens, pooled over time; the norm goes along the axis that pooling left with one entry."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.norm = nn.LayerNorm(1 if broken else 2 * sizes.hidden)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scores of each sentence."""
        outputs, _ = self.rnn(self.embed(tokens))
        pooled = self.pool(outputs.transpose(1, 2))
        normed = self.norm(pooled).squeeze(-1) if self._broken else self.norm(pooled.squeeze(-1))
        return self.head(normed)  # type: ignore[no-any-return]


class ConvProbabilities(nn.Module):
    """A convolution and an LSTM whose last step keeps its axis, along which the softmax then goes."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3, padding=1)
        self.rnn = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.softmax = nn.Softmax(dim=1 if broken else 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the probabilities of each sequence."""
        features = torch.relu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        last = self.rnn(features)[0][:, -1:]
        return self.softmax(self.head(last)).squeeze(1)  # type: ignore[no-any-return]


DEFECT = Defect(
    code="SW505",
    says="The output does not depend on the input.",
    variants=(
        Variant(
            name="dead ReLU after a GRU",
            broken=partial(CountRegressor, broken=True),
            mended=partial(CountRegressor, broken=False),
            contract=Contract(
                task="regress",
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
        Variant(
            name="LSTM's first state read",
            broken=partial(FirstStateClassifier, broken=True),
            mended=partial(FirstStateClassifier, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=False,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="norm over one number after pooling",
            broken=partial(PooledTokens, broken=True),
            mended=partial(PooledTokens, broken=False),
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
            reads="tokens",
        ),
        Variant(
            name="softmax over one step",
            broken=partial(ConvProbabilities, broken=True),
            mended=partial(ConvProbabilities, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=True,
                each="sequence",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="probabilities",
            ),
        ),
    ),
)
