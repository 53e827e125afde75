"""The output is about early steps too, but their gradient is gone: sigmoids squash the state again and again."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class SigmoidClassifier(nn.Module):
    """A plain recurrence with a sigmoid, instead of small steps that add to the state; it stops at each row's end."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.recur = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def step(self, drive: Tensor, hidden: Tensor) -> Tensor:
        """Return the next state."""
        if self._broken:
            return torch.sigmoid(drive + self.recur(hidden))
        return hidden + 0.1 * torch.tanh(drive + self.recur(hidden))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        real = (torch.arange(x.shape[1], device=x.device) < lengths.to(x.device)[:, None])[..., None]
        drives = self.enter(x.masked_fill(~real, 0.0))
        hidden = torch.zeros_like(drives[:, 0])
        for drive, goes_on in zip(drives.unbind(1), real.unbind(1), strict=True):
            hidden = torch.where(goes_on, self.step(drive, hidden), hidden)
        return self.head(hidden)  # type: ignore[no-any-return]


class DeepTransition(nn.Module):
    """Two sigmoid layers from one state to the next, time first, with or without a highway past them."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.first = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.second = nn.Linear(sizes.hidden, sizes.hidden)
        self.gate = None if broken else nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        if self.gate is not None:
            nn.init.constant_(self.gate.bias, -3.0)  # at first nearly everything is carried on
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        hidden = x.new_zeros(x.shape[1], self.second.out_features)
        for step in x:
            both = torch.cat([step, hidden], dim=-1)
            fresh = torch.sigmoid(self.second(torch.sigmoid(self.first(both))))
            hidden = fresh if self.gate is None else torch.lerp(hidden, fresh, torch.sigmoid(self.gate(both)))
        return self.head(hidden)  # type: ignore[no-any-return]


class GatedTokens(nn.Module):
    """An LSTM without forget gate, written by hand, whose cell is written anew at each step instead of added to."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.enter = nn.Linear(sizes.hidden, 3 * sizes.hidden)
        self.recur = nn.Linear(sizes.hidden, 3 * sizes.hidden, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._keep = 0.0 if broken else 1.0

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each sequence; the mask is True at real tokens."""
        drives = self.enter(self.embed(tokens))
        hidden = cell = torch.zeros_like(self.embed(tokens[:, 0]))
        for drive, real in zip(drives.unbind(1), mask[..., None].unbind(1), strict=True):
            into, out, candidate = (drive + self.recur(hidden)).chunk(3, dim=-1)
            written = self._keep * cell + torch.sigmoid(into) * torch.tanh(candidate)
            cell = torch.where(real, written, cell)
            hidden = torch.where(real, torch.sigmoid(out) * torch.tanh(written), hidden)
        return self.head(hidden)  # type: ignore[no-any-return]


class StackedSigmoid(nn.Module):
    """Two recurrent layers with sigmoids, of which the head reads the last state or the mean of all."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lower = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.upper = nn.Linear(2 * sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of each sequence."""
        low = high = x.new_zeros(x.shape[0], self.upper.out_features)
        states = []
        for step in x.unbind(1):
            low = torch.sigmoid(self.lower(torch.cat([step, low], dim=-1)))
            high = torch.sigmoid(self.upper(torch.cat([low, high], dim=-1)))
            states.append(high)
        read = states[-1] if self._broken else torch.stack(states, dim=1).mean(dim=1)
        return self.head(read)  # type: ignore[no-any-return]


DEFECT = Defect(
    code="SW503",
    says="The gradient of an output does not reach the early steps that it rests on: each step squashes it to a tenth.",
    variants=(
        Variant(
            name="plain recurrence with a sigmoid",
            broken=partial(SigmoidClassifier, broken=True),
            mended=partial(SigmoidClassifier, broken=False),
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
            name="deep transition without a highway",
            broken=partial(DeepTransition, broken=True),
            mended=partial(DeepTransition, broken=False),
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
            name="gated cell that is written anew",
            broken=partial(GatedTokens, broken=True),
            mended=partial(GatedTokens, broken=False),
            contract=Contract(
                takes=("x", "mask"),
                batch_first=True,
                mask="valid",
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
            name="stacked sigmoid layers read at the end",
            broken=partial(StackedSigmoid, broken=True),
            mended=partial(StackedSigmoid, broken=False),
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
