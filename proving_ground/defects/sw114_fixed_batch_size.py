"""Only one batch size works, that of construction or of the first call: the last, smaller batch crashes or is broadcast."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class Forecaster(nn.Module):
    """LSTM over a series whose batch size is an option of the model, as many a first recurrent network has it."""

    def __init__(self, sizes: Sizes, *, broken: bool, batch_size: int = 16) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.hidden_dim = sizes.hidden
        self.num_layers = 2
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, self.num_layers, batch_first=True)
        self.linear = nn.Linear(sizes.hidden, sizes.outputs)
        self._fixed = broken

    def init_hidden(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return h and c, `[layers, batch, hidden]` each."""
        rows = self.batch_size if self._fixed else x.size(0)
        h = x.new_zeros(self.num_layers, rows, self.hidden_dim)
        return h, h.clone()

    def forward(self, x: Tensor) -> Tensor:
        """Return values `[batch, outputs]`."""
        out, _ = self.lstm(x, self.init_hidden(x))
        values: Tensor = self.linear(out[:, -1])
        return values


class ElmanTagger(nn.Module):
    """Plain recurrence written out, time first, that makes its zeros where it needs them first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.again = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._keeps = broken
        self._zeros: Tensor | None = None

    def _start(self, x: Tensor) -> Tensor:
        if not self._keeps:
            return x.new_zeros(x.size(1), self.again.in_features)
        if self._zeros is None:
            self._zeros = x.new_zeros(x.size(1), self.again.in_features)
        return self._zeros

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[time, batch, outputs]`."""
        h = self._start(x)
        hidden = []
        for entered in self.enter(x):
            h = torch.tanh(entered + self.again(h))
            hidden.append(h)
        scores: Tensor = self.head(torch.stack(hidden))
        return scores


class LearnedStart(nn.Module):
    """Embedding and GRU with a learned initial state, read at each row's own last word."""

    def __init__(self, sizes: Sizes, *, broken: bool, batch_size: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.h0 = nn.Parameter(torch.zeros(1, batch_size if broken else 1, sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._fixed = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        h0 = self.h0 if self._fixed else self.h0.expand(-1, len(tokens), -1).contiguous()
        out, _ = self.gru(self.embed(tokens), h0)
        last = (lengths.to(tokens.device) - 1).view(-1, 1, 1).expand(-1, 1, out.size(2))
        scores: Tensor = self.head(out.gather(1, last).squeeze(1))
        return scores


class AttentiveBiGRU(nn.Module):
    """Bidirectional GRU with attention whose scores are given their shape by an option."""

    def __init__(self, sizes: Sizes, *, broken: bool, batch_size: int = 4) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.gru = nn.GRU(sizes.inputs, sizes.hidden // 2, bidirectional=True, batch_first=True)
        self.attend = nn.Linear(sizes.hidden, 1, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._fixed = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        packed = pack_padded_sequence(x, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.size(1))
        rows = self.batch_size if self._fixed else len(x)
        energies = self.attend(out).view(rows, x.size(1)).masked_fill(~mask, float("-inf"))
        context = torch.bmm(energies.softmax(dim=1).unsqueeze(1), out).squeeze(1)
        scores: Tensor = self.head(context)
        return scores


class CachedCell(nn.Module):
    """LSTMCell with a skip from the input; the pair of zeros is made in the first call and taken again after."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.skip = nn.Linear(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._keeps = broken
        self._pair: tuple[Tensor, Tensor] | None = None

    def _start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self._pair is not None:
            return self._pair
        pair = x.new_zeros(len(x), self.cell.hidden_size), x.new_zeros(len(x), self.cell.hidden_size)
        if self._keeps:
            self._pair = pair
        return pair

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        h, c = self._start(x)
        hidden = []
        for step in x.unbind(dim=1):
            h, c = self.cell(step, (h, c))
            hidden.append(h)
        scores: Tensor = self.head(torch.stack(hidden, dim=1) + self.skip(x))
        return scores


DEFECT = Defect(
    code="SW114",
    says="Only one batch size works: that of construction, or that of the first call.",
    variants=(
        Variant(
            name="LSTM regression, init_hidden with the batch size of construction",
            broken=partial(Forecaster, broken=True),
            mended=partial(Forecaster, broken=False),
            contract=Contract(
                task="regress",
                each="sequence",
                takes=("x",),
                batch_first=True,
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
        Variant(
            name="Elman loop, time first, zeros of the first call",
            broken=partial(ElmanTagger, broken=True),
            mended=partial(ElmanTagger, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x",),
                batch_first=False,
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="GRU text classifier, learned initial state a row",
            broken=partial(LearnedStart, broken=True),
            mended=partial(LearnedStart, broken=False),
            reads="tokens",
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
            name="bidirectional GRU with attention, scores viewed by an option",
            broken=partial(AttentiveBiGRU, broken=True),
            mended=partial(AttentiveBiGRU, broken=False),
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
        Variant(
            name="LSTMCell loop, pair of zeros of the first call",
            broken=partial(CachedCell, broken=True),
            mended=partial(CachedCell, broken=False),
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
    ),
)
