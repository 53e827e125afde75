"""Models of tokens that are right: what becomes of the padding's code, and of the order of the others?"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Correct, Sizes
from statewise.contracts import Contract


class BagOfWords(nn.Module):
    """The mean of the embeddings: the order of the tokens is not asked for."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        real = mask.unsqueeze(-1)
        logits: Tensor = self.head((self.embed(tokens) * real).sum(1) / real.sum(1))
        return logits


class FlatBag(nn.Module):
    """All real tokens one after another, summed a row by an embedding bag; time comes first."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(sizes.vocabulary, sizes.hidden, mode="sum")
        self.head = nn.Sequential(nn.LayerNorm(sizes.hidden), nn.Linear(sizes.hidden, sizes.outputs))

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]` for `[time, batch]`."""
        ends = lengths.to(tokens.device)
        rows = tokens.t()
        real = torch.arange(rows.shape[1], device=tokens.device) < ends.unsqueeze(1)
        logits: Tensor = self.head(self.bag(rows[real], ends.cumsum(0) - ends))
        return logits


class Sentiment(nn.Module):
    """Embedding, dropout, packed LSTM in both directions; 0 is padding and never a word."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, bidirectional=True, batch_first=True)
        self.drop = nn.Dropout(0.4)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        words = self.drop(self.embed(tokens))
        _, (hidden, _) = self.lstm(pack_padded_sequence(words, lengths.cpu(), batch_first=True, enforce_sorted=False))
        logits: Tensor = self.head(self.drop(hidden.transpose(0, 1).flatten(1)))
        return logits


class TiedLanguageModel(nn.Module):
    """The next token: the weights that read a token are those that score it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.vocabulary)
        self.head.weight = self.embed.weight

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.head.weight.new_zeros(1, batch_size, self.gru.hidden_size)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[batch, time, vocabulary]` and the state."""
        outputs, state = self.gru(self.embed(tokens), state)
        return self.head(outputs), state


class WordTagger(nn.Module):
    """Two layers in both directions over packed embeddings."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, num_layers=2, dropout=0.2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        packed = pack_padded_sequence(self.embed(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=tokens.shape[1])
        logits: Tensor = self.head(outputs)
        return logits


class WordConvolution(nn.Module):
    """Convolutions of three widths, each pooled to its greatest answer at a real token; padding is silenced before and after."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(sizes.hidden, sizes.hidden // 2, width, padding="same") for width in (1, 3, 5))
        self.head = nn.Linear(3 * (sizes.hidden // 2), sizes.outputs)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return `[batch, outputs]`."""
        padding = ~mask.unsqueeze(1)
        words = self.embed(tokens).transpose(1, 2).masked_fill(padding, 0.0)
        found = [conv(words).masked_fill(padding, float("-inf")).amax(2) for conv in self.convs]
        logits: Tensor = self.head(torch.tanh(torch.cat(found, 1)))
        return logits


class AttentionThenGru(nn.Module):
    """Causal self-attention over embedded tokens and positions, a GRU on top; takes the padding as torch's attention does."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.attention = nn.MultiheadAttention(sizes.hidden, 2, dropout=0.1, batch_first=True)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, tokens: Tensor, padding: Tensor) -> Tensor:
        """Return `[batch, time, outputs]`."""
        words = self.embed(tokens)
        time = tokens.shape[1]
        places = torch.arange(time, device=tokens.device)
        later = places > places.unsqueeze(1)
        words = words + (places / 10).sin().to(words.dtype).view(1, -1, 1)
        mixed, _ = self.attention(words, words, words, key_padding_mask=padding, attn_mask=later, need_weights=False)
        logits: Tensor = self.head(self.gru(self.norm(words + mixed))[0])
        return logits


class NextOfPair(nn.Module):
    """A table of what follows what, and a cell that bends it: the last token is part of the state, as a code."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.before = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.now = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.cell = nn.RNNCell(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.vocabulary)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Return no last token (0, which is none), and zeros."""
        weight = self.head.weight
        return {
            "last": torch.zeros(batch_size, dtype=torch.int64, device=weight.device),
            "hidden": weight.new_zeros(batch_size, self.cell.hidden_size),
        }

    def forward(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `[time, batch, vocabulary]` and the state."""
        last, hidden = state["last"], state["hidden"]
        outputs = []
        for token in tokens:
            hidden = self.cell(self.before(last) + self.now(token), hidden)
            last = token
            outputs.append(self.head(hidden))
        return torch.stack(outputs), {"last": last, "hidden": hidden}


OF_ROWS = partial(
    Contract,
    task="classify",
    each="sequence",
    batch_first=True,
    padding="right",
    returns_state=False,
    causal=False,
    stateful=False,
    order_matters=True,
    output="logits",
)
OF_STEPS = partial(
    Contract,
    each="step",
    batch_first=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
LENGTHS, MASK = partial(OF_ROWS, takes=("x", "lengths")), partial(OF_ROWS, takes=("x", "mask"), mask="valid")
NEXT = partial(OF_STEPS, task="next", takes=("x", "state"), returns_state=True, initial_state="initial_state", causal=True)
TAG = partial(OF_STEPS, task="tag", padding="right", returns_state=False)

CORRECT: tuple[Correct, ...] = (
    Correct(name="mean of embeddings", build=BagOfWords, contract=MASK(order_matters=False), reads="tokens"),
    Correct(name="embedding bag, time first", build=FlatBag, contract=LENGTHS(order_matters=False, batch_first=False), reads="tokens"),
    Correct(name="bidirectional LSTM of words", build=Sentiment, contract=LENGTHS(), reads="tokens"),
    Correct(name="language model with tied weights", build=TiedLanguageModel, contract=NEXT(), reads="tokens"),
    Correct(name="tagger of words", build=WordTagger, contract=TAG(takes=("x", "lengths"), causal=False), reads="tokens"),
    Correct(name="convolutions of words", build=WordConvolution, contract=MASK(), reads="tokens"),
    Correct(
        name="causal attention and a GRU",
        build=AttentionThenGru,
        contract=TAG(takes=("x", "mask"), mask="padding", causal=True),
        reads="tokens",
    ),
    Correct(name="last token in the state, time first", build=NextOfPair, contract=NEXT(batch_first=False), reads="tokens"),
)
