"""A state that is written into: the caller's own is another after the call, or the one that was returned changes with the next."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class EchoTagger(nn.Module):
    """A fixed random reservoir of leaky units, and a trained linear readout."""

    reservoir: Tensor
    entrance: Tensor

    def __init__(self, sizes: Sizes, *, broken: bool, leak: float = 0.3) -> None:
        super().__init__()
        self.register_buffer("reservoir", torch.randn(sizes.hidden, sizes.hidden) / sizes.hidden**0.5)
        self.register_buffer("entrance", torch.rand(sizes.inputs, sizes.hidden) * 2 - 1)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.leak = leak
        self._in_place = broken

    def initial_state(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return self.reservoir.new_zeros(rows, len(self.reservoir))

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state after the last."""
        level = state if self._in_place else state.clone()
        levels = []
        for drive in (x @ self.entrance).unbind(dim=1):
            level.mul_(1 - self.leak).add_((drive + level @ self.reservoir).tanh(), alpha=self.leak)
            levels.append(level.clone())
        return self.head(torch.stack(levels, dim=1)), level


class StackedReader(nn.Module):
    """Tokens through two GRU layers, whose states are kept in a dict by name."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.layers = nn.ModuleDict({name: nn.GRU(sizes.hidden, sizes.hidden, batch_first=True) for name in ("lower", "upper")})
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._in_place = broken

    def initial_state(self, rows: int) -> dict[str, Tensor]:
        """Return the state before the first step, one a layer."""
        return {name: self.embedding.weight.new_zeros(1, rows, self.head.in_features) for name in self.layers}

    def forward(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return one output a sequence, and the state at its end."""
        features, after = self.embedding(tokens), state if self._in_place else dict(state)
        for name, layer in self.layers.items():
            features, after[name] = layer(features, after[name])
        return self.head(features[:, -1]), after


class StreamTagger(nn.Module):
    """A GRU on live frames, time first, that hands its state back in memory it has set aside."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.space: Tensor | None = None
        self._reuses = broken

    def init_hidden(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return self.head.weight.new_zeros(1, rows, self.gru.hidden_size)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state after the last."""
        features, last = self.gru(x, hidden)
        if self._reuses:
            if self.space is None or self.space.shape != last.shape or self.space.dtype != last.dtype:
                self.space = torch.empty_like(last)
            last = self.space.copy_(last.detach())
        return self.head(features), last


class CellStack(nn.Module):
    """Two LSTM cells, one on the other; h and c of both lie in one tensor each."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cells = nn.ModuleList(nn.LSTMCell(width, sizes.hidden) for width in (sizes.inputs, sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._in_place = broken

    def initial_state(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return the state before the first step, `[2, rows, hidden]` each."""
        zeros = self.head.weight.new_zeros(len(self.cells), rows, self.head.in_features)
        return zeros, torch.zeros_like(zeros)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return one output a step, and the state after the last."""
        h, c = state if self._in_place else (leaf.clone() for leaf in state)
        outputs = []
        for step in x.unbind(dim=1):
            features = step
            for layer, cell in enumerate(self.cells):
                h[layer], c[layer] = cell(features, (h[layer].clone(), c[layer].clone()))
                features = h[layer].clone()
            outputs.append(self.head(features))
        return torch.stack(outputs, dim=1), (h, c)


TAGS = Contract(
    takes=("x", "state"),
    batch_first=True,
    each="step",
    initial_state="initial_state",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="values",
)
READS = Contract(
    takes=("x", "state"),
    batch_first=True,
    each="sequence",
    initial_state="initial_state",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
STREAMS = Contract(
    takes=("x", "state"),
    batch_first=False,
    each="step",
    initial_state="init_hidden",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)

DEFECT = Defect(
    code="SW107",
    says="The state that is given is changed in place, or the one that is returned is memory of the module that the next call overwrites.",
    variants=(
        Variant(
            name="echo state network, levels updated in place",
            broken=partial(EchoTagger, broken=True),
            mended=partial(EchoTagger, broken=False),
            contract=TAGS,
        ),
        Variant(
            name="GRU layers on tokens, the given dict refilled",
            broken=partial(StackedReader, broken=True),
            mended=partial(StackedReader, broken=False),
            contract=READS,
            reads="tokens",
        ),
        Variant(
            name="GRU on a stream, returned memory reused",
            broken=partial(StreamTagger, broken=True),
            mended=partial(StreamTagger, broken=False),
            contract=STREAMS,
        ),
        Variant(
            name="two LSTM cells, layers assigned in place",
            broken=partial(CellStack, broken=True),
            mended=partial(CellStack, broken=False),
            contract=TAGS,
        ),
    ),
    seen_in=("pytorch/pytorch#142303",),
)
