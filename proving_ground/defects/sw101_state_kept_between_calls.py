"""State that stays on the module after a call, and in which the next call begins, though nobody was told of it."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class LstmTagger(nn.Module):
    """Two LSTM layers, and a linear readout at every step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.hidden: tuple[Tensor, Tensor] | None = None
        self._keeps = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a step."""
        if self.hidden is not None and self.hidden[0].shape[1] != len(x):
            self.hidden = None
        features, (h, c) = self.lstm(x, self.hidden)
        if self._keeps:
            self.hidden = (h.detach(), c.detach())
        logits: Tensor = self.head(features)
        return logits


class AttentiveReader(nn.Module):
    """Tokens through a bidirectional GRU, weighed by attention into one vector a sequence."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.score = nn.Linear(2 * sizes.hidden, 1, bias=False)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self.hidden: Tensor | None = None
        self._keeps = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return one output a sequence."""
        rows, time = tokens.shape
        if self.hidden is None or not self._keeps or self.hidden.shape[1] != rows:
            hidden = self.embedding.weight.new_zeros(2, rows, self.gru.hidden_size)
        else:
            hidden = self.hidden
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        packed, hidden = self.gru(packed, hidden)
        if self._keeps:
            self.hidden = hidden.detach()
        features, _ = pad_packed_sequence(packed, batch_first=True, total_length=time)
        outside = torch.arange(time, device=tokens.device) >= lengths.to(tokens.device)[:, None]
        weights = self.score(features).squeeze(-1).masked_fill(outside, -torch.inf).softmax(dim=1)
        logits: Tensor = self.head((weights.unsqueeze(-1) * features).sum(dim=1))
        return logits


class MotionTagger(nn.Module):
    """Each frame and its change since the frame before, through a GRU; time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(2 * sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.last_frame: Tensor | None = None
        self._keeps = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a step."""
        before = x[:1] if self.last_frame is None or self.last_frame.shape != x[:1].shape else self.last_frame
        change = torch.diff(x, dim=0, prepend=before)
        if self._keeps:
            self.last_frame = x[-1:].detach().clone()
        features, _ = self.gru(torch.cat([x, change], dim=-1))
        values: Tensor = self.head(features)
        return values


class MemoryReader(nn.Module):
    """A controller that writes into a few slots of memory at every step, and reads them at the end."""

    def __init__(self, sizes: Sizes, *, broken: bool, slots: int = 4) -> None:
        super().__init__()
        self.key = nn.Linear(sizes.inputs, slots)
        self.value = nn.Linear(sizes.inputs, sizes.hidden)
        self.forget = nn.Linear(sizes.inputs + sizes.hidden, sizes.hidden)
        self.head = nn.Linear(slots * sizes.hidden, sizes.outputs)
        self.memory: Tensor | None = None
        self._keeps = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return one output a sequence."""
        memory = self.memory
        if memory is None or len(memory) != len(x):
            memory = x.new_zeros(len(x), self.key.out_features, self.value.out_features)
        for step in x.unbind(dim=1):
            where = self.key(step).softmax(dim=-1).unsqueeze(-1)
            read = (where * memory).sum(dim=1)
            erase = self.forget(torch.cat([step, read], dim=-1)).sigmoid().unsqueeze(1)
            memory = memory * (1 - where * erase) + where * self.value(step).tanh().unsqueeze(1)
        if self._keeps:
            self.memory = memory.detach()
        logits: Tensor = self.head(memory.flatten(1))
        return logits


TAGS = Contract(
    takes=("x",), batch_first=True, each="step", returns_state=False, causal=True, stateful=False, order_matters=True, output="logits"
)
READS = Contract(
    takes=("x", "lengths"),
    batch_first=True,
    each="sequence",
    padding="right",
    returns_state=False,
    causal=False,
    stateful=False,
    order_matters=True,
    output="logits",
)
FRAMES = Contract(
    takes=("x",), batch_first=False, each="step", returns_state=False, causal=True, stateful=False, order_matters=True, output="values"
)
ENDS = Contract(
    takes=("x",), batch_first=True, each="sequence", returns_state=False, causal=True, stateful=False, order_matters=True, output="logits"
)

DEFECT = Defect(
    code="SW101",
    says="State stays on the module between calls, so that what a call returns depends on the calls before it.",
    variants=(
        Variant(
            name="LSTM tagger, hidden kept",
            broken=partial(LstmTagger, broken=True),
            mended=partial(LstmTagger, broken=False),
            contract=TAGS,
        ),
        Variant(
            name="bidirectional GRU with attention, hidden kept",
            broken=partial(AttentiveReader, broken=True),
            mended=partial(AttentiveReader, broken=False),
            contract=READS,
            reads="tokens",
        ),
        Variant(
            name="frame differences, last frame kept",
            broken=partial(MotionTagger, broken=True),
            mended=partial(MotionTagger, broken=False),
            contract=FRAMES,
        ),
        Variant(
            name="memory slots, memory kept",
            broken=partial(MemoryReader, broken=True),
            mended=partial(MemoryReader, broken=False),
            contract=ENDS,
        ),
    ),
    seen_in=("HIT-SCIR/ELMoForManyLangs#68", "nyu-mll/jiant#345"),
)
