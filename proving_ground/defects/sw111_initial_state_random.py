"""The initial state is drawn at random in each call, also in eval mode: two readings of one sequence give two answers."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class Tagger(nn.Module):
    """Two layers of GRU, a label for each step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.hidden_size = sizes.hidden
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._draw = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        make = torch.randn if self._draw else torch.zeros
        h0 = make(2, x.size(0), self.hidden_size, dtype=x.dtype, device=x.device)
        out, _ = self.rnn(x, h0)
        scores: Tensor = self.head(out)
        return scores


class TextClassifier(nn.Module):
    """Embedding, packed LSTM, last hidden state."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.hidden_size = sizes.hidden
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._draw = broken

    def init_hidden(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return h and c, `[1, batch, hidden]` each."""
        h0 = self.head.weight.new_zeros(1, batch_size, self.hidden_size)
        if self._draw:
            return torch.randn_like(h0), torch.randn_like(h0)
        return h0, torch.zeros_like(h0)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        packed = pack_padded_sequence(self.embed(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed, self.init_hidden(len(tokens)))
        scores: Tensor = self.head(h[-1])
        return scores


class CellLoop(nn.Module):
    """LSTMCell stepped by hand, time first; the caller holds the state."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.hidden_size = sizes.hidden
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._draw = broken

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return h and c, `[batch, hidden]` each."""
        h = self.head.weight.new_zeros(batch_size, self.hidden_size)
        c = torch.zeros_like(h)
        if self._draw:
            nn.init.xavier_normal_(h)
            nn.init.xavier_normal_(c)
        return h, c

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return scores `[time, batch, outputs]` and the state."""
        h, c = state
        scores = []
        for step in x:
            h, c = self.cell(step, (h, c))
            scores.append(self.head(h))
        return torch.stack(scores), (h, c)


class AttentiveBiLSTM(nn.Module):
    """Bidirectional LSTM whose outputs are weighed by an additive attention."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.units = sizes.hidden // 2
        self.lstm = nn.LSTM(sizes.inputs, self.units, bidirectional=True, batch_first=True)
        self.score = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.Tanh(), nn.Linear(sizes.hidden, 1, bias=False))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._draw = broken

    def _start(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        if not self._draw:
            return None
        return x.new_empty(2, len(x), self.units).normal_(), x.new_empty(2, len(x), self.units).normal_()

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.lstm(packed, self._start(x))[0], batch_first=True, total_length=x.size(1))
        real = torch.arange(x.size(1), device=x.device) < lengths[:, None]
        weights = self.score(out).squeeze(-1).masked_fill(~real, float("-inf")).softmax(dim=1)
        scores: Tensor = self.head((weights.unsqueeze(-1) * out).sum(dim=1))
        return scores


DEFECT = Defect(
    code="SW111",
    says="The initial state is drawn at random in each call, also in eval mode.",
    variants=(
        Variant(
            name="GRU tagger of two layers",
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
            name="packed LSTM text classifier with init_hidden",
            broken=partial(TextClassifier, broken=True),
            mended=partial(TextClassifier, broken=False),
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
            name="LSTMCell loop, time first, initial_state given to the caller",
            broken=partial(CellLoop, broken=True),
            mended=partial(CellLoop, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "state"),
                batch_first=False,
                initial_state="initial_state",
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="bidirectional LSTM with attention",
            broken=partial(AttentiveBiLSTM, broken=True),
            mended=partial(AttentiveBiLSTM, broken=False),
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
    ),
)
