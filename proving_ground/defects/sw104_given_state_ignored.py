"""A state that is handed in and not used, wholly or in one of its leaves: every window begins at zero there."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class LstmTagger(nn.Module):
    """An LSTM and a linear readout at every step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._new_cell = broken

    def initial_state(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return the state before the first step."""
        zeros = self.head.weight.new_zeros(1, rows, self.lstm.hidden_size)
        return zeros, torch.zeros_like(zeros)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return one output a step, and the state after the last."""
        h, c = state
        if self._new_cell:
            c = torch.zeros_like(h)
        features, state = self.lstm(x, (h, c))
        return self.head(features), state


class ResidualTagger(nn.Module):
    """Two GRU layers, the second of which adds to the first; their states are stacked."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lower = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.upper = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Sequential(nn.LayerNorm(sizes.hidden), nn.Linear(sizes.hidden, sizes.outputs))
        self._lower_only = broken

    def init_hidden(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return next(self.parameters()).new_zeros(2, rows, self.lower.hidden_size)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state after the last."""
        low, h_low = self.lower(x, hidden[:1].contiguous())
        high, h_high = self.upper(low) if self._lower_only else self.upper(low, hidden[1:].contiguous())
        return self.head(low + high), torch.cat([h_low, h_high])


class PackedReader(nn.Module):
    """Tokens of several lengths through a packed GRU, read at each one's end."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._ignores = broken

    def init_hidden(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return self.embedding.weight.new_zeros(2, rows, self.gru.hidden_size)

    def forward(self, tokens: Tensor, lengths: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a sequence, and the state at its end."""
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed) if self._ignores else self.gru(packed, hidden)
        return self.head(last[-1]), last


class LinearRecurrence(nn.Module):
    """A bank of leaky integrators, each with a pace of its own, and a gate on what is read; time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.pace = nn.Parameter(torch.linspace(-1.0, 4.0, sizes.hidden))
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.gate = nn.Linear(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._ignores = broken

    def zero_state(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return self.pace.new_zeros(rows, len(self.pace))

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state after the last."""
        level = torch.zeros_like(state) if self._ignores else state
        decay, levels = self.pace.sigmoid(), []
        for drive in self.enter(x):
            level = decay * level + (1 - decay) * drive
            levels.append(level)
        return self.head(torch.stack(levels) * self.gate(x).sigmoid()), level


class LineTagger(nn.Module):
    """An LSTM whose gates are convolutions along the features of a step, as if they were the pixels of a line."""

    def __init__(self, sizes: Sizes, *, broken: bool, channels: int = 4) -> None:
        super().__init__()
        self.channels, self.pixels = channels, sizes.inputs
        self.gates = nn.Conv1d(1 + channels, 4 * channels, kernel_size=3, padding=1)
        self.head = nn.Linear(channels * sizes.inputs, sizes.outputs)
        self._new_hidden = broken

    def initial_state(self, rows: int) -> dict[str, Tensor]:
        """Return the state before the first step."""
        return {name: self.head.weight.new_zeros(rows, self.channels, self.pixels) for name in ("hidden", "cell")}

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return one output a step, and the state after the last."""
        cell = state["cell"]
        hidden = torch.zeros_like(cell) if self._new_hidden else state["hidden"]
        outputs = []
        for line in x.unbind(dim=1):
            enter, keep, leave, new = self.gates(torch.cat([line.unsqueeze(1), hidden], dim=1)).chunk(4, dim=1)
            cell = keep.sigmoid() * cell + enter.sigmoid() * new.tanh()
            hidden = leave.sigmoid() * cell.tanh()
            outputs.append(self.head(hidden.flatten(1)))
        return torch.stack(outputs, dim=1), {"hidden": hidden, "cell": cell}


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
    takes=("x", "lengths", "state"),
    batch_first=True,
    each="sequence",
    padding="right",
    initial_state="init_hidden",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)

DEFECT = Defect(
    code="SW104",
    says="A state is given and ignored, wholly or in one of its leaves.",
    variants=(
        Variant(
            name="LSTM tagger, c made anew",
            broken=partial(LstmTagger, broken=True),
            mended=partial(LstmTagger, broken=False),
            contract=_promise("initial_state"),
        ),
        Variant(
            name="two GRU layers, only the lower takes it",
            broken=partial(ResidualTagger, broken=True),
            mended=partial(ResidualTagger, broken=False),
            contract=_promise("init_hidden"),
        ),
        Variant(
            name="packed GRU on tokens, wholly ignored",
            broken=partial(PackedReader, broken=True),
            mended=partial(PackedReader, broken=False),
            contract=READS,
            reads="tokens",
        ),
        Variant(
            name="linear recurrence, wholly ignored",
            broken=partial(LinearRecurrence, broken=True),
            mended=partial(LinearRecurrence, broken=False),
            contract=_promise("zero_state", batch_first=False),
        ),
        Variant(
            name="convolutional LSTM, hidden made anew",
            broken=partial(LineTagger, broken=True),
            mended=partial(LineTagger, broken=False),
            contract=_promise("initial_state"),
        ),
    ),
    seen_in=("neulab/xnmt#223", "huggingface/transformers#45513"),
)
