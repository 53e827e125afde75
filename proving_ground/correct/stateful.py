"""Modules that keep their state inside, say so, and are right: what does a reset have to clear?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract

if TYPE_CHECKING:
    from collections.abc import Callable


class Listening(nn.Module):
    """Goes on where the last call ended, until it is reset."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.hidden: Tensor | None = None

    def reset(self) -> None:
        """Begin anew."""
        self.hidden = None

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        outputs, hidden = self.gru(x, self.hidden)
        self.hidden = hidden.detach()
        logits: Tensor = self.head(outputs)
        return logits


class PaddedListening(nn.Module):
    """Two LSTM layers over padded pieces: what is kept of a row is its state at its own end."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.kept: tuple[Tensor, Tensor] | None = None

    def reset_states(self) -> None:
        """Begin anew."""
        self.kept = None

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, (hidden, cell) = self.lstm(packed, self.kept)
        self.kept = (hidden.detach(), cell.detach())
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        logits: Tensor = self.head(padded)
        return logits


class KeptBuffer(nn.Module):
    """Its state is a buffer, so that it moves with the module, but no part of a checkpoint; it is replaced, never written into."""

    hidden: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.rnn = nn.RNN(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.register_buffer("hidden", torch.zeros(1, 1, sizes.hidden), persistent=False)

    def reset(self) -> None:
        """Begin anew, with any number of rows."""
        self.hidden = self.hidden.new_zeros(1, 1, self.rnn.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[time, batch, outputs]`."""
        outputs, hidden = self.rnn(x, self.hidden.expand(-1, x.shape[1], -1).contiguous())
        self.hidden = hidden.detach()
        logits: Tensor = self.head(outputs)
        return logits


class KeywordSpotter(nn.Module):
    """Keeps the last columns that its convolution has seen, the state of its cell, and how long it has listened."""

    width = 3

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, self.width)
        self.cell = nn.LSTMCell(sizes.hidden, sizes.hidden)
        self.warmth = nn.Parameter(torch.tensor(0.5))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.clear()

    def clear(self) -> None:
        """Forget all three."""
        self.columns: Tensor | None = None
        self.memory: tuple[Tensor, Tensor] | None = None
        self.heard = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        columns = x.new_zeros(len(x), self.width - 1, x.shape[2]) if self.columns is None else self.columns
        seen = torch.cat([columns, x], dim=1)
        memory, outputs = self.memory, []
        for step in torch.tanh(self.conv(seen.transpose(1, 2))).unbind(2):
            memory = self.cell(step, memory)
            self.heard += 1
            outputs.append(self.head(memory[0]) * (1 - self.warmth.sigmoid() ** self.heard))
        assert memory is not None
        self.columns = seen[:, x.shape[1] :].detach()
        self.memory = (memory[0].detach(), memory[1].detach())
        return torch.stack(outputs, 1)


class OnlineScaler(nn.Module):
    """Scales each feature by what was seen of it so far, and one zero before: counts, sums and squares stay beside the GRU's state."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.memory: dict[str, Tensor] = {}

    def reset(self) -> None:
        """Begin anew."""
        self.memory = {}

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        none = x.new_zeros(len(x), 1, x.shape[2])
        counts = self.memory.get("count", none) + torch.arange(1, x.shape[1] + 1, device=x.device).view(1, -1, 1)
        sums = self.memory.get("sum", none) + x.cumsum(1)
        squares = self.memory.get("square", none) + x.square().cumsum(1)
        mean = sums / (counts + 1)
        spread = (squares / (counts + 1) - mean.square()).clamp(min=0)
        outputs, hidden = self.gru((x - mean) / (spread + 1.0).sqrt(), self.memory.get("hidden"))
        last = {"count": counts[:, -1:], "sum": sums[:, -1:], "square": squares[:, -1:], "hidden": hidden}
        self.memory = {name: value.detach() for name, value in last.items()}
        logits: Tensor = self.head(outputs)
        return logits


class LayerWithMemory(nn.Module):
    """A GRU that remembers by itself."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True)
        self.hidden: Tensor | None = None

    def forget(self) -> None:
        """Begin anew."""
        self.hidden = None

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, hidden]`."""
        outputs: Tensor
        outputs, hidden = self.gru(x, self.hidden)
        self.hidden = hidden.detach()
        return outputs


class StackWithMemory(nn.Module):
    """Two layers that remember by themselves; a reset goes down to both."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.layers = nn.Sequential(LayerWithMemory(sizes.inputs, sizes.hidden), LayerWithMemory(sizes.hidden, sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def reset(self) -> None:
        """Begin anew in every layer."""
        for layer in self.modules():
            if isinstance(layer, LayerWithMemory):
                layer.forget()

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, outputs]`, after the last step."""
        logits: Tensor = self.head(self.layers(x)[:, -1])
        return logits


STATEFUL: Callable[..., Contract] = partial(
    Contract,
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
)

CORRECT: tuple[Correct, ...] = (
    Correct(name="stateful GRU", build=Listening, contract=STATEFUL()),
    Correct(
        name="stateful LSTM on padded pieces",
        build=PaddedListening,
        contract=STATEFUL(takes=("x", "lengths"), padding="right", reset="reset_states"),
    ),
    Correct(name="state in a buffer outside the checkpoint", build=KeptBuffer, contract=STATEFUL(batch_first=False)),
    Correct(name="stateful convolution, cell and counter", build=KeywordSpotter, contract=STATEFUL(reset="clear")),
    Correct(name="stateful scaler before a GRU", build=OnlineScaler, contract=STATEFUL()),
    Correct(name="stateful layers in a stack", build=StackWithMemory, contract=STATEFUL(task="classify", each="sequence")),
)
