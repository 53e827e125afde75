"""Padding and masks: what is real, and who is told? The P rows of public cases."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from proving_ground.cases import Sizes, Wild
from statewise.contracts import Contract

if TYPE_CHECKING:
    from collections.abc import Callable


def _last(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Return the output at the last real step of each row."""
    return outputs[torch.arange(len(outputs), device=outputs.device), lengths.to(outputs.device) - 1]


def _valid(lengths: Tensor, time: int) -> Tensor:
    """Return `[batch, time]`, True at real steps of rows that are padded on the right."""
    return torch.arange(time, device=lengths.device) < lengths.unsqueeze(1)


class VaryingVideos(nn.Module):
    """Features of each frame, a packed LSTM of three layers, and the output at the last place of the padded batch."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.frame = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.ReLU())
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, num_layers=3, batch_first=True)
        self.fc1 = nn.Linear(sizes.hidden, sizes.hidden)
        self.fc2 = nn.Linear(sizes.hidden, sizes.outputs)
        self._at_the_end = broken

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        packed = pack_padded_sequence(self.frame(frames), lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        last = outputs[:, -1] if self._at_the_end else _last(outputs, lengths)
        scores: Tensor = self.fc2(torch.relu(self.fc1(last)))
        return scores


class CommentClassifier(nn.Module):
    """Comments as padded codes with time first, an LSTM, three dense layers; nobody tells it lengths."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.encoder = nn.LSTM(sizes.hidden, sizes.hidden)
        self.linear = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.Linear(sizes.hidden, sizes.hidden))
        self.predictor = nn.Linear(sizes.hidden, sizes.outputs)
        self._at_the_end = broken

    def forward(self, comments: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        outputs, _ = self.encoder(self.embedding(comments))
        feature = outputs[-1] if self._at_the_end else _last(outputs.transpose(0, 1), (comments != 0).sum(0))
        scores: Tensor = self.predictor(self.linear(feature))
        return scores


class SentimentLstm(nn.Module):
    """Reviews through an embedding and an LSTM, whose final state is read; lengths are given."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.rnn = nn.LSTM(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True, dropout=0.5)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)
        self.dropout = nn.Dropout(0.5)
        self._packs = not broken

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        words = self.dropout(self.embedding(text))
        packed = pack_padded_sequence(words, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.rnn(packed if self._packs else words)
        scores: Tensor = self.fc(self.dropout(hidden[-1]))
        return scores


class DocumentReader(nn.Module):
    """Documents through a bidirectional LSTM, the outputs' maximum over real steps; packed or not."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._packs = not broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        if self._packs:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        else:
            outputs, _ = self.lstm(x)
        outside = ~_valid(lengths.to(x.device), x.shape[1])
        scores: Tensor = self.fc(outputs.masked_fill(outside.unsqueeze(-1), -torch.inf).amax(dim=1))
        return scores


class BidirectionalTagger(nn.Module):
    """A bidirectional GRU over rows of unequal lengths, whose backward half begins wherever the tensor ends."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._packs = not broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        if self._packs:
            outputs, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])
        else:
            outputs, _ = self.gru(x)
        scores: Tensor = self.fc(outputs)
        return scores


class SentenceVector(nn.Module):
    """Sentences sorted by length, packed, sorted back and pooled: a sentence encoder with two kinds of pooling."""

    def __init__(self, sizes: Sizes, *, pool: str, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, bidirectional=True)
        self.classifier = nn.Sequential(nn.Linear(2 * sizes.hidden, sizes.hidden), nn.Tanh(), nn.Linear(sizes.hidden, sizes.outputs))
        self._pool, self._broken = pool, broken

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]` of words `[time, batch]`."""
        by_length, order = lengths.sort(descending=True, stable=True)
        back = order.argsort()
        packed = pack_padded_sequence(self.embedding(words).index_select(1, order), by_length.cpu())
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], total_length=len(words))
        outputs = outputs.index_select(1, back)
        if self._pool == "mean":
            divisor = by_length if self._broken else lengths
            vector = outputs.sum(0) / divisor.to(outputs.dtype).unsqueeze(1)
        else:
            outside = ~_valid(lengths.to(words.device), len(words)).T.unsqueeze(-1)
            vector = (outputs if self._broken else outputs.masked_fill(outside, -torch.inf)).amax(0)
        scores: Tensor = self.classifier(vector)
        return scores


