"""How is one layer of an nn.RNN, nn.LSTM or nn.GRU run in one direction over the cells of a plan?

Four ways lead to the same outputs: dense blocks of oneDNN (`_lstm_blocks`) or of cuDNN (`_dense_blocks`), a step loop of our own
(`_scans`), or torch's own function, cut wherever a row ends. A fifth, torch's packed layout, takes whole modules (`_torch_kernel`).
The table in `_costs` says which is fastest where; here is decided which is possible.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as all_modules

from statewise.engine._chain import chain
from statewise.engine._costs import Kind, Way, cost_of, way_of
from statewise.engine._dense_blocks import run_dense
from statewise.engine._flat_weights import flat_weights
from statewise.engine._lstm_blocks import run_blocks
from statewise.engine._moves import at_ends, on_device
from statewise.engine._plan import Plan
from statewise.engine._scans import Weights, scan_gru, scan_rnn
from statewise.engine._transforms import is_transformed
from statewise.state import select
from statewise.types import State

Leaves: TypeAlias = tuple[Tensor, ...]
"""The state of one layer in one direction: h, or h and c, each `[rows, units]`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """One layer in one direction.

    Attributes:
        mode: `"lstm"`, `"gru"`, `"rnn_tanh"` or `"rnn_relu"`.
        weights: to gates from inputs and from h, then two biases where there are some, then a projection, as torch's functions take them.
        has_biases: whether there are biases.
    """

    mode: str
    weights: tuple[Tensor, ...]
    has_biases: bool

    @property
    def kind(self) -> Kind:
        """What the table of costs calls it."""
        return "rnn" if self.mode.startswith("rnn") else "lstm" if self.mode == "lstm" else "gru"

    @property
    def has_projection(self) -> bool:
        """Whether h is a projection of the units."""
        return len(self.weights) == 2 + 2 * self.has_biases + 1

    def biases(self) -> tuple[Tensor, Tensor]:
        """Return both biases; zeros where there are none."""
        if self.has_biases:
            return self.weights[2], self.weights[3]
        zeros = self.weights[1].new_zeros(self.weights[1].shape[0])
        return zeros, zeros

    def is_packed(self, *, is_called: bool) -> bool:
        """Whether the whole module is best called on torch's packed layout, as cuDNN takes it.

        Where dense blocks are faster, so is a module that must be called itself (`is_called`), or that dense blocks do not suit.
        """
        usual = way_of(self.weights[0].device.type, self.kind)
        return not is_transformed() and (usual == "packed" or (usual == "dense" and (is_called or not self._suits_dense_blocks)))

    @property
    def _suits_dense_blocks(self) -> bool:
        """Whether dense blocks of cuDNN are exact, and faster.

        In a plain RNN of relu what runs on may overflow, and 0 times infinity would spoil the gradients of the weights. With a projection
        cuDNN is no faster on them. Under autocast c would be computed anew from less precision than it is carried in.
        """
        return not (self.mode == "rnn_relu" or self.has_projection or torch.is_autocast_enabled(self.weights[0].device.type))

    @cached_property
    def way(self) -> Way:
        """How it is run. Data is where the weights are, and of their dtype except under autocast."""
        first = self.weights[0]
        usual = way_of(first.device.type, self.kind)
        if usual == "packed" or is_transformed() or not all(weight.dtype == first.dtype for weight in self.weights):
            return "chain"
        if usual == "blocks" and not (self.kind == "lstm" and not self.has_projection and _onednn_takes(first)):
            return "chain"
        if usual == "dense" and not self._suits_dense_blocks:
            return "chain"
        return usual

    def plan(self, lengths: np.ndarray, data: Tensor) -> Plan:
        """Return how rows of these lengths are run on such data: only blocks may waste cells."""
        if self.way not in {"blocks", "dense"}:
            return Plan(lengths)
        train = torch.is_grad_enabled() and (data.requires_grad or any(weight.requires_grad for weight in self.weights))
        w_ih, w_hh, *_ = self.weights
        return Plan(lengths, cost_of(data.device.type, self.kind, train=train, input_size=w_ih.shape[1], hidden_size=w_hh.shape[1]))

    def run(self, data: Tensor, state: Leaves, plan: Plan, ends: np.ndarray | None) -> tuple[Tensor, Leaves | None]:
        """Return the outputs `[cells, units]` and the state of the rows `ends`, each at its own end.

        Args:
            data: `[cells, features]`, in the plan's cell order.
            state: one row a row of the plan, longest first.
            plan: at least one block, as `plan` makes it.
            ends: places in the plan's order; None asks for no state.
        """
        if self.way == "chain":
            return self._chained(data, state, plan, ends)
        w_ih, w_hh, *_ = self.weights
        weights = Weights(w_ih, w_hh, *self.biases())
        if self.way == "dense":
            return run_dense(partial(self._call, flat_weights(self.mode, self.weights)), data, state, weights, plan, ends)
        is_cast = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if is_cast else data.dtype
        with torch.autocast("cpu", enabled=False) if is_cast else nullcontext():
            if self.way == "blocks":
                return run_blocks(data, (state[0], state[1]), weights, plan, ends=ends, dtype=dtype)
            return self._scanned(data, state[0], weights, plan, ends, dtype)

    def _scanned(  # noqa: PLR0917  # one call, whose arguments are told apart by their types
        self, data: Tensor, h: Tensor, weights: Weights, plan: Plan, ends: np.ndarray | None, dtype: torch.dtype
    ) -> tuple[Tensor, Leaves | None]:
        """Run the step loop of our own; as torch has it, a GRU answers in the dtype of its weights, also under autocast."""
        if self.kind == "gru":
            dtype = weights.w_hh.dtype
        cast = Weights(*(weight.to(dtype) for weight in weights))
        scan = partial(scan_rnn, relu=self.mode == "rnn_relu") if self.kind == "rnn" else scan_gru
        outputs = scan(data.to(dtype), h.to(dtype), cast, plan)
        return outputs, None if ends is None else (at_ends(outputs, h, plan, ends),)

    def _chained(self, data: Tensor, state: Leaves, plan: Plan, ends: np.ndarray | None) -> tuple[Tensor, Leaves | None]:
        """Call torch's function on each block."""
        outputs, final = chain(partial(self._call, flat_weights(self.mode, self.weights)), data, state, 0, plan)
        return outputs, None if ends is None else select(final, on_device(data.device, ends)[0], 0)

    def _call(self, weights: Leaves, dense: Tensor, state: State) -> tuple[Tensor, Leaves]:
        """Call torch's function of one layer on one dense block."""
        function = getattr(torch, self.mode)
        given = tuple(leaf.unsqueeze(0) for leaf in state)
        hx = given if self.kind == "lstm" else given[0]
        outputs, *final = function(dense, hx, list(weights), self.has_biases, 1, 0.0, torch.is_grad_enabled(), False, False)  # noqa: FBT003
        return outputs, tuple(leaf[0] for leaf in final)


def _onednn_takes(weight: Tensor) -> bool:
    """Whether oneDNN runs an LSTM of such weights: float32, or bfloat16 under autocast on a processor that has it."""
    backend = torch.backends.mkldnn
    if weight.device.type != "cpu" or not backend.is_available() or not bool(backend.enabled):
        return False
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001
    return weight.dtype == torch.float32


def is_more_than_its_weights(module: nn.Module) -> bool:
    """Whether a call of one of torch's modules is more than its weights: it, or every module, has hooks, or it a forward of its own."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)  # noqa: SLF001
    own_forward = "forward" in vars(module) or not type(module).forward.__module__.startswith("torch.nn.")
    return own_forward or any(hooks) or any(getattr(all_modules, name) for name in _HOOKS_OF_ALL)


_HOOKS_OF_ALL = ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks", "_global_backward_pre_hooks")
