"""Shapes: which axis is time, which the batch, and which layer is it that is read? The H rows of public cases."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from proving_ground.cases import Sizes, Wild
from statewise.contracts import Contract

if TYPE_CHECKING:
    from collections.abc import Callable


class FrameQ(nn.Module):
    """Features of each frame, an LSTM over the frames, action values from its last output."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(sizes.inputs, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
        self.lstm = nn.LSTM(16, sizes.hidden, 1, batch_first=not broken)
        self.values = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, frames: Tensor) -> Tensor:
        """Return action values `[batch, outputs]`."""
        outputs, _ = self.lstm(self.features(frames))
        values: Tensor = self.values(outputs[:, -1])
        return values


class SlotFiller(nn.Module):
    """A bidirectional encoder of words, and a decoder that goes through its outputs one by one and says the slot of each."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.encoder = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.decoder = nn.LSTM(3 * sizes.hidden, sizes.hidden, batch_first=not broken)
        self.slots = nn.Linear(sizes.hidden, sizes.outputs)

    def forward(self, words: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        encoded, _ = self.encoder(self.embedding(words))
        slot = encoded.new_zeros(len(words), 1, self.slots.in_features)
        state, slots = None, []
        for word in encoded.transpose(0, 1):
            slot, state = self.decoder(torch.cat([word.unsqueeze(1), slot], dim=-1), state)
            slots.append(slot)
        scores: Tensor = self.slots(torch.cat(slots, dim=1))
        return scores


class SeriesDiscriminator(nn.Module):
    """Two GRU layers that say at each step how real a series seems."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2, batch_first=not broken)
        self.fc = nn.Linear(sizes.hidden, 1)

    def forward(self, series: Tensor) -> Tensor:
        """Return scores `[batch, time, 1]`."""
        scores: Tensor = self.fc(self.rnn(series)[0])
        return scores


class JokeWriter(nn.Module):
    """A language model of words in three layers, whose zeros are made for whatever its LSTM takes for the batch."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, num_layers=3, dropout=0.2, batch_first=not broken)
        self.fc = nn.Linear(sizes.hidden, sizes.vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores of the next token, `[batch, time, vocabulary]`."""
        words = self.embedding(tokens)
        rows = tokens.shape[0] if self.lstm.batch_first else tokens.shape[1]
        zeros = words.new_zeros(3, rows, self.lstm.hidden_size)
        scores: Tensor = self.fc(self.lstm(words, (zeros, zeros))[0])
        return scores


class VideoClassifier(nn.Module):
    """Features of each frame, three LSTM layers with time first, two dense layers on the last output."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.frame = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.ReLU())
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, num_layers=3)
        self.fc1 = nn.Linear(sizes.hidden, sizes.hidden)
        self.dropout = nn.Dropout(0.3)
        self.fc2 = nn.Linear(sizes.hidden, sizes.outputs)
        self._views = broken

    def forward(self, frames: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        features = self.frame(frames)
        time_first = features.transpose(0, 1)
        outputs, _ = self.lstm(features.view(time_first.shape) if self._views else time_first)
        scores: Tensor = self.fc2(self.dropout(torch.relu(self.fc1(outputs[-1]))))
        return scores


class LyricsDiscriminator(nn.Module):
    """Tells written lines from generated ones: embedding, bidirectional GRU with time first, all final states, two dense layers."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, num_layers=2, bidirectional=True)
        self.gru2hidden = nn.Linear(4 * sizes.hidden, sizes.hidden)
        self.hidden2out = nn.Linear(sizes.hidden, 1)
        self._views = broken

    def forward(self, tokens: Tensor) -> Tensor:
        """Return a probability `[batch, 1]`."""
        words = self.embeddings(tokens)
        time_first = words.permute(1, 0, 2)
        _, hidden = self.gru(words.view(time_first.shape) if self._views else time_first)
        both = hidden.permute(1, 0, 2).reshape(len(tokens), -1)
        return torch.sigmoid(self.hidden2out(torch.tanh(self.gru2hidden(both))))


