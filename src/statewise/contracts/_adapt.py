"""How is any module called on ragged sequences, so that fit, predict and trace need not know its kind?

Four ways, the first that fits: a user's `call=`, a module that reads `Sequences` itself (ours), one that carries its state in
and out (through `unroll`), and any other through its contract, padded at the edge.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from statewise.contracts._batch import Batch, Padding, make_batch, watched
from statewise.contracts._contract import Contract
from statewise.contracts._door import Call, Door
from statewise.contracts._signature import read_signature
from statewise.engine import is_recurrent, unroll
from statewise.errors import ContractError, DataError, ShapeError, StatewiseError
from statewise.sequences import Ragged, Sequences
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from statewise.types import Each, State, Task


@dataclass(frozen=True)
class Outputs:
    """What a module said about some sequences.

    Attributes:
        values: `[n, out]`, or `[steps, out]` where `each` is `"step"`; flat, without padding.
        each: whether there is one output a sequence or a step.
        state: the state after the last step of each sequence, as the module returned it, or None.
        gave_state: whether states came that are not here, since sequences were asked about in groups.
    """

    values: Tensor
    each: Each
    state: State = None
    gave_state: bool = False


@runtime_checkable
class ReadsSequences(Protocol):
    """A module that takes `Sequences` as they are."""

    def run_sequences(self, data: Sequences, state: State = None, *, return_state: bool = True, beyond: Sequences | None = None) -> Outputs:
        """Return the outputs for all sequences, and the state after them where it is asked for.

        `beyond` is given where features are known beforehand, with the steps that follow.
        """
        ...

    def contract(self) -> Contract:
        """Return what the module promises."""
        ...


@runtime_checkable
class _Runs(Protocol):
    """Calls a module on sequences."""

    def __call__(self, data: Sequences, state: State, *, return_state: bool) -> Outputs:
        """Return the outputs, and the state where it is asked for."""
        ...


class Adapted:
    """A module together with how it is called.

    Attributes:
        module: the module itself, unchanged.
        contract: its contract, with every field filled in that was needed.
        notes: what a user should know about how it is called.
    """

    def __init__(self, module: nn.Module, contract: Contract, run: _Runs, notes: tuple[str, ...] = ()) -> None:
        self.module, self.contract, self.notes = module, contract, notes
        self._run = run

    @property
    def pads(self) -> bool:
        """Whether the module is called on padded tensors."""
        return isinstance(self._run, _Padded)

    @property
    def takes_state(self) -> bool:
        """Whether a state that is given reaches the module; of a `call=` nobody knows, so it is believed."""
        return not isinstance(self._run, _Padded) or self._run.door.takes_state

    @property
    def sees_beyond(self) -> bool:
        """Whether the module can read features that are known beforehand of steps after those that it is given."""
        return isinstance(self.module, ReadsSequences) and not self.pads

    def __call__(self, data: Sequences, state: State = None, *, return_state: bool = True, beyond: Sequences | None = None) -> Outputs:
        """Return the outputs for some sequences, none of them empty.

        Args:
            data: the sequences.
            state: the state that each goes on from; None begins anew.
            return_state: without it the state is left out where finding it costs time.
            beyond: the same sequences with the steps that follow each, for a module that `sees_beyond`.

        Raises:
            ShapeError: the module reads another number of features.
            ContractError: the module failed, or gave back something that its contract does not allow.
        """
        if bool((data.lengths == 0).any()):
            raise DataError(
                asked=f"call {type(self.module).__name__}",
                where=data.source,
                arrived=f"{int((data.lengths == 0).sum())} sequences without a step",
                hint="Leave them out with data.select(...): there is nothing to read in them.",
            )
        if isinstance(self.module, (nn.RNNBase, nn.RNNCellBase)):
            check_features(self.module, data)
        try:
            if beyond is not None and isinstance(self.module, ReadsSequences):
                return self.module.run_sequences(data, state, return_state=return_state, beyond=beyond)
            return self._run(data, state, return_state=return_state)
        except StatewiseError:
            raise
        except (RuntimeError, TypeError, ValueError, LookupError, AttributeError, AssertionError) as problem:
            check_features(self.module, data)
            own = isinstance(self._run, _Padded) and self._run.door.call is not None
            raise ContractError(
                asked=f"call {type(self.module).__name__}",
                where="your call=" if own else f"forward, called as {self.contract!r}",
                arrived=f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else 'no message'}",
                hint=_OF_CALL if own else _OF_FORWARD,
            ) from problem


_OF_CALL = f"It gets the module and a batch, which has {', '.join(f'batch.{each.name}' for each in fields(Batch))}."
_OF_FORWARD = (
    "Check the contract's takes and batch_first (one that keeps its state inside needs stateful=True and reset=), "
    "or give call=lambda module, batch: module(...)."
)


def adapt(module: nn.Module, *, contract: Contract | None = None, call: Call | None = None) -> Adapted:
    """Return the module ready to be called on `Sequences`.

    Args:
        module: ours, a torch recurrent module or cell, a `Recurrent`, or any other with a contract that can be read or is declared.
        contract: what the module promises; fields left None are read off its signature.
        call: `lambda module, batch: output` or `(output, state)`, for everything that a contract cannot say.

    Raises:
        ContractError: a needed field of the contract is neither declared nor to be read off; it is named.
    """
    declared = contract or Contract()
    if call is not None:
        return Adapted(module, declared, _Padded(module, declared, call))
    if isinstance(module, ReadsSequences):
        return Adapted(module, module.contract(), module.run_sequences)
    if declared.takes is None and (isinstance(module, (nn.RNNBase, nn.RNNCell, nn.LSTMCell, nn.GRUCell)) or is_recurrent(module)):
        return Adapted(module, msgspec.structs.replace(declared, returns_state=True), _Unrolled(module))
    filled = read_signature(module, declared)
    notes: tuple[str, ...] = ()
    if not {"lengths", "mask"} & set(filled.takes or ()):
        notes = ("the module takes neither lengths nor mask: it is called once for each length, so that it never sees padding",)
    return Adapted(module, filled, _Padded(module, filled, None), notes)


def check_features(module: nn.Module, data: Sequences) -> None:
    """Refuse data whose number of features is not what the module's first recurrent part reads.

    Raises:
        ShapeError: what was expected, what came, and the likely cause.
    """
    recurrent = [part for part in module.modules() if isinstance(part, (nn.RNNBase, nn.RNNCellBase))]
    whole = isinstance(module, (nn.RNNBase, nn.RNNCellBase))
    first = next(module.children(), None)
    core = recurrent[0] if recurrent and (whole or first is recurrent[0]) else None
    values = data.parts["x"].values if set(data.parts) == {"x"} else None
    if core is None or values is None or values.ndim != 2 or values.shape[1] == core.input_size:
        return
    raise wrong_features(data, "x", core.input_size, type(module).__name__)


def wrong_features(data: Sequences, name: str, wanted: int, model: str) -> ShapeError:
    """Return the error for an input with another number of features than the model reads."""
    found, names = data.parts[name].values.shape[-1], data.feature_names_of(name) or ()
    shown = f" ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})" if names else ""
    return ShapeError(
        asked=f"call {model}",
        where=data.source if name == "x" else f"{data.source}, input {name!r}",
        arrived=f"{found} features a step{shown}, but the model reads {wanted}",
        hint=f"Build it with input_size={found}, or name the {wanted} columns to use with features=[...].",
    )


class _Unrolled:
    """A module that carries its state in and out, run by the engine."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __call__(self, data: Sequences, state: State, *, return_state: bool) -> Outputs:
        name = type(self.module).__name__
        if set(data.parts) != {"x"}:
            raise ContractError(
                asked=f"call {name}",
                where="inputs",
                arrived=f"several of them ({', '.join(data.parts)})",
                hint="A recurrent module reads one: give call=lambda module, batch: ... that joins them.",
            )
        inputs = data.parts["x"].to(device_of(self.module))
        outputs, final = unroll(self.module, inputs, state, return_state=return_state)
        if data.each == "step":
            return Outputs(outputs.values, "step", final)
        if getattr(self.module, "bidirectional", False):
            raise ContractError(
                asked=f"call {name}",
                where="its last output",
                arrived="the backward direction has seen a single step there",
                hint="Use statewise.build(..., bidirectional=True), whose readout takes each direction at its own end.",
            )
        return Outputs(outputs.values[outputs.offsets[1:] - 1], "sequence", final)


