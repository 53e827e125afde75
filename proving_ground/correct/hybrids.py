"""Convolutions and attention beside recurrence that are right: which steps does each output look at?"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract


def real_steps(lengths: Tensor, x: Tensor) -> Tensor:
    """Return `[batch, time]`, True at the real steps of a batch-first input."""
    return torch.arange(x.shape[1], device=x.device) < lengths.to(x.device).unsqueeze(1)


class ConvolvedBothWays(nn.Module):
    """A symmetric convolution before a bidirectional LSTM: what lies in the padding is silenced before it is looked at."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, 5, padding=2)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden // 2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(sizes.hidden // 2 * 2, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        heard = x.masked_fill(~real_steps(lengths, x).unsqueeze(-1), 0.0)
        found = functional.gelu(self.conv(heard.transpose(1, 2))).transpose(1, 2)
        packed = pack_padded_sequence(found, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        logits: Tensor = self.head(outputs)
        return logits


class CausalConvolution(nn.Module):
    """A convolution that is padded on the left only, then a GRU: lengths would change nothing."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, 3)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG002  # padding comes after all that is read
        """Return `[time, batch, outputs]`."""
        found = self.conv(functional.pad(x.permute(1, 2, 0), (2, 0))).permute(2, 0, 1)
        logits: Tensor = self.head(self.gru(torch.tanh(found))[0])
        return logits


class DilatedResiduals(nn.Module):
    """Dilated causal convolutions with residuals and weight normalisation, no recurrence at all."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Conv1d(sizes.inputs, sizes.hidden, 1)
        self.convs = nn.ModuleList(
            parametrizations.weight_norm(nn.Conv1d(sizes.hidden, sizes.hidden, 3, dilation=2**depth)) for depth in range(3)
        )
        self.drop = nn.Dropout(0.1)
        self.head = nn.Conv1d(sizes.hidden, sizes.outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        steps = self.embed(x.transpose(1, 2))
        for depth, conv in enumerate(self.convs):
            steps = steps + self.drop(functional.gelu(conv(functional.pad(steps, (2 * 2**depth, 0)))))
        logits: Tensor = self.head(steps)
        return logits.transpose(1, 2)


class SelfAttention(nn.Module):
    """Attention among the steps of a GRU; the answers at padded steps are anything, and no one reads them."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.attention = nn.MultiheadAttention(sizes.hidden, 2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        outputs, _ = self.gru(x)
        mixed, _ = self.attention(outputs, outputs, outputs, key_padding_mask=padding_mask)
        real = (~padding_mask).unsqueeze(-1)
        logits: Tensor = self.head(torch.where(real, outputs + mixed, 0.0).sum(1) / real.sum(1))
        return logits


class SelfAttentionTagger(nn.Module):
    """A transformer layer on top of a bidirectional GRU; outputs at padded steps differ with the batch, outputs at real steps do not."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden // 2, bidirectional=True, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(sizes.hidden // 2 * 2, 2, 2 * sizes.hidden, batch_first=True, activation="gelu")
        self.head = nn.Linear(sizes.hidden // 2 * 2, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])
        logits: Tensor = self.head(self.layer(outputs, src_key_padding_mask=~real_steps(lengths, x)))
        return logits


class PooledByAttention(nn.Module):
    """One score a step, minus infinity where there is padding."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, bidirectional=True, batch_first=True)
        self.score = nn.Sequential(nn.Linear(2 * sizes.hidden, sizes.hidden), nn.Tanh(), nn.Linear(sizes.hidden, 1, bias=False))
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        scores = self.score(outputs).squeeze(-1).masked_fill(~real_steps(lengths, x), float("-inf"))
        logits: Tensor = self.head(torch.einsum("bt,bth->bh", scores.softmax(1), outputs))
        return logits


class AddedMask(nn.Module):
    """Attention pooling in which padding has a billion taken off its score."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.score = nn.Linear(sizes.hidden, 1, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        outputs, _ = self.gru(x)
        scores = self.score(outputs) + (1.0 - mask.unsqueeze(-1).to(x.dtype)) * -1e9
        logits: Tensor = self.head((scores.softmax(1) * outputs).sum(1))
        return logits


class LastStateAsks(nn.Module):
    """An encoder whose final state asks all of its steps, as a decoder's first step would; time comes first."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encoder = nn.GRU(sizes.inputs, sizes.hidden)
        self.asked = nn.Linear(sizes.hidden, sizes.hidden)
        self.answer = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.score = nn.Linear(sizes.hidden, 1, bias=False)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        packed, hidden = self.encoder(pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False))
        outputs, _ = pad_packed_sequence(packed)
        scores = self.score(torch.tanh(self.asked(hidden) + self.answer(outputs))).squeeze(-1)
        padding = torch.arange(len(outputs), device=x.device).unsqueeze(1) >= lengths.to(x.device)
        weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(0)
        context = (weights.unsqueeze(-1) * outputs).sum(0)
        logits: Tensor = self.head(torch.cat([context, hidden[-1]], dim=-1))
        return logits


class HalvedTime(nn.Module):
    """A convolution of stride two halves time; lengths are halved with it, rounded up."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, 3, stride=2, padding=1)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        heard = x * real_steps(lengths, x).unsqueeze(-1)
        halved = torch.tanh(self.conv(heard.transpose(1, 2))).transpose(1, 2)
        _, hidden = self.gru(pack_padded_sequence(halved, (lengths.cpu() + 1) // 2, batch_first=True, enforce_sorted=False))
        logits: Tensor = self.head(hidden[-1])
        return logits


class CausalAttention(nn.Module):
    """Each step of an LSTM attends to itself and what came before, nearer steps first."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.query = nn.Linear(sizes.hidden, sizes.hidden)
        self.key = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.value = nn.Linear(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        outputs, _ = self.lstm(x)
        places = torch.arange(x.shape[1], device=x.device)
        distance = places.unsqueeze(1) - places
        nearness = (-0.1 * distance.to(x.dtype)).masked_fill(distance < 0, float("-inf"))
        mixed = functional.scaled_dot_product_attention(self.query(outputs), self.key(outputs), self.value(outputs), attn_mask=nearness)
        logits: Tensor = self.head(torch.cat([outputs, mixed], dim=-1))
        return logits


HYBRID = partial(
    Contract,
    batch_first=True,
    padding="right",
    returns_state=False,
    stateful=False,
    order_matters=True,
    output="logits",
)
OF_ROWS = partial(HYBRID, task="classify", each="sequence", causal=False)
OF_STEPS = partial(HYBRID, task="tag", each="step")

CORRECT: tuple[Correct, ...] = (
    Correct(
        name="symmetric convolution and bidirectional LSTM",
        build=ConvolvedBothWays,
        contract=OF_STEPS(takes=("x", "lengths"), causal=False),
    ),
    Correct(
        name="causal convolution, mask not needed, time first",
        build=CausalConvolution,
        contract=OF_STEPS(takes=("x", "mask"), mask="valid", batch_first=False, causal=True),
    ),
    Correct(name="dilated causal convolutions", build=DilatedResiduals, contract=OF_STEPS(takes=("x",), padding=None, causal=True)),
    Correct(name="self-attention, padded answers unread", build=SelfAttention, contract=OF_ROWS(takes=("x", "mask"), mask="padding")),
    Correct(
        name="transformer layer on a bidirectional GRU",
        build=SelfAttentionTagger,
        contract=OF_STEPS(takes=("x", "lengths"), causal=False),
    ),
    Correct(name="attention pooling over minus infinity", build=PooledByAttention, contract=OF_ROWS(takes=("x", "lengths"))),
    Correct(name="attention pooling with an added mask", build=AddedMask, contract=OF_ROWS(takes=("x", "mask"), mask="valid")),
    Correct(
        name="last state asks the encoder, time first",
        build=LastStateAsks,
        contract=OF_ROWS(takes=("x", "lengths"), batch_first=False),
    ),
    Correct(name="strided convolution with halved lengths", build=HalvedTime, contract=OF_ROWS(takes=("x", "lengths"))),
    Correct(name="causal attention on an LSTM", build=CausalAttention, contract=OF_STEPS(takes=("x",), padding=None, causal=True)),
)
