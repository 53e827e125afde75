"""A module is promised causal, but a later step changes an earlier output: how does the future get in?"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class TokenTagger(nn.Module):
    """A label for each token, from a packed LSTM that reads both ways."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.rnn = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=broken)
        self.head = nn.Linear(sizes.hidden * (2 if broken else 1), sizes.outputs)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each token."""
        packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=tokens.shape[1])
        return self.head(outputs)  # type: ignore[no-any-return]


class ConvTagger(nn.Module):
    """A convolution that smooths the readings, then a GRU; the kernel is centred on the step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3)
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._around = (1, 1) if broken else (2, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each step."""
        smooth = torch.relu(self.conv(functional.pad(x.transpose(1, 2), self._around)))
        outputs, _ = self.rnn(smooth.transpose(1, 2))
        return self.head(outputs)  # type: ignore[no-any-return]


class CentredForecaster(nn.Module):
    """Each series is centred before a two-layer LSTM reads it, on a mean that knows how the series goes on."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def level(self, x: Tensor) -> Tensor:
        """Return what is taken off each step."""
        if self._broken:
            return x.mean(dim=1, keepdim=True)
        before = functional.pad(x, (0, 0, 1, 0))[:, :-1].cumsum(dim=1)
        return before / torch.arange(x.shape[1], device=x.device).clamp(min=1)[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """Return the values that follow each step."""
        outputs, _ = self.rnn(x - self.level(x))
        return self.head(outputs)  # type: ignore[no-any-return]


class AttentionTagger(nn.Module):
    """A GRU whose outputs attend to each other; padding is masked, what comes later is not."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.query = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.key = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.value = nn.Linear(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each step; the mask is True at real ones."""
        outputs, _ = self.rnn(x.masked_fill(~mask[..., None], 0.0))
        allowed = mask[:, None, :].expand(-1, x.shape[1], -1)
        if not self._broken:
            allowed = allowed.tril()
        context = functional.scaled_dot_product_attention(self.query(outputs), self.key(outputs), self.value(outputs), attn_mask=allowed)
        return self.head(torch.cat([outputs, context], dim=-1))  # type: ignore[no-any-return]


class ChangeTagger(nn.Module):
    """A loop over an LSTM cell, time first, that reads values and changes: those to the next step instead of from the last."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(2 * sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each step, time first."""
        change = x.diff(dim=0, append=x[-1:]) if self._broken else x.diff(dim=0, prepend=x[:1])
        hidden = cell = x.new_zeros(x.shape[1], self.cell.hidden_size)
        outputs = []
        for step in torch.cat([x, change], dim=-1):
            hidden, cell = self.cell(step, (hidden, cell))
            outputs.append(hidden)
        return self.head(torch.stack(outputs))  # type: ignore[no-any-return]


class StackedTagger(nn.Module):
    """Four GRU layers with residuals, of which every second one reads backwards."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.layers = nn.ModuleList(nn.GRU(sizes.hidden, sizes.hidden, batch_first=True) for _ in range(4))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._alternate = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each step."""
        stream = self.enter(x)
        for place, layer in enumerate(self.layers):
            stream = stream + layer(stream.flip(1))[0].flip(1) if self._alternate and place % 2 else stream + layer(stream)[0]
        return self.head(stream)  # type: ignore[no-any-return]


class NormalisedConvolution(nn.Module):
    """Dilated causal convolutions and a GRU, with a group norm between that takes its statistics over time as well."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.first = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=2)
        self.second = nn.Conv1d(sizes.hidden, sizes.hidden, kernel_size=2, dilation=2)
        self.norm = nn.GroupNorm(1, sizes.hidden) if broken else nn.LayerNorm(sizes.hidden)
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each step."""
        features = torch.relu(self.first(functional.pad(x.transpose(1, 2), (1, 0))))
        features = self.second(functional.pad(features, (2, 0)))
        features = self.norm(features).transpose(1, 2) if isinstance(self.norm, nn.GroupNorm) else self.norm(features.transpose(1, 2))
        outputs, _ = self.rnn(features)
        return self.head(outputs)  # type: ignore[no-any-return]


class ShiftedRecurrence(nn.Module):
    """A linear recurrence over tokens mixed with the token before, which for the first one is the last: a roll goes round."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.mix = nn.Parameter(torch.full((sizes.hidden,), 0.5))
        self.value = nn.Linear(sizes.hidden, sizes.hidden)
        self.decay = nn.Parameter(torch.linspace(-1.0, 3.0, sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scores of each token."""
        now = self.embed(tokens)
        before = now.roll(1, dims=1) if self._broken else functional.pad(now, (0, 0, 1, 0))[:, :-1]
        values = self.value(torch.lerp(before, now, self.mix))
        keep, level, outputs = torch.sigmoid(self.decay), torch.zeros_like(values[:, 0]), []
        for step in values.unbind(1):
            level = keep * level + (1 - keep) * step
            outputs.append(level)
        return self.head(torch.stack(outputs, dim=1))  # type: ignore[no-any-return]


class SummaryTagger(nn.Module):
    """An encoder's last hidden state is the summary that every step of the tagger is told."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.encoder = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.tagger = nn.LSTM(sizes.inputs + sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each step."""
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        encoded, last = self.encoder(packed)
        summary, _ = pad_packed_sequence(encoded, batch_first=True, total_length=x.shape[1])
        if self._broken:
            summary = last[-1][:, None].expand_as(summary)
        both = pack_padded_sequence(torch.cat([x, summary], dim=-1), lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.tagger(both)[0], batch_first=True, total_length=x.shape[1])
        return self.head(outputs)  # type: ignore[no-any-return]


_BARE = Contract(
    takes=("x",), batch_first=True, each="step", returns_state=False, causal=True, stateful=False, order_matters=True, output="logits"
)
_TIME_FIRST = Contract(
    takes=("x",), batch_first=False, each="step", returns_state=False, causal=True, stateful=False, order_matters=True, output="logits"
)
_FORECAST = Contract(
    task="regress",
    takes=("x",),
    batch_first=True,
    each="step",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="values",
)
_LENGTHS = Contract(
    takes=("x", "lengths"),
    batch_first=True,
    padding="right",
    each="step",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
_MASK = Contract(
    takes=("x", "mask"),
    batch_first=True,
    mask="valid",
    padding="right",
    each="step",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)

DEFECT = Defect(
    code="SW401",
    says="An output is promised to rest on the steps so far, but a later step changes it.",
    variants=(
        Variant(
            name="bidirectional LSTM over tokens",
            broken=partial(TokenTagger, broken=True),
            mended=partial(TokenTagger, broken=False),
            contract=_LENGTHS,
            reads="tokens",
        ),
        Variant(
            name="centred convolution before a GRU",
            broken=partial(ConvTagger, broken=True),
            mended=partial(ConvTagger, broken=False),
            contract=_BARE,
        ),
        Variant(
            name="series centred on its whole mean",
            broken=partial(CentredForecaster, broken=True),
            mended=partial(CentredForecaster, broken=False),
            contract=_FORECAST,
        ),
        Variant(
            name="self-attention without a causal mask",
            broken=partial(AttentionTagger, broken=True),
            mended=partial(AttentionTagger, broken=False),
            contract=_MASK,
        ),
        Variant(
            name="change to the next step in a cell loop",
            broken=partial(ChangeTagger, broken=True),
            mended=partial(ChangeTagger, broken=False),
            contract=_TIME_FIRST,
        ),
        Variant(
            name="stacked GRU with alternating directions",
            broken=partial(StackedTagger, broken=True),
            mended=partial(StackedTagger, broken=False),
            contract=_BARE,
        ),
        Variant(
            name="group norm over time between convolutions",
            broken=partial(NormalisedConvolution, broken=True),
            mended=partial(NormalisedConvolution, broken=False),
            contract=_BARE,
        ),
        Variant(
            name="token shift that goes round in a linear recurrence",
            broken=partial(ShiftedRecurrence, broken=True),
            mended=partial(ShiftedRecurrence, broken=False),
            contract=_BARE,
            reads="tokens",
        ),
        Variant(
            name="summary of the whole told to every step",
            broken=partial(SummaryTagger, broken=True),
            mended=partial(SummaryTagger, broken=False),
            contract=_LENGTHS,
        ),
    ),
    seen_in=("espnet/espnet#5900", "Andong-Li-speech/GaGNet#2"),
)
