"""How are nn.RNN, nn.LSTM and nn.GRU run over rows of unequal lengths?

Each layer and direction runs alone over the plan's cells (`_layer`), the backward one on rows reversed each at its own end. A module
with hooks or a forward of its own is called itself, and so is one that cuDNN had best run whole: over rows of one length, or packed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from statewise.engine._chain import chain, split_rows
from statewise.engine._layer import Layer, Leaves, is_more_than_its_weights
from statewise.engine._moves import on_device, permuted
from statewise.engine._plan import Plan
from statewise.engine._torch_checks import check_values, checked_state
from statewise.state import join, map_tensors, select
from statewise.types import State

TorchRNN: TypeAlias = nn.RNN | nn.LSTM | nn.GRU


@dataclass(frozen=True, eq=False)
class TorchKernel:
    """Runs one of torch's recurrent modules, whose states have their rows on axis 1."""

    module: TorchRNN

    @property
    def name(self) -> str:
        """The module as a message shows it."""
        return f"{type(self.module).__name__}({self.module.input_size}, {self.module.hidden_size})"

    @property
    def num_axes(self) -> int:
        """Time, batch and feature."""
        return 3

    @property
    def is_batch_first(self) -> bool:
        """As the module says."""
        return self.module.batch_first

    def axes(self, values: Tensor) -> int:  # noqa: ARG002
        """Return the batch axis of each leaf, which the axis of layers and directions comes before."""
        return 1

    def check(self, values: Tensor) -> None:
        """Refuse values that are not `[steps, input_size]` in the dtype of the weights."""
        check_values(values, name=self.name, input_size=self.module.input_size, weight=self._first.weights[0])

    def check_state(self, state: State, rows: int, values: Tensor) -> State:  # noqa: ARG002
        """Return the state, h or (h, c), in the dtype of the weights, each `[layers * directions, rows, size]`."""
        return checked_state(
            state, self._state_shapes(rows), weight=self._first.weights[0], name=self.name, axes="[layers * directions, rows, size]"
        )

    @property
    def begins_alike(self) -> bool:
        """Zeros are."""
        return True

    def initial_state(self, rows: int, values: Tensor) -> State:
        """Return zeros, as torch does."""
        zeros = tuple(values.new_zeros(shape) for shape in self._state_shapes(rows))
        return zeros if len(zeros) == 2 else zeros[0]

    def _dense(self, dense: Tensor, state: State) -> tuple[Tensor, State]:
        """Call the module itself."""
        state = map_tensors(Tensor.contiguous, state)  # cuDNN refuses another
        if not self.module.batch_first:
            outputs, final = self.module(dense, state)
            return outputs, final
        outputs, final = self.module(dense.transpose(0, 1), state)
        return outputs.transpose(0, 1), final

    def plan(self, lengths: np.ndarray, values: Tensor) -> Plan:
        """Return where time is cut: by cost where blocks may waste cells, else wherever a row ends."""
        if self._must_be_called or self._is_packed:
            return Plan(lengths)
        return self._first.plan(lengths, values)

    def ragged(self, data: Tensor, state: State, plan: Plan, ends: np.ndarray | None) -> tuple[Tensor, State]:
        """Run a plan over its cells."""
        if plan.is_whole and self._runs_whole:
            outputs, final = self._dense(data.view(len(plan.widths), -1, *data.shape[1:]), state)
            outputs = outputs.flatten(0, 1)
        elif not (self._must_be_called or self._is_packed):
            return self._layers(data, state, plan, ends)
        elif self._is_packed or self.module.bidirectional:
            outputs, final = self._packed(data, state, plan)
        else:
            outputs, final = chain(self._dense, data, state, 1, plan)
        if ends is None:
            return outputs, None
        # Under autocast torch hands out a state of less precision; what is carried keeps its own.
        ended = select(final, on_device(data.device, ends)[0])
        return outputs, map_tensors(lambda leaf, begun: leaf.to(begun.dtype), ended, state)

    def no_outputs(self, values: Tensor) -> Tensor:
        """Return `[0, out]`."""
        size = (self.module.proj_size or self.module.hidden_size) * (2 if self.module.bidirectional else 1)
        return values.new_zeros((0, size))

    @cached_property
    def _must_be_called(self) -> bool:
        """Whether a call of the module is more than its weights: it has hooks, or a forward of its own."""
        return is_more_than_its_weights(self.module)

    @cached_property
    def _is_packed(self) -> bool:
        """Whether the module itself is called on torch's packed layout."""
        return self._first.is_packed(is_called=self._must_be_called)

    @property
    def _runs_whole(self) -> bool:
        """Whether rows of one length go through one call of the module.

        Dropout is drawn between layers, of which a single one needs no such call: cuDNN's own is of a generator that no checkpoint holds.
        """
        if self._must_be_called:
            return self._is_packed or not self.module.bidirectional
        is_dropping = self.module.training and self.module.dropout > 0 and self.module.num_layers > 1
        return self._is_packed or (self._first.way == "dense" and len(self._weights) > 1 and not is_dropping)

    def _packed(self, data: Tensor, state: State, plan: Plan) -> tuple[Tensor, State]:
        """Call the module on torch's own packed layout, which is the packed order of the plan."""
        running, empty = split_rows(state, plan.blocks[0].width, 1)
        outputs, final = self.module(PackedSequence(data, torch.from_numpy(plan.widths)), map_tensors(Tensor.contiguous, running))
        return outputs.data, join([final, empty], 1)

    def _layers(self, data: Tensor, state: State, plan: Plan, ends: np.ndarray | None) -> tuple[Tensor, State]:
        """Run layer after layer, each in its directions, with dropout between layers as torch has it."""
        leaves = state if isinstance(state, tuple) else (state,)
        reversal = on_device(data.device, plan.reversal)[0] if self.module.bidirectional else None
        finals: list[tuple[Tensor, ...]] = []
        for number in range(self.module.num_layers):
            if number:
                data = nn.functional.dropout(data, self.module.dropout, self.module.training)
            outputs = []
            for suffix in self._directions():
                own = tuple(leaf[len(finals)] for leaf in leaves)
                out, final = self._one_direction(data, own, plan, ends, number, suffix, reversal)
                outputs.append(out)
                finals.append(final)
            data = torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0]
        if ends is None:
            return data, None
        final_state = tuple(torch.stack(column) for column in zip(*finals, strict=True))
        return data, final_state if isinstance(state, tuple) else final_state[0]

    def _one_direction(  # noqa: PLR0917  # one call, whose arguments are told apart by their types
        self, data: Tensor, state: Leaves, plan: Plan, ends: np.ndarray | None, number: int, suffix: str, reversal: Tensor | None
    ) -> tuple[Tensor, Leaves]:
        """Run one layer in one direction; backwards, over rows that are reversed each at its own end."""
        layer = self._layer(number, suffix) if number or suffix else self._first
        if not suffix:
            outputs, final = layer.run(data, state, plan, ends)
        else:
            assert reversal is not None
            outputs, final = layer.run(permuted(data, reversal), state, plan, ends)
            outputs = permuted(outputs, reversal)
        return outputs, final or ()

    @cached_property
    def _weights(self) -> list[tuple[Tensor, ...]]:
        """The weights of each layer and direction as they are now, in torch's order; a parametrized one is computed anew, once."""
        return [tuple(weights) for weights in self.module.all_weights]

    @cached_property
    def _first(self) -> Layer:
        """The first layer, which also says how all of them are run."""
        return self._layer(0, "")

    def _layer(self, number: int, suffix: str) -> Layer:
        """Return one layer in one direction."""
        place = number * len(self._directions()) + bool(suffix)
        return Layer(mode=self.module.mode.lower(), weights=self._weights[place], has_biases=self.module.bias)

    def _directions(self) -> tuple[str, ...]:
        """Return how the names of the weights of each direction end."""
        return ("", "_reverse") if self.module.bidirectional else ("",)

    def _state_shapes(self, rows: int) -> tuple[tuple[int, int, int], ...]:
        """Return the shapes of h, and for an LSTM of c."""
        depth = self.module.num_layers * (2 if self.module.bidirectional else 1)
        h = (depth, rows, self.module.proj_size or self.module.hidden_size)
        return (h, (depth, rows, self.module.hidden_size)) if isinstance(self.module, nn.LSTM) else (h,)
