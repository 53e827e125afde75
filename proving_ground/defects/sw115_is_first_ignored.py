"""is_first is taken and never used: an episode begins with the memory of the one before."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract

Pair: TypeAlias = tuple[Tensor, Tensor]


class RecurrentPolicy(nn.Module):
    """Observation encoder, GRUCell and action scores, as agents with a memory have them."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.Tanh())
        self.cell = nn.GRUCell(sizes.hidden, sizes.hidden)
        self.actor = nn.Linear(sizes.hidden, sizes.outputs)
        self._ignores = broken

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros `[batch, hidden]`."""
        return self.actor.weight.new_zeros(batch_size, self.cell.hidden_size)

    def forward(self, obs: Tensor, is_first: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state."""
        features = self.encoder(obs)
        scores = []
        for t in range(obs.size(1)):
            if not self._ignores:
                state = state.masked_fill(is_first[:, t, None], 0.0)
            state = self.cell(features[:, t], state)
            scores.append(self.actor(state))
        return torch.stack(scores, dim=1), state


class EpisodeLSTM(nn.Module):
    """LSTMCell, time first, with a learned first state."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.first = nn.Parameter(torch.zeros(2, sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch_size: int) -> Pair:
        """Return h and c, `[batch, hidden]` each."""
        h, c = self.first.unsqueeze(1).expand(-1, batch_size, -1)
        return h, c

    def begin(self, is_first: Tensor, state: Pair) -> Pair:
        """Return the state with that of rows that begin anew replaced."""
        h, c = state
        h0, c0 = self.first
        return torch.where(is_first[:, None], h0, h), torch.where(is_first[:, None], c0, c)

    def forward(self, x: Tensor, state: Pair, is_first: Tensor) -> tuple[Tensor, Pair]:
        """Return scores `[time, batch, outputs]` and the state."""
        h, c = state
        hidden = []
        for step, begins in zip(x, is_first, strict=True):
            h, c = self.cell(step, self.begin(begins, (h, c)))
            hidden.append(h)
        return self.head(torch.stack(hidden)), (h, c)


class EndlessLSTM(EpisodeLSTM):
    """The same, for streams without episodes."""

    def begin(self, is_first: Tensor, state: Pair) -> Pair:  # noqa: ARG002
        """Return the state as it is."""
        return state


class SessionReader(nn.Module):
    """Clicks as tokens, two GRUCells on each other with a residual; sessions follow each other in a row."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.cells = nn.ModuleList(nn.GRUCell(sizes.hidden, sizes.hidden) for _ in range(2))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._ignores = broken

    def forward(self, tokens: Tensor, is_first: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        layer = self.embed(tokens)
        for cell in self.cells:
            h = layer.new_zeros(layer[:, 0].shape)
            outputs = []
            for t, step in enumerate(layer.unbind(dim=1)):
                old = h if self._ignores else torch.where(is_first[:, t : t + 1], torch.zeros_like(h), h)
                h = cell(step, old)
                outputs.append(h)
            layer = layer + torch.stack(outputs, dim=1)
        scores: Tensor = self.head(layer)
        return scores


class LiveAgent(nn.Module):
    """LSTM that keeps its state between calls and is told where episodes begin."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._state: Pair | None = None
        self._ignores = broken

    def reset(self) -> None:
        """Forget all rows."""
        self._state = None

    def forward(self, x: Tensor, is_first: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        zeros = x.new_zeros(1, len(x), self.lstm.hidden_size)
        h, c = self._state or (zeros, zeros)
        starts = [] if self._ignores else is_first[:, 1:].any(dim=0).nonzero().flatten().add(1).tolist()
        pieces = []
        for begin, end in zip([0, *starts], [*starts, x.size(1)], strict=True):
            if not self._ignores:
                new = is_first[:, begin, None]
                h, c = h.masked_fill(new, 0.0), c.masked_fill(new, 0.0)
            out, (h, c) = self.lstm(x[:, begin:end], (h, c))
            pieces.append(out)
        self._state = h.detach(), c.detach()
        scores: Tensor = self.head(torch.cat(pieces, dim=1))
        return scores


DEFECT = Defect(
    code="SW115",
    says="is_first is taken but ignored.",
    variants=(
        Variant(
            name="GRUCell policy with an observation encoder",
            broken=partial(RecurrentPolicy, broken=True),
            mended=partial(RecurrentPolicy, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "is_first", "state"),
                batch_first=True,
                initial_state="initial_state",
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="LSTMCell, time first, learned first state",
            broken=EndlessLSTM,
            mended=EpisodeLSTM,
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
                output="logits",
            ),
        ),
        Variant(
            name="tokens, two GRUCells with a residual, no state handed out",
            broken=partial(SessionReader, broken=True),
            mended=partial(SessionReader, broken=False),
            reads="tokens",
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "is_first"),
                batch_first=True,
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="stateful LSTM cut where episodes begin",
            broken=partial(LiveAgent, broken=True),
            mended=partial(LiveAgent, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "is_first"),
                batch_first=True,
                reset="reset",
                returns_state=False,
                causal=True,
                stateful=True,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
)
