"""State: is all of it carried, cleared and left alone as it should be? Written without sight of the checks."""

# mypy: disable-error-code="no-any-return"
# The bodies stand as they were written, and what a layer of torch returns has no type.

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as it was written
from torch import Tensor, nn

from proving_ground.blind._parts import CARRIES, SEQUENCE, STEP, pack, unpack
from proving_ground.cases import Blind, Sizes


class KeywordSpotter(nn.Module):
    """Streaming keyword spotter that keeps its LSTM state between chunks."""

    hidden: Any
    cell: Any

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.hidden = self.cell = None

    def reset(self) -> None:
        """Begin a new stream."""
        if self.hidden is not None:
            self.hidden = torch.zeros_like(self.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        if self.hidden is None or self.hidden.size(1) != x.size(0):
            self.hidden = x.new_zeros(1, x.size(0), self.lstm.hidden_size)
            self.cell = torch.zeros_like(self.hidden)
        out, (hidden, cell) = self.lstm(x, (self.hidden.to(x), self.cell.to(x)))
        self.hidden, self.cell = hidden.detach(), cell.detach()
        return self.head(out)


class KeywordSpotterMended(KeywordSpotter):
    """Both parts of the state are cleared."""

    def reset(self) -> None:
        """Begin a new stream."""
        if self.hidden is not None:
            self.hidden = torch.zeros_like(self.hidden)
            self.cell = torch.zeros_like(self.cell)


class StreamingRecogniser(nn.Module):
    """Causal convolution, then a GRU; fed chunk by chunk with the state handed back and forth."""

    kernel = 3

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, self.kernel)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch: int) -> Tensor:
        """Return the state in which a stream begins."""
        return self.head.weight.new_zeros(1, batch, self.gru.hidden_size)

    def forward(self, x: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state."""
        frames = F.pad(x.transpose(1, 2), (self.kernel - 1, 0))
        features = torch.relu(self.conv(frames)).transpose(1, 2)
        out, state = self.gru(pack(features, lengths), state)
        return self.head(unpack(out, x.size(1))), state


class StreamingRecogniserMended(StreamingRecogniser):
    """The last frames of a chunk go on into the next one."""

    def initial_state(self, batch: int) -> tuple[Tensor, Tensor]:  # type: ignore[override]  # another state is the mend
        """Return the state in which a stream begins."""
        weight = self.head.weight
        return (
            weight.new_zeros(batch, self.kernel - 1, self.conv.in_channels),
            weight.new_zeros(1, batch, self.gru.hidden_size),
        )

    def forward(  # type: ignore[override]
        self, x: Tensor, lengths: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return scores `[batch, time, outputs]` and the state."""
        cache, hidden = state
        frames = torch.cat([cache, x], 1)
        features = torch.relu(self.conv(frames.transpose(1, 2))).transpose(1, 2)
        out, hidden = self.gru(pack(features, lengths), hidden)
        rows = torch.arange(len(x), device=x.device)[:, None]
        last = lengths.to(x.device)[:, None] + torch.arange(self.kernel - 1, device=x.device)
        return self.head(unpack(out, x.size(1))), (frames[rows, last], hidden)


class RolloutPolicy(nn.Module):
    """Recurrent policy evaluated over rollouts in which episodes begin anywhere."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encoder = nn.Linear(sizes.inputs, sizes.hidden)
        self.cell = nn.GRUCell(sizes.hidden, sizes.hidden)
        self.actor = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch: int) -> Tensor:
        """Return the state in which a stream begins."""
        return self.actor.weight.new_zeros(batch, self.cell.hidden_size)

    def forward(self, x: Tensor, state: Tensor, is_first: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state."""
        features = torch.tanh(self.encoder(x))
        keep = (~is_first).to(x.dtype).unsqueeze(-1)
        logits = []
        for t in range(x.size(1)):
            state = self.cell(features[:, t], state)
            logits.append(self.actor(state))
            state = state * keep[:, t]
        return torch.stack(logits, 1), state


class RolloutPolicyMended(RolloutPolicy):
    """The state is cleared before the step that begins an episode."""

    def forward(self, x: Tensor, state: Tensor, is_first: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state."""
        features = torch.tanh(self.encoder(x))
        keep = (~is_first).to(x.dtype).unsqueeze(-1)
        logits = []
        for t in range(x.size(1)):
            state = self.cell(features[:, t], state * keep[:, t])
            logits.append(self.actor(state))
        return torch.stack(logits, 1), state


class ParallelLanguageModel(nn.Module):
    """Language model whose state is batch first outside, so that DataParallel can scatter it."""

    layers = 2

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, self.layers, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch: int) -> Tensor:
        """Return the state in which a stream begins."""
        return self.head.weight.new_zeros(batch, self.layers, self.gru.hidden_size)

    def forward(self, x: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state."""
        hidden = state.reshape(self.layers, x.size(0), -1)
        out, hidden = self.gru(pack(self.embedding(x), lengths), hidden)
        return self.head(unpack(out, x.size(1))), hidden.transpose(0, 1).contiguous()


class ParallelLanguageModelMended(ParallelLanguageModel):
    """The state is transposed."""

    def forward(self, x: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores `[batch, time, outputs]` and the state."""
        hidden = state.transpose(0, 1).contiguous()
        out, hidden = self.gru(pack(self.embedding(x), lengths), hidden)
        return self.head(unpack(out, x.size(1))), hidden.transpose(0, 1).contiguous()


def repackage(state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Wrap hidden states in new tensors, to detach them from their history."""
    return tuple(part.detach() for part in state)


class RepackagedLSTM(nn.Module):
    """LSTM cell in a loop, time first, read out at each row's last real step."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        state = tuple(x.new_zeros(2, x.size(1), self.cell.hidden_size))
        hidden = []
        for x_t in x:
            state = self.cell(x_t, repackage(state))
            hidden.append(state[0])
        rows = torch.arange(x.size(1), device=x.device)
        return self.head(torch.stack(hidden)[lengths.to(x.device) - 1, rows])


class RepackagedLSTMMended(RepackagedLSTM):
    """The state keeps its history within a sequence."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        state = tuple(x.new_zeros(2, x.size(1), self.cell.hidden_size))
        hidden = []
        for x_t in x:
            state = self.cell(x_t, state)
            hidden.append(state[0])
        rows = torch.arange(x.size(1), device=x.device)
        return self.head(torch.stack(hidden)[lengths.to(x.device) - 1, rows])


class RunningNorm(nn.Module):
    """Observation normaliser with running mean and variance, as in reinforcement learning code."""

    mean: Tensor
    var: Tensor
    count: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("var", torch.ones(size))
        self.register_buffer("count", torch.tensor(100.0))

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Take these observations into the statistics."""
        x = x.detach().reshape(-1, x.size(-1))
        total = self.count + len(x)
        delta = x.mean(0) - self.mean
        squares = self.var * self.count + x.var(0, unbiased=False) * len(x) + delta**2 * self.count * len(x) / total
        self.mean = self.mean + delta * len(x) / total
        self.var, self.count = squares / total, total

    def forward(self, x: Tensor) -> Tensor:
        """Return `[..., size]`, normalised."""
        normal = (x - self.mean) / torch.sqrt(self.var + 1e-6)
        self.update(x)
        return normal


class RunningNormMended(RunningNorm):
    """The statistics stand still in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `[..., size]`, normalised."""
        normal = (x - self.mean) / torch.sqrt(self.var + 1e-6)
        if self.training:
            self.update(x)
        return normal


class NormalisedActor(nn.Module):
    """Recurrent actor on normalised observations; hands its state back to the caller."""

    norm_type = RunningNorm

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.norm = self.norm_type(sizes.inputs)
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.actor = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch: int) -> Tensor:
        """Return the state in which a stream begins."""
        return self.actor.weight.new_zeros(1, batch, self.gru.hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions `[batch, time, outputs]` and the state."""
        out, state = self.gru(self.norm(x), state)
        return torch.tanh(self.actor(out)), state


class NormalisedActorMended(NormalisedActor):
    """Its normaliser stands still in eval mode."""

    norm_type = RunningNormMended


class FrameStackingDecoder(nn.Module):
    """Stacks the last frames for a GRU cell; the state is the frame cache and the hidden vector."""

    context = 2

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.inputs = sizes.inputs
        self.cell = nn.GRUCell((self.context + 1) * sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def initial_state(self, batch: int) -> tuple[Tensor, Tensor]:
        """Return the state in which a stream begins."""
        weight = self.head.weight
        return weight.new_zeros(batch, self.context, self.inputs), weight.new_zeros(batch, self.cell.hidden_size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return scores `[batch, time, outputs]` and the state."""
        cache, hidden = state
        out = []
        for x_t in x.unbind(1):
            frames = torch.cat([cache, x_t.unsqueeze(1)], 1)
            hidden = self.cell(frames.flatten(1), hidden)
            cache.copy_(frames[:, 1:])
            out.append(self.head(hidden))
        return torch.stack(out, 1), (cache, hidden)


class FrameStackingDecoderMended(FrameStackingDecoder):
    """The cache is made anew at each step."""

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return scores `[batch, time, outputs]` and the state."""
        cache, hidden = state
        out = []
        for x_t in x.unbind(1):
            frames = torch.cat([cache, x_t.unsqueeze(1)], 1)
            hidden = self.cell(frames.flatten(1), hidden)
            cache = frames[:, 1:]
            out.append(self.head(hidden))
        return torch.stack(out, 1), (cache, hidden)


BLIND: tuple[Blind, ...] = (
    Blind(
        name="keyword spotter",
        says="reset() clears the hidden state but leaves the LSTM's cell state of the stream before.",
        broken=KeywordSpotter,
        mended=KeywordSpotterMended,
        contract=STEP(takes=("x",), stateful=True, reset="reset", output="logits"),
        codes=("SW102",),
    ),
    Blind(
        name="streaming recogniser",
        says="The state handed back lacks the convolution's left context, so every chunk begins with invented silence.",
        broken=StreamingRecogniser,
        mended=StreamingRecogniserMended,
        contract=CARRIES(takes=("x", "lengths", "state"), output="logits"),
        codes=("SW103",),
    ),
    Blind(
        name="rollout policy",
        says="is_first is read as done: the state is cleared after the first step instead of before it.",
        broken=RolloutPolicy,
        mended=RolloutPolicyMended,
        contract=CARRIES(takes=("x", "state", "is_first"), output="logits"),
        codes=("SW116",),
    ),
    Blind(
        name="parallel language model",
        says="A batch-first state is reshaped instead of transposed to [layers, batch, hidden], so rows swap states.",
        broken=ParallelLanguageModel,
        mended=ParallelLanguageModelMended,
        contract=CARRIES(takes=("x", "lengths", "state"), output="logits"),
        codes=("SW108",),
        reads="tokens",
    ),
    Blind(
        name="repackaged LSTM",
        says="The state is detached at every step, so no gradient reaches earlier steps.",
        broken=RepackagedLSTM,
        mended=RepackagedLSTMMended,
        contract=SEQUENCE(takes=("x", "lengths"), batch_first=False, output="logits"),
        codes=("SW110",),
    ),
    Blind(
        name="normalised actor",
        says="The observation normaliser goes on updating its running statistics in eval mode.",
        broken=NormalisedActor,
        mended=NormalisedActorMended,
        contract=CARRIES(takes=("x", "state"), output="values"),
        codes=("SW607",),
    ),
    Blind(
        name="frame-stacking decoder",
        says="The frame cache in the caller's state is overwritten in place, so the same state cannot be used twice.",
        broken=FrameStackingDecoder,
        mended=FrameStackingDecoderMended,
        contract=CARRIES(takes=("x", "state"), output="logits"),
        codes=("SW107",),
    ),
)
