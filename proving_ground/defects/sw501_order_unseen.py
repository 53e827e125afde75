"""The order of the steps is promised to matter, but shuffled steps give the same output: a recurrence that never recurs."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class BagClassifier(nn.Module):
    """Mean over the embeddings of a sentence, without the GRU that should read them first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.rnn = None if broken else nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sentence."""
        steps = self.embed(tokens)
        if self.rnn is not None:
            steps, _ = self.rnn(steps)
        real = torch.arange(tokens.shape[1], device=tokens.device) < lengths.to(tokens.device)[:, None]
        mean = steps.masked_fill(~real[..., None], 0.0).sum(dim=1) / real.sum(dim=1, keepdim=True)
        return self.head(mean)  # type: ignore[no-any-return]


class CellClassifier(nn.Module):
    """A loop over a GRU cell, time first, which begins every step from the first state; states are averaged."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        start = hidden = x.new_zeros(x.shape[1], self.cell.hidden_size)
        states = []
        for step in x:
            hidden = self.cell(step, start if self._broken else hidden)
            states.append(hidden)
        return self.head(torch.stack(states).mean(dim=0))  # type: ignore[no-any-return]


class AttentionClassifier(nn.Module):
    """Self-attention and attention pooling over steps that are not told where they stand."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.attend = nn.MultiheadAttention(sizes.hidden, num_heads=2, batch_first=True)
        self.score = nn.Linear(sizes.hidden, 1, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._positions = not broken

    def forward(self, x: Tensor, padded: Tensor) -> Tensor:
        """Return the scores of each sequence; the mask is True at padding."""
        steps = self.enter(x.masked_fill(padded[..., None], 0.0))
        if self._positions:
            steps = steps + waves(x.shape[1], steps)
        mixed, _ = self.attend(steps, steps, steps, key_padding_mask=padded, need_weights=False)
        steps = torch.relu(steps + mixed)
        weights = self.score(steps).masked_fill(padded[..., None], -math.inf).softmax(dim=1)
        return self.head((weights * steps).sum(dim=1))  # type: ignore[no-any-return]


def waves(time: int, like: Tensor) -> Tensor:
    """Return sines and cosines of each position, `[time, hidden]`."""
    half = like.shape[-1] // 2
    rates = torch.exp(torch.arange(half, device=like.device, dtype=like.dtype) * (-math.log(1000.0) / half))
    angles = torch.arange(time, device=like.device, dtype=like.dtype)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class ConvClassifier(nn.Module):
    """Two convolutions and a maximum over time, with kernels of a single step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        width = 1 if broken else 3
        self.first = nn.Conv1d(sizes.inputs, sizes.hidden, width, padding=width // 2)
        self.second = nn.Conv1d(sizes.hidden, sizes.hidden, width, padding=width // 2)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence; the mask is True at real steps."""
        real = mask[:, None, :]
        features = torch.relu(self.first(x.transpose(1, 2).masked_fill(~real, 0.0)))
        features = self.second(features.masked_fill(~real, 0.0))
        return self.head(features.masked_fill(~real, -math.inf).amax(dim=2))  # type: ignore[no-any-return]


class FoldedRegressor(nn.Module):
    """An LSTM that gets the steps folded into the batch, so that each sequence has one step, and a sum over its outputs."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of each sequence."""
        rows = x.reshape(-1, 1, x.shape[-1]) if self._broken else x
        outputs, _ = self.rnn(rows)
        outputs = torch.tanh(outputs).reshape(x.shape[0], x.shape[1], -1)
        return self.head(outputs.sum(dim=1))  # type: ignore[no-any-return]


DEFECT = Defect(
    code="SW501",
    says="The task is about the order of the steps, but the module gives the same output for any order.",
    variants=(
        Variant(
            name="bag of embeddings",
            broken=partial(BagClassifier, broken=True),
            mended=partial(BagClassifier, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
            reads="tokens",
        ),
        Variant(
            name="GRU cell loop from the first state",
            broken=partial(CellClassifier, broken=True),
            mended=partial(CellClassifier, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=False,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="attention without positions",
            broken=partial(AttentionClassifier, broken=True),
            mended=partial(AttentionClassifier, broken=False),
            contract=Contract(
                takes=("x", "mask"),
                batch_first=True,
                mask="padding",
                padding="right",
                each="sequence",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="convolutions of one step",
            broken=partial(ConvClassifier, broken=True),
            mended=partial(ConvClassifier, broken=False),
            contract=Contract(
                takes=("x", "mask"),
                batch_first=True,
                mask="valid",
                padding="right",
                each="sequence",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="LSTM with time folded into the batch",
            broken=partial(FoldedRegressor, broken=True),
            mended=partial(FoldedRegressor, broken=False),
            contract=Contract(
                task="regress",
                takes=("x",),
                batch_first=True,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
    ),
)
