"""A batch of one row, or a sequence of one step, gives something else than in a larger batch, or crashes."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class SentimentLSTM(nn.Module):
    """Packed LSTM; its last hidden state `[1, batch, hidden]` is squeezed, of one row twice."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)
        self._all_axes = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        _, (h, _) = self.lstm(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        scores: Tensor = self.fc(h.squeeze() if self._all_axes else h.squeeze(0))
        return scores


class TokenTagger(nn.Module):
    """Tokens come with an axis of one channel; where that is squeezed away, one step goes as well, and the rows become a sequence."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)
        self._all_axes = broken

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        words = self.embed(tokens.unsqueeze(2))
        out, _ = self.gru(words.squeeze() if self._all_axes else words.squeeze(2))
        scores: Tensor = self.fc(out).view(*tokens.shape, -1)
        return scores


class NormalisedCRNN(nn.Module):
    """Convolution, normalisation over time, LSTM; the normalisation by instance refuses a single step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3, padding=1, bias=False)
        self.norm = nn.InstanceNorm1d(sizes.hidden, affine=True) if broken else nn.GroupNorm(1, sizes.hidden)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        features = torch.relu(self.norm(self.conv(x.transpose(1, 2))))
        out, _ = self.lstm(features.transpose(1, 2))
        scores: Tensor = self.fc(out)
        return scores


class SmoothedBiGRU(nn.Module):
    """A convolution over time before a bidirectional GRU, left out where the batch has a single step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.smooth = nn.Conv1d(sizes.inputs, sizes.inputs, kernel_size=3, padding=1)
        self.gru = nn.GRU(sizes.inputs, sizes.hidden // 2, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)
        self._least = 2 if broken else 1

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        if x.size(1) >= self._least:
            padded = torch.arange(x.size(1), device=x.device) >= lengths.unsqueeze(1)
            x = self.smooth(x.masked_fill(padded.unsqueeze(2), 0.0).transpose(1, 2)).transpose(1, 2)
        _, h = self.gru(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        scores: Tensor = self.fc(torch.cat([h[0], h[1]], dim=1))
        return scores


class StatisticsPooling(nn.Module):
    """Mean and spread of the outputs over time; the spread of one step is not a number with Bessel's correction."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.fc = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._unbiased = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        out, _ = self.lstm(x)
        spread = (out.var(dim=1, unbiased=self._unbiased) + 1e-5).sqrt()
        scores: Tensor = self.fc(torch.cat([out.mean(dim=1), spread], dim=1))
        return scores


class SqueezedAttention(nn.Module):
    """Packed bidirectional LSTM with attention; the energies `[batch, time, 1]` lose more than their last axis."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden // 2, bidirectional=True, batch_first=True)
        self.energy = nn.Linear(sizes.hidden, 1, bias=False)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)
        self._all_axes = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        packed = pack_padded_sequence(x, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.size(1))
        energies = self.energy(out).masked_fill(~mask.unsqueeze(2), -1e9)
        weights = (energies.squeeze() if self._all_axes else energies.squeeze(2)).softmax(dim=1)
        scores: Tensor = self.fc(torch.einsum("bt,bth->bh", weights, out))
        return scores


DEFECT = Defect(
    code="SW203",
    says="A batch of one row, or sequences of one step, give something else than in a larger batch, or crash.",
    variants=(
        Variant(
            name="packed LSTM classifier, h squeezed (one row)",
            broken=partial(SentimentLSTM, broken=True),
            mended=partial(SentimentLSTM, broken=False),
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
            name="GRU tagger over tokens, embedding squeezed (one step)",
            broken=partial(TokenTagger, broken=True),
            mended=partial(TokenTagger, broken=False),
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
            name="convolution, normalisation over time and LSTM (one step)",
            broken=partial(NormalisedCRNN, broken=True),
            mended=partial(NormalisedCRNN, broken=False),
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
        Variant(
            name="convolution left out before a bidirectional GRU (one step)",
            broken=partial(SmoothedBiGRU, broken=True),
            mended=partial(SmoothedBiGRU, broken=False),
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
            name="LSTM with mean and spread over time (one step)",
            broken=partial(StatisticsPooling, broken=True),
            mended=partial(StatisticsPooling, broken=False),
            contract=Contract(
                task="classify",
                each="sequence",
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
            name="bidirectional LSTM with squeezed attention (one row, one step)",
            broken=partial(SqueezedAttention, broken=True),
            mended=partial(SqueezedAttention, broken=False),
            contract=Contract(
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
            ),
        ),
    ),
)
