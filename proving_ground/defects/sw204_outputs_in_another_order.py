"""Outputs come back in another order than the inputs: sorted by length for packing, and not, or wrongly, put back."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class SortedClassifier(nn.Module):
    """Tokens and LSTM, packed the way it was done before torch sorted by itself."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._leaves = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        lengths, order = lengths.sort(descending=True)
        packed = pack_padded_sequence(self.embed(tokens[order]), lengths.cpu(), batch_first=True)
        _, (h, _) = self.lstm(packed)
        last = h[-1] if self._leaves else h[-1][order.argsort()]
        scores: Tensor = self.head(last)
        return scores


class ResortedTagger(nn.Module):
    """Time-first GRU that sorts the columns and puts them back, by the inverse or once more by the same permutation."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._again = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[time, batch, outputs]`."""
        order = torch.argsort(lengths, descending=True)
        packed = pack_padded_sequence(x.index_select(1, order), lengths[order].cpu())
        out, _ = pad_packed_sequence(self.gru(packed)[0], total_length=len(x))
        back = order if self._again else torch.argsort(order)
        scores: Tensor = self.head(out.index_select(1, back))
        return scores


class ShrinkingLoop(nn.Module):
    """LSTMCell over fewer and fewer rows, longest first, as decoders of captions are run."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)
        self.outputs = sizes.outputs
        self._leaves = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        sorted_lengths, order = lengths.sort(descending=True, stable=True)
        x = x[order]
        h = c = x.new_zeros(len(x), self.cell.hidden_size)
        predictions = x.new_zeros(len(x), x.size(1), self.outputs)
        for t in range(int(sorted_lengths[0])):
            rows = int((sorted_lengths > t).sum())
            h, c = self.cell(x[:rows, t], (h[:rows], c[:rows]))
            predictions[:rows, t] = self.fc(h)
        if self._leaves:
            return predictions
        return predictions[order.argsort()]


class BucketedBiGRU(nn.Module):
    """Bidirectional GRU run on rows of one length at a time, so that nothing needs to be packed."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.front = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.ReLU())
        self.gru = nn.GRU(sizes.hidden, sizes.hidden // 2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._leaves = broken

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        lengths = mask.sum(dim=1)
        buckets, parts = [], []
        for length in lengths.unique().tolist():
            rows = (lengths == length).nonzero().flatten()
            out, _ = self.gru(self.front(x[rows, :length]))
            buckets.append(rows)
            parts.append(out.mean(dim=1))
        pooled = torch.cat(parts)
        scores: Tensor = self.head(pooled if self._leaves else pooled[torch.cat(buckets).argsort()])
        return scores


DEFECT = Defect(
    code="SW204",
    says="Outputs come back in another order than the inputs.",
    variants=(
        Variant(
            name="LSTM text classifier, sorted and left so",
            broken=partial(SortedClassifier, broken=True),
            mended=partial(SortedClassifier, broken=False),
            reads="tokens",
            contract=Contract(
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
            ),
        ),
        Variant(
            name="GRU tagger, time first, put back by the same permutation",
            broken=partial(ResortedTagger, broken=True),
            mended=partial(ResortedTagger, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "lengths"),
                batch_first=False,
                padding="right",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="LSTMCell over a shrinking batch, sorted and left so",
            broken=partial(ShrinkingLoop, broken=True),
            mended=partial(ShrinkingLoop, broken=False),
            contract=Contract(
                task="tag",
                each="step",
                takes=("x", "lengths"),
                batch_first=True,
                padding="right",
                returns_state=False,
                causal=True,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
        Variant(
            name="bidirectional GRU in buckets of one length, joined by length",
            broken=partial(BucketedBiGRU, broken=True),
            mended=partial(BucketedBiGRU, broken=False),
            contract=Contract(
                task="classify",
                each="sequence",
                takes=("x", "mask"),
                batch_first=True,
                mask="valid",
                padding="right",
                returns_state=False,
                causal=False,
                stateful=False,
                order_matters=True,
                output="logits",
            ),
        ),
    ),
)
