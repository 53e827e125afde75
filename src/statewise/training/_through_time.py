"""How far back in time does the loss reach? The norm of its gradient with respect to what is read at each step, by lag.

Measured beside training, in eval mode: no weight, no gradient of a parameter, no buffer and no random generator changes.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from statewise.contracts import Adapted, device_of
from statewise.sequences import Ragged, Sequences, aligned, batches
from statewise.training._decay import Reach, lags_of
from statewise.training._taps import kind_of_taps, reads_both_ways, tapped
from statewise.training._untouched import untouched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

    from statewise.runs import Lags, Phase

_STEPS_AT_ONCE = 20_000


@runtime_checkable
class Loss(Protocol):
    """Gives the loss of some outputs: a tensor of any shape, whose sum counts, or something with it as its `loss_sum`."""

    def __call__(self, values: Tensor, targets: Tensor, weights: Tensor, /) -> Any:
        """Return the loss of `values` `[rows, out]` beside `targets` and `weights` `[rows, ...]`."""
        ...


def through_time(
    adapted: Adapted,
    objective: Loss,
    data: Sequences,
    *,
    epoch: int = 0,
    phase: Phase = "fit",
    max_sequences: int = 32,
    max_lag: int | None = None,
) -> Lags:
    """Measure how far back the loss reaches, on a fixed sample of the sequences.

    Each sequence has one loss: its own, or where there is an output a step that at its last scored step. Lengths are exact: no
    padding is read, and a lag is told for the sequences that have it. Sequences without a step or without a scored target are left
    out.

    Args:
        adapted: the module and how it is called. It is left as it was.
        objective: the loss of some outputs, called as `objective(values, targets, weights)`.
        data: sequences with targets.
        epoch: for the record.
        phase: for the record.
        max_sequences: size of the sample: every k-th sequence, so that it is the same each time.
        max_lag: largest lag of the record; None for the longest sequence's.

    Example:
        >>> from statewise.contracts import adapt
        >>> data = Sequences(inputs=Ragged(torch.ones(6, 2), torch.tensor([4, 2])), targets=[1.0, 0.0])
        >>> found = through_time(adapt(torch.nn.GRU(2, 1)), lambda values, targets, weights: values[:, 0] - targets, data)
        >>> found.lags, found.counts
        ((0, 1, 2, 3), (2, 2, 1, 1))
    """
    sample = _sample(data, max_sequences)
    kind = kind_of_taps(adapted.module, {name: part.values for name, part in data.parts.items()})
    reaches: list[Reach] = []
    with looking_back(adapted.module):
        if kind == "nothing":
            sample = sample.select([])
        for chunk in _chunks(sample, alone=kind == "embedded tokens"):
            reaches += _measure(adapted, objective, chunk)
    return lags_of(reaches, epoch=epoch, phase=phase, both_ways=reads_both_ways(adapted.module), inputs=kind, max_lag=max_lag)


@contextmanager
def looking_back(module: nn.Module) -> Iterator[None]:
    """Run the body in eval mode with gradients, and leave the module and the random generators as they were."""
    with ExitStack() as stack:
        stack.enter_context(untouched(module))
        stack.enter_context(torch.enable_grad())
        # cuDNN goes back through a recurrent layer in training mode only.
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


@contextmanager
def same_draws(module: nn.Module) -> Iterator[None]:
    """Put the generators of torch back after the body: a module that draws in eval mode then draws the same in every run."""
    place = device_of(module)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        yield


def _sample(data: Sequences, size: int) -> Sequences:
    usable = torch.nonzero(data.lengths > 0).flatten()
    places = torch.linspace(0, max(len(usable) - 1, 0), min(size, len(usable)), dtype=torch.float64).round().long()
    return data.select(usable[places])


def _chunks(data: Sequences, *, alone: bool) -> Iterator[Sequences]:
    """Yield sequences to be run together; each alone where steps must be found again in a layout that is the module's own."""
    if alone:
        yield from (data.select([row]) for row in range(len(data)))
    elif len(data):
        yield from batches(data, _STEPS_AT_ONCE, seed=None)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ran:
    """One run: the outputs that have a loss, the sequence and the step of each, and the leaves."""

    values: Tensor
    rows: Tensor
    sequences: Tensor
    steps: Tensor
    leaves: list[Tensor]


def _measure(adapted: Adapted, objective: Loss, data: Sequences) -> list[Reach]:
    items = aligned(data, adapted.contract.task or "other", adapted.contract.horizon or 1)
    by_row = items.weights.reshape(len(items.weights), -1)
    # A loss of one's own sees whole forecasts only, as in `Objective`.
    scored = (by_row.amin(dim=1) if getattr(objective, "loss", None) is not None else by_row.amax(dim=1)) > 0
    ran = _run(adapted, data, scored)
    if not len(ran.rows):
        return []
    values = ran.values if ran.values.dtype == torch.float64 else ran.values.float()
    chosen = [part.to(values.device)[ran.rows.to(values.device)] for part in (values, items.targets, items.weights)]
    loss = objective(*chosen)
    by_step, by_output = _by_step(getattr(loss, "loss_sum", loss).sum(), ran, data.num_steps)
    reaches = [reach_of(by_step[begin:end], step - begin, float(by_output[row]), ran.leaves) for begin, end, step, row in _spans(data, ran)]
    if not any(reach.is_cut for reach in reaches):
        return reaches
    return _with_cause(reaches, ran, data, lambda change: _run(adapted, data, scored, change))


