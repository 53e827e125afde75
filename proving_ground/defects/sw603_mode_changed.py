"""A call of forward leaves the module, or a part of it, in another mode than it found it in."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class UncertainClassifier(nn.Module):
    """A packed GRU whose dropout is switched on to sample uncertainty, and stays on."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._sampling = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        if self._sampling:
            self.drop.train()
        _, last = self.rnn(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return self.head(self.drop(last[-1]))  # type: ignore[no-any-return]


class StreamTagger(nn.Module):
    """An LSTM that hands its state on, with the first line of a training loop in its forward; nothing in it minds the mode."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return the state that sequences begin with."""
        zeros = self.head.weight.new_zeros(1, batch_size, self.rnn.hidden_size)
        return zeros, zeros.clone()

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the scores of each step, and the state to go on from."""
        if self._broken:
            self.train()
        outputs, state = self.rnn(x, state)
        return self.head(self.norm(outputs)), state


class FrozenEncoder(nn.Module):
    """An encoder of tokens that is put to eval in each call, as one would a pretrained one, though it is trained here."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Embedding(sizes.vocabulary, sizes.hidden), nn.Dropout(0.1), nn.Linear(sizes.hidden, sizes.hidden))
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each token."""
        if self._broken:
            self.encoder.eval()
        packed = pack_padded_sequence(self.encoder(tokens), lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=tokens.shape[1])
        return self.head(outputs)  # type: ignore[no-any-return]


class TwicePassed(nn.Module):
    """A cell loop, time first, run with and without dropout, whose states are added; afterwards the dropout is always on."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.1)
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def last(self, x: Tensor) -> Tensor:
        """Return the last hidden state."""
        hidden = cell = x.new_zeros(x.shape[1], self.cell.hidden_size)
        for step in x:
            hidden, cell = self.cell(step, (self.drop(hidden), cell))
        return hidden

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        noisy = self.last(x)
        before = self.drop.training
        self.drop.eval()
        calm = self.last(x)
        self.drop.train(mode=self._broken or before)
        return self.head(torch.tanh(noisy + calm))  # type: ignore[no-any-return]


DEFECT = Defect(
    code="SW603",
    says="A call changes the mode of the module or of a part.",
    variants=(
        Variant(
            name="dropout of a GRU switched on",
            broken=partial(UncertainClassifier, broken=True),
            mended=partial(UncertainClassifier, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="LSTM that goes to train mode",
            broken=partial(StreamTagger, broken=True),
            mended=partial(StreamTagger, broken=False),
            contract=Contract(
                takes=("x", "state"),
                batch_first=True,
                each="step",
                initial_state="initial_state",
                returns_state=True,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="encoder of tokens put to eval",
            broken=partial(FrozenEncoder, broken=True),
            mended=partial(FrozenEncoder, broken=False),
            contract=Contract(
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                each="step",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
            reads="tokens",
        ),
        Variant(
            name="cell loop passed twice",
            broken=partial(TwicePassed, broken=True),
            mended=partial(TwicePassed, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=False,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
)