class _Padded:
    """A stranger's module, called on padded tensors through its contract or the user's own line."""

    def __init__(self, module: nn.Module, contract: Contract, call: Call | None) -> None:
        self.module, self.contract, self.door = module, contract, Door(contract=contract, call=call)
        self.name = type(module).__name__
        self._is_told: bool | None = None if call is not None else self.door.sees_lengths

    def __call__(self, data: Sequences, state: State, *, return_state: bool) -> Outputs:  # noqa: ARG002  # it comes as it comes
        if len(set(data.lengths.tolist())) <= 1 or self._is_told_lengths(data):
            return self._call_once(data, state)
        assert state is None, "a state goes on in pieces of one length: see `Carrier`"
        groups = [torch.nonzero(data.lengths == length).flatten() for length in sorted(set(data.lengths.tolist()))]
        parts = [self._call_once(data.select(rows), state) for rows in groups]
        back = torch.cat(groups).argsort()
        values = torch.cat([part.values for part in parts])
        if parts[0].each == "sequence":
            values = values.index_select(0, back.to(values.device))
        else:
            values = Ragged(values, torch.cat([data.lengths[rows] for rows in groups])).select(back).values
        return Outputs(values, parts[0].each, gave_state=any(part.state is not None for part in parts))

    def _is_told_lengths(self, data: Sequences) -> bool:
        """Return whether the module is told which steps are real.

        What a user's line reads is found out once, on two sequences and a copy of the module; where that fails it is believed to read all.
        """
        if self._is_told is None:
            two = data.select(torch.stack([data.lengths.argmin(), data.lengths.argmax()]))
            batch = watched(make_batch(two, Padding(two.lengths, self.contract.padding or "right"), None, device_of(self.module)))
            kept = (value for part in self.module.modules() for value in vars(part).values() if isinstance(value, Tensor))
            memo = {id(tensor): tensor.detach().clone() for tensor in kept if not tensor.is_leaf}  # torch copies no tensor with a graph
            try:
                with torch.random.fork_rng(), torch.no_grad():
                    self.door.ask(copy.deepcopy(self.module, memo), batch)
                self._is_told = bool({"lengths", "mask"} & batch.read)
            except Exception:  # noqa: BLE001  # the call that counts will tell
                self._is_told = True
        return self._is_told

    def _call_once(self, data: Sequences, state: State) -> Outputs:
        padding = Padding(data.lengths, self.contract.padding or "right")
        batch = make_batch(data, padding, state, device_of(self.module))
        self.door.reset(self.module)
        output, final = self.door.ask(self.module, batch)
        time_first = self.door.call is None and self.contract.batch_first is False
        return Outputs(*self._flat(output, data, padding, time_first=time_first), state=final)

    def _flat(self, output: Tensor | PackedSequence, data: Sequences, padding: Padding, *, time_first: bool) -> tuple[Tensor, Each]:
        n, time = len(data), padding.time
        each = self.contract.each or data.each
        if isinstance(output, PackedSequence):
            return _column(Ragged.from_packed(output).values), "step"
        if each is None:
            each = "step" if output.ndim == 3 else "sequence"
        if each == "sequence":
            if output.ndim > 2 or output.ndim < 1 or output.shape[0] != n:
                raise self._refuse(
                    f"an output of shape {tuple(output.shape)} for {n} sequences, one output a sequence wanted",
                    "Read it out to [batch, classes], or declare Contract(each='step') and give one target a step.",
                )
            return _column(output), each
        if time_first:
            output = output.transpose(0, 1)
        if output.ndim not in (2, 3) or tuple(output.shape[:2]) != (n, time):
            raise self._refuse(
                f"an output of shape {tuple(output.shape)} for {n} sequences of up to {time} steps, one output a step wanted",
                "Return [batch, time, classes], or declare Contract(each='sequence') and give one target a sequence.",
            )
        return _column(padding.unpad(output)), each

    def _refuse(self, arrived: str, hint: str) -> ContractError:
        return ContractError(asked=f"call {self.name}", where="what forward returned", arrived=arrived, hint=hint)


