"""State: where does it begin, whose is it, and who clears it? The S rows of public cases."""

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

Pair = tuple[Tensor, Tensor]


class RememberingGru(nn.Module):
    """Two GRU layers with the option to remember: each call copies the last output state into the input state."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self.hidden_input: Tensor | None = None
        self.hidden_output: Tensor | None = None
        self._clears_both = not broken

    def reset_states(self) -> None:
        """Begin anew."""
        self.hidden_input = None
        if self._clears_both:
            self.hidden_output = None

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, outputs]`."""
        if self.hidden_output is not None:
            fits = self.hidden_output.shape[1] == len(x)
            self.hidden_input = self.hidden_output if fits else None
        outputs, hidden = self.gru(x, self.hidden_input)
        self.hidden_output = hidden.detach()
        scores: Tensor = self.head(outputs[:, -1])
        return scores


class LeggedPolicy(nn.Module):
    """An LSTM memory before an actor of two layers, over rollouts that hold several episodes; time first."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.memory = nn.LSTMCell(sizes.inputs, sizes.hidden)
        self.actor = nn.Sequential(nn.Linear(sizes.hidden, sizes.hidden), nn.ELU(), nn.Linear(sizes.hidden, sizes.outputs))
        self._resets = not broken

    def initial_state(self, batch_size: int) -> Pair:
        """Return zeros of the weights' type."""
        zeros = self.memory.weight_hh.new_zeros(batch_size, self.memory.hidden_size)
        return zeros, zeros.clone()

    def forward(self, observations: Tensor, state: Pair, is_first: Tensor) -> tuple[Tensor, Pair]:
        """Return actions `[time, batch, outputs]` and the state."""
        actions = []
        for observation, first in zip(observations, is_first, strict=True):
            if self._resets:
                hidden, cell = (part.masked_fill(first.unsqueeze(1), 0.0) for part in state)
                state = hidden, cell
            state = self.memory(observation, state)
            actions.append(self.actor(state[0]))
        return torch.stack(actions), state


