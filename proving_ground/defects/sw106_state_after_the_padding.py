"""Outputs that are right in a padded batch, beside a state of short rows that has gone on through the padding."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class TokenTagger(nn.Module):
    """A GRU over embedded tokens, one output a step; the lengths are for packing."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._unpacked = broken

    def init_hidden(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return self.embedding.weight.new_zeros(1, rows, self.gru.hidden_size)

    def forward(self, tokens: Tensor, lengths: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state at each row's end."""
        words = self.embedding(tokens)
        if self._unpacked:
            features, hidden = self.gru(words, hidden)
        else:
            packed = pack_padded_sequence(words, lengths.cpu(), batch_first=True, enforce_sorted=False)
            packed, hidden = self.gru(packed, hidden)
            features, _ = pad_packed_sequence(packed, batch_first=True, total_length=tokens.shape[1])
        return self.head(features), hidden


class LstmReader(nn.Module):
    """An LSTM cell over a padded batch, whose outputs are read at each row's last step."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._runs_on = broken

    def initial_state(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return the state before the first step."""
        zeros = self.head.weight.new_zeros(rows, self.cell.hidden_size)
        return zeros, torch.zeros_like(zeros)

    def forward(self, x: Tensor, lengths: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return one output a sequence, and the state at its end."""
        ends = lengths.to(x.device) - 1
        inside = torch.arange(x.shape[1], device=x.device) <= ends[:, None]
        states = []
        for step in torch.where(inside.unsqueeze(-1), x, 0.0).unbind(dim=1):
            state = self.cell(step, state)
            states.append(state)
        rows = torch.arange(len(x), device=x.device)
        h, c = (torch.stack(leaf, dim=1)[rows, ends] for leaf in zip(*states, strict=True))
        return self.head(h), state if self._runs_on else (h, c)


class MaskedTagger(nn.Module):
    """Two plain recurrent cells, one on the other, under a mask of real steps; time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lower = nn.RNNCell(sizes.inputs, sizes.hidden)
        self.upper = nn.RNNCell(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._masks_outputs_only = broken

    def zero_state(self, rows: int) -> Tensor:
        """Return the state before the first step, `[rows, 2, hidden]`."""
        return self.head.weight.new_zeros(rows, 2, self.head.in_features)

    def forward(self, x: Tensor, valid: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state at each row's end."""
        outputs = []
        for step, real in zip(x.masked_fill(~valid.unsqueeze(-1), 0.0), valid, strict=True):
            low = self.lower(step, state[:, 0])
            after = torch.stack([low, self.upper(low, state[:, 1])], dim=1)
            state = after if self._masks_outputs_only else torch.where(real[:, None, None], after, state)
            outputs.append(self.head(after[:, 1]).masked_fill(~real.unsqueeze(-1), 0.0))
        return torch.stack(outputs), state


class FadingTagger(nn.Module):
    """Exponential traces of the projected inputs at several paces, for all steps at once by one matrix product."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.pace = nn.Parameter(torch.linspace(0.0, 3.0, sizes.hidden))
        self.head = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.GELU(), nn.Linear(sizes.hidden, sizes.outputs))
        self._reads_last_column = broken

    def initial_state(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return self.pace.new_zeros(rows, len(self.pace))

    def forward(self, x: Tensor, padding: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state at each row's end; True in `padding` is a step that is none."""
        drive = self.enter(x.masked_fill(padding.unsqueeze(-1), 0.0))
        places = torch.arange(x.shape[1], device=x.device)
        ages = places[:, None] - places
        decay = self.pace.sigmoid()
        kernel = decay ** ages.clamp(min=0).unsqueeze(-1) * (ages >= 0).unsqueeze(-1)
        traces = torch.einsum("ijh,bjh->bih", kernel, drive) + decay ** (places + 1).unsqueeze(-1) * state.unsqueeze(1)
        ends = torch.full_like(padding[:, 0], -1, dtype=torch.int64) if self._reads_last_column else (~padding).sum(dim=1) - 1
        return self.head(traces), traces[torch.arange(len(x), device=x.device), ends]


class ConvolvedReader(nn.Module):
    """A causal convolution with the frames before it in the state, and a packed GRU behind it."""

    def __init__(self, sizes: Sizes, *, broken: bool, kernel: int = 4) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(sizes.inputs, sizes.hidden, kernel)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.left = kernel - 1
        self._last_columns = broken

    def initial_state(self, rows: int) -> dict[str, Tensor]:
        """Return the state before the first step."""
        weight = self.convolution.weight
        return {"hidden": weight.new_zeros(1, rows, len(weight)), "frames": weight.new_zeros(rows, self.left, weight.shape[1])}

    def forward(self, x: Tensor, lengths: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return one output a sequence, and the state at its end."""
        frames = torch.cat([state["frames"], x], dim=1)
        features = self.convolution(frames.transpose(1, 2)).relu().transpose(1, 2)
        packed = pack_padded_sequence(features, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, hidden = self.gru(packed, state["hidden"])
        if self._last_columns:
            last = frames[:, -self.left :]
        else:
            places = lengths.to(x.device)[:, None] + torch.arange(self.left, device=x.device)
            last = frames.gather(1, places.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
        return self.head(hidden[-1]), {"hidden": hidden, "frames": last}


TAGS = Contract(
    takes=("x", "lengths", "state"),
    batch_first=True,
    each="step",
    padding="right",
    initial_state="init_hidden",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
READS = Contract(
    takes=("x", "lengths", "state"),
    batch_first=True,
    each="sequence",
    padding="right",
    initial_state="initial_state",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
MASKED = Contract(
    takes=("x", "mask", "state"),
    batch_first=False,
    each="step",
    mask="valid",
    padding="right",
    initial_state="zero_state",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
FADES = Contract(
    takes=("x", "mask", "state"),
    batch_first=True,
    each="step",
    mask="padding",
    padding="right",
    initial_state="initial_state",
    returns_state=True,
    causal=True,
    stateful=False,
    order_matters=True,
    output="values",
)

DEFECT = Defect(
    code="SW106",
    says="The state that is returned of a short row in a padded batch is that after the padding, not that at its own end.",
    variants=(
        Variant(
            name="GRU tagger on tokens, not packed",
            broken=partial(TokenTagger, broken=True),
            mended=partial(TokenTagger, broken=False),
            contract=TAGS,
            reads="tokens",
        ),
        Variant(
            name="LSTM cell, outputs read at the ends, state at the last column",
            broken=partial(LstmReader, broken=True),
            mended=partial(LstmReader, broken=False),
            contract=READS,
        ),
        Variant(
            name="two plain cells, mask on the outputs only",
            broken=partial(MaskedTagger, broken=True),
            mended=partial(MaskedTagger, broken=False),
            contract=MASKED,
        ),
        Variant(
            name="exponential traces, state of the last column",
            broken=partial(FadingTagger, broken=True),
            mended=partial(FadingTagger, broken=False),
            contract=FADES,
        ),
        Variant(
            name="causal convolution and GRU, frames of the last columns",
            broken=partial(ConvolvedReader, broken=True),
            mended=partial(ConvolvedReader, broken=False),
            contract=READS,
        ),
    ),
    seen_in=("keras-team/keras#1300",),
)
