"""Rows and steps: which does each answer come from, and which should it? Written without sight of the checks."""

# mypy: disable-error-code="no-any-return"
# The bodies stand as they were written, and what a layer of torch returns has no type.

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.blind._parts import SEQUENCE, STEP, pack, unpack, valid_steps
from proving_ground.cases import Blind, Sizes


class SentimentReader(nn.Module):
    """Bidirectional LSTM over tokens; the two final hidden states are joined and classified."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        _, (hidden, _) = self.lstm(pack(self.embedding(x), lengths))
        return self.head(hidden.contiguous().view(x.size(0), -1))


class SentimentReaderMended(SentimentReader):
    """The two directions are joined row by row."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        _, (hidden, _) = self.lstm(pack(self.embedding(x), lengths))
        return self.head(torch.cat([hidden[0], hidden[1]], 1))


class SqueezedContext(nn.Module):
    """LSTM with dot-product attention from its last valid step; the context goes through one more layer."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.query = nn.Linear(sizes.hidden, sizes.hidden)
        self.head = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, sizes.outputs))

    def context(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return what the last step attends to, `[batch, 1, hidden]`."""
        out, _ = self.lstm(x)
        last = (~mask).sum(1) - 1
        query = self.query(out[torch.arange(len(x), device=x.device), last])
        scores = torch.bmm(out, query.unsqueeze(-1)).squeeze(-1) / math.sqrt(out.size(-1))
        weights = torch.softmax(scores.masked_fill(mask, -math.inf), dim=1)
        return torch.bmm(weights.unsqueeze(1), out)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        return self.head(self.context(x, mask).squeeze())


class SqueezedContextMended(SqueezedContext):
    """Only the axis of the query goes."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        return self.head(self.context(x, mask).squeeze(1))


class SortedEncoder(nn.Module):
    """Sorts by length for packing, as older PyTorch wanted it, and puts the rows back afterwards; time first."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        lengths, order = torch.sort(lengths.cpu(), descending=True)
        packed = pack_padded_sequence(x[:, order], lengths)
        _, hidden = self.gru(packed)
        return self.head(hidden[-1][order])


class SortedEncoderMended(SortedEncoder):
    """Rows are put back with the inverse permutation."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        lengths, order = torch.sort(lengths.cpu(), descending=True)
        packed = pack_padded_sequence(x[:, order], lengths)
        _, hidden = self.gru(packed)
        return self.head(hidden[-1][torch.argsort(order)])


class MemoryAttention(nn.Module):
    """Causal tagger: an LSTM whose steps look back over the earlier hidden states with dot-product attention."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.query = nn.Linear(sizes.hidden, sizes.hidden)
        self.key = nn.Linear(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def blocked(self, time: int, device: torch.device) -> Tensor:
        """Return which steps (columns) a step (rows) may not see."""
        # a step may see itself, so the blocked triangle begins beyond the diagonal
        return torch.triu(torch.ones(time, time, device=device), diagonal=2).bool()

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        out, _ = self.lstm(x)
        scores = self.query(out) @ self.key(out).transpose(1, 2) / math.sqrt(out.size(-1))
        weights = torch.softmax(scores.masked_fill(self.blocked(x.size(1), x.device), -math.inf), dim=-1)
        return self.head(torch.cat([out, weights @ out], -1))


class MemoryAttentionMended(MemoryAttention):
    """A step sees itself and what was before."""

    def blocked(self, time: int, device: torch.device) -> Tensor:
        """Return which steps (columns) a step (rows) may not see."""
        return torch.triu(torch.ones(time, time, device=device), diagonal=1).bool()


class ResidualBlock(nn.Module):
    """Pre-norm residual GRU layer, with GroupNorm(1, channels) as the 'layer norm' of speech enhancement code."""

    norm: nn.Module

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, hidden]`."""
        return x + self.gru(self.norm(x.transpose(1, 2)).transpose(1, 2))[0]


class ResidualBlockMended(ResidualBlock):
    """Each step is normalised alone."""

    def __init__(self, hidden: int) -> None:
        super().__init__(hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, hidden]`."""
        return x + self.gru(self.norm(x))[0]


class SpeechEnhancer(nn.Module):
    """Causal stack of residual GRU layers, one output vector a frame."""

    block = ResidualBlock

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.project = nn.Linear(sizes.inputs, sizes.hidden)
        self.blocks = nn.Sequential(*(self.block(sizes.hidden) for _ in range(2)))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return values `[batch, time, outputs]`."""
        return self.head(self.blocks(self.project(x)))


class SpeechEnhancerMended(SpeechEnhancer):
    """Its blocks normalise each step alone."""

    block = ResidualBlockMended


class LockedDropout(nn.Module):
    """One dropout mask for all steps of a sequence."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, hidden]`."""
        keep = x.new_empty(x.size(0), 1, x.size(2)).bernoulli_(1 - self.p)
        return x * keep / (1 - self.p)


class LockedDropoutMended(LockedDropout):
    """It drops in training alone."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, hidden]`."""
        if not self.training or not self.p:
            return x
        return super().forward(x)


