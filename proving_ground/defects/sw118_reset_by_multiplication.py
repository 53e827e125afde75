"""The state is cleared by a product with 1 - is_first: NaN or inf in the old state survives, as it does in what follows it."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract

Pair: TypeAlias = tuple[Tensor, Tensor]


class MaskedGRU(nn.Module):
    """GRU run a step at a time with masks of episodes."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.actor = nn.Linear(sizes.hidden, sizes.outputs)
        self._product = broken

    def forward(self, x: Tensor, is_first: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state `[1, batch, hidden]`."""
        h = x.new_zeros(1, len(x), self.gru.hidden_size) if state is None else state
        outputs = []
        for t in range(x.size(1)):
            first = is_first[:, t].view(1, -1, 1)
            h = h * (1.0 - first.to(h)) if self._product else h.masked_fill(first, 0.0)
            out, h = self.gru(x[:, t : t + 1], h)
            outputs.append(out)
        return self.actor(self.norm(torch.cat(outputs, dim=1))), h


class CriticLSTM(nn.Module):
    """LSTMCell, time first, whose state is a dict."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.critic = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Return h and c, `[batch, hidden]` each."""
        zeros = self.critic.weight.new_zeros(batch_size, self.cell.hidden_size)
        return {"h": zeros, "c": zeros.clone()}

    def cleared(self, leaf: Tensor, is_first: Tensor) -> Tensor:
        """Return the leaf with zeros in the rows that begin."""
        return torch.where(is_first[:, None], torch.zeros_like(leaf), leaf)

    def forward(self, x: Tensor, state: dict[str, Tensor], is_first: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return values `[time, batch, outputs]` and the state."""
        h, c = state["h"], state["c"]
        values = []
        for step, first in zip(x, is_first, strict=True):
            h, c = self.cell(step, (self.cleared(h, first), self.cleared(c, first)))
            values.append(self.critic(h))
        return torch.stack(values), {"h": h, "c": c}


class MaskedCriticLSTM(CriticLSTM):
    """The same with a mask of floats."""

    def cleared(self, leaf: Tensor, is_first: Tensor) -> Tensor:
        """Return the leaf times the mask of rows that go on."""
        going_on = (~is_first).to(leaf.dtype)
        return leaf * going_on[:, None]


class ResettableRecurrence(nn.Module):
    """Diagonal linear recurrence that decays its state to nothing where an episode begins."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.log_rate = nn.Parameter(torch.linspace(-3.0, 0.0, sizes.hidden))
        self.mix = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.SiLU())
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._product = broken

    def forward(self, x: Tensor, is_first: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state `[batch, hidden]`."""
        entered = self.enter(x)
        rate = torch.exp(-self.log_rate.exp())
        decay = rate * (1 - is_first.to(x.dtype).unsqueeze(-1)) if self._product else rate.expand_as(entered)
        h = torch.zeros_like(entered[:, 0]) if state is None else state
        states = []
        for t in range(x.size(1)):
            old = decay[:, t] * h
            if not self._product:
                old = torch.where(is_first[:, t, None], torch.zeros_like(old), old)
            h = old + entered[:, t]
            states.append(h)
        return self.head(self.mix(torch.stack(states, dim=1)) + entered), h


class ChannelLSTM(nn.Module):
    """Convolutional LSTM over the features of a step as a line of pixels; keeps its maps between calls."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.channels = max(sizes.hidden // 4, 1)
        self.gates = nn.Conv1d(1 + self.channels, 4 * self.channels, kernel_size=3, padding=1)
        self.head = nn.Linear(self.channels * sizes.inputs, sizes.outputs)
        self._maps: Pair | None = None
        self._product = broken

    def reset_maps(self) -> None:
        """Begin anew."""
        self._maps = None

    def _cleared(self, maps: Tensor, first: Tensor) -> Tensor:
        first = first.view(-1, 1, 1)
        return maps * (~first) if self._product else maps.masked_fill(first, 0.0)

    def forward(self, x: Tensor, is_first: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        zeros = x.new_zeros(len(x), self.channels, x.size(2))
        h, c = self._maps or (zeros, zeros)
        scores = []
        for line, first in zip(x.unbind(dim=1), is_first.unbind(dim=1), strict=True):
            h, c = self._cleared(h, first), self._cleared(c, first)
            i, f, o, g = self.gates(torch.cat([line.unsqueeze(1), h], dim=1)).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            scores.append(self.head(h.flatten(1)))
        self._maps = h.detach(), c.detach()
        return torch.stack(scores, dim=1)


DEFECT = Defect(
    code="SW118",
    says="The reset is a multiplication with (1 - is_first), which NaN and inf in the old state survive.",
    variants=(
        Variant(
            name="GRU a step at a time with LayerNorm",
            broken=partial(MaskedGRU, broken=True),
            mended=partial(MaskedGRU, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "is_first", "state"),
                batch_first=True,
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="LSTMCell, time first, state in a dict",
            broken=MaskedCriticLSTM,
            mended=CriticLSTM,
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "state", "is_first"),
                batch_first=False,
                initial_state="initial_state",
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
        Variant(
            name="linear recurrence, reset folded into the decay",
            broken=partial(ResettableRecurrence, broken=True),
            mended=partial(ResettableRecurrence, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "is_first", "state"),
                batch_first=True,
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="convolutional LSTM over features, stateful",
            broken=partial(ChannelLSTM, broken=True),
            mended=partial(ChannelLSTM, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "is_first"),
                batch_first=True,
                reset="reset_maps",
                returns_state=False,
                causal=True,
                stateful=True,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
)
