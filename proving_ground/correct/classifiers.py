"""Classifiers of whole sequences that are right: where does each find the end of a padded row?"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract


class Packed(nn.Module):
    """Packed without sorting, read at the last hidden state."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        logits: Tensor = self.head(hidden[-1])
        return logits


class SortedByHand(nn.Module):
    """Rows are sorted by length for the packing, and put back into their order."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        ordered, order = lengths.sort(descending=True)
        _, hidden = self.gru(pack_padded_sequence(x[order], ordered.cpu(), batch_first=True))
        logits: Tensor = self.head(hidden[-1][order.argsort()])
        return logits


class BothEnds(nn.Module):
    """Two layers in both directions: the last layer's two final states, each at its own end."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        _, hidden = self.gru(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        logits: Tensor = self.head(torch.cat([hidden[-2], hidden[-1]], dim=-1))
        return logits


class ByLayer(nn.Module):
    """All final states, viewed as layers and directions and laid side by side."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        _, (hidden, _) = self.lstm(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        top = hidden.view(2, 2, len(x), -1)[-1]
        logits: Tensor = self.head(top.transpose(0, 1).flatten(1))
        return logits


class GatheredLast(nn.Module):
    """Runs on into the padding, and gathers the output of the last real step."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        outputs, _ = self.lstm(x)
        last = (lengths.to(x.device) - 1).view(-1, 1, 1).expand(-1, 1, outputs.shape[-1])
        logits: Tensor = self.head(outputs.gather(1, last).squeeze(1))
        return logits


class TimeFirst(nn.Module):
    """Time comes first everywhere; the last real step is indexed."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.rnn = nn.RNN(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]` for `[time, batch, inputs]`."""
        outputs, _ = self.rnn(x)
        rows = torch.arange(x.shape[1], device=x.device)
        logits: Tensor = self.head(outputs[lengths.to(x.device) - 1, rows])
        return logits


class MaxPooled(nn.Module):
    """The greatest output of all real steps; padded ones are minus infinity."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden // 2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(sizes.hidden // 2 * 2, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, padding_value=float("-inf"))
        logits: Tensor = self.head(outputs.amax(1))
        return logits


class MeanPooled(nn.Module):
    """The mean output over the steps that a row has."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.GELU(), nn.Linear(sizes.hidden, sizes.outputs))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        outputs, _ = self.gru(x)
        total = outputs.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)
        logits: Tensor = self.head(total / mask.sum(1, keepdim=True))
        return logits


class MultipliedMask(nn.Module):
    """Inputs and outputs are multiplied by the mask, which is right as long as padding is finite."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Linear(sizes.inputs, sizes.hidden)
        self.rnn = nn.RNN(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        real = mask.unsqueeze(-1).to(x.dtype)
        outputs, _ = self.rnn(torch.tanh(self.embed(x * real)))
        logits: Tensor = self.head((outputs * real).sum(1) / real.sum(1))
        return logits


class Normalised(nn.Module):
    """Batch normalisation of the real steps alone: running statistics in eval mode."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Linear(sizes.inputs, sizes.hidden, bias=False)
        self.norm = nn.BatchNorm1d(sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        steps = self.norm(self.embed(packed.data))
        _, hidden = self.gru(PackedSequence(steps, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices))
        logits: Tensor = self.head(hidden[-1])
        return logits


class LearnedStart(nn.Module):
    """Every row begins from the same learned state."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.start = nn.Parameter(torch.zeros(1, 1, sizes.hidden))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, hidden = self.gru(packed, self.start.expand(-1, len(x), -1).contiguous())
        logits: Tensor = self.head(hidden[-1])
        return logits


class Dropped(nn.Module):
    """Dropout on the inputs, between layers and before the head, in training only."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.before = nn.Dropout(0.1)
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, dropout=0.3, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(sizes.hidden, sizes.outputs))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        packed = pack_padded_sequence(self.before(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        logits: Tensor = self.head(hidden[-1])
        return logits


class Frozen(nn.Module):
    """The recurrent part is fixed, as after pretraining; only the head is trained."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True).requires_grad_(requires_grad=False)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        outputs, _ = self.gru(x)
        logits: Tensor = self.head(outputs[torch.arange(len(x)), lengths - 1])
        return logits


class Tiny(nn.Module):
    """Two units, whatever is asked for."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, 2, batch_first=True)
        self.head = nn.Linear(2, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        _, hidden = self.gru(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        logits: Tensor = self.head(hidden.squeeze(0))
        return logits


class LeftPadded(nn.Module):
    """Padding comes first: the state waits until a row begins, and the end is the last column."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.cell = nn.GRUCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        hidden = x.new_zeros(len(x), self.cell.hidden_size)
        for step in range(x.shape[1]):
            hidden = torch.where(mask[:, step, None], self.cell(x[:, step], hidden), hidden)
        logits: Tensor = self.head(hidden)
        return logits


class Uncoupled(nn.Module):
    """Takes no lengths, so it is given rows of one length, and may read the last column."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        outputs, _ = self.gru(x)
        logits: Tensor = self.head(self.norm(outputs[:, -1]))
        return logits


CLASSIFIER = partial(
    Contract,
    task="classify",
    each="sequence",
    takes=("x", "lengths"),
    batch_first=True,
    padding="right",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)

CORRECT: tuple[Correct, ...] = (
    Correct(name="packed LSTM", build=Packed, contract=CLASSIFIER()),
    Correct(name="GRU sorted and unsorted by hand", build=SortedByHand, contract=CLASSIFIER()),
    Correct(name="both ends of a bidirectional GRU", build=BothEnds, contract=CLASSIFIER(causal=False)),
    Correct(name="final states viewed by layer and direction", build=ByLayer, contract=CLASSIFIER(causal=False)),
    Correct(name="last output by gather", build=GatheredLast, contract=CLASSIFIER()),
    Correct(name="time-first RNN, last output by index", build=TimeFirst, contract=CLASSIFIER(batch_first=False)),
    Correct(name="max pooling over minus infinity", build=MaxPooled, contract=CLASSIFIER(causal=False)),
    Correct(name="mean over real steps", build=MeanPooled, contract=CLASSIFIER(takes=("x", "mask"), mask="valid")),
    Correct(name="multiplied mask", build=MultipliedMask, contract=CLASSIFIER(takes=("x", "mask"), mask="valid")),
    Correct(name="batch normalisation of real steps", build=Normalised, contract=CLASSIFIER()),
    Correct(name="learned initial state", build=LearnedStart, contract=CLASSIFIER()),
    Correct(name="dropout in three places", build=Dropped, contract=CLASSIFIER()),
    Correct(name="frozen GRU", build=Frozen, contract=CLASSIFIER()),
    Correct(name="two units", build=Tiny, contract=CLASSIFIER()),
    Correct(name="padding on the left", build=LeftPadded, contract=CLASSIFIER(takes=("x", "mask"), mask="valid", padding="left")),
    Correct(name="rows of one length only", build=Uncoupled, contract=CLASSIFIER(takes=("x",), padding=None)),
)
