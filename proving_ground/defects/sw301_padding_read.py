"""Mistake: what lies at padded steps reaches the outputs of real ones, or of the sequence."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class LastStep(nn.Module):
    """One LSTM, of which the last step is classified."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        outputs, _ = self.lstm(x)
        last = outputs[:, -1] if self._broken else outputs[torch.arange(len(x)), lengths - 1]
        scores: Tensor = self.head(last)
        return scores


class TextClassifier(nn.Module):
    """Embedded tokens, two layers of GRU, the hidden state at the end."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, num_layers=2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each text."""
        embedded = self.embedding(tokens)
        if not self._broken:
            embedded = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, hidden = self.gru(embedded)
        scores: Tensor = self.head(hidden[-1])
        return scores


class BothWaysTagger(nn.Module):
    """A bidirectional LSTM with one answer a step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each step."""
        if self._broken:
            outputs, _ = self.lstm(x)
        else:
            packed = pack_padded_sequence(x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
            outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        scores: Tensor = self.head(outputs)
        return scores


class AttentivePooling(nn.Module):
    """GRU outputs weighted by a small scoring network."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.score = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.Tanh(), nn.Linear(sizes.hidden, 1, bias=False))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, is_padding: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        if not self._broken:
            x = x.masked_fill(is_padding[..., None], 0.0)
        outputs, _ = self.gru(x)
        energy = self.score(outputs).squeeze(-1)
        if not self._broken:
            energy = energy.masked_fill(is_padding, float("-inf"))
        context = torch.einsum("bt,bth->bh", energy.softmax(1), outputs)
        scores: Tensor = self.head(context)
        return scores


class ConvolvedTagger(nn.Module):
    """A convolution over neighbouring steps before a packed LSTM."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=5, padding=2)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each step."""
        time = x.shape[1]
        if not self._broken:
            padded = torch.arange(time, device=x.device) >= lengths.to(x.device)[:, None]
            x = x.masked_fill(padded[..., None], 0.0)
        local = torch.relu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        packed = pack_padded_sequence(local, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=time)
        scores: Tensor = self.head(outputs)
        return scores


class SelfAttentiveTagger(nn.Module):
    """Every step looks at all others after an LSTM has read them."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.query = nn.Linear(sizes.hidden, sizes.hidden)
        self.key = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return the scores of each step."""
        if not self._broken:
            x = x.masked_fill(~valid[..., None], 0.0)
        outputs, _ = self.lstm(x)
        affinity = self.query(outputs) @ self.key(outputs).transpose(1, 2) / outputs.shape[-1] ** 0.5
        weights = affinity.masked_fill(~valid.unsqueeze(2 if self._broken else 1), -1e9).softmax(-1)
        scores: Tensor = self.head(torch.cat([outputs, weights @ outputs], -1))
        return scores


class CellLoop(nn.Module):
    """An LSTM cell stepped by hand; the state after the loop is read."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        h = c = x.new_zeros(len(x), self.cell.hidden_size)
        for t in range(x.shape[1]):
            new_h, new_c = self.cell(x[:, t], (h, c))
            if self._broken:
                h, c = new_h, new_c
            else:
                h, c = torch.where(mask[:, t, None], new_h, h), torch.where(mask[:, t, None], new_c, c)
        scores: Tensor = self.head(h)
        return scores


class MaxPooling(nn.Module):
    """The largest value of each unit over time; time comes first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        outputs = self.norm(self.rnn(x)[0])
        if not self._broken:
            padded = torch.arange(len(x), device=x.device)[:, None] >= lengths.to(x.device)
            outputs = outputs.masked_fill(padded[..., None], float("-inf"))
        scores: Tensor = self.head(outputs.amax(0))
        return scores


class ResidualStack(nn.Module):
    """Three GRU layers with skips; the mean over time is read, time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.inlet = nn.Linear(sizes.inputs, sizes.hidden)
        self.layers = nn.ModuleList(nn.GRU(sizes.hidden, sizes.hidden) for _ in range(3))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, is_padding: Tensor) -> Tensor:
        """Return the values of each sequence."""
        hidden = self.inlet(x)
        for layer in self.layers:
            hidden = hidden + layer(hidden)[0]
        if not self._broken:
            hidden = hidden.masked_fill(is_padding[..., None], 0.0)
        values: Tensor = self.head(hidden.sum(0) / (~is_padding).sum(0)[:, None])
        return values


class DecayingSums(nn.Module):
    """A linear recurrence: each unit forgets at its own learned rate."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.linspace(-2.0, 3.0, sizes.hidden))
        self.inlet = nn.Linear(sizes.inputs, sizes.hidden)
        self.head = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.GELU(), nn.Linear(sizes.hidden, sizes.outputs))
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the values of each sequence."""
        keep = torch.sigmoid(self.rate)
        state = x.new_zeros(len(x), len(self.rate))
        states = []
        for drive in self.inlet(x).unbind(1):
            state = keep * state + (1 - keep) * drive
            states.append(state)
        last = state if self._broken else torch.stack(states, 1)[torch.arange(len(x)), lengths - 1]
        values: Tensor = self.head(last)
        return values


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
_CLASS_MASKED = replace(_CLASS, takes=("x", "mask"), mask="valid")
_VALUE = replace(_CLASS, task="regress", output="values")
_STEPS = replace(_CLASS, task="tag", each="step")
_STEPS_MASKED = replace(_STEPS, takes=("x", "mask"), mask="valid")

DEFECT = Defect(
    code="SW301",
    says="What lies at padded steps reaches outputs of real steps, or of the sequence.",
    variants=(
        Variant(
            name="LSTM, last step of the padded output",
            broken=partial(LastStep, broken=True),
            mended=partial(LastStep, broken=False),
            contract=_CLASS,
        ),
        Variant(
            name="embedding and stacked GRU, not packed",
            broken=partial(TextClassifier, broken=True),
            mended=partial(TextClassifier, broken=False),
            contract=_CLASS,
            reads="tokens",
        ),
        Variant(
            name="bidirectional tagger that begins backwards in padding",
            broken=partial(BothWaysTagger, broken=True),
            mended=partial(BothWaysTagger, broken=False),
            contract=_STEPS_MASKED,
        ),
        Variant(
            name="GRU with attentive pooling over padding",
            broken=partial(AttentivePooling, broken=True),
            mended=partial(AttentivePooling, broken=False),
            contract=replace(_CLASS_MASKED, mask="padding"),
        ),
        Variant(
            name="convolution over padding before a packed LSTM",
            broken=partial(ConvolvedTagger, broken=True),
            mended=partial(ConvolvedTagger, broken=False),
            contract=_STEPS,
        ),
        Variant(
            name="LSTM and self-attention, queries masked in place of keys",
            broken=partial(SelfAttentiveTagger, broken=True),
            mended=partial(SelfAttentiveTagger, broken=False),
            contract=_STEPS_MASKED,
        ),
        Variant(
            name="LSTM cell loop that steps on through padding",
            broken=partial(CellLoop, broken=True),
            mended=partial(CellLoop, broken=False),
            contract=_CLASS_MASKED,
        ),
        Variant(
            name="max pooling over time, time first",
            broken=partial(MaxPooling, broken=True),
            mended=partial(MaxPooling, broken=False),
            contract=replace(_CLASS, batch_first=False),
        ),
        Variant(
            name="residual GRU stack, sum over padding divided by the real steps",
            broken=partial(ResidualStack, broken=True),
            mended=partial(ResidualStack, broken=False),
            contract=replace(_VALUE, takes=("x", "mask"), mask="padding", batch_first=False),
        ),
        Variant(
            name="linear recurrence, state after the padding",
            broken=partial(DecayingSums, broken=True),
            mended=partial(DecayingSums, broken=False),
            contract=_VALUE,
        ),
    ),
    seen_in=("pytorch/pytorch#3662", "tensorflow/tensorflow#512", "hyunwoongko/transformer#40"),
)
