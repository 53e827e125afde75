"""What does a built model consist of? An encoder, a recurrent core, a readout and a head, in that order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from statewise.contracts import Contract, Outputs, device_of, wrong_features
from statewise.engine import unroll
from statewise.errors import ShapeError
from statewise.models._encoder import Encoder, Standardize
from statewise.models._readout import Attention, read_out
from statewise.sequences import Ragged, Sequences, target_scale
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.models._config import ModelConfig
    from statewise.types import State

Core: TypeAlias = nn.RNN | nn.LSTM | nn.GRU

_CORES: dict[str, Callable[..., Core]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Model(nn.Module):
    """A recurrent model of sequences: `outputs, state = model(inputs, state)`.

    Made by `statewise.build`. Holds no state between calls.

    Attributes:
        config: the record that builds the same model again.
        encoder: standardises numbers and embeds categories.
        core: `nn.RNN`, `nn.LSTM` or `nn.GRU`.
        head: linear, from what was read out to the outputs. For a forecast it also reads the step itself, so that "as it is now" is
            one weight away, and what is known of the steps ahead.
        target: for values, the scale of the training targets: the head works in units of it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        between = config.dropout if config.num_layers > 1 else 0.0
        self.core: Core = _CORES[config.core](
            self.encoder.size, config.hidden_size, config.num_layers, dropout=between, bidirectional=config.bidirectional
        )
        self.dropout = nn.Dropout(config.dropout)
        directions = 2 if config.bidirectional else 1
        width = config.hidden_size * directions
        self.attention = Attention(width) if config.readout == "attention" else None
        beside = config.num_static + (self.encoder.size + config.horizon * config.num_known if config.task == "forecast" else 0)
        self.head = nn.Linear(width + beside, config.num_outputs)
        self.target = Standardize(1) if TASKS[config.task].holds == "values" else None
        leaves = 2 if config.core == "lstm" else 1
        shape = (config.num_layers * directions, 1, config.hidden_size)
        self.learned_state = nn.ParameterList([nn.Parameter(torch.zeros(shape)) for _ in range(leaves if config.learned_state else 0)])

    @property
    def task(self) -> str:
        """What the outputs are for."""
        return self.config.task

    @property
    def class_names(self) -> tuple[str, ...]:
        """The label behind each class number; empty where outputs are values."""
        return self.config.class_names

    def initial_state(self, batch_size: int, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> State:
        """Return the state that a sequence begins from: learned where the model learns one, else zeros.

        A tensor `[layers * directions, batch, hidden]`, for an LSTM a tuple of two.
        """
        core = self.core
        like = core.weight_hh_l0
        assert isinstance(like, Tensor)
        if self.learned_state:
            leaves = [
                leaf.expand(-1, batch_size, -1).contiguous().to(device or like.device, dtype or like.dtype) for leaf in self.learned_state
            ]
        else:
            shape = (core.num_layers * (2 if core.bidirectional else 1), batch_size, core.hidden_size)
            num_leaves = 2 if isinstance(core, nn.LSTM) else 1
            leaves = [torch.zeros(shape, device=device or like.device, dtype=dtype or like.dtype) for _ in range(num_leaves)]
        return tuple(leaves) if isinstance(core, nn.LSTM) else leaves[0]

    def learn(self, data: Sequences) -> None:
        """Take the scale of inputs, and of targets that are values, from one part: the training part, and nothing else."""
        self.encoder.learn(data)
        if self.target is not None:
            self.target.learn(target_scale(data))

    def forward(
        self,
        inputs: Ragged | Mapping[str, Ragged | Tensor] | Tensor,
        state: State = None,
        *,
        static: Tensor | None = None,
        categories: Mapping[str, tuple[str, ...]] | None = None,
        return_state: bool = True,
        beyond: Mapping[str, Ragged] | None = None,
    ) -> tuple[Tensor | Ragged, State]:
        """Return `(outputs, state)`.

        Args:
            inputs: a `Ragged` `[steps, feature]`, or a tensor `[batch, time, feature]` of equally long sequences (codes of a category:
                `[steps]`, `[batch, time]`); or a dict of them.
            state: the state each sequence continues from; None begins anew.
            static: `[n, static]`, for a model that was built with static features.
            categories: the labels behind the codes of categorical inputs, where they are not the model's own.
            return_state: with False None stands in the place of the final state, which takes time to find for an LSTM.
            beyond: the inputs with the steps that follow each sequence, where these are pieces of longer ones and features are known
                beforehand.

        Returns:
            Logits `[n, classes]` or `[n, labels]`, values `[n, 1]`; where there is one output a step, one row a step in the form of
            the inputs, for a forecast `[steps, horizon]`. With two classes there is a single logit, that of the second class.

        Raises:
            ShapeError: other features, inputs or static features than the model was built for, or an empty sequence.
        """
        parts = _as_parts(inputs)
        encoded: Ragged = self.encoder(parts, categories)
        if 0 in encoded.lengths.tolist():
            raise ShapeError(
                asked="call the model",
                where="lengths",
                arrived="a sequence without a step",
                hint="Leave it out with .select(...): there is nothing to read in it.",
            )
        if state is None and self.learned_state:
            state = self.initial_state(len(encoded), dtype=encoded.values.dtype)
        outputs, final = unroll(self.core, encoded, state, return_state=return_state)
        features = self._read_out(outputs, encoded, static)
        if self.config.num_known:
            features = torch.cat([features, self.encoder.known_ahead(parts, beyond)], dim=1)
        given = self.head(self.dropout(features))
        if self.target is not None:
            given = self.target.undo(given)
        if self.config.each == "sequence":
            return given, final
        if not any(isinstance(part, Ragged) for part in (inputs.values() if isinstance(inputs, Mapping) else [inputs])):
            return given.view(len(encoded), -1, given.shape[1]), final
        return encoded.with_values(given), final

    def _read_out(self, outputs: Ragged, encoded: Ragged, static: Tensor | None) -> Tensor:
        """Return what the head reads: the outputs read out, and beside them what else it may know."""
        if self.attention is not None:
            columns = [self.attention(outputs)]
        else:
            columns = [read_out(outputs, self.config.readout, bidirectional=self.config.bidirectional)]
        if self.config.num_static:
            columns.append(self._static_rows(static, encoded))
        if self.config.task == "forecast":
            columns.append(encoded.values)
        return torch.cat(columns, dim=1) if len(columns) > 1 else columns[0]

    def _static_rows(self, static: Tensor | None, encoded: Ragged) -> Tensor:
        assert self.encoder.static is not None
        size = self.config.num_static
        if static is None or static.shape != (len(encoded), size):
            raise ShapeError(
                asked="call the model",
                where="static",
                arrived="nothing" if static is None else f"shape {tuple(static.shape)}",
                hint=f"The model was built with static features: give a tensor of shape ({len(encoded)}, {size}).",
            )
        rows: Tensor = self.encoder.static(static.to(encoded.values.dtype))
        return rows if self.config.each == "sequence" else rows.index_select(0, encoded.rows)

    def run_sequences(self, data: Sequences, state: State = None, *, return_state: bool = True, beyond: Sequences | None = None) -> Outputs:
        """Return the outputs for all sequences, flat, and the state after them where it is asked for.

        Args:
            data: the sequences.
            state: the state that each goes on from; None begins anew.
            return_state: with False None stands in the place of the state.
            beyond: the same sequences with the steps that follow each, for features that are known beforehand.

        Raises:
            ShapeError: an input has another number of features than the model was built for; the source of the data is named.
        """
        for name, size in self.config.numeric.items():
            if name in data.parts and data.parts[name].values.shape[1:] != (size,):
                raise wrong_features(data, name, size, type(self).__name__)
        device = device_of(self)
        parts = {name: part.to(device) for name, part in data.parts.items()}
        static = None if data.static is None or not self.config.num_static else data.static.to(device)
        categories = {name: tuple(labels) for name, labels in data.categories.items()}
        later = None if beyond is None else {name: part.to(device) for name, part in beyond.parts.items()}
        given, final = self(parts, state, static=static, categories=categories, beyond=later, return_state=return_state)
        return Outputs(given.values if isinstance(given, Ragged) else given, self.config.each, final)

    def contract(self) -> Contract:
        """Return what the model promises."""
        return Contract(
            task=self.config.task,
            each=self.config.each,
            returns_state=True,
            causal=self.config.each == "step" and not self.config.bidirectional,
            stateful=False,
            output="values" if self.target is not None else "logits",
            horizon=self.config.horizon if self.config.task == "forecast" else None,
        )


def _as_parts(inputs: Ragged | Mapping[str, Ragged | Tensor] | Tensor) -> Mapping[str, Ragged]:
    """Return the inputs by name, each ragged; a tensor is a batch of equally long sequences."""
    if isinstance(inputs, (Ragged, Tensor)):
        inputs = {"x": inputs}
    return {name: part if isinstance(part, Ragged) else _as_ragged(name, part) for name, part in inputs.items()}


def _as_ragged(name: str, part: Tensor) -> Ragged:
    is_numbers = part.is_floating_point()
    if part.ndim != 2 + is_numbers:
        raise ShapeError(
            asked="call the model",
            where="inputs" if name == "x" else f"input {name!r}",
            arrived=f"a tensor of shape {tuple(part.shape)}",
            hint=f"Give {'[batch, time, feature]' if is_numbers else '[batch, time] of codes'}, a single sequence as x.unsqueeze(0), "
            "or sequences of unequal lengths as a Ragged.",
        )
    batch, time = part.shape[:2]
    return Ragged(part.flatten(0, 1), torch.full((batch,), time, device=part.device))
