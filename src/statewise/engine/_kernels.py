"""How is each kind of module run over the cells of a plan?

A kernel holds what differs between kinds: the initial state, the batch axes, the call, what fits. To add a kind, add a
kernel and name it in `kernel_for`.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn

from statewise.engine._cell_kernel import CellKernel
from statewise.engine._plan import Plan
from statewise.engine._recurrent import Recurrent
from statewise.engine._recurrent_kernel import RecurrentKernel
from statewise.engine._torch_kernel import TorchKernel
from statewise.errors import ContractError, kind_of
from statewise.state import Axes
from statewise.types import State


@runtime_checkable
class Kernel(Protocol):
    """One kind of module, ready to be run on data `[steps, *]`, or `[cells, *]` in the order of a plan."""

    @property
    def name(self) -> str:
        """The module as a message shows it."""
        ...

    @property
    def num_axes(self) -> int | None:
        """How many axes dense inputs have; None where a step may look as it likes, so that any number from two on will do."""
        ...

    @property
    def is_batch_first(self) -> bool:
        """Whether the module itself reads dense inputs with the batch first, so that an order of axes could be meant that is not ours."""
        ...

    def check(self, values: Tensor) -> None:
        """Refuse flat values `[steps, *]` that the module cannot read."""
        ...

    def check_state(self, state: State, rows: int, values: Tensor) -> State:
        """Return the state that was given, or refuse one that is not of `rows` rows."""
        ...

    def axes(self, values: Tensor) -> Axes:
        """Return the batch axis of each leaf of the state."""
        ...

    def initial_state(self, rows: int, values: Tensor) -> State:
        """Return the state in which `rows` sequences begin."""
        ...

    @property
    def begins_alike(self) -> bool:
        """Whether all rows of the initial state are known to be the same."""
        ...

    def plan(self, lengths: np.ndarray, values: Tensor) -> Plan:
        """Return how rows of these lengths are run."""
        ...

    def ragged(self, data: Tensor, state: State, plan: Plan, ends: np.ndarray | None) -> tuple[Tensor, State]:
        """Run a plan of at least one block over its cells, from states that are longest row first.

        Return the outputs in cell order, and the state of the rows `ends` (places in the plan's order) each at its own end, or None.
        """
        ...

    def no_outputs(self, values: Tensor) -> Tensor:
        """Return the outputs of no step at all, `[0, *]`."""
        ...


def kernel_for(module: Any) -> Kernel:
    """Return the kernel of a module.

    Raises:
        ContractError: a module of another kind; the message tells which two methods it lacks.
    """
    if isinstance(module, nn.RNN | nn.LSTM | nn.GRU):
        return TorchKernel(module)
    if isinstance(module, nn.RNNCell | nn.LSTMCell | nn.GRUCell):
        return CellKernel(module)
    if isinstance(module, Recurrent):
        return RecurrentKernel(module)
    compiled = getattr(module, "_orig_mod", None)
    raise ContractError(
        asked="unroll(module, inputs)",
        where="module",
        arrived=kind_of(module),
        hint="Give the module as it was before torch.compile: its weights are the same ones."
        if isinstance(compiled, nn.RNN | nn.LSTM | nn.GRU | nn.RNNCell | nn.LSTMCell | nn.GRUCell | Recurrent)
        else "Give an nn.RNN, nn.LSTM or nn.GRU, one of their cells, or wrap the module in a class with two methods: "
        "initial_state(batch_size, *, device, dtype) -> state, and forward(inputs [time, batch, feature], state) -> (outputs, state).",
    )
