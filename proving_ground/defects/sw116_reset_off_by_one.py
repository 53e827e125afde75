"""The reset at is_first acts one step late or one early: is_first is handled as if it were done, or the cuts are off by one."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract

Pair: TypeAlias = tuple[Tensor, Tensor]


class RecurrentActor(nn.Module):
    """GRUCell actor; the one that clears after the step reads the first observation with the old memory and forgets it."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(sizes.inputs, sizes.hidden)
        self.cell = nn.GRUCell(sizes.hidden, sizes.hidden)
        self.actor = nn.Linear(sizes.hidden, sizes.outputs)
        self._after = broken

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros `[batch, hidden]`."""
        return self.actor.weight.new_zeros(batch_size, self.cell.hidden_size)

    def forward(self, obs: Tensor, is_first: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state."""
        scores = []
        for step, first in zip(self.embed(obs).unbind(dim=1), is_first.unbind(dim=1), strict=True):
            if not self._after:
                h = torch.where(first[:, None], torch.zeros_like(h), h)
            h = self.cell(torch.relu(step), h)
            scores.append(self.actor(h))
            if self._after:
                h = torch.where(first[:, None], torch.zeros_like(h), h)
        return torch.stack(scores, dim=1), h


class RolloutLSTM(nn.Module):
    """LSTMCell over a rollout, time first; written for done, which is the first of the next step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.value = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, sizes.outputs))
        self._done = broken

    def forward(self, x: Tensor, is_first: Tensor, state: Pair | None = None) -> tuple[Tensor, Pair]:
        """Return values `[time, batch, outputs]` and the state."""
        if state is None:
            zeros = x.new_zeros(x.size(1), self.cell.hidden_size)
            state = zeros, zeros
        clear = torch.cat([is_first[1:], torch.zeros_like(is_first[:1])]) if self._done else is_first
        hidden = []
        for t, step in enumerate(x):
            h, c = (leaf.masked_fill(clear[t].unsqueeze(1), 0.0) for leaf in state)
            state = self.cell(step, (h, c))
            hidden.append(state[0])
        return self.value(torch.stack(hidden)), state


class SegmentGRU(nn.Module):
    """GRU called once for each stretch in which no row begins anew, for speed."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._late = broken

    def forward(self, x: Tensor, is_first: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state `[1, batch, hidden]`."""
        h = x.new_zeros(1, len(x), self.gru.hidden_size) if state is None else state
        firsts = is_first.any(dim=0).nonzero().flatten()
        cuts = (firsts + 1 if self._late else firsts).tolist()
        edges = sorted({0, *cuts, x.size(1)})
        outputs = []
        for begin, end in pairwise(edges):
            if begin in cuts:
                new = is_first[:, begin - 1 if self._late else begin]
                h = h.masked_fill(new[None, :, None], 0.0)
            out, h = self.gru(x[:, begin:end].contiguous(), h)
            outputs.append(out)
        return self.head(torch.cat(outputs, dim=1)), h


class DecayMemory(nn.Module):
    """Linear memory without a loop: each step sums the values of its own episode, weighed by how long ago they were."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.value = nn.Linear(sizes.hidden, sizes.hidden)
        self.decay = nn.Parameter(torch.linspace(0.0, 3.0, sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._exclusive = broken

    def forward(self, tokens: Tensor, is_first: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        words = self.embed(tokens)
        episode = is_first.long().cumsum(dim=1)
        if self._exclusive:
            episode = episode - is_first.long()
        steps = torch.arange(tokens.size(1), device=tokens.device)
        age = steps[:, None] - steps
        seen = (episode[:, :, None] == episode[:, None, :]) & (age >= 0)
        weights = self.decay.sigmoid() ** age.clamp(min=0)[..., None]
        terms = torch.where(seen[..., None], weights * self.value(words)[:, None], weights.new_zeros(()))
        scores: Tensor = self.head(words + torch.tanh(terms.sum(dim=2)))
        return scores


DEFECT = Defect(
    code="SW116",
    says="The reset at is_first acts one step late or one early.",
    variants=(
        Variant(
            name="GRUCell actor that clears after the step (late)",
            broken=partial(RecurrentActor, broken=True),
            mended=partial(RecurrentActor, broken=False),
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
            name="LSTMCell, time first, done in place of first (early)",
            broken=partial(RolloutLSTM, broken=True),
            mended=partial(RolloutLSTM, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "is_first", "state"),
                batch_first=False,
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
        Variant(
            name="GRU in segments, cuts off by one (late)",
            broken=partial(SegmentGRU, broken=True),
            mended=partial(SegmentGRU, broken=False),
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
            name="linear memory over tokens, episodes numbered exclusively (late)",
            broken=partial(DecayMemory, broken=True),
            mended=partial(DecayMemory, broken=False),
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
    ),
)