class EntityTagger(nn.Module):
    """Bidirectional token tagger with locked dropout on the embeddings."""

    dropout_type = LockedDropout

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.dropout = self.dropout_type(0.2)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden // 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        out, _ = self.lstm(pack(self.dropout(self.embedding(x)), lengths))
        return self.head(unpack(out, x.size(1)))


class EntityTaggerMended(EntityTagger):
    """It drops in training alone."""

    dropout_type = LockedDropoutMended


class MinimalGatedUnit(nn.Module):
    """Hand-written minimal gated unit, stepping through the sequence."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.hidden = sizes.hidden
        self.forget = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.candidate = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def step(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the next hidden state `[batch, hidden]`."""
        f = torch.sigmoid(self.forget(torch.cat([x, h], -1)))
        return (1 - f) * h + f * torch.tanh(self.candidate(torch.cat([x, f * h], -1)))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        h = x.new_zeros(x.size(1), self.hidden)
        out = []
        for x_t in x:
            h = self.step(x_t, h)
            out.append(h)
        return self.head(torch.stack(out))


class MinimalGatedUnitMended(MinimalGatedUnit):
    """It steps through time."""

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        h = x.new_zeros(x.size(0), self.hidden)
        out = []
        for x_t in x.unbind(1):
            h = self.step(x_t, h)
            out.append(h)
        return self.head(torch.stack(out, 1))


class ActivityClassifier(nn.Module):
    """Dense features of every sensor reading, an LSTM, and the mean over the real steps."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.dense = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.ReLU())
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def recur(self, x: Tensor) -> Tensor:
        """Return the LSTM's outputs `[batch, time, hidden]`."""
        flat = self.dense(x.reshape(-1, x.size(-1)))
        return self.lstm(flat.unsqueeze(1))[0].reshape(x.size(0), x.size(1), -1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        real = valid_steps(lengths, x.size(1), x.device).unsqueeze(-1)
        return self.head((self.recur(x) * real).sum(1) / real.sum(1))


class ActivityClassifierMended(ActivityClassifier):
    """The LSTM reads whole sequences."""

    def recur(self, x: Tensor) -> Tensor:
        """Return the LSTM's outputs `[batch, time, hidden]`."""
        flat = self.dense(x.reshape(-1, x.size(-1)))
        return self.lstm(flat.reshape(x.size(0), x.size(1), -1))[0]


BLIND: tuple[Blind, ...] = (
    Blind(
        name="sentiment reader",
        says="h_n [2, batch, hidden] is viewed as [batch, 2 * hidden], which joins states of different rows.",
        broken=SentimentReader,
        mended=SentimentReaderMended,
        contract=SEQUENCE(takes=("x", "lengths"), output="logits"),
        codes=("SW201",),
        reads="tokens",
    ),
    Blind(
        name="squeezed context",
        says="squeeze() without a dimension drops the batch dimension for a batch of one.",
        broken=SqueezedContext,
        mended=SqueezedContextMended,
        contract=SEQUENCE(takes=("x", "mask"), mask="padding", output="logits"),
        codes=("SW203",),
    ),
    Blind(
        name="sorted encoder",
        says="Rows sorted by length are put back with the sorting permutation instead of its inverse.",
        broken=SortedEncoder,
        mended=SortedEncoderMended,
        contract=SEQUENCE(takes=("x", "lengths"), batch_first=False, output="logits"),
        codes=("SW204",),
    ),
    Blind(
        name="memory attention",
        says="The causal mask begins one diagonal late, so every step attends to the next one.",
        broken=MemoryAttention,
        mended=MemoryAttentionMended,
        contract=STEP(takes=("x",), output="logits"),
        codes=("SW401",),
    ),
    Blind(
        name="speech enhancer",
        says="GroupNorm(1, channels) normalises over time as well, so every frame depends on later ones and on padding.",
        broken=SpeechEnhancer,
        mended=SpeechEnhancerMended,
        contract=STEP(takes=("x",), output="values"),
        codes=("SW401",),
    ),
    Blind(
        name="entity tagger",
        says="The hand-written locked dropout also drops in eval mode.",
        broken=EntityTagger,
        mended=EntityTaggerMended,
        contract=STEP(takes=("x", "lengths"), causal=False, output="logits"),
        codes=("SW602",),
        reads="tokens",
    ),
    Blind(
        name="minimal gated unit",
        says="`for x_t in x` steps through the rows of a batch-first tensor instead of through time.",
        broken=MinimalGatedUnit,
        mended=MinimalGatedUnitMended,
        contract=STEP(takes=("x",), output="logits"),
        codes=("SW202",),
    ),
    Blind(
        name="activity classifier",
        says="Time is left folded into the batch, so the LSTM sees sequences of one step and remembers nothing.",
        broken=ActivityClassifier,
        mended=ActivityClassifierMended,
        contract=SEQUENCE(takes=("x", "lengths"), output="logits"),
        codes=("SW501",),
    ),
)
