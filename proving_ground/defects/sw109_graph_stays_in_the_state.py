"""A state kept inside, as declared, that holds on to the graph of the call before: the second window cannot be learned from."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class LstmTagger(nn.Module):
    """An LSTM tagger that goes on where the last window ended."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.state: tuple[Tensor, ...] | None = None
        self._attached = broken

    def reset_state(self) -> None:
        """Begin anew."""
        self.state = None

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a step."""
        if self.state is not None and self.state[0].shape[1] != len(x):
            self.reset_state()
        features, state = self.lstm(x, self.state)
        self.state = state if self._attached else tuple(leaf.detach() for leaf in state)
        logits: Tensor = self.head(features)
        return logits


class PlainReader(nn.Module):
    """A recurrence of two linear layers and a tanh, time first, read at the last step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.recur = nn.Linear(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.hidden: Tensor | None = None
        self._attached = broken

    def reset(self) -> None:
        """Begin anew."""
        self.hidden = None

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a sequence."""
        hidden = self.hidden
        if hidden is None or len(hidden) != x.shape[1]:
            hidden = x.new_zeros(x.shape[1], self.recur.out_features)
        for step in x:
            hidden = torch.tanh(self.enter(step) + self.recur(hidden))
        self.hidden = hidden if self._attached else hidden.detach()
        values: Tensor = self.head(hidden)
        return values


class CellTagger(nn.Module):
    """An LSTM cell in a loop behind a layer of its own, h and c kept apart."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.ReLU())
        self.cell = nn.LSTMCell(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.h: Tensor | None = None
        self.c: Tensor | None = None
        self._attached = broken

    def reset(self) -> None:
        """Begin anew."""
        self.h = self.c = None

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a step."""
        h, c = self.h, self.c
        if h is None or c is None or len(h) != len(x):
            h = c = x.new_zeros(len(x), self.cell.hidden_size)
        outputs = []
        for step in self.enter(x).unbind(dim=1):
            h, c = self.cell(step, (h, c))
            outputs.append(self.head(h))
        self.h = h.detach()
        self.c = c if self._attached else c.detach()
        return torch.stack(outputs, dim=1)


class TracedReader(nn.Module):
    """Tokens through a GRU, beside a fading trace of their embeddings; both are kept from window to window."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self.hidden: Tensor | None = None
        self.trace: Tensor | None = None
        self._attached = broken

    def reset(self) -> None:
        """Begin anew."""
        self.hidden = self.trace = None

    def forward(self, tokens: Tensor) -> Tensor:
        """Return one output a step."""
        words = self.embedding(tokens)
        trace = self.trace
        if trace is None or len(trace) != len(tokens):
            self.reset()
            trace = torch.zeros_like(words[:, 0])
        traces = []
        for word in words.unbind(dim=1):
            trace = 0.8 * trace + 0.2 * word
            traces.append(trace)
        features, hidden = self.gru(words, self.hidden)
        self.hidden = hidden.detach()
        self.trace = trace if self._attached else trace.detach()
        logits: Tensor = self.head(torch.cat([features, torch.stack(traces, dim=1)], dim=-1))
        return logits


TAGS = Contract(
    takes=("x",),
    batch_first=True,
    each="step",
    reset="reset",
    returns_state=False,
    causal=True,
    stateful=True,
    order_matters=True,
    output="logits",
)
WINDOWS = Contract(
    takes=("x",),
    batch_first=True,
    each="step",
    reset="reset_state",
    returns_state=False,
    causal=True,
    stateful=True,
    order_matters=True,
    output="logits",
)
READS = Contract(
    takes=("x",),
    batch_first=False,
    each="sequence",
    reset="reset",
    returns_state=False,
    causal=True,
    stateful=True,
    order_matters=True,
    output="values",
)

DEFECT = Defect(
    code="SW109",
    says="The state that the module keeps still hangs on the graph of the call before, so that a second window cannot be learned from.",
    variants=(
        Variant(
            name="LSTM tagger, nothing detached",
            broken=partial(LstmTagger, broken=True),
            mended=partial(LstmTagger, broken=False),
            contract=WINDOWS,
        ),
        Variant(
            name="plain recurrence, nothing detached",
            broken=partial(PlainReader, broken=True),
            mended=partial(PlainReader, broken=False),
            contract=READS,
        ),
        Variant(
            name="LSTM cell loop, c not detached",
            broken=partial(CellTagger, broken=True),
            mended=partial(CellTagger, broken=False),
            contract=TAGS,
        ),
        Variant(
            name="GRU on tokens beside a trace, the trace not detached",
            broken=partial(TracedReader, broken=True),
            mended=partial(TracedReader, broken=False),
            contract=TAGS,
            reads="tokens",
        ),
    ),
    seen_in=("synsense/sinabs#5",),
)
