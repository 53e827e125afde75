"""A gradient that is cut on its way back through time: outputs rest on earlier inputs, and no weight ever learns from them."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class MaskedReader(nn.Module):
    """A GRU cell in a loop that rows leave when they end, read after the last step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._cuts = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return one output a sequence."""
        hidden = x.new_zeros(len(x), self.cell.hidden_size)
        x = x.masked_fill(~mask.unsqueeze(-1), 0.0)
        for time in range(x.shape[1]):
            before = hidden.detach() if self._cuts else hidden
            hidden = torch.where(mask[:, time, None], self.cell(x[:, time], before), hidden)
        logits: Tensor = self.head(hidden)
        return logits


class IntegratingTagger(nn.Module):
    """Leaky integrators with gated entrance, written step by step into one tensor of levels; time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.gate = nn.Linear(sizes.inputs, sizes.hidden)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._cuts = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a step."""
        drives, gates = self.enter(x), self.gate(x).sigmoid()
        levels = [gates[0] * drives[0]]
        for drive, gate in zip(drives[1:], gates[1:], strict=True):
            before = levels[-1].data if self._cuts else levels[-1]
            levels.append((1 - gate) * before + gate * drive)
        values: Tensor = self.head(self.norm(torch.stack(levels)))
        return values


class WarmedReader(nn.Module):
    """Tokens through a GRU that is warmed up on all but the last one, and answers at the last."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._cuts = broken

    def forward(self, tokens: Tensor) -> Tensor:
        """Return one output a sequence."""
        words = self.embedding(tokens)
        hidden: Tensor | None = None
        if words.shape[1] > 1:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self._cuts):
                _, hidden = self.gru(words[:, :-1])
        features, _ = self.gru(words[:, -1:], hidden)
        logits: Tensor = self.head(features[:, -1])
        return logits


class ChunkedTagger(nn.Module):
    """An LSTM over chunks of four steps, each of which begins in the state after the one before."""

    def __init__(self, sizes: Sizes, *, broken: bool, chunk: int = 4) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.chunk = chunk
        self._cuts = broken

    def initial_state(self, rows: int) -> tuple[Tensor, ...]:
        """Return the state before the first step."""
        return self.head.weight.new_zeros(2, 1, rows, self.lstm.hidden_size).unbind()

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return one output a step, and the state after the last."""
        outputs = []
        for part in x.split(self.chunk, dim=1):
            if self._cuts:
                state = tuple(leaf.detach() for leaf in state)
            features, state = self.lstm(part, state)
            outputs.append(self.head(features))
        return torch.cat(outputs, dim=1), state


ENDS = Contract(
    takes=("x", "mask"),
    batch_first=True,
    each="sequence",
    mask="valid",
    padding="right",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
LEVELS = Contract(
    takes=("x",), batch_first=False, each="step", returns_state=False, causal=True, stateful=False, order_matters=True, output="values"
)
WARMED = Contract(
    takes=("x",), batch_first=True, each="sequence", returns_state=False, causal=True, stateful=False, order_matters=True, output="logits"
)
CHUNKS = Contract(
    takes=("x", "state"),
    batch_first=True,
    each="step",
    initial_state="initial_state",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)

DEFECT = Defect(
    code="SW110",
    says="The gradient is cut between steps: outputs depend on earlier inputs, and nothing flows back to them.",
    variants=(
        Variant(
            name="masked GRU cell loop, detached at every step",
            broken=partial(MaskedReader, broken=True),
            mended=partial(MaskedReader, broken=False),
            contract=ENDS,
        ),
        Variant(
            name="gated integrators, the level before through .data",
            broken=partial(IntegratingTagger, broken=True),
            mended=partial(IntegratingTagger, broken=False),
            contract=LEVELS,
        ),
        Variant(
            name="GRU on tokens, all but the last without gradient",
            broken=partial(WarmedReader, broken=True),
            mended=partial(WarmedReader, broken=False),
            contract=WARMED,
            reads="tokens",
        ),
        Variant(
            name="LSTM in chunks, detached at each",
            broken=partial(ChunkedTagger, broken=True),
            mended=partial(ChunkedTagger, broken=False),
            contract=CHUNKS,
        ),
    ),
)
