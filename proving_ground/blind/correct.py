"""Modules that are unusual and correct, written without sight of the checks."""

# mypy: disable-error-code="no-any-return"
# The bodies stand as they were written, and what a layer of torch returns has no type.

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as it was written
from torch import Tensor, nn

from proving_ground.blind._parts import CARRIES, SEQUENCE, STEP, pack, unpack
from proving_ground.cases import Blind, Sizes


class LearnedStart(nn.Module):
    """GRU that begins from a learned state and hands the state on."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, 1, sizes.hidden) * 0.5)
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch: int) -> Tensor:
        """Return the state in which a stream begins."""
        return self.start.expand(1, batch, -1).contiguous()

    def forward(self, x: Tensor, lengths: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return values `[batch, time, outputs]` and the state."""
        if state is None:
            state = self.initial_state(x.size(0))
        out, state = self.gru(pack(x, lengths), state)
        return self.head(unpack(out, x.size(1))), state


class ReversedReader(nn.Module):
    """Reads every sentence from its last real token to its first, as early translation models did."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        steps = torch.arange(x.size(1), device=x.device)[None, :]
        index = lengths.to(x.device)[:, None] - 1 - steps
        backwards = x.gather(1, torch.where(index >= 0, index, steps))
        out, _ = self.gru(self.embedding(backwards))
        return self.head(out[torch.arange(len(x), device=x.device), lengths.to(x.device) - 1])


class MultipliedMask(nn.Module):
    """Elman network whose mask is multiplied in; padded on the left; averages its real steps."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.hidden = sizes.hidden
        self.inward = nn.Linear(sizes.inputs, sizes.hidden)
        self.onward = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        m = mask.to(x.dtype).unsqueeze(-1)
        h = total = x.new_zeros(x.size(0), self.hidden)
        for t in range(x.size(1)):
            h = m[:, t] * torch.tanh(self.inward(x[:, t]) + self.onward(h))
            total = total + h
        return self.head(total / m.sum(1))


class LayerNormLSTM(nn.Module):
    """Layer-normalised LSTM with recurrent dropout in training, one mask a sequence."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.hidden, self.p = sizes.hidden, 0.25
        self.inward = nn.Linear(sizes.inputs, 4 * sizes.hidden)
        self.onward = nn.Linear(sizes.hidden, 4 * sizes.hidden, bias=False)
        self.norm_in, self.norm_on = nn.LayerNorm(4 * sizes.hidden), nn.LayerNorm(4 * sizes.hidden)
        self.norm_cell = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        h = c = x.new_zeros(x.size(0), self.hidden)
        keep = F.dropout(torch.ones_like(h), self.p, self.training)
        inward = self.norm_in(self.inward(x))
        out = []
        for t in range(x.size(1)):
            i, f, g, o = (inward[:, t] + self.norm_on(self.onward(h))).chunk(4, -1)
            c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g) * keep
            h = torch.sigmoid(o) * torch.tanh(self.norm_cell(c))
            out.append(h)
        return self.head(torch.stack(out, 1))


class PeepholeLSTM(nn.Module):
    """Peephole LSTM, time first, with its state as one tensor [batch, 2, hidden]; None begins from zeros."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.hidden = sizes.hidden
        self.inward = nn.Linear(sizes.inputs, 4 * sizes.hidden)
        self.onward = nn.Linear(sizes.hidden, 4 * sizes.hidden, bias=False)
        self.peep = nn.Parameter(torch.randn(3, sizes.hidden) * 0.1)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch: int) -> Tensor:
        """Return the state in which a stream begins."""
        return self.peep.new_zeros(batch, 2, self.hidden)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return values `[time, batch, outputs]` and the state."""
        h, c = (self.initial_state(x.size(1)) if state is None else state).unbind(1)
        out = []
        for x_t in self.inward(x):
            i, f, g, o = (x_t + self.onward(h)).chunk(4, -1)
            i, f = torch.sigmoid(i + self.peep[0] * c), torch.sigmoid(f + self.peep[1] * c)
            c = f * c + i * torch.tanh(g)
            h = torch.sigmoid(o + self.peep[2] * c) * torch.tanh(c)
            out.append(h)
        return self.head(torch.stack(out)), torch.stack([h, c], 1)


class ChunkBuffer(nn.Module):
    """Streaming detector that keeps its convolution's left context and its GRU's state inside, until reset."""

    memory: Any

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.inputs = sizes.inputs
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, 4)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.memory = None

    def clear(self) -> None:
        """Begin a new stream."""
        self.memory = None

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        buffer, hidden = self.memory or (x.new_zeros(x.size(0), 3, self.inputs), None)
        frames = torch.cat([buffer, x], 1)
        out, hidden = self.gru(torch.relu(self.conv(frames.transpose(1, 2))).transpose(1, 2), hidden)
        self.memory = frames[:, -3:].detach(), hidden.detach()
        return self.head(out)


class SelfAttentivePool(nn.Module):
    """GRU, self-attention that skips padding (mask: True is padding), residual, norm, masked mean."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.attention = nn.MultiheadAttention(sizes.hidden, 2, dropout=0.1, batch_first=True)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        out, _ = self.gru(x)
        seen, _ = self.attention(out, out, out, key_padding_mask=mask, need_weights=False)
        out = self.norm(out + seen).masked_fill(mask.unsqueeze(-1), 0)
        return self.head(out.sum(1) / (~mask).sum(1, keepdim=True))