class MaskedForecaster(nn.Module):
    """One block of causal attention over a series, as the decoder of a forecaster has it."""

    heads = 2

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(sizes.inputs, sizes.hidden)
        self.query, self.key, self.value, self.out = (nn.Linear(sizes.hidden, sizes.hidden) for _ in range(4))
        self.norm = nn.LayerNorm(sizes.hidden)
        self.project = nn.Linear(sizes.hidden, sizes.outputs)
        self._views = broken

    def forward(self, series: Tensor) -> Tensor:
        """Return values `[batch, time, outputs]`."""
        rows, time, _ = series.shape
        position = torch.arange(time, device=series.device, dtype=series.dtype).unsqueeze(1)
        speeds = torch.exp(-torch.arange(self.embed.out_features, device=series.device, dtype=series.dtype) / 4)
        embedded = self.embed(series) + (position * speeds).sin()
        query, key, value = (
            layer(embedded).view(rows, time, self.heads, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        later = torch.ones(time, time, dtype=torch.bool, device=series.device).triu(1)
        context = scores.masked_fill(later, -torch.inf).softmax(-1) @ value
        mixed = context.reshape(rows, time, -1) if self._views else context.transpose(1, 2).reshape(rows, time, -1)
        values: Tensor = self.project(self.norm(embedded + self.out(mixed)))
        return values


class RowReader(nn.Module):
    """Reads an image row by row in both directions, two layers."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._last = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        zeros = x.new_zeros(4, len(x), self.lstm.hidden_size)
        outputs, _ = self.lstm(x, (zeros, zeros))
        forward, backward = outputs.chunk(2, dim=-1)
        scores: Tensor = self.fc(outputs[:, -1] if self._last else torch.cat([forward[:, -1], backward[:, 0]], dim=-1))
        return scores


class FinalStateReader(nn.Module):
    """A bidirectional LSTM over packed rows, of whose final states the last is read, or the last two."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(sizes.hidden if broken else 2 * sizes.hidden, sizes.outputs)
        self._only_last = broken

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        _, (final, _) = self.lstm(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        scores: Tensor = self.fc(final[-1] if self._only_last else torch.cat([final[-2], final[-1]], dim=-1))
        return scores


class ToolkitClassifier(nn.Module):
    """Texts through two bidirectional GRU layers; the final states are viewed by layer and direction, and the last layer is taken."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._directions_first = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        words = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, hidden = self.gru(words)
        parted = hidden.view(2, 2, len(tokens), -1)
        first, second = parted[:, -1] if self._directions_first else parted[-1]
        scores: Tensor = self.fc(torch.cat([first, second], dim=-1))
        return scores


class SentenceEncoder(nn.Module):
    """The encoder of a sentence autoencoder: both final states side by side, and the mean of the code from them."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True, bidirectional=True)
        self.mean = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self._views = broken

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the mean of the code, `[batch, outputs]`."""
        words = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, hidden = self.gru(words)
        both = hidden if self._views else hidden.transpose(0, 1)
        code: Tensor = self.mean(both.reshape(len(tokens), -1))
        return code


class NormedLayer(nn.Module):
    """One LSTM layer with normalised gates, which always reads time first."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.i2h, self.h2h = nn.Linear(inputs, 4 * hidden), nn.Linear(hidden, 4 * hidden)
        self.norm = nn.LayerNorm(4 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[time, batch, hidden]`."""
        hidden = cell = x.new_zeros(x.shape[1], self.h2h.in_features)
        outputs = []
        for step in x:
            entry, forget, out, new = self.norm(self.i2h(step) + self.h2h(hidden)).chunk(4, dim=-1)
            cell = forget.sigmoid() * cell + entry.sigmoid() * new.tanh()
            hidden = out.sigmoid() * cell.tanh()
            outputs.append(hidden)
        return torch.stack(outputs)


class NormedLstm(nn.Module):
    """Three normalised layers with an option for the batch to come first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        sides = (sizes.inputs, sizes.hidden, sizes.hidden)
        self.layers = nn.ModuleList(NormedLayer(inputs, sizes.hidden) for inputs in sides)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._once = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        for layer in self.layers:
            x = layer(x.permute(1, 0, 2))
            if not self._once:
                x = x.permute(1, 0, 2)
        scores: Tensor = self.head(x.permute(1, 0, 2) if self._once else x)
        return scores


class ConvLstm(nn.Module):
    """An LSTM whose gates are convolutions over a line of pixels; made to take time first, it gives the batch first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gates = nn.Conv1d(1 + sizes.hidden, 4 * sizes.hidden, kernel_size=3, padding=1)
        self.head = nn.Linear(sizes.hidden * sizes.inputs, sizes.outputs)
        self.hidden = sizes.hidden
        self._forgets = broken

    def forward(self, lines: Tensor) -> Tensor:
        """Return values `[time, batch, outputs]`."""
        x = lines.permute(1, 0, 2)
        hidden = cell = x.new_zeros(x.shape[0], self.hidden, x.shape[2])
        outputs = []
        for step in range(x.shape[1]):
            both = torch.cat([x[:, step].unsqueeze(1), hidden], dim=1)
            entry, forget, out, new = self.gates(both).chunk(4, dim=1)
            cell = forget.sigmoid() * cell + entry.sigmoid() * new.tanh()
            hidden = out.sigmoid() * cell.tanh()
            outputs.append(self.head(hidden.flatten(1)))
        stacked = torch.stack(outputs, dim=1)
        return stacked if self._forgets else stacked.permute(1, 0, 2)


class BetterLstm(nn.Module):
    """An LSTM that makes its own zeros, for as many rows as the first axis is long."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._rows = 0 if broken else 1

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[time, batch, outputs]`."""
        zeros = x.new_zeros(1, x.shape[self._rows], self.lstm.hidden_size)
        scores: Tensor = self.head(self.lstm(x, (zeros, zeros))[0])
        return scores


SEQUENCE: Callable[..., Contract] = partial(
    Contract,
    takes=("x",),
    batch_first=True,
    each="sequence",
    returns_state=False,
    causal=True,
    stateful=False,
    order_matters=True,
    output="logits",
)
STEPS: Callable[..., Contract] = partial(SEQUENCE, each="step")
RAGGED: Callable[..., Contract] = partial(SEQUENCE, takes=("x", "lengths"), padding="right", causal=False)

WILD: tuple[Wild, ...] = (
    Wild(
        name="deep Q network over frames",
        case="H1",
        seen_in="AndersonJo/dqn-pytorch#1",
        says="Frames with the batch first reach an LSTM that reads time first, and the model learns nevertheless.",
        broken=partial(FrameQ, broken=True),
        mended=partial(FrameQ, broken=False),
        contract=SEQUENCE(output="values"),
        codes=("SW202",),
    ),
    Wild(
        name="intents and slots, decoder step by step",
        case="H1",
        seen_in="ray075hl/Bi-Model-Intent-And-Slot#2",
        says="The decoder is fed [batch, 1, feature] and takes the batch for time.",
        broken=partial(SlotFiller, broken=True),
        mended=partial(SlotFiller, broken=False),
        contract=STEPS(task="tag", causal=False),
        codes=("SW202", "SW201"),
        reads="tokens",
    ),
    Wild(
        name="discriminator of series",
        case="H1",
        seen_in="zwzhang123/TimeGAN-pytorch#3",
        says="The discriminator's GRU lacks the batch_first that all other parts have.",
        broken=partial(SeriesDiscriminator, broken=True),
        mended=partial(SeriesDiscriminator, broken=False),
        contract=STEPS(),
        codes=("SW202",),
    ),
    Wild(
        name="language model of a tutorial",
        case="H1",
        seen_in="closeheat/pytorch-lstm-text-generation-tutorial#3",
        says="The LSTM reads time first, and the state made for the sequence length hides it.",
        broken=partial(JokeWriter, broken=True),
        mended=partial(JokeWriter, broken=False),
        contract=STEPS(task="next"),
        codes=("SW202",),
        reads="tokens",
    ),
    Wild(
        name="CNN-LSTM over video, viewed",
        case="H2",
        seen_in="HHTseng/video-classification#42",
        says="The repair that was proposed views [batch, time] as [time, batch], which has the right shape and the wrong frames.",
        broken=partial(VideoClassifier, broken=True),
        mended=partial(VideoClassifier, broken=False),
        contract=SEQUENCE(task="classify"),
        codes=("SW202", "SW201"),
    ),
    Wild(
        name="discriminator of lyrics, viewed",
        case="H2",
        seen_in="TobiasLee/Chinese-Hip-pop-Generation#8",
        says="The embedded words are viewed, not permuted, as time first.",
        broken=partial(LyricsDiscriminator, broken=True),
        mended=partial(LyricsDiscriminator, broken=False),
        contract=SEQUENCE(causal=False, output="probabilities"),
        codes=("SW202", "SW201"),
        reads="tokens",
    ),
    Wild(
        name="masked attention of a forecaster, heads viewed",
        case="H2",
        seen_in="zhouhaoyi/Informer2020#59",
        says="[batch, heads, time] is viewed as [batch, time, heads], so that the mask against the future no longer holds.",
        broken=partial(MaskedForecaster, broken=True),
        mended=partial(MaskedForecaster, broken=False),
        contract=STEPS(output="values"),
        codes=("SW401",),
    ),
    Wild(
        name="rows of an image in both directions",
        case="H5",
        seen_in="yunjey/pytorch-tutorial#174",
        says="The output at the last step is read, where the backward half has seen one step.",
        broken=partial(RowReader, broken=True),
        mended=partial(RowReader, broken=False),
        contract=SEQUENCE(task="classify", causal=False),
        codes=("SW309",),
    ),
    Wild(
        name="final state of a bidirectional LSTM",
        case="H6",
        seen_in="pytorch/pytorch#74291",
        says="h_n[-1] is taken for the final state, and is that of the backward direction alone.",
        broken=partial(FinalStateReader, broken=True),
        mended=partial(FinalStateReader, broken=False),
        contract=RAGGED(task="classify"),
        codes=("SW309", "SW507"),
    ),
    Wild(
        name="text classifier of a toolkit, layers and directions swapped",
        case="H7",
        seen_in="chrisvdweth/ml-toolkit#1",
        says="h_n is viewed as [directions, layers] and is [layers, directions], so that half of what is read is the first layer's.",
        broken=partial(ToolkitClassifier, broken=True),
        mended=partial(ToolkitClassifier, broken=False),
        contract=RAGGED(task="classify"),
        codes=("SW309", "SW507"),
        reads="tokens",
    ),
    Wild(
        name="sentence autoencoder, final states viewed",
        case="H7",
        seen_in="timbmg/Sentence-VAE#15",
        says="The final states [directions, batch] are viewed as [batch, directions], so that sentences get those of others.",
        broken=partial(SentenceEncoder, broken=True),
        mended=partial(SentenceEncoder, broken=False),
        contract=RAGGED(output="values"),
        codes=("SW201", "SW204"),
        reads="tokens",
    ),
    Wild(
        name="LSTM with normalised gates, three layers",
        case="H14",
        seen_in="exe1023/LSTM_LN#1",
        says="What a layer gives is not turned back, so that every second layer runs along the batch.",
        broken=partial(NormedLstm, broken=True),
        mended=partial(NormedLstm, broken=False),
        contract=STEPS(task="tag"),
        codes=("SW202", "SW201"),
    ),
    Wild(
        name="convolutional LSTM with time first",
        case="H14",
        seen_in="ndrplz/ConvLSTM_pytorch#22",
        says="With batch_first=False the input is taken with time first, and the output comes with the batch first.",
        broken=partial(ConvLstm, broken=True),
        mended=partial(ConvLstm, broken=False),
        contract=STEPS(batch_first=False, output="values"),
        codes=("SW205", "SW202"),
    ),
    Wild(
        name="LSTM with its own zeros, time first",
        case="H14",
        seen_in="keitakurita/Better_LSTM_PyTorch#6",
        says="With batch_first=False the zeros have as many rows as there are steps.",
        broken=partial(BetterLstm, broken=True),
        mended=partial(BetterLstm, broken=False),
        contract=STEPS(task="tag", batch_first=False),
        codes=("SW114", "SW202"),
    ),
)
