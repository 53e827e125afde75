"""How is any module run over pieces of sequences, one after another, with the state carried, as if it had read each whole?

For training in windows and for answers about long sequences, which are the same thing here: runs that lie on lanes, and one state a
lane. Whether a module carries its state at all is found out by an experiment, before anything rests on it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from statewise.contracts._adapt import Adapted, Outputs, device_of
from statewise.engine import state_dtype
from statewise.errors import ContractError, StatewiseError
from statewise.sequences import Lanes, Ragged, Runs, Sequences, batch_rows, pieces_of, side_by_side
from statewise.state import Axes, detach, find_axes, join, map_tensors, reset, scatter, select
from statewise.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROWS = (2, 5)
"""The two batch sizes from which the axes of a state are found; on the beginnings of as many sequences as the larger one it is tried."""
_STEPS_TRIED = 16
"""How long these beginnings are at most."""
_LANES = 64
"""How many sequences are read side by side at least, where there are so many, before a portion counts as full."""
_LIMITS = {torch.float64: 1e-8, torch.float32: 1e-4}
"""By how much outputs in pieces may differ from those of the whole, by dtype: of the largest output, or of 1 where that is less."""


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """Runs what lies on lanes through a module that takes its state and returns it.

    Attributes:
        adapted: the module and how it is called.
        data: the sequences that the runs are of.
        axes: where the rows of a state are.
        like: a state, to tell what one looks like.
        within: a context of each call, such as autocast.
    """

    adapted: Adapted
    data: Sequences
    axes: Axes
    like: State
    within: Callable[[], AbstractContextManager[Any]] = nullcontext

    def run(self, runs: Runs, state: State) -> tuple[Tensor, State]:
        """Return the outputs `[steps, out]` in the order of the runs, and the state of each lane after its last one.

        A run that goes on takes over what its lane carries, one that is new the module's own initial state: rows are selected, so
        nothing of the old state reaches it, and no gradient goes back to it.

        Args:
            runs: as they lie on the lanes, all of them new where there is no state yet.
            state: one row a lane; None at the beginning.
        """
        calls = self._calls(runs)
        done = [self._call(runs.select(chosen), state) for chosen in calls]
        values, final = torch.cat([outputs.values for outputs in done]), join([outputs.state for outputs in done], self.axes)
        if len(calls) > 1:
            order = torch.cat(calls)
            values, final = self._in_order(values, runs, order), select(final, order.argsort(), self.axes)
        ends = select(final, runs.last, self.axes)
        present = runs.lane[runs.last]
        return values, ends if state is None else scatter(state, present, ends, self.axes)

    def _calls(self, runs: Runs) -> list[Tensor]:
        """Return which runs are read in each call.

        All runs in one; where the module pads, only runs of one length, and new ones apart from those that go on.
        """
        if not self.adapted.pads:
            return [torch.arange(len(runs.lane))]
        kinds = runs.lengths * 2 + runs.is_new
        return [(kinds == kind).nonzero().flatten() for kind in kinds.unique().tolist()]

    def _call(self, runs: Runs, state: State) -> Outputs:
        known = bool(self.data.known) and self.adapted.sees_beyond
        beyond = pieces_of(self.data, runs, beyond=self.adapted.contract.horizon or 1) if known else None
        with self.within():
            return self.adapted(pieces_of(self.data, runs), self._begin(runs, state), beyond=beyond)

    def _begin(self, runs: Runs, state: State) -> State:
        """Return the state that each run begins from; None where all of them are new."""
        if bool(runs.is_new.all()):
            return None
        own = select(state, runs.lane, self.axes)
        return reset(own, runs.is_new, self._initial(own, len(runs.lane)), self.axes) if bool(runs.is_new.any()) else own

    def _initial(self, like: State, rows: int) -> State:
        """Return the module's own initial state; of torch's modules and cells that is zeros."""
        module: Any = self.adapted.module
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            return map_tensors(torch.zeros_like, like)
        values = next(iter(self.data.parts.values())).values
        return module.initial_state(rows, device=device_of(module), dtype=state_dtype(module, values))

    def _in_order(self, values: Tensor, runs: Runs, order: Tensor) -> Tensor:
        lengths = runs.lengths[order]
        return Ragged(values, lengths.to(values.device)).select(order.argsort()).values


def carrier_of(
    adapted: Adapted, data: Sequences, *, asked: str, within: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> Carrier:
    """Return what runs a module piece by piece, after a trial on the beginning of some sequences.

    The module is called in eval mode, and left in the mode it was in.

    Raises:
        ContractError: the module has one output a sequence, no state that goes in and comes out, or gives other outputs in pieces than
            for the whole, as one that reads backwards does.
    """
    module = adapted.module
    _require_promises(adapted, data, asked)
    sample = (data.lengths > 1).nonzero().flatten()[: max(_ROWS)]
    training = module.training
    module.eval()
    place = device_of(module)
    try:
        with torch.no_grad(), torch.random.fork_rng([place] if place.type == "cuda" else []):
            carrier = _with_axes(adapted, data, asked, within)
            if len(sample):
                _try(carrier, sample, asked)
    finally:
        module.train(training)
    return carrier


def _require_promises(adapted: Adapted, data: Sequences, asked: str) -> None:
    """Refuse what the contract, or the module itself, says already."""
    contract = adapted.contract
    if "sequence" in (contract.each, data.each):
        raise _refusal(adapted, asked, "one output a sequence", "Only a task with one target a step is trained in windows.")
    if contract.causal is False or getattr(adapted.module, "bidirectional", False):
        raise _refusal(adapted, asked, "it reads backwards too: an output rests on steps after the window", "Leave bidirectional out.")
    if contract.stateful or contract.reset is not None:
        hint = "Let forward take a state and return (output, state)."
        raise _refusal(adapted, asked, "it keeps its state inside, where no lane can hold its own", hint)
    if not adapted.takes_state:
        hint = 'Let forward take a state and return (output, state): Contract(takes=("x", "state")).'
        raise _refusal(adapted, asked, "forward takes no state", hint)


def _with_axes(adapted: Adapted, data: Sequences, asked: str, within: Callable[[], AbstractContextManager[Any]]) -> Carrier:
    """Return a carrier that knows where the rows of a state are: as the module declares, or found from two batch sizes."""
    first = int((data.lengths > 0).nonzero()[0])
    found = []
    for rows in _ROWS:
        lanes = side_by_side(data.lengths.cpu(), torch.full((rows,), first), most=1)
        with within():
            outputs = adapted(pieces_of(data, lanes.runs(0, 1)))
        if outputs.each != "step":
            raise _refusal(adapted, asked, "one output a sequence", "Only a task with one target a step is trained in windows.")
        if outputs.state is None:
            hint = "Let forward return (output, state), or give call=lambda module, batch: (output, state)."
            raise _refusal(adapted, asked, "it returns no state", hint)
        found.append(outputs.state)
    declared = getattr(adapted.module, "state_axes", None) if not adapted.pads else None
    axes = find_axes(found[0], _ROWS[0], found[1], _ROWS[1]) if declared is None else declared
    return Carrier(adapted=adapted, data=data, axes=axes, like=detach(found[0]), within=within)


def _try(carrier: Carrier, rows: Tensor, asked: str) -> None:
    """Read some beginnings whole, whole again, and in two pieces with the state carried: all must give the same."""
    lanes = side_by_side(carrier.data.lengths.cpu(), rows.cpu(), most=_STEPS_TRIED)
    cut = lanes.time // 2
    whole, again, pieces = (_read(carrier, lanes, edges) for edges in ([0, lanes.time], [0, lanes.time], [0, cut, lanes.time]))
    if not torch.equal(whole, again):
        raise _refusal(carrier.adapted, asked, "two identical calls give different outputs", "Find what it draws or keeps in eval mode.")
    gap, size = float((whole - pieces).abs().max()), float(whole.abs().max())
    if not gap <= _LIMITS.get(whole.dtype, 1e-2) * max(size, 1.0):
        raise _refusal(
            carrier.adapted,
            asked,
            f"in two pieces, the state carried, its outputs differ by {gap:.2g} from those of the whole, which are up to {size:.2g}",
            "Return the whole state, and read no step after that of the output.",
        )


def _read(carrier: Carrier, lanes: Lanes, edges: list[int]) -> Tensor:
    """Return the outputs of all steps, read in pieces, in the order of the data."""
    state: State = None
    values, places = [], []
    for begin, end in pairwise(edges):
        runs = lanes.runs(begin, end)
        part, state = carrier.run(runs, state)
        values.append(part)
        places.append(runs.places)
    return torch.cat(values)[torch.cat(places).argsort()]


def _refusal(adapted: Adapted, asked: str, arrived: str, hint: str) -> ContractError:
    return ContractError(asked=asked, where=f"{type(adapted.module).__name__}, run piece by piece", arrived=arrived, hint=hint)


def answers(
    adapted: Adapted, data: Sequences, steps: int = 20_000, *, within: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> Iterator[tuple[Outputs, Tensor]]:
    """Yield a module's outputs on all sequences in portions of about equally many steps, and the places that they belong to.

    What is longer than a portion is read in pieces with the state carried, many sequences side by side, by a module that carries its
    state; by any other in one piece. So memory does not grow with the length of a stream.

    Args:
        adapted: the module and how it is called; in the mode that it is in.
        data: the sequences, none of them empty.
        steps: about how many are read at once.
        within: a context of each call, such as autocast.

    Yields:
        outputs, and `[rows]`: the sequence, or step, that each belongs to; every one once, not always in order.
    """
    groups = list(_groups(data.lengths.tolist(), steps))
    carrier = None
    if any(int(data.lengths[rows].sum()) > steps for rows in groups):
        try:
            carrier = carrier_of(adapted, data, asked="predict", within=within)
        except StatewiseError:  # what is wrong with the module itself is told when it is called below
            carrier = None
    if carrier is None:
        yield from _whole(adapted, data, steps, within)
        return
    for rows in groups:
        lanes = side_by_side(data.lengths.cpu(), rows)
        state: State = None
        begin = 0
        while begin < lanes.time:
            left = (lanes.lengths - begin).clamp(min=0)
            end = lanes.time if int(left.sum()) <= steps else begin + max(steps // int((left > 0).sum()), 1)
            runs = lanes.runs(begin, end)
            values, state = carrier.run(runs, state)
            yield Outputs(values, "step", state), runs.places
            begin = end


def _whole(
    adapted: Adapted, data: Sequences, steps: int, within: Callable[[], AbstractContextManager[Any]]
) -> Iterator[tuple[Outputs, Tensor]]:
    begin = 0
    for rows in batch_rows(data.lengths, steps):
        with within():
            outputs = adapted(data.select(rows), return_state=False)
        yield outputs, torch.arange(begin, begin + len(outputs.values))
        begin += len(outputs.values)


def _groups(lengths: list[int], steps: int) -> Iterator[Tensor]:
    """Yield rows in order that are run side by side: as many as fit the steps, and longer ones as far as there are lanes.

    Example:
        >>> [rows.tolist() for rows in _groups([2, 2, 2, 50, 50], 4)]
        [[0, 1, 2, 3, 4]]
    """
    begin, filled = 0, 0
    for row, length in enumerate(lengths):
        if row - begin >= _LANES and filled + length > steps:
            yield torch.arange(begin, row)
            begin, filled = row, 0
        filled += length
    if begin < len(lengths):
        yield torch.arange(begin, len(lengths))
