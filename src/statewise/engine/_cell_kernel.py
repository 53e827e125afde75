"""How are nn.RNNCell, nn.LSTMCell and nn.GRUCell, which know one step only, run over whole sequences?

A cell has the weights of one layer in one direction, so it is run as such (`_layer`). One with hooks or a forward of its own is called
itself, step after step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from statewise.engine._chain import chain
from statewise.engine._layer import Layer, is_more_than_its_weights
from statewise.engine._moves import on_device
from statewise.engine._plan import Plan
from statewise.engine._torch_checks import check_values, checked_state
from statewise.state import map_tensors, select
from statewise.types import State

TorchCell: TypeAlias = nn.RNNCell | nn.LSTMCell | nn.GRUCell
_KINDS: dict[type[nn.Module], str] = {nn.LSTMCell: "lstm", nn.GRUCell: "gru", nn.RNNCell: "rnn"}


@dataclass(frozen=True, eq=False)
class CellKernel:
    """Runs one of torch's cells; its state is h or (h, c), each `[rows, units]`."""

    module: TorchCell

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
        """A cell knows no time, so there is no other order."""
        return False

    def axes(self, values: Tensor) -> int:  # noqa: ARG002
        """Return the batch axis of each leaf."""
        return 0

    def check(self, values: Tensor) -> None:
        """Refuse values that are not `[steps, input_size]` in the dtype of the weights."""
        check_values(values, name=self.name, input_size=self.module.input_size, weight=self._layer.weights[0])

    def check_state(self, state: State, rows: int, values: Tensor) -> State:  # noqa: ARG002
        """Return the state, h or (h, c), in the dtype of the weights, each `[rows, units]`."""
        shape = (rows, self.module.hidden_size)
        shapes = (shape, shape) if isinstance(self.module, nn.LSTMCell) else (shape,)
        return checked_state(state, shapes, weight=self._layer.weights[0], name=self.name, axes="[rows, units]")

    @property
    def begins_alike(self) -> bool:
        """Zeros are."""
        return True

    def initial_state(self, rows: int, values: Tensor) -> State:
        """Return zeros, as torch does."""
        zeros = values.new_zeros(rows, self.module.hidden_size)
        return (zeros, zeros.clone()) if isinstance(self.module, nn.LSTMCell) else zeros

    def plan(self, lengths: np.ndarray, values: Tensor) -> Plan:
        """Return where time is cut."""
        return Plan(lengths) if self._must_be_called else self._layer.plan(lengths, values)

    def ragged(self, data: Tensor, state: State, plan: Plan, ends: np.ndarray | None) -> tuple[Tensor, State]:
        """Run a plan over its cells."""
        if self._must_be_called:
            outputs, final = chain(self._step_by_step, data, state, 0, plan)
            final = None if ends is None else select(final, on_device(data.device, ends)[0], 0)
        else:
            outputs, ended = self._layer.run(data, state if isinstance(state, tuple) else (state,), plan, ends)
            final = None if ended is None else ended if isinstance(state, tuple) else ended[0]
        return outputs, None if final is None else map_tensors(lambda leaf, begun: leaf.to(begun.dtype), final, state)

    def no_outputs(self, values: Tensor) -> Tensor:
        """Return `[0, units]`."""
        return values.new_zeros((0, self.module.hidden_size))

    def _step_by_step(self, dense: Tensor, state: State) -> tuple[Tensor, State]:
        """Call the cell itself on each step."""
        outputs = []
        for step in dense:
            state = self.module(step, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs), state

    @cached_property
    def _must_be_called(self) -> bool:
        return is_more_than_its_weights(self.module)

    @cached_property
    def _layer(self) -> Layer:
        """The cell as one layer in one direction, with its weights as they are now."""
        cell = self.module
        kind = next(kind for known, kind in _KINDS.items() if isinstance(cell, known))
        weights = [cell.weight_ih, cell.weight_hh, *([cell.bias_ih, cell.bias_hh] if cell.bias else [])]
        return Layer(
            mode=f"rnn_{cell.nonlinearity}" if isinstance(cell, nn.RNNCell) else kind, weights=tuple(weights), has_biases=cell.bias
        )
