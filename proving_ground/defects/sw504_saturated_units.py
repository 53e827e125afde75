"""Gates and tanh units stand at their ends from the first step on: raw cents, seconds, pixels and millimetres go in."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class SpendingClassifier(nn.Module):
    """An LSTM over the amounts of an account, in cents as the bank's system keeps them."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._unit = 100.0 if broken else 1.0

    def forward(self, amounts: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each account."""
        packed = pack_padded_sequence(amounts * self._unit, lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.rnn(packed)
        return self.head(last[-1])  # type: ignore[no-any-return]


class ClockedTagger(nn.Module):
    """A GRU, time first, that is told how long a session has lasted: one reading a minute, in seconds or in hours."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs + 1, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._minute = 60.0 if broken else 1 / 60

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each step."""
        elapsed = torch.arange(x.shape[0], device=x.device, dtype=x.dtype) * self._minute
        outputs, _ = self.rnn(torch.cat([x, elapsed[:, None, None].expand(-1, x.shape[1], 1)], dim=-1))
        return self.head(outputs)  # type: ignore[no-any-return]


class FrameClassifier(nn.Module):
    """A layer on each frame and a plain tanh RNN; frames come normalised and are taken back to pixels, never divided by 255."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=1)
        self.rnn = nn.RNN(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._brightest = 255.0 if broken else 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each clip."""
        pixels = (x + 1) / 2 * self._brightest
        frames = self.enter(pixels.transpose(1, 2)).transpose(1, 2)
        _, last = self.rnn(frames)
        return self.head(last[-1])  # type: ignore[no-any-return]


class GaitClassifier(nn.Module):
    """A bidirectional GRU with attention over positions in millimetres; a mask says which are real."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden // 2, batch_first=True, bidirectional=True)
        self.score = nn.Linear(sizes.hidden, 1, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._per_metre = 1000.0 if broken else 1.0

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each walk; the mask is True at real steps."""
        packed = pack_padded_sequence(x * self._per_metre, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])
        weights = self.score(states).masked_fill(~mask[..., None], -math.inf).softmax(dim=1)
        return self.head((weights * states).sum(dim=1))  # type: ignore[no-any-return]


DEFECT = Defect(
    code="SW504",
    says="Inputs reach the gates unscaled, so that these are saturated whatever is read.",
    variants=(
        Variant(
            name="LSTM over amounts in cents",
            broken=partial(SpendingClassifier, broken=True),
            mended=partial(SpendingClassifier, broken=False),
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
        ),
        Variant(
            name="GRU told the time in seconds",
            broken=partial(ClockedTagger, broken=True),
            mended=partial(ClockedTagger, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=False,
                each="step",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="tanh RNN over raw pixels",
            broken=partial(FrameClassifier, broken=True),
            mended=partial(FrameClassifier, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=True,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="bidirectional GRU over millimetres",
            broken=partial(GaitClassifier, broken=True),
            mended=partial(GaitClassifier, broken=False),
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
    ),
)
