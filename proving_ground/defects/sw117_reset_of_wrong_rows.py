"""The reset acts on wrong rows: on all as soon as any begins, or on none until all begin together."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract

Pair: TypeAlias = tuple[Tensor, Tensor]


class GruAgent(nn.Module):
    """GRUCell with a bypass of the observation."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.policy = nn.Linear(sizes.hidden + sizes.inputs, sizes.outputs)
        self._whole = broken

    def init_hidden(self, batch_size: int) -> Tensor:
        """Return zeros `[batch, hidden]`."""
        return self.policy.weight.new_zeros(batch_size, self.cell.hidden_size)

    def forward(self, x: Tensor, h: Tensor, is_first: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state."""
        scores = []
        for t in range(x.size(1)):
            first = is_first[:, t]
            if self._whole and first.any():
                h = torch.zeros_like(h)
            elif not self._whole:
                h = h.masked_fill(first.unsqueeze(1), 0.0)
            h = self.cell(x[:, t], h)
            scores.append(self.policy(torch.cat([h, x[:, t]], dim=1)))
        return torch.stack(scores, dim=1), h


class StackedLSTM(nn.Module):
    """Two layers of LSTM, time first, run a step at a time, so that a row can be cleared in between."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._together = broken

    def initial_state(self, batch_size: int) -> Pair:
        """Return h and c, `[layers, batch, hidden]` each."""
        h = self.head.weight.new_zeros(2, batch_size, self.lstm.hidden_size)
        return h, torch.zeros_like(h)

    def forward(self, x: Tensor, is_first: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """Return scores `[time, batch, outputs]` and the state."""
        outputs = []
        for step, first in zip(x, is_first, strict=True):
            new = first.all().expand_as(first) if self._together else first
            h, c = (torch.where(new[None, :, None], torch.zeros_like(leaf), leaf) for leaf in state)
            out, state = self.lstm(step[None], (h, c))
            outputs.append(out)
        return self.head(torch.cat(outputs)), state


class StreamingLSTM(nn.Module):
    """LSTM that keeps its state, called once a stretch between beginnings."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.front = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.ReLU())
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._memory: Pair | None = None
        self._whole = broken

    def reset(self) -> None:
        """Forget all rows."""
        self._memory = None

    def forward(self, x: Tensor, is_first: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        features, memory, outputs = self.front(x), self._memory, []
        starts = is_first.any(dim=0).nonzero().flatten().tolist()
        edges = sorted({0, *starts, x.size(1)})
        for begin, end in pairwise(edges):
            if memory is not None:
                memory = self._cleared(memory, is_first[:, begin])
            out, memory = self.lstm(features[:, begin:end], memory)
            outputs.append(out)
        assert memory is not None
        self._memory = memory[0].detach(), memory[1].detach()
        scores: Tensor = self.head(torch.cat(outputs, dim=1))
        return scores

    def _cleared(self, memory: Pair, first: Tensor) -> Pair | None:
        if self._whole:
            return None if first.any() else memory
        return memory[0].masked_fill(first[:, None], 0.0), memory[1].masked_fill(first[:, None], 0.0)


class LeakyWords(nn.Module):
    """Leaky averages of embeddings at two speeds, cleared where a document ends and the next begins."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.speed = nn.Parameter(torch.tensor([-1.0, 2.0]))
        self.head = nn.Sequential(nn.Linear(3 * sizes.hidden, sizes.hidden), nn.GELU(), nn.Linear(sizes.hidden, sizes.outputs))
        self._together = broken

    def forward(self, tokens: Tensor, is_first: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return scores `[batch, time, outputs]` and the averages `[batch, hidden]`, the fast and the slow."""
        words = self.embed(tokens)
        levels = state or (torch.zeros_like(words[:, 0]), torch.zeros_like(words[:, 0]))
        scores = []
        for t, word in enumerate(words.unbind(dim=1)):
            new = is_first[:, t].all() if self._together else is_first[:, t, None]
            kept = (torch.where(new, torch.zeros_like(level), level) for level in levels)
            levels = tuple(torch.lerp(word, level, keep) for level, keep in zip(kept, self.speed.sigmoid(), strict=True))
            scores.append(self.head(torch.cat([word, *levels], dim=1)))
        return torch.stack(scores, dim=1), levels


DEFECT = Defect(
    code="SW117",
    says="The reset acts on wrong rows: all whenever any begins, or none until all begin.",
    variants=(
        Variant(
            name="GRUCell agent, cleared wholly (any)",
            broken=partial(GruAgent, broken=True),
            mended=partial(GruAgent, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "state", "is_first"),
                batch_first=True,
                initial_state="init_hidden",
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="two layers of LSTM, time first (all)",
            broken=partial(StackedLSTM, broken=True),
            mended=partial(StackedLSTM, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "is_first", "state"),
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
            name="stateful LSTM in stretches (any)",
            broken=partial(StreamingLSTM, broken=True),
            mended=partial(StreamingLSTM, broken=False),
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
        Variant(
            name="leaky averages of tokens (all)",
            broken=partial(LeakyWords, broken=True),
            mended=partial(LeakyWords, broken=False),
            reads="tokens",
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
    ),
)
