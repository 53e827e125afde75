"""The state that calls overwrite is part of state_dict: a checkpoint holds the last batch, and may not even load."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class StreamTagger(nn.Module):
    """GRU that goes on where the last window ended."""

    hidden: Tensor | None

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.register_buffer("hidden", None, persistent=broken)

    def reset(self) -> None:
        """Begin anew."""
        self.hidden = None

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        out, hidden = self.gru(x, self.hidden)
        self.hidden = hidden.detach()
        scores: Tensor = self.head(out)
        return scores


class MonitorLSTM(nn.Module):
    """LSTMCell over telemetry, time first, with h and c kept together as one tensor."""

    memory: Tensor

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, sizes.outputs))
        memory = torch.zeros(2, 1, sizes.hidden)
        self.memory = nn.Parameter(memory, requires_grad=False) if broken else memory

    def _store(self, memory: Tensor) -> None:
        if isinstance(self.memory, nn.Parameter):
            self.memory.data = memory
        else:
            self.memory = memory

    def clear(self) -> None:
        """Begin anew."""
        self._store(self.cell.weight_hh.new_zeros(2, 1, self.cell.hidden_size))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[time, batch, outputs]`."""
        h, c = self.memory.to(x).expand(2, x.size(1), -1)
        hidden = []
        for step in x:
            h, c = self.cell(step, (h, c))
            hidden.append(h)
        self._store(torch.stack([h, c]).detach())
        scores: Tensor = self.head(torch.stack(hidden))
        return scores


class LeakyReader(nn.Module):
    """Embedding and leaky averages of it, each unit with its own learned leak."""

    level: Tensor

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.leak = nn.Parameter(torch.linspace(-2.0, 2.0, sizes.hidden))
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self.register_buffer("level", torch.zeros(1, sizes.hidden), persistent=broken)

    def reset_state(self) -> None:
        """Forget what was read."""
        self.level = torch.zeros_like(self.level[:1])

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        keep = self.leak.sigmoid()
        level = self.level.expand(len(tokens), -1)
        scores = []
        for word in self.embed(tokens).unbind(dim=1):
            level = keep * level + (1 - keep) * word
            scores.append(self.head(torch.cat([word, level], dim=1)))
        self.level = level.detach()
        return torch.stack(scores, dim=1)


class StreamingConvGRU(nn.Module):
    """Causal convolution and GRU for live audio: the last frames and the hidden vector wait for the next chunk."""

    tail: Tensor
    hidden: Tensor

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.register_buffer("tail", torch.zeros(1, sizes.inputs, 2), persistent=broken)
        self.register_buffer("hidden", torch.zeros(1, 1, sizes.hidden), persistent=broken)

    def reset(self) -> None:
        """Begin anew."""
        self.tail = torch.zeros_like(self.tail[:1])
        self.hidden = torch.zeros_like(self.hidden[:, :1])

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        frames = torch.cat([self.tail.expand(len(x), -1, -1), x.transpose(1, 2)], dim=2)
        features = torch.relu(self.conv(frames)).transpose(1, 2)
        out, hidden = self.gru(features, self.hidden.expand(-1, len(x), -1).contiguous())
        self.tail, self.hidden = frames[:, :, -2:].detach(), hidden.detach()
        scores: Tensor = self.head(out)
        return scores


DEFECT = Defect(
    code="SW113",
    says="State that calls overwrite is part of state_dict, so that a checkpoint holds the last batch.",
    variants=(
        Variant(
            name="GRU tagger, persistent buffer that begins as None",
            broken=partial(StreamTagger, broken=True),
            mended=partial(StreamTagger, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x",),
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
            name="LSTMCell, time first, h and c in a frozen Parameter",
            broken=partial(MonitorLSTM, broken=True),
            mended=partial(MonitorLSTM, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x",),
                batch_first=False,
                reset="clear",
                returns_state=False,
                causal=True,
                stateful=True,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="leaky averages of embeddings in a persistent buffer",
            broken=partial(LeakyReader, broken=True),
            mended=partial(LeakyReader, broken=False),
            reads="tokens",
            contract=Contract(
                task="tag",
                each="step",
                takes=("x",),
                batch_first=True,
                reset="reset_state",
                returns_state=False,
                causal=True,
                stateful=True,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="streaming convolution and GRU, two persistent buffers",
            broken=partial(StreamingConvGRU, broken=True),
            mended=partial(StreamingConvGRU, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x",),
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
