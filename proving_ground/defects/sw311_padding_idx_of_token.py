"""Mistake: `padding_idx` names the code of a real token, whose vector never learns."""

from __future__ import annotations

from functools import partial

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.functional import embedding
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Defect, Sizes, Variant
from statewise.contracts import Contract


class TextClassifier(nn.Module):
    """An LSTM for texts, with the number of the pad symbol of another vocabulary."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=1 if broken else 0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each text."""
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        scores: Tensor = self.head(hidden[-1])
        return scores


class WordTagger(nn.Module):
    """A bidirectional tagger, time first, with -1 as padding, which torch counts from the end."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=-1 if broken else 0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden // 2, bidirectional=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each step."""
        packed = pack_padded_sequence(self.words(tokens), mask.sum(0).cpu(), enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.gru(packed)[0], total_length=len(tokens))
        scores: Tensor = self.head(outputs)
        return scores


class FromVectors(nn.Module):
    """Vectors made elsewhere, loaded to be tuned, under an LSTM cell."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        vectors = torch.randn(sizes.vocabulary, sizes.hidden)
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=2 if broken else 0)
        self.cell = nn.LSTMCell(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each text."""
        embedded = self.embedding(tokens)
        h = c = embedded.new_zeros(len(tokens), self.cell.hidden_size)
        for step, valid in zip(embedded.unbind(1), mask.T[..., None], strict=True):
            new_h, new_c = self.cell(step, (h, c))
            h, c = torch.where(valid, new_h, h), torch.where(valid, new_c, c)
        scores: Tensor = self.head(h)
        return scores


class ConvolvedText(nn.Module):
    """Embedding, convolution, GRU; padding is believed to be the last code of the vocabulary."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=sizes.vocabulary - 1 if broken else 0)
        self.conv = nn.Conv1d(sizes.hidden, sizes.hidden, kernel_size=3, padding=1)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the scores of each text."""
        embedded = self.embedding(tokens).masked_fill(~mask[..., None], 0.0)
        local = torch.tanh(self.conv(embedded.transpose(1, 2))).transpose(1, 2)
        outputs, _ = self.gru(local)
        scores: Tensor = self.head(outputs[torch.arange(len(tokens)), mask.sum(1) - 1])
        return scores


class LookedUp(nn.Module):
    """A matrix of its own is looked up by function, with padding as the third argument."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(sizes.vocabulary, sizes.hidden))
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._padding = 3 if broken else 0

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each step."""
        looked_up = embedding(tokens, self.weight, self._padding)
        packed = pack_padded_sequence(looked_up, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=tokens.shape[1])
        scores: Tensor = self.head(outputs)
        return scores


_CLASS = Contract(
    task="classify",
    each="sequence",
    takes=("x", "lengths"),
    batch_first=True,
    padding="right",
    returns_state=False,
    causal=False,
    stateful=False,
    order_matters=True,
    output="logits",
)
_CLASS_MASKED = replace(_CLASS, takes=("x", "mask"), mask="valid")

DEFECT = Defect(
    code="SW311",
    says="padding_idx is the code of a real token, which never learns.",
    variants=(
        Variant(
            name="packed LSTM, padding_idx=1",
            broken=partial(TextClassifier, broken=True),
            mended=partial(TextClassifier, broken=False),
            contract=_CLASS,
            reads="tokens",
        ),
        Variant(
            name="bidirectional tagger, padding_idx=-1, time first",
            broken=partial(WordTagger, broken=True),
            mended=partial(WordTagger, broken=False),
            contract=replace(_CLASS_MASKED, task="tag", each="step", batch_first=False),
            reads="tokens",
        ),
        Variant(
            name="LSTM cell loop on given vectors, padding_idx=2",
            broken=partial(FromVectors, broken=True),
            mended=partial(FromVectors, broken=False),
            contract=_CLASS_MASKED,
            reads="tokens",
        ),
        Variant(
            name="convolution and GRU, padding_idx is the last code",
            broken=partial(ConvolvedText, broken=True),
            mended=partial(ConvolvedText, broken=False),
            contract=_CLASS_MASKED,
            reads="tokens",
        ),
        Variant(
            name="stacked LSTM tagger, embedding as a function, padding_idx=3",
            broken=partial(LookedUp, broken=True),
            mended=partial(LookedUp, broken=False),
            contract=replace(_CLASS, task="tag", each="step", causal=True),
            reads="tokens",
        ),
    ),
    seen_in=("NVIDIA-NeMo/Speech#5726",),
)