def _spans(data: Sequences, ran: _Ran) -> list[tuple[int, int, int, int]]:
    """Return where each sequence with a loss begins and ends, the step of its loss, and the row of its output."""
    offsets = data.parts[next(iter(data.parts))].offsets.tolist()
    pairs = zip(ran.sequences.tolist(), ran.steps.tolist(), ran.rows.tolist(), strict=True)
    return [(offsets[sequence], offsets[sequence + 1], step, row) for sequence, step, row in pairs]


def _run(adapted: Adapted, data: Sequences, scored: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> _Ran:
    inputs = {name: part.values for name, part in data.parts.items()}
    with same_draws(adapted.module), tapped(adapted.module, inputs, change) as (given, leaves):
        parts = {name: part.with_values(given[name]) for name, part in data.parts.items()}
        outputs = adapted(replace(data, inputs=parts["x"] if isinstance(data.inputs, Ragged) else parts))
    lengths = data.lengths
    ends = lengths.cumsum(0) - 1
    if outputs.each == "sequence":
        rows = torch.nonzero(scored).flatten()
        return _Ran(values=outputs.values, rows=rows, sequences=rows, steps=ends[rows], leaves=leaves)
    steps = torch.where(scored, torch.arange(len(scored)), -1)
    of = torch.arange(len(lengths)).repeat_interleave(lengths)
    last = torch.full((len(lengths),), -1).scatter_reduce(0, of, steps, "amax")
    there = torch.nonzero(last >= 0).flatten()
    return _Ran(values=outputs.values, rows=last[there], sequences=there, steps=last[there], leaves=leaves)


def _by_step(loss: Tensor, ran: _Ran, num_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the norm of the loss's gradient with respect to each step `[num_steps]`, and to each row of the outputs."""
    leaves = [leaf for leaf in ran.leaves if is_by_step(leaf, num_steps)]
    found, by_output = gradients(loss, leaves, ran.values)
    squares = np.zeros(num_steps)
    for gradient in found:
        squares += gradient.reshape(num_steps, -1).double().square().sum(dim=1).cpu().numpy()
    return np.sqrt(squares), by_output


def gradients(loss: Tensor, leaves: list[Tensor], outputs: Tensor) -> tuple[list[Tensor], np.ndarray]:
    """Return the gradient of a number with respect to each leaf, zeros where none comes, and its norm for each row of the outputs."""
    found: list[Tensor | None] = [None] * (len(leaves) + 1)
    if loss.requires_grad:
        found = list(torch.autograd.grad(loss, [*leaves, outputs], allow_unused=True))
    at_output = found.pop()
    # A loss whose graph is cut at the output itself still has a size: no sequence is left out for it.
    by_output = torch.ones(len(outputs)) if at_output is None else at_output.reshape(len(outputs), -1).double().norm(dim=1)
    whole = [torch.zeros_like(leaf) if gradient is None else gradient for leaf, gradient in zip(leaves, found, strict=True)]
    return whole, by_output.cpu().numpy()


def reach_of(by_step: np.ndarray, step: int, output: float, leaves: list[Tensor]) -> Reach:
    """Return how far back what is followed reaches from `step`, by the norms of all steps of its sequence.

    Args:
        by_step: `[steps]`, in the order of time.
        step: of the output that is followed.
        output: norm of the gradient with respect to that output.
        leaves: tell the precision.
    """
    smallest = max((torch.finfo(leaf.dtype).tiny for leaf in leaves), default=0.0) * 1e3
    ahead = float(by_step[step + 1 :].max(initial=0.0))
    return Reach(norms=by_step[: step + 1][::-1].copy(), output=output, smallest=smallest, ahead=ahead)


def _with_cause(reaches: list[Reach], ran: _Ran, data: Sequences, again: Callable[[Callable[[Tensor], Tensor]], _Ran]) -> list[Reach]:
    """Tell a graph that was cut from steps that are not read: change what was read before the cut, and look at the outputs.

    A repeated run without a change must give the same outputs, else nothing can be told.
    """
    beyond = torch.zeros(data.num_steps, dtype=torch.bool)
    for reach, (begin, _, step, _) in zip(reaches, _spans(data, ran), strict=True):
        if reach.is_cut:
            beyond[begin : step - reach.last] = True
    same = again(lambda values: values)
    other = again(lambda values: changed(values, beyond))
    if not torch.equal(same.values[ran.rows], ran.values[ran.rows]):
        return reaches
    moved = (other.values[ran.rows] != ran.values[ran.rows]).flatten(1).any(dim=1).tolist()
    return [replace(reach, moved=move) if reach.is_cut else reach for reach, move in zip(reaches, moved, strict=True)]


def changed(values: Tensor, steps: Tensor) -> Tensor:
    """Return values of which the given steps differ, by about their own size."""
    if not is_by_step(values, len(steps)):
        return values
    rows = values.reshape(len(steps), -1)
    return torch.where(steps.to(rows.device)[:, None], rows * 0.5 - 0.5, rows).view(values.shape)


def is_by_step(values: Tensor, num_steps: int) -> bool:
    """Return whether values are `[num_steps, ...]`, but for axes of size one before."""
    return num_steps in (values.shape[0], values.shape[:-1].numel())
