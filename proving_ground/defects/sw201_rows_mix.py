"""A row's output depends on the other rows of its batch: an axis is the wrong one, or a statistic is taken over the batch."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class CentredClassifier(nn.Module):
    """Packed GRU; what the sequences of a batch have in common is taken off their summaries."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._axis = 0 if broken else 1

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        summary = self.gru(packed)[1][-1]
        summary = summary - summary.mean(dim=self._axis, keepdim=True)
        scores: Tensor = self.head(summary)
        return scores


class AttentiveBiLSTM(nn.Module):
    """Tokens, bidirectional LSTM, and an attention whose softmax is over dim 0 or 1."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden // 2, bidirectional=True, batch_first=True)
        self.score = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.Tanh(), nn.Linear(sizes.hidden, 1, bias=False))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._softmax = nn.Softmax(dim=0 if broken else 1)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        packed = pack_padded_sequence(self.embed(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=tokens.size(1))
        padded = torch.arange(tokens.size(1), device=tokens.device) >= lengths.unsqueeze(1)
        weights = self._softmax(self.score(out).squeeze(2).masked_fill(padded, -1e9))
        scores: Tensor = self.head((weights.masked_fill(padded, 0.0).unsqueeze(2) * out).sum(dim=1))
        return scores


class ViewTagger(nn.Module):
    """Time-first LSTM inside a batch-first module: on the way out time and batch change places, or are only called so."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._view = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        batch, time, _ = x.shape
        out, _ = self.lstm(x.transpose(0, 1).contiguous())
        out = out.view(batch, time, -1) if self._view else out.transpose(0, 1)
        scores: Tensor = self.head(out)
        return scores


class Standardise(nn.Module):
    """Maps `[batch, channels, time]` less their mean and by their deviation, each taken over some of the axes."""

    def __init__(self, channels: int, *, over: tuple[int, ...]) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1))
        self._over = over

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape."""
        variance, mean = torch.var_mean(maps, dim=self._over, unbiased=False, keepdim=True)
        return (maps - mean) * torch.rsqrt(variance + 1e-5) * self.scale + self.shift


class NormalisedCRNN(nn.Module):
    """Convolution, normalisation and LSTM, as for spectrograms; the normalisation has no running statistics."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3, padding=1, bias=False)
        self.norm = Standardise(sizes.hidden, over=(0, 2) if broken else (1, 2))
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        features = torch.relu(self.norm(self.conv(x.transpose(1, 2))))
        _, (h, _) = self.lstm(features.transpose(1, 2))
        scores: Tensor = self.head(h[-1])
        return scores


class AttendingTagger(nn.Module):
    """GRU and self-attention on top with a residual; the attention must be told that the batch comes first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.attention = nn.MultiheadAttention(sizes.hidden, num_heads=2, batch_first=not broken)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        out, _ = self.gru(x)
        attended, _ = self.attention(out, out, out, need_weights=False)
        scores: Tensor = self.head(self.norm(out + attended))
        return scores


DEFECT = Defect(
    code="SW201",
    says="A row's output depends on the other rows of its batch.",
    variants=(
        Variant(
            name="packed GRU classifier, summaries centred over the batch",
            broken=partial(CentredClassifier, broken=True),
            mended=partial(CentredClassifier, broken=False),
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
            name="bidirectional LSTM over tokens, attention with softmax over the batch",
            broken=partial(AttentiveBiLSTM, broken=True),
            mended=partial(AttentiveBiLSTM, broken=False),
            reads="tokens",
            contract=Contract(
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
            ),
        ),
        Variant(
            name="two layers of LSTM, view in place of transpose",
            broken=partial(ViewTagger, broken=True),
            mended=partial(ViewTagger, broken=False),
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
            name="convolution and LSTM, batch statistics in eval mode",
            broken=partial(NormalisedCRNN, broken=True),
            mended=partial(NormalisedCRNN, broken=False),
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
        Variant(
            name="GRU with self-attention across rows",
            broken=partial(AttendingTagger, broken=True),
            mended=partial(AttendingTagger, broken=False),
            contract=Contract(
                task="tag",
                each="step",
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
