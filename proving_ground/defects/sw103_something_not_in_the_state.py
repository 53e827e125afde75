"""A state that is carried as it should be, while something else that matters is not in it and begins anew with every window."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class PositionedTagger(nn.Module):
    """Sinusoidal positions added to the projected inputs of a GRU."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.project = nn.Linear(sizes.inputs, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._counts = not broken

    def initial_state(self, rows: int) -> tuple[Tensor, ...]:
        """Return the state before the first step."""
        weight = self.project.weight
        begin = torch.zeros(rows, dtype=torch.int64, device=weight.device)
        hidden = weight.new_zeros(1, rows, self.gru.hidden_size)
        return (hidden, begin) if self._counts else (hidden,)

    def positions(self, places: Tensor, like: Tensor) -> Tensor:
        """Return the sines and cosines of each place."""
        half = self.gru.hidden_size // 2
        rates = torch.exp(torch.arange(half, dtype=like.dtype, device=like.device) * (-math.log(10_000.0) / half))
        angles = places.unsqueeze(-1) * rates
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return one output a step, and the state after the last."""
        rows, time, _ = x.shape
        hidden = state[0]
        begin = state[1] if self._counts else torch.zeros(rows, dtype=torch.int64, device=x.device)
        places = begin.unsqueeze(1) + torch.arange(time, device=x.device)
        features, hidden = self.gru(self.project(x) + self.positions(places, x), hidden)
        return self.head(features), ((hidden, begin + time) if self._counts else (hidden,))


class ConvolvedTagger(nn.Module):
    """A causal convolution over three steps, and an LSTM behind it."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._remembers = not broken

    def initial_state(self, rows: int) -> tuple[Tensor, ...]:
        """Return the state before the first step."""
        weight = self.convolution.weight
        h, c = weight.new_zeros(2, 1, rows, self.lstm.hidden_size).unbind()
        return (h, c, weight.new_zeros(rows, 2, weight.shape[1])) if self._remembers else (h, c)

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return one output a step, and the state after the last."""
        h, c = state[:2]
        left = state[2] if self._remembers else x.new_zeros(len(x), 2, x.shape[-1])
        frames = torch.cat([left, x], dim=1)
        features, (h, c) = self.lstm(self.convolution(frames.transpose(1, 2)).relu().transpose(1, 2), (h, c))
        return self.head(features), ((h, c, frames[:, -2:].clone()) if self._remembers else (h, c))


class CentredReader(nn.Module):
    """An LSTM cell that reads each step, and how far it is from the mean of the steps so far."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(2 * sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._carries_mean = not broken

    def initial_state(self, rows: int) -> dict[str, Tensor]:
        """Return the state before the first step."""
        weight = self.cell.weight_ih
        state = {name: weight.new_zeros(rows, self.cell.hidden_size) for name in ("h", "c")}
        if self._carries_mean:
            state |= {"total": weight.new_zeros(rows, self.cell.input_size // 2), "count": weight.new_zeros(rows, 1)}
        return state

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the output after the last step, and the state there."""
        h, c = state["h"], state["c"]
        total, count = state.get("total", torch.zeros_like(x[:, 0])), state.get("count", x.new_zeros(len(x), 1))
        for step in x.unbind(dim=1):
            total, count = total + step, count + 1
            h, c = self.cell(torch.cat([step, step - total / count], dim=-1), (h, c))
        after = {"h": h, "c": c}
        return self.head(h), (after | {"total": total, "count": count} if self._carries_mean else after)


class FeedbackTagger(nn.Module):
    """A GRU cell that reads each step beside its own last answer; time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs + sizes.outputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._carries_answer = not broken

    def init_hidden(self, rows: int) -> tuple[Tensor, ...]:
        """Return the state before the first step."""
        weight = self.cell.weight_ih
        h = weight.new_zeros(rows, self.cell.hidden_size)
        return (h, weight.new_zeros(rows, self.head.out_features)) if self._carries_answer else (h,)

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return one output a step, and the state after the last."""
        h = state[0]
        answer = state[1] if self._carries_answer else x.new_zeros(x.shape[1], self.head.out_features)
        outputs = []
        for step in x:
            h = self.cell(torch.cat([step, answer], dim=-1), h)
            outputs.append(self.head(h))
            answer = outputs[-1].softmax(dim=-1)
        return torch.stack(outputs), ((h, answer) if self._carries_answer else (h,))


class ClockworkReader(nn.Module):
    """Tokens through a fast cell, and a slow one that ticks at every third step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.fast = nn.RNNCell(2 * sizes.hidden, sizes.hidden)
        self.slow = nn.RNNCell(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._counts = not broken

    def initial_state(self, rows: int) -> tuple[Tensor, ...]:
        """Return the state before the first step."""
        weight = self.embedding.weight
        fast, slow = weight.new_zeros(2, rows, weight.shape[1]).unbind()
        clock = torch.zeros(rows, dtype=torch.int64, device=weight.device)
        return (fast, slow, clock) if self._counts else (fast, slow)

    def forward(self, tokens: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return one output a step, and the state after the last."""
        fast, slow = state[:2]
        clock = state[2] if self._counts else torch.zeros_like(tokens[:, 0])
        outputs = []
        for word in self.embedding(tokens).unbind(dim=1):
            fast = self.fast(torch.cat([word, slow], dim=-1), fast)
            ticks = (clock % 3 == 0).unsqueeze(-1)
            slow = torch.where(ticks, self.slow(fast, slow), slow)
            clock = clock + 1
            outputs.append(self.head(torch.cat([fast, slow], dim=-1)))
        return torch.stack(outputs, dim=1), ((fast, slow, clock) if self._counts else (fast, slow))


TAGS = Contract(
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
READS = Contract(
    takes=("x", "state"),
    batch_first=True,
    each="sequence",
    initial_state="initial_state",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="values",
)
TIME_FIRST = Contract(
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
    code="SW103",
    says="Something that later outputs depend on is not in the state, so that windows with the state carried differ from the whole.",
    variants=(
        Variant(
            name="GRU tagger, positions restart",
            broken=partial(PositionedTagger, broken=True),
            mended=partial(PositionedTagger, broken=False),
            contract=TAGS,
        ),
        Variant(
            name="causal convolution and LSTM, left context lost",
            broken=partial(ConvolvedTagger, broken=True),
            mended=partial(ConvolvedTagger, broken=False),
            contract=TAGS,
        ),
        Variant(
            name="LSTM cell on centred steps, running mean lost",
            broken=partial(CentredReader, broken=True),
            mended=partial(CentredReader, broken=False),
            contract=READS,
        ),
        Variant(
            name="GRU cell with feedback, last answer lost",
            broken=partial(FeedbackTagger, broken=True),
            mended=partial(FeedbackTagger, broken=False),
            contract=TIME_FIRST,
        ),
        Variant(
            name="fast and slow cells, clock restarts",
            broken=partial(ClockworkReader, broken=True),
            mended=partial(ClockworkReader, broken=False),
            contract=TAGS,
            reads="tokens",
        ),
    ),
    seen_in=("huggingface/transformers#45513",),
)
