"""A reset that leaves something behind: one leaf of the state, another attribute than the one in use, or all of it in eval mode."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class CellTagger(nn.Module):
    """An LSTM cell in a loop that goes on where the last call ended."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.h: Tensor | None = None
        self.c: Tensor | None = None
        self._forgets = broken

    def reset(self) -> None:
        """Begin anew."""
        self.h = None
        if not self._forgets:
            self.c = None

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a step."""
        zeros = x.new_zeros(len(x), self.cell.hidden_size)
        h = zeros if self.h is None or len(self.h) != len(x) else self.h
        c = zeros if self.c is None or len(self.c) != len(x) else self.c
        outputs = []
        for step in x.unbind(dim=1):
            h, c = self.cell(step, (h, c))
            outputs.append(self.head(h))
        self.h, self.c = h.detach(), c.detach()
        return torch.stack(outputs, dim=1)


class StreamRegressor(nn.Module):
    """A GRU on a stream, time first; what is carried was called `h` once and is called `hidden` now."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden)
        self.head = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, sizes.outputs))
        self.h: Tensor | None = None
        self.hidden: Tensor | None = None
        self._old_name = broken

    def reset(self) -> None:
        """Begin anew."""
        if self._old_name:
            self.h = None
        else:
            self.hidden = None

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a step."""
        if self.hidden is not None and self.hidden.shape[1] != x.shape[1]:
            self.hidden = None
        features, hidden = self.gru(x, self.hidden)
        self.hidden = hidden.detach()
        values: Tensor = self.head(features)
        return values


class ResidualReader(nn.Module):
    """Tokens through three GRU layers with residuals, each of which goes on where it was."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.layers = nn.ModuleList(nn.GRU(sizes.hidden, sizes.hidden, batch_first=True) for _ in range(3))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.hiddens: list[Tensor] | None = None
        self._only_in_training = broken

    def reset_states(self) -> None:
        """Begin anew."""
        if self.training or not self._only_in_training:
            self.hiddens = None

    def forward(self, tokens: Tensor) -> Tensor:
        """Return one output a sequence, read at its last step."""
        features = self.embedding(tokens)
        if self.hiddens is None or self.hiddens[0].shape[1] != len(tokens):
            self.hiddens = [features.new_zeros(1, len(tokens), features.shape[-1]) for _ in self.layers]
        after = []
        for layer, hidden in zip(self.layers, self.hiddens, strict=True):
            more, last = layer(features, hidden)
            features = features + more
            after.append(last.detach())
        self.hiddens = after
        logits: Tensor = self.head(features[:, -1])
        return logits


class ConvolvedTagger(nn.Module):
    """A causal convolution that remembers the last frames, and an LSTM behind it."""

    def __init__(self, sizes: Sizes, *, broken: bool, kernel: int = 4) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(sizes.inputs, sizes.hidden, kernel)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.context: Tensor | None = None
        self.hidden: tuple[Tensor, Tensor] | None = None
        self._forgets = broken

    def reset(self) -> None:
        """Begin anew."""
        self.hidden = None
        if not self._forgets:
            self.context = None

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a step."""
        left = self.convolution.kernel_size[0] - 1
        if self.context is None or len(self.context) != len(x):
            self.context = x.new_zeros(len(x), left, x.shape[-1])
        if self.hidden is not None and self.hidden[0].shape[1] != len(x):
            self.hidden = None
        frames = torch.cat([self.context, x], dim=1)
        self.context = frames[:, -left:].detach()
        features, (h, c) = self.lstm(self.convolution(frames.transpose(1, 2)).relu().transpose(1, 2), self.hidden)
        self.hidden = (h.detach(), c.detach())
        logits: Tensor = self.head(features)
        return logits


TAGS = Contract(
    takes=("x",),
    batch_first=True,
    each="step",
    reset="reset",
    returns_state=False,
    causal=True,
    stateful=True,
    order_matters=True,
    output="logits",
)
STREAMS = Contract(
    takes=("x",),
    batch_first=False,
    each="step",
    reset="reset",
    returns_state=False,
    causal=True,
    stateful=True,
    order_matters=True,
    output="values",
)
READS = Contract(
    takes=("x",),
    batch_first=True,
    each="sequence",
    reset="reset_states",
    returns_state=False,
    causal=True,
    stateful=True,
    order_matters=True,
    output="logits",
)

DEFECT = Defect(
    code="SW102",
    says="The reset does not wholly reset: after it the module still goes on from what an earlier call left.",
    variants=(
        Variant(
            name="LSTM cell loop, c forgotten",
            broken=partial(CellTagger, broken=True),
            mended=partial(CellTagger, broken=False),
            contract=TAGS,
        ),
        Variant(
            name="GRU on a stream, another attribute cleared",
            broken=partial(StreamRegressor, broken=True),
            mended=partial(StreamRegressor, broken=False),
            contract=STREAMS,
        ),
        Variant(
            name="residual GRU stack, cleared in training only",
            broken=partial(ResidualReader, broken=True),
            mended=partial(ResidualReader, broken=False),
            contract=READS,
            reads="tokens",
        ),
        Variant(
            name="causal convolution and LSTM, frames forgotten",
            broken=partial(ConvolvedTagger, broken=True),
            mended=partial(ConvolvedTagger, broken=False),
            contract=TAGS,
        ),
    ),
    seen_in=("soumith/cudnn.torch#348", "tensorflow/tensorflow#34055"),
)
