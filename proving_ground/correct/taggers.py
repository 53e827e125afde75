"""Taggers that are right: what does each step's output rest on, and does padding stay out of it?"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract


class Bidirectional(nn.Module):
    """Looks both ways, and says so; outputs are as long as the padded input."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        logits: Tensor = self.head(outputs)
        return logits


class Forward(nn.Module):
    """Needs no lengths: padding on the right comes after everything that is read."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002  # its callers pass lengths to every tagger
        """Return `[batch, time, outputs]`."""
        outputs, _ = self.gru(x)
        logits: Tensor = self.head(outputs)
        return logits


class ResidualStack(nn.Module):
    """Three layers, each normalised before and added to what it reads."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Linear(sizes.inputs, sizes.hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(sizes.hidden) for _ in range(3))
        self.layers = nn.ModuleList(nn.GRU(sizes.hidden, sizes.hidden, batch_first=True) for _ in range(3))
        self.head = nn.Sequential(nn.LayerNorm(sizes.hidden), nn.Linear(sizes.hidden, sizes.outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        steps = self.embed(x)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            steps = steps + layer(norm(steps))[0]
        logits: Tensor = self.head(steps)
        return logits


class Probabilities(nn.Module):
    """Ends in a softmax over the classes."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(sizes.hidden, sizes.outputs), nn.Softmax(dim=-1))

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        outputs, _ = self.lstm(x)
        probabilities: Tensor = self.head(outputs)
        return probabilities


class ManyLabels(nn.Module):
    """Any number of labels a step, each with a probability of its own."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden // 2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(sizes.hidden // 2 * 2, sizes.outputs)
        self.squash = nn.Sigmoid()

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])
        probabilities: Tensor = self.squash(self.head(outputs))
        return probabilities


class PackedOutput(nn.Module):
    """Gives back what it packed, with the outputs of the real steps."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> PackedSequence:
        """Return the outputs, packed."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = self.gru(packed)
        return PackedSequence(self.head(outputs.data), outputs.batch_sizes, outputs.sorted_indices, outputs.unsorted_indices)


class ThereAndBack(nn.Module):
    """The first layer reads forwards, the second backwards, the third forwards again; a row turns around within its own length."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        widths = (sizes.inputs, sizes.hidden, sizes.hidden)
        self.layers = nn.ModuleList(nn.GRU(width, sizes.hidden, batch_first=True) for width in widths)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        steps = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
        ends = lengths.to(x.device).unsqueeze(1)
        turned = torch.where(steps < ends, ends - 1 - steps, steps).unsqueeze(-1)
        outputs = x
        for number, layer in enumerate(self.layers):
            if number == 1:
                back, _ = layer(outputs.take_along_dim(turned, 1))
                outputs = back.take_along_dim(turned, 1)
            else:
                outputs, _ = layer(outputs)
        logits: Tensor = self.head(outputs)
        return logits


class TwoReaders(nn.Module):
    """Two LSTMs, one of which reads each row from its end; time comes first, and the mask is True at padding."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.ahead = nn.LSTM(sizes.inputs, sizes.hidden)
        self.behind = nn.LSTM(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return `[time, batch, outputs]`."""
        ends = (~padding_mask).sum(0)
        steps = torch.arange(len(x), device=x.device).unsqueeze(1)
        turned = ((ends - 1 - steps) % len(x)).unsqueeze(-1)
        back, _ = self.behind(x.take_along_dim(turned, 0))
        logits: Tensor = self.head(torch.cat([self.ahead(x)[0], back.take_along_dim(turned, 0)], dim=-1))
        return logits


class SkipTimeFirst(nn.Module):
    """Time first, two layers, and the inputs go to the head as well."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.rnn = nn.RNN(sizes.inputs, sizes.hidden, num_layers=2)
        self.head = nn.Linear(sizes.hidden + sizes.inputs, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[time, batch, outputs]`."""
        outputs, _ = self.rnn(x)
        logits: Tensor = self.head(torch.cat([outputs, x], dim=-1))
        return logits


class RealStepsOnly(nn.Module):
    """Only real steps pass the head; where there is padding, the output is zero."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.norm = nn.BatchNorm1d(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        outputs, _ = self.lstm(x)
        logits: Tensor = self.head(self.norm(outputs[mask]))
        padded = logits.new_zeros(*mask.shape, logits.shape[-1])
        padded[mask] = logits
        return padded


TAGGER = partial(
    Contract,
    task="tag",
    each="step",
    batch_first=True,
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
OF_LENGTHS = partial(TAGGER, takes=("x", "lengths"), padding="right")
OF_MASK = partial(TAGGER, takes=("x", "mask"), padding="right")

CORRECT: tuple[Correct, ...] = (
    Correct(name="bidirectional LSTM tagger", build=Bidirectional, contract=OF_LENGTHS(causal=False)),
    Correct(name="lengths taken and not needed", build=Forward, contract=OF_LENGTHS()),
    Correct(name="residual stack with layer normalisation", build=ResidualStack, contract=TAGGER(takes=("x",))),
    Correct(name="tagger of probabilities", build=Probabilities, contract=TAGGER(takes=("x",), output="probabilities")),
    Correct(name="several labels a step", build=ManyLabels, contract=OF_LENGTHS(task="multilabel", causal=False, output="probabilities")),
    Correct(name="packed outputs", build=PackedOutput, contract=OF_LENGTHS()),
    Correct(name="layers in turning directions", build=ThereAndBack, contract=OF_LENGTHS(causal=False)),
    Correct(name="two readers, time first", build=TwoReaders, contract=OF_MASK(causal=False, batch_first=False, mask="padding")),
    Correct(name="inputs at the head, time first", build=SkipTimeFirst, contract=TAGGER(takes=("x",), batch_first=False)),
    Correct(name="head on real steps only", build=RealStepsOnly, contract=OF_MASK(mask="valid")),
)
