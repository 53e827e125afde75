"""What the eager module decides anew in each call is fixed when it is traced: steps, rows, lengths, and whether to pack."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.jit import is_scripting, is_tracing  # type: ignore[attr-defined]
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class LoopedRegressor(nn.Module):
    """An LSTM cell in a Python loop, time first, which tracing unrolls to as many steps as its example has."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTMCell(sizes.inputs, sizes.hidden) if broken else nn.LSTM(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of each sequence."""
        if isinstance(self.rnn, nn.LSTM):
            return self.head(self.rnn(x)[0][-1])  # type: ignore[no-any-return]
        hidden = cell = x.new_zeros(x.shape[1], self.rnn.hidden_size)
        for step in range(x.shape[0]):
            hidden, cell = self.rnn(x[step], (hidden, cell))
        return self.head(hidden)  # type: ignore[no-any-return]


class LongestClassifier(nn.Module):
    """A GRU over tokens and a masked mean, cut to the longest row: a Python number, and so that of the example."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.rnn = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sentence."""
        longest = int(lengths.max()) if self._broken else tokens.shape[1]
        outputs, _ = self.rnn(self.embed(tokens[:, :longest]))
        lengths = lengths.to(tokens.device)[:, None]
        real = torch.arange(longest, device=tokens.device) < lengths
        return self.head((outputs * real[..., None]).sum(dim=1) / lengths)  # type: ignore[no-any-return]


class LastStepClassifier(nn.Module):
    """Convolution and LSTM, read at each row's last step by an index over the rows that the example had."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(sizes.inputs, sizes.hidden, kernel_size=3)
        self.rnn = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        last = lengths.to(x.device) - 1
        padded = torch.arange(x.shape[1], device=x.device) > last[:, None]
        x = x.masked_fill(padded[..., None], 0.0)
        features = torch.relu(self.conv(functional.pad(x.transpose(1, 2), (2, 0))))
        outputs, _ = self.rnn(features.transpose(1, 2))
        rows = len(x) if self._broken else x.shape[0]
        return self.head(outputs[torch.arange(rows, device=x.device), last])  # type: ignore[no-any-return]


class ScaledSum(nn.Module):
    """A plain recurrence summed over time and divided by the root of the number of steps, which Python takes."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.RNN(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._broken = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of each sequence."""
        outputs, _ = self.rnn(x)
        total = outputs.sum(dim=1)
        root = torch.ones_like(x[:, :, 0]).sum(dim=1, keepdim=True).sqrt()
        if self._broken:
            root = torch.full_like(root, math.sqrt(x.shape[1]))
        return self.head(total / root)  # type: ignore[no-any-return]


class ExportedTagger(nn.Module):
    """A bidirectional GRU that packs, except where it is exported, because an old exporter could not."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._broken = broken

    def is_exported(self) -> bool:
        """Return whether the module is being traced or scripted."""
        return is_tracing() or is_scripting()

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each step."""
        if self._broken and self.is_exported():
            return self.head(self.rnn(x)[0])  # type: ignore[no-any-return]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])
        return self.head(outputs)  # type: ignore[no-any-return]


DEFECT = Defect(
    code="SW604",
    says="The traced or scripted module gives something else than the eager one.",
    variants=(
        Variant(
            name="unrolled cell loop",
            broken=partial(LoopedRegressor, broken=True),
            mended=partial(LoopedRegressor, broken=False),
            contract=Contract(
                task="regress",
                takes=("x",),
                batch_first=False,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="values",
                exported=True,
            ),
        ),
        Variant(
            name="GRU cut to the longest row",
            broken=partial(LongestClassifier, broken=True),
            mended=partial(LongestClassifier, broken=False),
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
                exported=True,
            ),
            reads="tokens",
        ),
        Variant(
            name="last steps by a fixed number of rows",
            broken=partial(LastStepClassifier, broken=True),
            mended=partial(LastStepClassifier, broken=False),
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
                exported=True,
            ),
        ),
        Variant(
            name="sum divided by a fixed number of steps",
            broken=partial(ScaledSum, broken=True),
            mended=partial(ScaledSum, broken=False),
            contract=Contract(
                takes=("x",),
                batch_first=True,
                each="sequence",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
                exported=True,
            ),
        ),
        Variant(
            name="bidirectional GRU exported without packing",
            broken=partial(ExportedTagger, broken=True),
            mended=partial(ExportedTagger, broken=False),
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
                exported=True,
            ),
        ),
    ),
    seen_in=("pytorch/pytorch#59530", "pytorch/pytorch#15319"),
)