class FeatureExtractor(nn.Module):
    """One vector a text: the mean over the outputs of an encoder, padding and all."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.encoder = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self._all = broken

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return vectors `[batch, hidden]`."""
        outputs, _ = self.encoder(self.embedding(tokens))
        valid = mask.unsqueeze(-1).to(outputs.dtype)
        mean: Tensor = outputs.mean(dim=1) if self._all else (outputs * valid).sum(dim=1) / valid.sum(dim=1)
        return mean


class ConcatPooling(nn.Module):
    """A language model's outputs, classified by the last one, the maximum and the mean side by side."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Sequential(nn.Linear(3 * sizes.hidden, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, sizes.outputs))
        self._all = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        outputs, _ = self.lstm(self.embedding(tokens))
        if self._all:
            pooled = [outputs[:, -1], outputs.amax(dim=1), outputs.mean(dim=1)]
        else:
            outside = ~_valid(lengths.to(tokens.device), tokens.shape[1]).unsqueeze(-1)
            sums = outputs.masked_fill(outside, 0.0).sum(dim=1)
            mean = sums / lengths.to(outputs).unsqueeze(1)
            pooled = [_last(outputs, lengths), outputs.masked_fill(outside, -torch.inf).amax(dim=1), mean]
        scores: Tensor = self.head(torch.cat(pooled, dim=1))
        return scores


class AdditiveAttention(nn.Module):
    """A packed GRU, and attention of its final state over its outputs."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, batch_first=True)
        self.w1, self.w2 = nn.Linear(sizes.hidden, sizes.hidden), nn.Linear(sizes.hidden, sizes.hidden)
        self.v = nn.Linear(sizes.hidden, 1)
        self.fc = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._unmasked = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        packed, final = self.gru(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        energy = self.v(torch.tanh(self.w1(outputs) + self.w2(final[-1]).unsqueeze(1)))
        if not self._unmasked:
            energy = energy.masked_fill(~_valid(lengths.to(x.device), x.shape[1]).unsqueeze(-1), -torch.inf)
        context = (energy.softmax(dim=1) * outputs).sum(dim=1)
        scores: Tensor = self.fc(torch.cat([context, final[-1]], dim=1))
        return scores


class MaskedAfterSoftmax(nn.Module):
    """Attention over the hidden states of an encoder: the weights of padding are struck out after they were shared out."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden)
        self.energy = nn.Linear(sizes.hidden, 1, bias=False)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)
        self._after = broken

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, outputs]` of words and mask `[time, batch]`."""
        outputs, _ = self.lstm(self.embedding(words))
        energy = self.energy(torch.tanh(outputs)).squeeze(-1)
        masked = energy if self._after else energy.masked_fill(~mask, -torch.inf)
        weights = masked.softmax(dim=0) * mask.to(energy.dtype)
        scores: Tensor = self.fc((weights.unsqueeze(-1) * outputs).sum(dim=0))
        return scores


class Block(nn.Module):
    """Attention and two dense layers with residuals, given who may look at whom and with what the rest is filled."""

    heads = 2

    def __init__(self, hidden: int, fill: float) -> None:
        super().__init__()
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Linear(hidden, hidden)
        self.dense = nn.Sequential(nn.Linear(hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, hidden))
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.fill = fill

    def forward(self, x: Tensor, may_look: Tensor) -> Tensor:
        """Return `[batch, time, hidden]`, given `[batch, heads, time, time]` or what is broadcast to it."""
        rows, time, hidden = x.shape
        query, key, value = self.qkv(x).view(rows, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = (query @ key.transpose(-1, -2) / (hidden // self.heads) ** 0.5).masked_fill(~may_look, self.fill)
        x = self.norm1(x + self.out((scores.softmax(-1) @ value).transpose(1, 2).reshape(rows, time, hidden)))
        answer: Tensor = self.norm2(x + self.dense(x))
        return answer


class Transformer(nn.Module):
    """Embedded tokens with their positions through two blocks, one output a step."""

    def __init__(self, sizes: Sizes, *, broken: bool, causal: bool, fill: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.blocks = nn.ModuleList(Block(sizes.hidden, fill) for _ in range(2))
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._on_queries, self._causal = broken, causal

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        x = self.embedding(tokens)
        time = tokens.shape[1]
        places = torch.arange(time, device=x.device, dtype=x.dtype).unsqueeze(1)
        x = x + (places * torch.exp(-torch.arange(x.shape[2], device=x.device, dtype=x.dtype) / 4)).sin()
        may_look = mask[:, None, :, None] if self._on_queries else mask[:, None, None, :]
        if self._causal:
            may_look = may_look & torch.ones(time, time, dtype=torch.bool, device=x.device).tril()
        for block in self.blocks:
            x = block(x, may_look)
        scores: Tensor = self.head(x)
        return scores


class PooledTransformer(nn.Module):
    """Torch's encoder layer, told of padding by a mask, and the mean over real steps."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(sizes.inputs, sizes.hidden)
        self.layer = nn.TransformerEncoderLayer(sizes.hidden, nhead=2, dim_feedforward=2 * sizes.hidden, batch_first=True)
        self.fc = nn.Linear(sizes.hidden, sizes.outputs)
        self._as_floats = broken

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        features = self.embed(x)
        seen = self.layer(features, src_key_padding_mask=padding.to(features.dtype) if self._as_floats else padding)
        valid = (~padding).unsqueeze(-1).to(features.dtype)
        scores: Tensor = self.fc((seen * valid).sum(dim=1) / valid.sum(dim=1))
        return scores


class WordBag(nn.Module):
    """The mean of word vectors, for which the vector of padding has to be zero."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.fc = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, sizes.outputs))
        nn.init.normal_(self.embedding.weight, std=0.5)
        if not broken:
            nn.init.zeros_(self.embedding.weight[0])

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        vectors = self.embedding(words).sum(dim=1) / lengths.to(self.embedding.weight).unsqueeze(1)
        scores: Tensor = self.fc(vectors)
        return scores


class EntityPaths(nn.Module):
    """Paths through a knowledge graph, entities numbered from 0 once the loader's 0 for padding is taken off."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.entities = nn.Embedding(sizes.vocabulary - 1, sizes.hidden, padding_idx=0 if broken else None)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.scores = nn.Linear(sizes.hidden, sizes.vocabulary - 1)

    def forward(self, path: Tensor) -> Tensor:
        """Return a score of each entity, `[batch, entities]`."""
        outputs, _ = self.gru(self.entities((path - 1).clamp(min=0)))
        scores: Tensor = self.scores(outputs[:, -1])
        return scores


class FrontPadded(nn.Module):
    """Symbols padded in front, an RNN, and the output where the sequence ends."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.linear = nn.Linear(sizes.hidden, sizes.outputs)
        self._as_if_behind = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        real = x
        if not self._as_if_behind:
            places = torch.arange(x.shape[1], device=x.device) - lengths.to(x.device).unsqueeze(1)
            real = x.take_along_dim((places % x.shape[1]).unsqueeze(-1), dim=1)
        _, (hidden, _) = self.rnn(pack_padded_sequence(real, lengths.cpu(), batch_first=True, enforce_sorted=False))
        scores: Tensor = self.linear(hidden[-1])
        return scores


class ReplicatedTagger(nn.Module):
    """A packed LSTM whose outputs are unpacked to the longest row, not to the width of the batch."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.linear = nn.Linear(sizes.hidden, sizes.outputs)
        self._to_longest = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        packed, _ = self.lstm(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=None if self._to_longest else x.shape[1])
        scores: Tensor = self.linear(outputs)
        return scores


SEQUENCE: Callable[..., Contract] = partial(
    Contract,
    takes=("x", "lengths"),
    batch_first=True,
    each="sequence",
    padding="right",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
STEPS: Callable[..., Contract] = partial(SEQUENCE, each="step")
MASKED: Callable[..., Contract] = partial(SEQUENCE, takes=("x", "mask"), mask="valid")
SENTENCES = SEQUENCE(batch_first=False, causal=False)

WILD: tuple[Wild, ...] = (
    Wild(
        name="CNN-LSTM over videos of varying length",
        case="P1",
        seen_in="HHTseng/video-classification#39",
        says="The last place of the padded batch is read, where a shorter video has nothing but zeros.",
        broken=partial(VaryingVideos, broken=True),
        mended=partial(VaryingVideos, broken=False),
        contract=SEQUENCE(task="classify"),
        codes=("SW305", "SW303", "SW302", "SW201"),
    ),
    Wild(
        name="comments without lengths, last place",
        case="P1",
        seen_in="keitakurita/practical-torchtext#5",
        says="The last place of the padded batch is read, behind the end of all but the longest comment.",
        broken=partial(CommentClassifier, broken=True),
        mended=partial(CommentClassifier, broken=False),
        contract=SEQUENCE(task="multilabel", takes=("x",), batch_first=False),
        codes=("SW302", "SW301", "SW303"),
        reads="tokens",
    ),
    Wild(
        name="sentiment LSTM without packing",
        case="P2",
        seen_in="bentrevett/pytorch-sentiment-analysis#86",
        says="The final state is that after the padding.",
        broken=partial(SentimentLstm, broken=True),
        mended=partial(SentimentLstm, broken=False),
        contract=SEQUENCE(task="classify"),
        codes=("SW301", "SW302"),
        reads="tokens",
    ),
    Wild(
        name="document classifier without packing",
        case="P2",
        seen_in="castorini/castor#176",
        says="Documents are not packed, so that the backward direction reads the padding first.",
        broken=partial(DocumentReader, broken=True),
        mended=partial(DocumentReader, broken=False),
        contract=SEQUENCE(task="classify", causal=False),
        codes=("SW301", "SW302"),
    ),
    Wild(
        name="bidirectional tagger without packing",
        case="P3",
        seen_in="pytorch/pytorch#3662",
        says="The backward direction begins in the padding, so that all real steps come out otherwise.",
        broken=partial(BidirectionalTagger, broken=True),
        mended=partial(BidirectionalTagger, broken=False),
        contract=STEPS(task="tag", causal=False),
        codes=("SW301", "SW302"),
    ),
    Wild(
        name="sentence encoder, mean by the sorted lengths",
        case="P4",
        seen_in="facebookresearch/InferSent#51",
        says="Outputs are sorted back and lengths are not, so that a sentence is divided by the length of another.",
        broken=partial(SentenceVector, pool="mean", broken=True),
        mended=partial(SentenceVector, pool="mean", broken=False),
        contract=SENTENCES,
        codes=("SW305", "SW201", "SW204"),
        reads="tokens",
    ),
    Wild(
        name="sentence encoder, maximum with the zeros of padding",
        case="P4",
        seen_in="facebookresearch/InferSent#51",
        says="The maximum is taken over the zeros behind a sentence too, so that it depends on whether there is padding.",
        broken=partial(SentenceVector, pool="max", broken=True),
        mended=partial(SentenceVector, pool="max", broken=False),
        contract=SENTENCES,
        codes=("SW302", "SW201"),
        reads="tokens",
    ),
    Wild(
        name="text features, mean over padding",
        case="P4",
        seen_in="dbiir/UER-py#190",
        says="The mean includes the outputs at padded steps.",
        broken=partial(FeatureExtractor, broken=True),
        mended=partial(FeatureExtractor, broken=False),
        contract=MASKED(output="values"),
        codes=("SW301", "SW302"),
        reads="tokens",
    ),
    Wild(
        name="concatenated pooling over padding",
        case="P4",
        seen_in="fastai/fastai#882",
        says="Last output, maximum and mean are taken over the padded batch.",
        broken=partial(ConcatPooling, broken=True),
        mended=partial(ConcatPooling, broken=False),
        contract=SEQUENCE(task="classify"),
        codes=("SW301", "SW302"),
        reads="tokens",
    ),
    Wild(
        name="additive attention over a packed encoder",
        case="P8",
        seen_in="tensorflow/tensorflow#43941",
        says="Scores are not masked before the softmax, so that padding gets a share of the attention.",
        broken=partial(AdditiveAttention, broken=True),
        mended=partial(AdditiveAttention, broken=False),
        contract=SEQUENCE(task="classify"),
        codes=("SW302", "SW201"),
    ),
    Wild(
        name="attention masked after the softmax",
        case="P8",
        seen_in="tensorflow/tensorflow#512",
        says="The scores of padding are among those that are normalised.",
        broken=partial(MaskedAfterSoftmax, broken=True),
        mended=partial(MaskedAfterSoftmax, broken=False),
        contract=MASKED(task="classify", batch_first=False),
        codes=("SW301", "SW302"),
        reads="tokens",
    ),
    Wild(
        name="Transformer encoder, mask on the wrong axis",
        case="P10",
        seen_in="hyunwoongko/transformer#40",
        says="The mask is broadcast along the steps that look instead of those that are looked at.",
        broken=partial(Transformer, broken=True, causal=False, fill=-10000.0),
        mended=partial(Transformer, broken=False, causal=False, fill=-10000.0),
        contract=MASKED(task="tag", each="step", causal=False),
        codes=("SW301", "SW302"),
        reads="tokens",
    ),
    Wild(
        name="Transformer decoder, wrong axis with minus infinity",
        case="P12",
        seen_in="hyunwoongko/transformer#40",
        says="A step of padding may look at nothing, its softmax is NaN, and the next block's sum over all steps spreads it.",
        broken=partial(Transformer, broken=True, causal=True, fill=-float("inf")),
        mended=partial(Transformer, broken=False, causal=True, fill=-float("inf")),
        contract=MASKED(task="tag", each="step"),
        codes=("SW608", "SW314", "SW301", "SW302"),
        reads="tokens",
    ),
    Wild(
        name="Transformer layer, mask of floats",
        case="P11",
        seen_in="pytorch/pytorch#90534",
        says="A mask of ones and zeros as floats is added to the scores, and masks nothing.",
        broken=partial(PooledTransformer, broken=True),
        mended=partial(PooledTransformer, broken=False),
        contract=MASKED(task="classify", mask="padding", causal=False, order_matters=False),
        codes=("SW605", "SW301", "SW302"),
    ),
    Wild(
        name="bag of words, padding's vector overwritten",
        case="P13",
        seen_in="pytorch/pytorch#6411",
        says="A custom initialisation overwrites the zeros at padding_idx, on which the sum of vectors rests.",
        broken=partial(WordBag, broken=True),
        mended=partial(WordBag, broken=False),
        contract=SEQUENCE(task="classify", causal=False, order_matters=False),
        codes=("SW302", "SW301"),
        reads="tokens",
    ),
    Wild(
        name="knowledge graph, first entity as padding",
        case="P14",
        seen_in="ibalazevic/TuckER#17",
        says="padding_idx=0 is the code of the first entity, which never learns.",
        broken=partial(EntityPaths, broken=True),
        mended=partial(EntityPaths, broken=False),
        contract=SEQUENCE(task="classify", takes=("x",)),
        codes=("SW311",),
        reads="tokens",
    ),
    Wild(
        name="symbols padded in front",
        case="P15",
        seen_in="Atcold/NYU-DLSP20#19",
        says="Sequences are padded in front, and packed as if they were padded behind.",
        broken=partial(FrontPadded, broken=True),
        mended=partial(FrontPadded, broken=False),
        contract=SEQUENCE(task="classify", padding="left"),
        codes=("SW313",),
    ),
    Wild(
        name="tagger split over devices, outputs of the longest row",
        case="P18",
        seen_in="pytorch/pytorch#1591",
        says="Outputs are as long as the longest row of the split, and shorter than the batch.",
        broken=partial(ReplicatedTagger, broken=True),
        mended=partial(ReplicatedTagger, broken=False),
        contract=STEPS(task="tag"),
        codes=("SW312",),
    ),
)