class TradingPolicy(nn.Module):
    """Prices through an LSTM; when it is tested, the state of the step before is not fed."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.extract = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.ReLU())
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.action = nn.Linear(sizes.hidden, sizes.outputs)
        self._feeds = not broken

    def initial_state(self, batch_size: int) -> Pair:
        """Return zeros of the weights' type."""
        zeros = self.action.weight.new_zeros(1, batch_size, self.lstm.hidden_size)
        return zeros, zeros.clone()

    def forward(self, prices: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """Return actions `[batch, time, outputs]` and the state."""
        features = self.extract(prices)
        outputs, state = self.lstm(features, state) if self._feeds else self.lstm(features)
        return self.action(outputs), state


class ScannedPolicy(nn.Module):
    """A GRU cell scanned over a rollout, which takes the flag of a beginning for that of an end."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.torso = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.LayerNorm(sizes.hidden), nn.ReLU())
        self.cell = nn.GRUCell(sizes.hidden, sizes.hidden)
        self.logits = nn.Linear(sizes.hidden, sizes.outputs)
        self._as_done = broken

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros of the weights' type."""
        return self.cell.weight_hh.new_zeros(batch_size, self.cell.hidden_size)

    def forward(self, observations: Tensor, state: Tensor, is_first: Tensor) -> tuple[Tensor, Tensor]:
        """Return action scores `[time, batch, outputs]` and the state."""
        scores = []
        for features, first in zip(self.torso(observations), is_first, strict=True):
            begin = torch.zeros_like(state)
            if self._as_done:
                hidden = self.cell(features, state)
                state = torch.where(first.unsqueeze(1), begin, hidden)
            else:
                state = hidden = self.cell(features, torch.where(first.unsqueeze(1), begin, state))
            scores.append(self.logits(hidden))
        return torch.stack(scores), state


class ScanReader(nn.Module):
    """Brain regions of one subject through an LSTM, dropout and one unit; the state of the last call lies on the module."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.linear = nn.Linear(sizes.hidden, 1)
        self.hidden: Pair | None = None
        self._passes = broken

    def forward(self, x: Tensor) -> Tensor:
        """Return a probability `[batch, 1]`."""
        fits = self.hidden is not None and self.hidden[0].shape[1] == len(x)
        outputs, self.hidden = self.lstm(x, self.hidden if self._passes and fits else None)
        return torch.sigmoid(self.linear(self.dropout(outputs[:, -1])))


class BookModel(nn.Module):
    """A language model from scratch: embedding, one square layer, one readout; its activations stay on the module."""

    def __init__(self, sizes: Sizes, *, kept: str) -> None:
        super().__init__()
        self.i_h = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.h_h = nn.Linear(sizes.hidden, sizes.hidden)
        self.h_o = nn.Linear(sizes.hidden, sizes.vocabulary)
        self.h: Tensor | float = 0.0
        self._kept = kept

    def reset(self) -> None:
        """Begin a new text."""
        self.h = 0.0

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scores of the token after the last one, `[batch, vocabulary]`."""
        hidden = self.h
        if self._kept == "rows that match" and isinstance(hidden, Tensor) and len(hidden) != len(tokens):
            hidden = 0.0
        for step in range(tokens.shape[1]):
            hidden = torch.relu(self.h_h(hidden + self.i_h(tokens[:, step])))
        assert isinstance(hidden, Tensor)
        self.h = hidden.mean(0).detach() if self._kept == "mean of rows" else hidden.detach()
        scores: Tensor = self.h_o(hidden)
        return scores


class ReplayedQ(nn.Module):
    """Q values of a few frames; the LSTM begins in zeros made for the batch of the replay memory."""

    replayed = 32

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.frames = nn.Sequential(nn.Linear(sizes.inputs, sizes.hidden), nn.ReLU())
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden, batch_first=True)
        self.values = nn.Linear(sizes.hidden, sizes.outputs)
        self._fixed = broken

    def forward(self, frames: Tensor) -> Tensor:
        """Return action values `[batch, outputs]`."""
        zeros = frames.new_zeros(1, self.replayed if self._fixed else len(frames), self.lstm.hidden_size)
        outputs, _ = self.lstm(self.frames(frames), (zeros, zeros))
        values: Tensor = self.values(outputs[:, -1])
        return values