class HandMadeBidirectional(nn.Module):
    """Token tagger: one GRU forward, one on sequences turned round within their lengths, turned back afterwards."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.onward = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.back = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        embedded = self.dropout(self.embedding(x))
        steps = torch.arange(x.size(1), device=x.device)[None, :]
        index = lengths.to(x.device)[:, None] - 1 - steps
        index = torch.where(index >= 0, index, steps).unsqueeze(-1).expand(-1, -1, embedded.size(-1))
        back = self.back(embedded.gather(1, index))[0].gather(1, index)
        return self.head(torch.cat([self.onward(embedded)[0], back], -1))


class BlockHierarchy(nn.Module):
    """A fast GRU begins afresh in every block of four steps; a slow one reads the blocks that are complete."""

    block = 4

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.fast = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.slow = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        batch, time, inputs = x.shape
        x = F.pad(x, (0, 0, 0, -time % self.block))
        blocks = x.size(1) // self.block
        fast = self.fast(x.reshape(batch * blocks, self.block, inputs))[0].reshape(batch, blocks, self.block, -1)
        slow = F.pad(self.slow(fast[:, :, -1])[0], (0, 0, 1, 0))[:, :-1]
        slow = slow.unsqueeze(2).expand_as(fast)
        return self.head(torch.cat([fast, slow], -1).flatten(1, 2)[:, :time])


class LearnedRestartPolicy(nn.Module):
    """LSTM policy that goes back to a learned state wherever an episode begins."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(2, sizes.hidden) * 0.3)
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.actor = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch: int) -> tuple[Tensor, Tensor]:
        """Return the state in which a stream begins."""
        return self.start[0].expand(batch, -1), self.start[1].expand(batch, -1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor], is_first: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return scores `[batch, time, outputs]` and the state."""
        h, c = state
        logits = []
        for t in range(x.size(1)):
            begins = is_first[:, t, None]
            h, c = torch.where(begins, self.start[0], h), torch.where(begins, self.start[1], c)
            h, c = self.cell(x[:, t], (h, c))
            logits.append(self.actor(h))
        return torch.stack(logits, 1), (h, c)


BLIND: tuple[Blind, ...] = (
    Blind(
        name="learned start",
        says="",
        broken=None,
        mended=LearnedStart,
        contract=CARRIES(takes=("x", "lengths", "state"), output="values"),
        codes=(),
    ),
    Blind(
        name="reversed reader",
        says="",
        broken=None,
        mended=ReversedReader,
        contract=SEQUENCE(takes=("x", "lengths"), output="logits"),
        codes=(),
        reads="tokens",
    ),
    Blind(
        name="multiplied mask",
        says="",
        broken=None,
        mended=MultipliedMask,
        contract=SEQUENCE(takes=("x", "mask"), mask="valid", padding="left", output="logits"),
        codes=(),
    ),
    Blind(
        name="layer-norm LSTM",
        says="",
        broken=None,
        mended=LayerNormLSTM,
        contract=STEP(takes=("x",), output="logits"),
        codes=(),
    ),
    Blind(
        name="peephole LSTM",
        says="",
        broken=None,
        mended=PeepholeLSTM,
        contract=CARRIES(takes=("x", "state"), batch_first=False, output="values"),
        codes=(),
    ),
    Blind(
        name="chunk buffer",
        says="",
        broken=None,
        mended=ChunkBuffer,
        contract=STEP(takes=("x",), stateful=True, reset="clear", output="logits"),
        codes=(),
    ),
    Blind(
        name="self-attentive pool",
        says="",
        broken=None,
        mended=SelfAttentivePool,
        contract=SEQUENCE(takes=("x", "mask"), mask="padding", output="logits"),
        codes=(),
    ),
    Blind(
        name="hand-made bidirectional tagger",
        says="",
        broken=None,
        mended=HandMadeBidirectional,
        contract=STEP(takes=("x", "lengths"), causal=False, output="logits"),
        codes=(),
        reads="tokens",
    ),
    Blind(
        name="block hierarchy",
        says="",
        broken=None,
        mended=BlockHierarchy,
        contract=STEP(takes=("x",), output="logits"),
        codes=(),
    ),
    Blind(
        name="learned-restart policy",
        says="",
        broken=None,
        mended=LearnedRestartPolicy,
        contract=CARRIES(takes=("x", "state", "is_first"), output="logits"),
        codes=(),
    ),
)
