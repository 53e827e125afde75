"""A row's state that ends up in other rows, while its inputs do not: another layout, another order, or one state for all."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class LayeredTagger(nn.Module):
    """A GRU of two layers whose states travel as `[rows, layers, hidden]`, so that rows come first everywhere."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._reshapes = broken

    def initial_state(self, rows: int) -> Tensor:
        """Return the state before the first step."""
        return self.head.weight.new_zeros(rows, 2, self.gru.hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state after the last."""
        hidden = state.reshape(2, len(x), -1) if self._reshapes else state.transpose(0, 1).contiguous()
        features, hidden = self.gru(x, hidden)
        return self.head(features), hidden.transpose(0, 1).contiguous()


class LanguageModel(nn.Module):
    """An LSTM over tokens that goes on where the texts of the batch before ended."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._shares = broken

    def init_hidden(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return the state before the first step."""
        zeros = self.embedding.weight.new_zeros(1, rows, self.lstm.hidden_size)
        return zeros, torch.zeros_like(zeros)

    def forward(self, tokens: Tensor, hidden: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return one output a step, and the state after the last."""
        h, c = hidden
        if self._shares:
            h, c = (leaf.mean(dim=1, keepdim=True).expand_as(leaf).contiguous() for leaf in hidden)
        features, hidden = self.lstm(self.embedding(tokens), (h, c))
        return self.head(features), hidden


class SortedReader(nn.Module):
    """Rows sorted by length for a packed LSTM, and put back in their order after it."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._state_unsorted = broken

    def initial_state(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return the state before the first step."""
        zeros = self.head.weight.new_zeros(1, rows, self.lstm.hidden_size)
        return zeros, torch.zeros_like(zeros)

    def forward(self, x: Tensor, lengths: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return one output a sequence, and the state at its end."""
        lengths, order = lengths.cpu().sort(descending=True, stable=True)
        order = order.to(x.device)
        h, c = state
        if not self._state_unsorted:
            h, c = h[:, order], c[:, order]
        _, (h, c) = self.lstm(pack_padded_sequence(x[order], lengths, batch_first=True), (h, c))
        back = order.argsort()
        h, c = h[:, back], c[:, back]
        return self.head(h[-1]), (h, c)


class HeadedRecurrence(nn.Module):
    """A linear recurrence in several heads, mixed by a linear layer; its state is flat and time comes first."""

    def __init__(self, sizes: Sizes, *, broken: bool, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.enter = nn.Linear(sizes.inputs, sizes.hidden)
        self.decay = nn.Parameter(torch.linspace(0.5, 3.5, sizes.hidden).view(heads, 1, -1))
        self.mix = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.SiLU(), nn.Linear(sizes.hidden, sizes.outputs))
        self._heads_first = broken

    def zero_state(self, rows: int) -> Tensor:
        """Return the state before the first step, `[rows, heads * width]`."""
        return self.decay.new_zeros(rows, self.decay.numel())

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return one output a step, and the state after the last."""
        rows = x.shape[1]
        level = state.reshape(self.heads, rows, -1) if self._heads_first else state.view(rows, self.heads, -1).transpose(0, 1)
        keep, levels = self.decay.sigmoid(), []
        for drive in self.enter(x):
            level = keep * level + (1 - keep) * drive.view(rows, self.heads, -1).transpose(0, 1)
            levels.append(level.transpose(0, 1).reshape(rows, -1))
        return self.mix(torch.stack(levels)), levels[-1]


def _promise(initial_state: str, *, batch_first: bool = True) -> Contract:
    return Contract(
        takes=("x", "state"),
        batch_first=batch_first,
        each="step",
        initial_state=initial_state,
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

DEFECT = Defect(
    code="SW108",
    says="The state that a row begins with reaches other rows of the batch.",
    variants=(
        Variant(
            name="GRU of two layers, reshaped where it should be transposed",
            broken=partial(LayeredTagger, broken=True),
            mended=partial(LayeredTagger, broken=False),
            contract=_promise("initial_state"),
        ),
        Variant(
            name="LSTM language model, mean state of the batch for all",
            broken=partial(LanguageModel, broken=True),
            mended=partial(LanguageModel, broken=False),
            contract=_promise("init_hidden"),
            reads="tokens",
        ),
        Variant(
            name="LSTM on sorted rows, state not sorted",
            broken=partial(SortedReader, broken=True),
            mended=partial(SortedReader, broken=False),
            contract=READS,
        ),
        Variant(
            name="linear recurrence in heads, heads and rows confused",
            broken=partial(HeadedRecurrence, broken=True),
            mended=partial(HeadedRecurrence, broken=False),
            contract=_promise("zero_state", batch_first=False),
        ),
    ),
    seen_in=("OpenNMT/OpenNMT-py#1521",),
)
