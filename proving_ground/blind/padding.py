"""Padding: does it stay out of the answers, and is a short sequence answered as any other? Written without sight of the checks."""

# mypy: disable-error-code="no-any-return"
# The bodies stand as they were written, and what a layer of torch returns has no type.

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from proving_ground.blind._parts import SEQUENCE, pack, valid_steps
from proving_ground.cases import Blind, Sizes


class MaskedAttentionPool(nn.Module):
    """GRU, then additive attention over its valid steps."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.project = nn.Linear(sizes.hidden, sizes.hidden)
        self.score = nn.Linear(sizes.hidden, 1, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        out, _ = self.gru(x)
        scores = self.score(torch.tanh(self.project(out))).squeeze(-1)
        weights = torch.softmax(scores * mask, dim=1)
        return self.head((weights.unsqueeze(-1) * out).sum(1))


class MaskedAttentionPoolMended(MaskedAttentionPool):
    """Padding gets no weight."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        out, _ = self.gru(x)
        scores = self.score(torch.tanh(self.project(out))).squeeze(-1)
        weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=1)
        return self.head((weights.unsqueeze(-1) * out).sum(1))


class LeftPaddedLSTM(nn.Module):
    """LSTM cell in a loop that waits at padded steps; sequences are padded on the left."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        h = x.new_zeros(x.size(0), self.cell.hidden_size)
        c = torch.zeros_like(h)
        for t in range(x.size(1)):
            real = mask[:, t, None]
            new_h, c = self.cell(x[:, t], (h, c))
            h = torch.where(real, new_h, h)
        return self.head(h)


class LeftPaddedLSTMMended(LeftPaddedLSTM):
    """Both parts of the state wait."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        h = x.new_zeros(x.size(0), self.cell.hidden_size)
        c = torch.zeros_like(h)
        for t in range(x.size(1)):
            real = mask[:, t, None]
            new_h, new_c = self.cell(x[:, t], (h, c))
            h, c = torch.where(real, new_h, h), torch.where(real, new_c, c)
        return self.head(h)


class Seq2SeqForecaster(nn.Module):
    """Encoder-decoder forecast: the decoder starts from the last observed value and feeds on its own forecasts."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.steps = sizes.outputs
        self.encoder = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.decoder = nn.GRUCell(1, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, 1)

    def last_value(self, x: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002 - this is the mistake
        """Return the value from which the decoder starts, `[batch, 1]`."""
        return x[:, -1, :1]

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values to come, `[batch, outputs]`."""
        _, hidden = self.encoder(pack(x, lengths))
        hidden, value = hidden[-1], self.last_value(x, lengths)
        forecasts = []
        for _ in range(self.steps):
            hidden = self.decoder(value, hidden)
            value = value + self.head(hidden)
            forecasts.append(value)
        return torch.cat(forecasts, 1)


class Seq2SeqForecasterMended(Seq2SeqForecaster):
    """The decoder starts from each row's own last value."""

    def last_value(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the value from which the decoder starts, `[batch, 1]`."""
        return x[torch.arange(len(x), device=x.device), lengths.to(x.device) - 1, :1]


class StatisticsPool(nn.Module):
    """Speaker embedding: mean and standard deviation of the GRU's outputs over the real steps."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def deviation(self, squares: Tensor, count: Tensor) -> Tensor:
        """Return the standard deviation `[batch, hidden]`."""
        return torch.sqrt(squares.sum(1) / (count - 1) + 1e-5)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        out, _ = self.gru(x)
        real = valid_steps(lengths, x.size(1), x.device).unsqueeze(-1)
        count = real.sum(1).to(x.dtype)
        mean = (out * real).sum(1) / count
        squares = (out - mean.unsqueeze(1)).square() * real
        return self.head(torch.cat([mean, self.deviation(squares, count)], 1))


class StatisticsPoolMended(StatisticsPool):
    """The variance divides by the number of steps."""

    def deviation(self, squares: Tensor, count: Tensor) -> Tensor:
        """Return the standard deviation `[batch, hidden]`."""
        return torch.sqrt(squares.sum(1) / count + 1e-5)


class NgramReader(nn.Module):
    """Token convolution, then a GRU over the real steps (token 0 is padding)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.conv = nn.Conv1d(sizes.hidden, sizes.hidden, 3, padding=1)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.init_weights()

    def init_weights(self) -> None:
        """Draw the weights."""
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        lengths = (x != 0).sum(1)
        features = torch.relu(self.conv(self.embedding(x).transpose(1, 2))).transpose(1, 2)
        _, hidden = self.gru(pack(features, lengths))
        return self.head(hidden[-1])


class NgramReaderMended(NgramReader):
    """The row of padding is zero again."""

    def init_weights(self) -> None:
        """Draw the weights."""
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        with torch.no_grad():
            self.embedding.weight[self.embedding.padding_idx].zero_()
        nn.init.zeros_(self.head.bias)


BLIND: tuple[Blind, ...] = (
    Blind(
        name="masked attention pool",
        says="The mask is multiplied into the scores before the softmax, so padding still gets weight exp(0).",
        broken=MaskedAttentionPool,
        mended=MaskedAttentionPoolMended,
        contract=SEQUENCE(takes=("x", "mask"), mask="valid", output="logits"),
        codes=("SW301",),
    ),
    Blind(
        name="left-padded LSTM",
        says="At padded steps the hidden state waits but the cell state runs on.",
        broken=LeftPaddedLSTM,
        mended=LeftPaddedLSTMMended,
        contract=SEQUENCE(takes=("x", "mask"), mask="valid", padding="left", output="logits"),
        codes=(
            "SW301",
            "SW313",
        ),
    ),
    Blind(
        name="seq2seq forecaster",
        says="The decoder starts from x[:, -1], which is padding for every row but the longest.",
        broken=Seq2SeqForecaster,
        mended=Seq2SeqForecasterMended,
        contract=SEQUENCE(takes=("x", "lengths"), output="values"),
        codes=("SW301",),
    ),
    Blind(
        name="statistics pool",
        says="The unbiased variance divides by zero for a sequence of one step: NaN.",
        broken=StatisticsPool,
        mended=StatisticsPoolMended,
        contract=SEQUENCE(takes=("x", "lengths"), output="logits"),
        codes=("SW314",),
    ),
    Blind(
        name="n-gram reader",
        says="Re-initialising the embedding overwrites the zero row of padding_idx, and the convolution reads it at the end.",
        broken=NgramReader,
        mended=NgramReaderMended,
        contract=SEQUENCE(takes=("x",), output="logits"),
        codes=("SW302",),
        reads="tokens",
    ),
)