def _column(values: Tensor) -> Tensor:
    return values.unsqueeze(-1) if values.ndim == 1 else values


def device_of(module: nn.Module) -> torch.device:
    """Return where the module's first parameter or buffer lies; the CPU for one without any."""
    first: Tensor | None = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def resolved(adapted: Adapted, outputs: Outputs) -> Contract:
    """Return the contract with the fields that a first call has settled: `each`, `task`, `output`, `returns_state` and `horizon`."""
    contract = adapted.contract
    task = contract.task or ("tag" if outputs.each == "step" else "classify")
    values = task in TASKS and TASKS[task].holds == "values"
    return msgspec.structs.replace(
        contract,
        each=outputs.each,
        task=task,
        output=contract.output or ("values" if values else _read_output(adapted.module, outputs.values.detach(), task)),
        returns_state=contract.returns_state if contract.returns_state is not None else outputs.gave_state or outputs.state is not None,
        horizon=int(outputs.values.shape[1]) if task == "forecast" else None,
    )


def _read_output(module: nn.Module, values: Tensor, task: Task) -> Any:
    """Tell probabilities from logits: probabilities are never negative and add up to one.

    A single column, or several labels, cannot be told by their values, since logits may lie within 0 and 1 too: only a sigmoid at
    the end makes them probabilities.
    """
    if not values.numel() or bool((values < 0).any()) or not bool(values.isfinite().all()):
        return "logits"
    if values.shape[1] == 1 or task == "multilabel":
        last = [part for part in module.modules() if not any(part.children())][-1]
        return "probabilities" if isinstance(last, nn.Sigmoid) and bool((values <= 1).all()) else "logits"
    return "probabilities" if torch.allclose(values.sum(1), values.new_ones(()), atol=1e-4) else "logits"
