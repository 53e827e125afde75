"""A returned state that is not the one after the last step: one step old, of another layer, what was handed in, or an output."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class CellReader(nn.Module):
    """A GRU cell in a loop that notes the state at each step; read at the end."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._notes_before = broken

    def init_hidden(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return self.cell.weight_hh.new_zeros(rows, self.cell.hidden_size)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a sequence, and the state at its end."""
        noted = []
        for step in x.unbind(dim=1):
            if self._notes_before:
                noted.append(hidden)
            hidden = self.cell(step, hidden)
            if not self._notes_before:
                noted.append(hidden)
        return self.head(hidden), noted[-1]


class LstmTagger(nn.Module):
    """An LSTM tagger that hands back h and c."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._output_for_c = broken

    def initial_state(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return the state before the first step."""
        zeros = self.head.weight.new_zeros(1, rows, self.lstm.hidden_size)
        return zeros, torch.zeros_like(zeros)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return one output a step, and the state after the last."""
        features, (h, c) = self.lstm(x, state)
        if self._output_for_c:
            c = features[:, -1].unsqueeze(0)
        return self.head(features), (h, c)


class StackedTagger(nn.Module):
    """Three recurrent layers in a list, with dropout between them and a residual around each but the first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        widths = [sizes.inputs, sizes.hidden, sizes.hidden]
        self.layers = nn.ModuleList(nn.GRU(width, sizes.hidden, batch_first=True) for width in widths)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._last_layer_first = broken

    def initial_state(self, rows: int) -> list[Tensor]:
        """Return the state before the first step, one a layer."""
        return [self.head.weight.new_zeros(1, rows, self.head.in_features) for _ in self.layers]

    def forward(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return one output a step, and the state after the last, one a layer."""
        features, after = x, list[Tensor]()
        for layer, hidden in zip(self.layers, state, strict=True):
            more, last = layer(features, hidden)
            features = self.dropout(more) if features is x else features + self.dropout(more)
            after.insert(0 if self._last_layer_first else len(after), last)
        return self.head(features), after


class FastWeights(nn.Module):
    """Tokens into a matrix of associations that fades, asked at every step: linear attention run as a recurrence."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.project = nn.Linear(sizes.hidden, 3 * sizes.hidden)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._hands_back = broken

    def initial_state(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        width = self.embedding.embedding_dim
        return self.embedding.weight.new_zeros(rows, width, width)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state after the last."""
        words = self.embedding(tokens)
        queries, keys, values = self.project(words).chunk(3, dim=-1)
        keys, memory, answers = keys.softmax(dim=-1), state, []
        for time in range(tokens.shape[1]):
            memory = 0.9 * memory + keys[:, time].unsqueeze(-1) * values[:, time].unsqueeze(-2)
            answers.append((queries[:, time].softmax(dim=-1).unsqueeze(-2) @ memory).squeeze(-2))
        logits = self.head(torch.cat([words, torch.stack(answers, dim=1)], dim=-1))
        return logits, state if self._hands_back else memory


class NormalisedCell(nn.Module):
    """A gated cell whose outputs are normalised before the readout, its state is not; time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gate = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.candidate = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._normalised_state = broken

    def begin_state(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return self.head.weight.new_zeros(rows, self.head.in_features)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state after the last."""
        states = []
        for step in x:
            both = torch.cat([step, state], dim=-1)
            state = torch.lerp(state, self.candidate(both).tanh(), self.gate(both).sigmoid())
            states.append(state)
        normalised = self.norm(torch.stack(states))
        return self.head(normalised), normalised[-1] if self._normalised_state else state


def _promise(initial_state: str, *, batch_first: bool = True) -> Contract:
    return Contract(
        takes=("x", "state"),
        batch_first=batch_first,
        each="step",
        initial_state=initial_state,
        returns_state=True,
        causal=True,
        stateful=False,
        order_matters=True,
        output="logits",
    )


READS = Contract(
    takes=("x", "state"),
    batch_first=True,
    each="sequence",
    initial_state="init_hidden",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="values",
)

DEFECT = Defect(
    code="SW105",
    says="The state that is returned is not the one after the last step.",
    variants=(
        Variant(
            name="GRU cell loop, state of the step before",
            broken=partial(CellReader, broken=True),
            mended=partial(CellReader, broken=False),
            contract=READS,
        ),
        Variant(
            name="LSTM tagger, output in place of c",
            broken=partial(LstmTagger, broken=True),
            mended=partial(LstmTagger, broken=False),
            contract=_promise("initial_state"),
        ),
        Variant(
            name="residual GRU stack, layers in reverse",
            broken=partial(StackedTagger, broken=True),
            mended=partial(StackedTagger, broken=False),
            contract=_promise("initial_state"),
        ),
        Variant(
            name="linear attention on tokens, handed back as it came",
            broken=partial(FastWeights, broken=True),
            mended=partial(FastWeights, broken=False),
            contract=_promise("initial_state"),
            reads="tokens",
        ),
        Variant(
            name="gated cell, normalised output for the state",
            broken=partial(NormalisedCell, broken=True),
            mended=partial(NormalisedCell, broken=False),
            contract=_promise("begin_state", batch_first=False),
        ),
    ),
)