class TrackEncoder(nn.Module):
    """Displacements of traffic agents through one LSTM; the last output is the agent."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.decode = nn.Linear(sizes.hidden, sizes.outputs)
        self._begin = torch.randn if broken else torch.zeros

    def forward(self, tracks: Tensor) -> Tensor:
        """Return values `[batch, outputs]`."""
        shape = (1, len(tracks), self.lstm.hidden_size)
        hidden, cell = (self._begin(shape, device=tracks.device, dtype=tracks.dtype) for _ in range(2))
        outputs, _ = self.lstm(tracks, (hidden, cell))
        values: Tensor = self.decode(outputs[:, -1])
        return values


class EntityTagger(nn.Module):
    """Emission scores of a named entity recogniser: embedding, bidirectional LSTM, linear."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.hidden, padding_idx=0)
        self.lstm = nn.LSTM(sizes.hidden, sizes.hidden // 2, batch_first=True, bidirectional=True)
        self.emissions = nn.Linear(sizes.hidden, sizes.outputs)
        self._random = broken

    def init_hidden(self, words: Tensor) -> Pair:
        """Return the state in which both directions begin."""
        shape = (2, len(words), self.lstm.hidden_size)
        if self._random:
            return torch.randn(shape, dtype=words.dtype), torch.randn(shape, dtype=words.dtype)
        return words.new_zeros(shape), words.new_zeros(shape)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        words = self.embedding(tokens)
        packed = pack_padded_sequence(words, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = self.lstm(packed, self.init_hidden(words))
        features, _ = pad_packed_sequence(outputs, batch_first=True, total_length=tokens.shape[1])
        scores: Tensor = self.emissions(features)
        return scores


class ParallelEncoder(nn.Module):
    """Keeps the batch first in its state, so that it can be split over devices, and turns it round for the LSTM."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(sizes.inputs, sizes.hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(sizes.hidden, sizes.outputs)
        self._views = broken

    def initial_state(self, batch_size: int) -> Pair:
        """Return zeros `[batch, layers, hidden]`."""
        zeros = self.head.weight.new_zeros(batch_size, 2, self.lstm.hidden_size)
        return zeros, zeros.clone()

    def _layers_first(self, part: Tensor) -> Tensor:
        layers_first = part.transpose(0, 1).contiguous()
        return part.reshape(layers_first.shape) if self._views else layers_first

    def forward(self, x: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """Return scores `[batch, time, outputs]` and the state."""
        outputs, (hidden, cell) = self.lstm(x, (self._layers_first(state[0]), self._layers_first(state[1])))
        return self.head(outputs), (hidden.transpose(0, 1).contiguous(), cell.transpose(0, 1).contiguous())


class StreamingRecogniser(nn.Module):
    """An acoustic encoder and a language model over it, both of which go on from block to block of one speaker."""

    def __init__(self, sizes: Sizes, *, broken: bool) -> None:
        super().__init__()
        self.encoder = nn.LSTM(sizes.inputs, sizes.hidden, batch_first=True)
        self.language = nn.GRU(sizes.hidden, sizes.hidden, batch_first=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.outputs)
        self.encoder_state: Pair | None = None
        self.language_state: Tensor | None = None
        self._checks_speaker = not broken

    def reset(self) -> None:
        """Begin with another speaker."""
        self.encoder_state = None
        if self._checks_speaker:
            self.language_state = None

    def forward(self, x: Tensor) -> Tensor:
        """Return scores `[batch, time, outputs]`."""
        if self.language_state is not None and self.language_state.shape[1] != len(x):
            self.language_state = None
        heard, (hidden, cell) = self.encoder(x, self.encoder_state)
        said, state = self.language(heard, self.language_state)
        self.encoder_state, self.language_state = (hidden.detach(), cell.detach()), state.detach()
        scores: Tensor = self.head(torch.cat([heard, said], dim=-1))
        return scores


SEQUENCE: Callable[..., Contract] = partial(
    Contract, takes=("x",), batch_first=True, each="sequence", returns_state=False, causal=True, stateful=False, order_matters=True
)
KEEPS: Callable[..., Contract] = partial(SEQUENCE, stateful=True)
CARRIES: Callable[..., Contract] = partial(
    SEQUENCE, takes=("x", "state"), each="step", initial_state="initial_state", returns_state=True, output="logits"
)
ROLLOUT: Callable[..., Contract] = partial(CARRIES, takes=("x", "state", "is_first"), batch_first=False)
BOOK = KEEPS(reset="reset", output="logits")

WILD: tuple[Wild, ...] = (
    Wild(
        name="GRU that remembers, reset without effect",
        case="S1",
        seen_in="soumith/cudnn.torch#348",
        says="resetStates clears the input state, into which the next call copies the last output state again.",
        broken=partial(RememberingGru, broken=True),
        mended=partial(RememberingGru, broken=False),
        contract=KEEPS(task="classify", reset="reset_states", output="logits"),
        codes=("SW102",),
    ),
    Wild(
        name="legged robot's policy, played without resets",
        case="S3",
        seen_in="isaac-sim/IsaacLab#3837",
        says="When the policy is played, nobody clears its memory where an episode ends.",
        broken=partial(LeggedPolicy, broken=True),
        mended=partial(LeggedPolicy, broken=False),
        contract=ROLLOUT(output="values"),
        codes=("SW115",),
    ),
    Wild(
        name="trading policy that is not fed its state",
        case="S3",
        seen_in="notadamking/RLTrader#49",
        says="The state is not fed to the policy when it is tested, so that each call begins anew.",
        broken=partial(TradingPolicy, broken=True),
        mended=partial(TradingPolicy, broken=False),
        contract=CARRIES(),
        codes=("SW104", "SW103"),
    ),
    Wild(
        name="scanned policy reset by done",
        case="S4",
        seen_in="instadeepai/Mava#1006",
        says="The state is reset by the flag of an end where that of a beginning is meant, a step off.",
        broken=partial(ScannedPolicy, broken=True),
        mended=partial(ScannedPolicy, broken=False),
        contract=ROLLOUT(),
        codes=("SW116",),
    ),
    Wild(
        name="LSTM over fMRI, state of the last batch with its graph",
        case="S7",
        seen_in="sgadgil6/cnslab_fmri#4",
        says="Each batch begins in the state of the last one, which still hangs on its graph, so that backward fails the second time.",
        broken=partial(ScanReader, broken=True),
        mended=partial(ScanReader, broken=False),
        contract=SEQUENCE(task="classify", output="probabilities"),
        codes=("SW109", "SW101"),
    ),
    Wild(
        name="language model of a book, smaller last batch",
        case="S11",
        seen_in="fastai/fastbook#469",
        says="The activations that are kept have the rows of the batch before, and the last batch has fewer.",
        broken=partial(BookModel, kept="as they are"),
        mended=partial(BookModel, kept="rows that match"),
        contract=BOOK,
        codes=("SW114",),
        reads="tokens",
    ),
    Wild(
        name="language model of a book, mean over the batch",
        case="S11",
        seen_in="fastai/fastbook#469",
        says="The repair that was proposed keeps the mean over the rows, so that each row goes on from all of them.",
        broken=partial(BookModel, kept="mean of rows"),
        mended=partial(BookModel, kept="rows that match"),
        contract=BOOK,
        codes=("SW108", "SW201"),
        reads="tokens",
    ),
    Wild(
        name="deep Q network, state of the replay's size",
        case="S11",
        seen_in="AndersonJo/dqn-pytorch#1",
        says="The LSTM begins in a state of the replay memory's batch size, and batches have 30 to 32 rows.",
        broken=partial(ReplayedQ, broken=True),
        mended=partial(ReplayedQ, broken=False),
        contract=SEQUENCE(output="values"),
        codes=("SW114",),
    ),
    Wild(
        name="LSTM over tracks of traffic agents, drawn state",
        case="S12",
        seen_in="schmidt-ju/crat-pred#8",
        says="Hidden and cell state are drawn anew in each call, so that each evaluation says something else.",
        broken=partial(TrackEncoder, broken=True),
        mended=partial(TrackEncoder, broken=False),
        contract=SEQUENCE(task="regress", output="values"),
        codes=("SW111", "SW601"),
    ),
    Wild(
        name="named entities by BiLSTM, drawn state",
        case="S12",
        seen_in="TodoListIOS/NER-PyTorch#1",
        says="init_hidden draws its state also when it predicts.",
        broken=partial(EntityTagger, broken=True),
        mended=partial(EntityTagger, broken=False),
        contract=SEQUENCE(task="tag", each="step", takes=("x", "lengths"), padding="right", causal=False, output="logits"),
        codes=("SW111", "SW601"),
        reads="tokens",
    ),
    Wild(
        name="state with the batch first, viewed",
        case="S13",
        seen_in="pytorch/pytorch#7890",
        says="A state with the batch first is viewed, not transposed, as the state with layers first that torch wants.",
        broken=partial(ParallelEncoder, broken=True),
        mended=partial(ParallelEncoder, broken=False),
        contract=CARRIES(task="tag"),
        codes=("SW108",),
    ),
    Wild(
        name="streaming recogniser, language model of the last speaker",
        case="S17",
        seen_in="hirofumi0810/neural_sp#301",
        says="The state of the language model is carried over to the next speaker.",
        broken=partial(StreamingRecogniser, broken=True),
        mended=partial(StreamingRecogniser, broken=False),
        contract=KEEPS(task="tag", each="step", reset="reset", output="logits"),
        codes=("SW102",),
    ),
)
