"""Serving: is what runs live what was evaluated? The L, E and V rows of public cases."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Sizes, Wild
from statewise.contracts import Contract

if TYPE_CHECKING:
    from collections.abc import Callable

Pair = tuple[Tensor, Tensor]


class WardMonitor(nn.Module):
    """Says at each hour how likely it is that a patient gets worse; two layers, which read both ways or one way."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True, bidirectional=broken)
        self.head = nn.Linear(sizes.hidden * (2 if broken else 1), 1)

    def forward(self, hours: Tensor, lengths: Tensor) -> Tensor:
        """Return probabilities `[batch, time, 1]`."""
        packed, _ = self.lstm(pack_padded_sequence(hours, lengths.cpu(), batch_first=True, enforce_sorted=False))
        outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=hours.shape[1])
        return torch.sigmoid(self.head(outputs))


class KnowledgeTracer(nn.Module):
    """Exercises and answers so far in, the chance of each next answer out."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden // (2 if broken else 1), batch_first=True, bidirectional=broken)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, answers: Tensor) -> Tensor:
        """Return probabilities `[batch, time, outputs]`."""
        return torch.sigmoid(self.fc(self.rnn(self.embedding(answers))[0]))


class SimpleConv(nn.Module):
    """Convolutions over time, the maximum over all of it, dropout, one dense layer."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(sizes.inputs, sizes.hidden, 3, padding=1),
            nn.BatchNorm1d(sizes.hidden),
            nn.ReLU(),
            nn.Conv1d(sizes.hidden, sizes.hidden, 3, padding=1),
        )
        self.classifier = nn.Linear(sizes.hidden, sizes.outputs)
        self._always = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        top = self.features(x.transpose(1, 2)).amax(dim=2)
        scores: Tensor = self.classifier(functional.dropout(top, 0.1, training=self._always or self.training))
        return scores


class PartReader(nn.Module):
    """A recurrent layer with a dropout layer before the head that is made anew in each call, or once."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)
        self._anew = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        last = self.gru(x)[0][:, -1]
        scores: Tensor = self.fc(nn.Dropout(p=0.5)(last) if self._anew else self.drop(last))
        return scores


class ChunkedEncoder(nn.Module):
    """A convolution that looks back over four frames, and an LSTM; audio comes chunk by chunk."""

    width = 4

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, self.width)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._inputs, self._forgets_frames = sizes.inputs, broken

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return no frames yet, and zeros for the LSTM."""
        weight = self.head.weight
        zeros = weight.new_zeros(1, batch_size, self.lstm.hidden_size)
        return weight.new_zeros(batch_size, self.width - 1, self._inputs), zeros, zeros.clone()

    def forward(self, chunk: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Return scores `[batch, time, outputs]` and the state."""
        frames, hidden, cell = state
        seen = torch.cat([torch.zeros_like(frames) if self._forgets_frames else frames, chunk], dim=1)
        heard = torch.relu(self.conv(seen.transpose(1, 2))).transpose(1, 2)
        outputs, (hidden, cell) = self.lstm(heard, (hidden, cell))
        return self.head(outputs), (seen[:, 1 - self.width :], hidden, cell)


class ExportedPolicy(nn.Module):
    """A policy as it is exported: observations and state in, actions and state out."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.actor = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.ELU(), nn.Linear(sizes.hidden, sizes.outputs))
        self._hands_back = broken

    def initial_state(self, batch_size: int) -> Pair:
        """Return zeros of the weights' type."""
        zeros = next(self.parameters()).new_zeros(1, batch_size, self.rnn.hidden_size)
        return zeros, zeros.clone()

    def forward(self, observations: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """Return actions `[batch, time, outputs]` and the state."""
        outputs, after = self.rnn(observations, state)
        return self.actor(outputs), state if self._hands_back else after


STEPS: Callable[..., Contract] = partial(
    Contract,
    takes=("x",),
    batch_first=True,
    each="step",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
SEQUENCE: Callable[..., Contract] = partial(STEPS, each="sequence", task="classify")
STREAM: Callable[..., Contract] = partial(STEPS, takes=("x", "state"), initial_state="initial_state", returns_state=True)

WILD: tuple[Wild, ...] = (
    Wild(
        name="decompensation hour by hour, read both ways",
        case="L1",
        seen_in="mostafaalishahi/eICU_Benchmark#1",
        says="What is said about an hour rests on the hours after it.",
        broken=partial(WardMonitor, broken=True),
        mended=partial(WardMonitor, broken=False),
        contract=STEPS(task="tag", takes=("x", "lengths"), padding="right", output="probabilities"),
        codes=("SW401",),
    ),
    Wild(
        name="knowledge tracing, read both ways",
        case="L1",
        seen_in="pydaxing/Deep-Knowledge-Tracing-DKT-Pytorch#1",
        says="The next answer is among what the backward direction has seen, and AUC comes near 1.",
        broken=partial(KnowledgeTracer, broken=True),
        mended=partial(KnowledgeTracer, broken=False),
        contract=STEPS(output="probabilities"),
        codes=("SW401",),
        reads="tokens",
    ),
    Wild(
        name="convolutional net, functional dropout",
        case="E2",
        seen_in="Coderx7/SimpleNet#2",
        says="Functional dropout is called with training=True.",
        broken=partial(SimpleConv, broken=True),
        mended=partial(SimpleConv, broken=False),
        contract=SEQUENCE(causal=False),
        codes=("SW602", "SW601"),
    ),
    Wild(
        name="dropout layer made in forward",
        case="E2",
        seen_in="yangze0930/NTS-Net#14",
        says="A dropout layer is made in each call, in training mode as all new layers are.",
        broken=partial(PartReader, broken=True),
        mended=partial(PartReader, broken=False),
        contract=SEQUENCE(),
        codes=("SW602", "SW601"),
    ),
    Wild(
        name="speech by chunks, frames before a chunk lost",
        case="V1",
        seen_in="espnet/espnet#982",
        says="The LSTM goes on from chunk to chunk, and the convolution before it begins each chunk in zeros.",
        broken=partial(ChunkedEncoder, broken=True),
        mended=partial(ChunkedEncoder, broken=False),
        contract=STREAM(),
        codes=("SW103", "SW104"),
    ),
    Wild(
        name="exported policy that hands back the state it was given",
        case="V1",
        seen_in="Denys88/rl_games#316",
        says="The state is fed and never updated from what a step gives.",
        broken=partial(ExportedPolicy, broken=True),
        mended=partial(ExportedPolicy, broken=False),
        contract=STREAM(output="values"),
        codes=("SW105", "SW103"),
    ),
)
