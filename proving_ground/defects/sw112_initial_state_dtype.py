"""The initial state has a dtype, or a device, of its own: in float64 the module fails, or goes on in single precision unnoticed."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class SensorTagger(nn.Module):
    """GRU over readings, a label for each step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._single = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        shape = (1, x.size(0), self.gru.hidden_size)
        h0 = torch.zeros(shape, dtype=torch.float32, device="cpu") if self._single else x.new_zeros(shape)
        out, _ = self.gru(x, h0)
        scores: Tensor = self.head(out)
        return scores


class CellLoop(nn.Module):
    """LSTMCell stepped by hand, time first; the caller asks for the first state."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._single = broken

    def init_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return h and c, `[batch, hidden]` each."""
        dtype = torch.float32 if self._single else self.head.weight.dtype
        h = torch.zeros(batch_size, self.cell.hidden_size, dtype=dtype, device=self.head.weight.device)
        return h, torch.zeros_like(h)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return scores `[time, batch, outputs]` and the state."""
        h, c = state
        hidden = []
        for step in x:
            h, c = self.cell(step, (h, c))
            hidden.append(h)
        return self.head(torch.stack(hidden)), (h, c)


class PackedClassifier(nn.Module):
    """Packed LSTM with a learned memory to begin with; only h0 is a fresh tensor."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.c0 = nn.Parameter(torch.zeros(1, 1, sizes.hidden))
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._single = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        c0 = self.c0.expand(-1, len(x), -1).contiguous()
        h0 = torch.zeros(c0.shape, dtype=torch.float32, device=x.device) if self._single else torch.zeros_like(c0)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed, (h0, c0))
        scores: Tensor = self.head(h[-1])
        return scores


class DiagonalRecurrence(nn.Module):
    """Linear recurrence with one decay a channel, a gated readout, and casts that keep the state in the dtype that it began in."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.linspace(0.5, 3.0, sizes.hidden))
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.gate = nn.Linear(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._single = broken

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state `[batch, hidden]`."""
        if state is None:
            dtype = torch.float32 if self._single else x.dtype
            state = torch.zeros(len(x), len(self.decay), dtype=dtype, device=x.device)
        keep, values = self.decay.sigmoid(), self.enter(x)
        states = []
        for t in range(x.size(1)):
            state = (keep * state + (1 - keep) * values[:, t]).to(state.dtype)
            states.append(state)
        memory = torch.stack(states, dim=1).to(x.dtype)
        return self.head(memory.tanh() * self.gate(x).sigmoid()), state


DEFECT = Defect(
    code="SW112",
    says="The initial state has a fixed dtype or device instead of that of the input.",
    variants=(
        Variant(
            name="GRU tagger, h0 made in forward",
            broken=partial(SensorTagger, broken=True),
            mended=partial(SensorTagger, broken=False),
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
            name="LSTMCell loop, time first, with init_state",
            broken=partial(CellLoop, broken=True),
            mended=partial(CellLoop, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "state"),
                batch_first=False,
                initial_state="init_state",
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="packed LSTM classifier, learned c0 and fixed h0",
            broken=partial(PackedClassifier, broken=True),
            mended=partial(PackedClassifier, broken=False),
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
            name="diagonal linear recurrence, silently single precision",
            broken=partial(DiagonalRecurrence, broken=True),
            mended=partial(DiagonalRecurrence, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "state"),
                batch_first=True,
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
)
