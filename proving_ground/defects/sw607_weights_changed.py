"""A call in eval mode changes weights or buffers: running means that go on, weights renormalised where they lie, a counter."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class RunningMean(nn.Module):
    """Takes off a mean of each feature that is learned from the batches it sees."""

    level: Tensor

    def __init__(self, features: int, *, always: bool) -> None:
        super().__init__()
        self.register_buffer("level", torch.zeros(features))
        self._always = always

    def forward(self, x: Tensor) -> Tensor:
        """Return the readings without their usual level."""
        centred = x - self.level
        if self.training or self._always:
            with torch.no_grad():
                self.level.lerp_(x.mean(dim=(0, 1)), 0.1)
        return centred


class CentredTagger(nn.Module):
    """A GRU over readings centred on a running mean, which goes on running when the module is only asked."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.centre = RunningMean(sizes.inputs, always=broken)
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each step."""
        outputs, _ = self.rnn(self.centre(x))
        return self.head(outputs)  # type: ignore[no-any-return]


class BoundedTokens(nn.Module):
    """A packed bidirectional LSTM over embeddings of at most norm one, which the look-up writes back."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0, max_norm=1.0 if broken else None)
        self.rnn = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sentence."""
        words = self.embed(tokens)
        words = words / words.norm(dim=-1, keepdim=True).clamp(min=1.0)
        _, (last, _) = self.rnn(pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False))
        return self.head(torch.cat([last[0], last[1]], dim=-1))  # type: ignore[no-any-return]


class SpectralRecurrence(nn.Module):
    """A tanh recurrence, time first, over a matrix divided by its largest singular value, as power iteration finds it."""

    direction: Tensor

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.recur = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.register_buffer("direction", functional.normalize(torch.ones(sizes.hidden), dim=0))
        self._broken = broken

    def matrix(self) -> Tensor:
        """Return the recurrent matrix, scaled."""
        weight = self.recur.weight
        with torch.no_grad():
            right = functional.normalize(weight.T @ self.direction, dim=0)
            left = functional.normalize(weight @ right, dim=0)
            if self.training or self._broken:
                self.direction.copy_(left)
        return weight / (left @ weight @ right)

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of each sequence."""
        matrix, drives = self.matrix(), self.enter(x)
        hidden = torch.zeros_like(drives[0])
        for drive in drives:
            hidden = torch.tanh(drive + hidden @ matrix.T)
        return self.head(hidden)  # type: ignore[no-any-return]


class PrototypeClassifier(nn.Module):
    """A GRU with attention whose summary is compared with prototypes, which are brought to norm one where they lie."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.score = nn.Linear(sizes.hidden, 1, bias=False)
        self.prototypes = nn.Linear(sizes.hidden, sizes.outputs, bias=False)
        self._broken = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the likeness to each class; the mask is True at real steps."""
        outputs, _ = self.rnn(x.masked_fill(~mask[..., None], 0.0))
        weights = self.score(outputs).masked_fill(~mask[..., None], -math.inf).softmax(dim=1)
        summary = (weights * outputs).sum(dim=1)
        if self._broken:
            with torch.no_grad():
                self.prototypes.weight.copy_(functional.normalize(self.prototypes.weight, dim=1))
            return self.prototypes(summary)  # type: ignore[no-any-return]
        return functional.linear(summary, functional.normalize(self.prototypes.weight, dim=1))


class AnnealedGates(nn.Module):
    """A cell loop that hands its state on, with a hard gate that gets steeper with the calls, of which all are counted."""

    calls: Tensor

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.RNNCell(sizes.inputs, sizes.hidden)
        self.gate = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.register_buffer("calls", torch.zeros(()))
        self._broken = broken

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state that sequences begin with."""
        return self.head.weight.new_zeros(batch_size, self.cell.hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of each step, and the state to go on from."""
        slope, outputs = (1 + 0.04 * self.calls).clamp(max=5), []
        if self.training or self._broken:
            self.calls += 1
        for step in x.unbind(1):
            opened = functional.hardsigmoid(slope * self.gate(torch.cat([step, state], dim=-1)))
            state = torch.lerp(state, self.cell(step, state), opened)
            outputs.append(state)
        return self.head(torch.stack(outputs, dim=1)), state


DEFECT = Defect(
    code="SW607",
    says="A call in eval mode changes weights or buffers that are no state.",
    variants=(
        Variant(
            name="running mean before a GRU",
            broken=partial(CentredTagger, broken=True),
            mended=partial(CentredTagger, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=True,
                each="step",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="embeddings renormalised by the look-up",
            broken=partial(BoundedTokens, broken=True),
            mended=partial(BoundedTokens, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
            reads="tokens",
        ),
        Variant(
            name="power iteration in a recurrence",
            broken=partial(SpectralRecurrence, broken=True),
            mended=partial(SpectralRecurrence, broken=False),
            contract=Contract(
                task="regress",
                takes=("x",),
                batch_first=False,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
            ),
        ),
        Variant(
            name="prototypes brought to norm one",
            broken=partial(PrototypeClassifier, broken=True),
            mended=partial(PrototypeClassifier, broken=False),
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
        ),
        Variant(
            name="slope that counts all calls",
            broken=partial(AnnealedGates, broken=True),
            mended=partial(AnnealedGates, broken=False),
            contract=Contract(
                takes=("x", "state"),
                batch_first=True,
                each="step",
                initial_state="initial_state",
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
    seen_in=("pytorch/pytorch#26596", "akanimax/pro_gan_pytorch#37"),
)
