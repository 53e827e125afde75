"""What is audited: a module, how it is called, and a few short sequences; and the one place where it is called.

Every question is put to a fresh copy, in eval mode, in float64 where the module can be doubled: rounding shrinks by 1e8 there, and a
real dependence does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from statewise.auditing._copies import Original, own_numbers
from statewise.auditing._needs import Examined
from statewise.errors import StatewiseError
from statewise.state import Axes, find_axes, leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.auditing._probe import Probe
    from statewise.contracts import Contract, Door
    from statewise.types import State

Measured = TypeVar("Measured")
_FLOOR = {torch.float64: 1e-9, torch.float32: 1e-4}
"""The largest difference that may be rounding, as a share of what is compared."""
_SEEDS = 6
"""Seeds of which all must give the same for a module to be called repeatable."""
_SHARE = {torch.float64: 1e-6, torch.float32: 1e-3}
"""The largest share of the control's effect that still counts as none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What a module said to a probe.

    Attributes:
        outputs: `[rows, time, out]` where each step has an output, else `[rows, out]`; batch first.
        state: as the module returned it, or None.
        shape: of the outputs as the module gave them.
    """

    outputs: Tensor
    state: State
    shape: tuple[int, ...]


class Failed(Exception):  # noqa: N818  # it is told, not raised to a user
    """The module raised; a check may expect that."""

    def __init__(self, problem: BaseException) -> None:
        self.problem = problem
        first = str(problem).splitlines()[0] if str(problem) else "no message"
        super().__init__(f"{type(problem).__name__}: {first}")


class WrongShape(Failed):
    """The outputs are not laid out as the contract says."""


class NoBackward(Failed):
    """The backward pass raised, so that nothing is known of gradients; torch itself tells whoever trains."""


Way: TypeAlias = "Callable[[Callable[[nn.Module, Probe], Answer], nn.Module, Probe], Answer]"
"""Puts a question to a module by one or several calls."""


@dataclass(kw_only=True, eq=False)
class Subject(Examined):
    """A module under audit.

    Attributes:
        name: of its class.
        original: of which every call gets a copy.
        contract: what it promises, filled in.
        door: how it is called.
        probe: rows of unequal lengths, in no order, where the module is told lengths, else of one.
        donor: other rows of the same lengths, from which values are taken.
        whole: rows of one length.
        other_whole: other rows of that length.
        filling: values for padded steps, in the usual range, in the shape of the probe.
        codes: every code that real steps may have; none where steps are numbers.
        seed: of the probes.
        sure: how each field of the contract came about.
        says: what the probes are made of.
        way: how a question is put where a defect is mended from outside (`_cures`); None puts it as it is.
        turned: whether the first two axes of outputs are exchanged before anything else, likewise.
    """

    name: str
    original: Original
    contract: Contract
    door: Door
    probe: Probe
    donor: Probe
    whole: Probe
    other_whole: Probe
    filling: Tensor
    codes: Tensor
    seed: int = 0
    sure: dict[str, str] = field(default_factory=dict)
    says: str = ""
    way: Way | None = None
    turned: bool = False
    _known: dict[str, Any] = field(default_factory=dict, init=False)

    def once(self, name: str, measure: Callable[[], Measured]) -> Measured:
        """Return what several checks read, measured when the first of them asks."""
        if name not in self._known:
            self._known[name] = measure()
        found: Measured = self._known[name]
        return found

    @cached_property
    def dtype(self) -> torch.dtype:
        """float64, or float32 for a module that cannot be doubled."""
        try:
            self.call(self.fresh(torch.float64), self.probe, torch.float64, seed=self.seed)
        except Failed:
            return torch.float32
        return torch.float64

    def fresh(self, dtype: torch.dtype | None = None) -> nn.Module:
        """Return a copy in eval mode and in the dtype of the audit, or in another, its own state cleared where the contract says how.

        Raises:
            Failed: the reset raised.
        """
        dtype = dtype or self.dtype
        module = self.original.fresh(dtype)
        self.reset(module, dtype)
        return module

    def reset(self, module: nn.Module, dtype: torch.dtype | None = None) -> None:
        """Clear the state that a copy keeps inside, where the contract says how.

        Raises:
            Failed: the reset raised.
        """
        try:
            with own_numbers(self.seed, dtype or self.dtype):
                self.door.reset(module)
        except StatewiseError:
            raise
        except Exception as problem:  # whatever a stranger's reset raises
            raise Failed(problem) from problem

    def ask(self, probe: Probe, module: nn.Module | None = None, *, seed: int | None = None, gradient: bool = False) -> Answer:
        """Return the answer to a probe.

        Args:
            probe: what is asked.
            module: a copy that was asked before, to go on with; None takes a fresh one.
            seed: of the random numbers during the call.
            gradient: whether a graph is made.

        Raises:
            Failed: the module raised.
        """
        used = self.fresh() if module is None else module
        return self.call(used, probe, self.dtype, seed=self.seed if seed is None else seed, gradient=gradient)

    def call(self, module: nn.Module, probe: Probe, dtype: torch.dtype, *, seed: int, gradient: bool = False) -> Answer:
        """Return the answer of a given copy in a given dtype; `ask` is what checks use.

        Raises:
            Failed: the module raised.
        """

        def ask(module: nn.Module, probe: Probe) -> Answer:
            return self._call(module, probe, dtype, seed=seed, gradient=gradient)

        return ask(module, probe) if self.way is None else self.way(ask, module, probe)

    def _call(self, module: nn.Module, probe: Probe, dtype: torch.dtype, *, seed: int, gradient: bool) -> Answer:
        self.original.num_calls += 1
        try:
            with own_numbers(seed, dtype), torch.set_grad_enabled(gradient):
                output, state = self.door.ask(module, probe.batch(dtype))
                outputs, shape = self._laid_out(output, probe)
        except (StatewiseError, Failed):
            raise
        except Exception as problem:  # whatever a stranger's forward raises
            raise Failed(problem) from problem
        return Answer(outputs=outputs, state=state, shape=shape)

    def _laid_out(self, output: Tensor | PackedSequence, probe: Probe) -> tuple[Tensor, tuple[int, ...]]:
        """Return the outputs batch first, with one place for each step of the probe."""
        if isinstance(output, PackedSequence):
            padded = pad_packed_sequence(output, batch_first=True, total_length=probe.time)[0]
            return padded, tuple(padded.shape)
        shape = tuple(output.shape)
        if self.turned and output.ndim > 1:
            output = output.transpose(0, 1)
        if self.contract.each == "sequence":
            if not shape or output.shape[0] != probe.num_rows:
                raise WrongShape(ValueError(f"outputs of shape {shape} for {probe.num_rows} sequences, one output a sequence wanted"))
            return (output.unsqueeze(-1) if output.ndim == 1 else output), shape
        if self.door.call is None and self.contract.batch_first is False:
            output = output.transpose(0, 1)
        output = output.unsqueeze(-1) if output.ndim == 2 else output
        missing = probe.time - output.shape[1]
        if missing > 0 and output.ndim == 3:  # of a batch whose longest row is shorter than its padding
            output = torch.nn.functional.pad(output, (0, 0, 0, missing))
        if tuple(output.shape[:2]) != (probe.num_rows, probe.time):
            raise WrongShape(ValueError(f"outputs of shape {shape} for {probe.num_rows} sequences of {probe.time} steps"))
        return output, shape

    def real(self, answer: Answer, probe: Probe) -> Tensor:
        """Return the outputs that mean something, row after row: of real steps `[steps, out]`, or of sequences `[rows, out]`."""
        if self.contract.each == "sequence":
            return answer.outputs
        return answer.outputs[probe.valid]

    def row(self, outputs: Tensor, probe: Probe, row: int) -> Tensor:
        """Return the outputs that mean something about one row: of its real steps `[steps, out]`, or of it as a whole `[out]`."""
        return outputs[row] if self.contract.each == "sequence" else outputs[row][probe.valid[row]]

    @cached_property
    def axes(self) -> Axes:
        """The batch axis of each leaf of the state that is returned.

        Raises:
            ShapeError: a leaf in which no single axis is the number of rows.
        """
        two, five = (self.ask(self.probe.rows([0, 1, 0, 1, 0][:rows])).state for rows in (2, 5))
        return find_axes(two, 2, five, 5)

    @cached_property
    def answers_in_values(self) -> bool:
        """Whether outputs are floating point: decisions need not change with what they are about."""
        outputs = self.ask(self.probe).outputs
        return outputs.is_floating_point() or outputs.is_complex()

    @cached_property
    def is_random(self) -> bool:
        """Whether the same call with other random numbers gives something else."""
        return self.spread() > 0.0

    def spread(self) -> float:
        """Return the largest difference between calls that are the same except for random numbers.

        There are several, since what is drawn may well come out the same twice, such as the place of a cut.
        """
        first = self.real(self.ask(self.probe), self.probe)
        return max(gap(self.real(self.ask(self.probe, seed=self.seed + offset), self.probe), first) for offset in range(1, _SEEDS))

    def steps_are_apart(self) -> bool:
        """Whether no step changes a later output of its own row, as far as outputs by step tell."""
        before = self.ask(self.whole).outputs
        if self.contract.each == "sequence":
            turned = self.whole.x.clone()
            turned[:, :-1] = self.whole.x[:, :-1].flip(1)
            return not self.is_real(gap(self.ask(self.whole.with_x(turned)).outputs, before), 0.0, size_of(before))
        x = self.whole.x.clone()
        x[:, 0] = self.other_whole.x[:, 0]
        after = self.ask(self.whole.with_x(x)).outputs
        return not self.is_real(gap(after[:, 1:], before[:, 1:]), gap(after[:, 0], before[:, 0]), size_of(before))

    def is_real(self, gap: float, control: float, size: float) -> bool:
        """Whether a difference is more than rounding, and worth mentioning beside what a real change does.

        Args:
            gap: the difference.
            control: the effect of a real change in the same place.
            size: the largest value that is compared.
        """
        share = _SHARE[self.dtype] * control if control < float("inf") else 0.0  # beside infinity nothing would be worth mentioning
        return not gap <= max(_FLOOR[self.dtype] * (1 + size), share)


def gap(one: Tensor, other: Tensor) -> float:
    """Return the largest difference; infinity where only one of two is finite, or where shapes differ."""
    if one.shape != other.shape:
        return float("inf")
    if not one.numel():
        return 0.0
    one, other = (torch.view_as_real(each) if each.is_complex() else each.double() for each in (one, other))
    differ = torch.where((one == other) | (one.isnan() & other.isnan()), 0.0, (one - other).abs())
    return float(differ.nan_to_num(nan=float("inf"), posinf=float("inf")).max())


def state_gaps(one: State, other: State) -> dict[str, float]:
    """Return the largest difference of each leaf of two states of one structure, by path."""
    pairs = zip(leaves(one), leaves(other), strict=True)
    return {path: gap(a, b) for (path, a), (_, b) in pairs}


def weighed(outputs: Tensor) -> Tensor:
    """Return a sum of outputs with unequal weights: an equal one does not move where they always add up to the same."""
    weights = torch.linspace(0.5, 1.5, max(outputs.numel(), 1), dtype=outputs.dtype)[: outputs.numel()]
    return (outputs * (1 + (7.0 * weights).sin()).view(outputs.shape)).sum()


def size_of(values: Tensor) -> float:
    """Return the largest finite value, in absolute terms."""
    if not values.numel():
        return 0.0
    values = values.double() if values.dtype == torch.bool else values
    return float(values.abs().nan_to_num(nan=0.0, posinf=0.0).max())
