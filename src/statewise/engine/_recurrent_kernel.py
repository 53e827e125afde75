"""How is a module of one's own (a `Recurrent`) run, and where are the rows in its state?"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from statewise.engine._chain import chain
from statewise.engine._plan import Plan
from statewise.engine._recurrent import Recurrent, state_dtype
from statewise.errors import ContractError, ShapeError
from statewise.state import Axes, aligned, find_axes, leaves, leaves_with_axes, named, num_rows, select
from statewise.types import State

# Found once a module: the two calls that find the axes cost as much as a step of training on short windows.
_found_axes: WeakKeyDictionary[Recurrent, Axes] = WeakKeyDictionary()
_PROBE_SIZES = (2, 5)


@dataclass(frozen=True, eq=False)
class RecurrentKernel:
    """Runs a module that takes its state and returns it."""

    module: Recurrent

    @property
    def name(self) -> str:
        """The module as a message shows it."""
        return type(self.module).__name__

    @property
    def num_axes(self) -> None:
        """A step may look as it likes."""
        return

    @property
    def is_batch_first(self) -> bool:
        """Whatever order its own forward has, a module of one's own is given lanes as `unroll` has them."""
        return False

    def check(self, values: Tensor) -> None:
        """Accept anything: what a step looks like is the module's own matter."""

    def check_state(self, state: State, rows: int, values: Tensor) -> State:
        """Return the state that was given, each leaf of `rows` rows."""
        found = num_rows(state, self.axes(values))
        if found not in (None, rows):
            raise ShapeError(
                asked=f"unroll({self.name}, inputs, state)",
                where="state",
                arrived=f"{found} rows for {rows} sequences or lanes",
                hint="Give one row a sequence (or lane), as the final state of an earlier call has, or None.",
            )
        return state

    def axes(self, values: Tensor) -> Axes:
        """Return the axes that the module names, or those found by calling it with two batch sizes."""
        declared = getattr(self.module, "state_axes", None)
        if declared is not None:
            return declared
        with suppress(TypeError):  # A module that cannot be referred to weakly, or hashed, is asked each time.
            if self.module not in _found_axes:
                _found_axes[self.module] = self._find_axes(values)
            return _found_axes[self.module]
        return self._find_axes(values)

    @property
    def begins_alike(self) -> bool:
        """A module may begin each row as it likes."""
        return False

    def initial_state(self, rows: int, values: Tensor) -> State:
        """Ask the module, and see that it gave as many rows as were asked for."""
        state = self._initial(rows, values)
        found = num_rows(state, self.axes(values))
        if found not in (None, rows):
            raise ContractError(
                asked=f"{self.name}.initial_state({rows})",
                where="the state that it returned",
                arrived=f"{found} rows",
                hint="Return one row for each of batch_size sequences.",
            )
        return state

    def _dense(self, dense: Tensor, state: State) -> tuple[Tensor, State]:
        """Call the module, and see that it returned what a Recurrent promises."""
        outputs, final = self._call(dense, state)
        for (path, old), new in zip(leaves(state), aligned(state, final, asked=self._asked_of_state), strict=True):
            if old.shape != new.shape:
                raise ContractError(
                    asked=self._asked_of_state,
                    where=named(path),
                    arrived=f"shape {tuple(new.shape)} where the state that went in has {tuple(old.shape)}",
                    hint="Return a state of the same sizes, so that it can go into the next call.",
                )
        return outputs, final

    def plan(self, lengths: np.ndarray, values: Tensor) -> Plan:  # noqa: ARG002
        """Cut wherever a row ends: only there does a module of one's own hand out its state, and what it would do beyond is unknown."""
        return Plan(lengths)

    def ragged(self, data: Tensor, state: State, plan: Plan, ends: np.ndarray | None) -> tuple[Tensor, State]:
        """Run a plan over its cells."""
        axes = self.axes(data)
        outputs, final = chain(self._dense, data, state, axes, plan)
        return outputs, None if ends is None else select(final, torch.from_numpy(ends), axes)

    def no_outputs(self, values: Tensor) -> Tensor:
        """Ask the module what an output looks like, and keep none of it."""
        outputs, _, _ = self._probe(_PROBE_SIZES[0], values)
        return outputs.flatten(0, 1)[:0]

    def _initial(self, rows: int, values: Tensor) -> State:
        return self.module.initial_state(rows, device=values.device, dtype=state_dtype(self.module, values))

    def _call(self, dense: Tensor, state: State, buffers: dict[str, Tensor] | None = None) -> tuple[Tensor, State]:
        """Call the module in its own order of axes, with other buffers if some are given."""
        batch_first = bool(getattr(self.module, "batch_first", False))
        given = dense.transpose(0, 1) if batch_first else dense
        call: Any = self.module if callable(self.module) else self.module.forward
        result = torch.func.functional_call(self.module, buffers, (given, state)) if buffers else call(given, state)  # type: ignore[arg-type]
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], Tensor)):
            raise self._wrong_return(f"a {type(result).__name__}" + (f" of {len(result)}" if isinstance(result, tuple) else ""))
        outputs, final = result
        if outputs.shape[:2] != given.shape[:2]:
            order = "[batch, time, ...]" if batch_first else "[time, batch, ...]"
            raise self._wrong_return(f"outputs of shape {tuple(outputs.shape)} for inputs {order} of shape {tuple(given.shape)}")
        return outputs.transpose(0, 1) if batch_first else outputs, final

    def _find_axes(self, values: Tensor) -> Axes:
        """Return the axes on which the initial and the returned state agree."""
        small, large = _PROBE_SIZES
        (_, begun, returned), (_, begun_large, returned_large) = (self._probe(size, values) for size in _PROBE_SIZES)
        axes, after = find_axes(begun, small, begun_large, large), find_axes(returned, small, returned_large, large)
        aligned(begun, returned, asked=self._asked_of_state)
        asked = f"find the batch axes of {self.name}"
        columns = leaves_with_axes(begun, axes, asked=asked), leaves_with_axes(returned, after, asked=asked)
        for (path, _, first), (_, _, second) in zip(*columns, strict=True):
            if first != second:
                raise ContractError(
                    asked=asked,
                    where=named(path),
                    arrived=f"axis {first} in the initial state, axis {second} in the returned one",
                    hint="Return states of the same layout as initial_state's.",
                )
        return axes

    def _probe(self, size: int, values: Tensor) -> tuple[Tensor, State, State]:
        """Call the module on one step of `size` rows; its buffers, the graph and the random numbers are left as they were."""
        step = values[:1] if len(values) else values.new_zeros((1, *values.shape[1:]))
        dense = step.unsqueeze(1).expand(1, size, *step.shape[1:])
        buffers = {name: buffer.clone() for name, buffer in self.module.named_buffers()} if isinstance(self.module, nn.Module) else {}
        devices = [values.device] if values.is_cuda else []
        with torch.no_grad(), torch.random.fork_rng(devices):
            begun = self._initial(size, values)
            outputs, returned = self._call(dense, begun, buffers)
        return outputs, begun, returned

    @property
    def _asked_of_state(self) -> str:
        return f"{self.name}(inputs, state), the state that it returned"

    def _wrong_return(self, arrived: str) -> ContractError:
        return ContractError(
            asked=f"{self.name}(inputs, state)",
            where="what it returned",
            arrived=arrived,
            hint="A Recurrent returns (outputs, state): outputs [time, batch, ...] ([batch, time, ...] with batch_first = True) "
            "and a state like the one that went in.",
        )
