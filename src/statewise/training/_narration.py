r"""What happened, epoch by epoch, in words? Each word follows from the figures by a written rule.

A *change* is the figure minus the one `every` epochs before (1 for up to 20 epochs; the first epoch stands in where there
is none so far back). A figure *holds* when its change is at most 1 % of the earlier loss, or 0.005 of accuracy.

| says | rule |
|---|---|
| loss is not finite | the loss is absent, infinite or not a number |
| loss starts high | first epoch; its loss is at least ln(classes), or it is the highest of the run and 1 % above the lowest |
| loss starts at x | first epoch otherwise |
| loss jumps | it rose within one epoch by more than a fifth of the whole fall up to there (the limit of the good band) |
| loss swings | the last three changes go up and down in turn, none of them holds ("swings and jumps" where it also jumped) |
| loss converges | the last three changes fall, none more than the one before, the last at most half of the largest fall so far |
| loss has levelled off / is flat | the last three changes hold, the loss lies below the first one by more than 1 % / does not |
| loss falls, rises, holds | the change |
| accuracy rises steadily | the last three changes rise |
| accuracy is stuck at the majority share | it held for three changes within 0.01 of the most frequent class's share, where known |
| accuracy has not moved | it held for three changes and was never more than 0.005 above the first one |
| accuracy improves, drops, holds | the change |
| validation loss rises | where there is no accuracy: by more than 5 % of the earlier one |
| validation accuracy drops | its change is below minus 0.005, and it leaves the earlier figure's interval where there is one |
| overfits from here on | the epoch after the lowest validation loss: at least two epochs follow the lowest, their mean lies more \
than 5 % above it, and the training loss ends lower than it was there |
| best epoch | the one whose weights were kept; without that record, the lowest validation loss; without that, none |
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from statewise.errors import DataError
from statewise.runs import Epoch, History, Update
from statewise.training._bands import MAX_RISE, STILL
from statewise.training._narration_epochs import best_epoch, finite, overfits_since, pace, shown_places
from statewise.training._narration_lags import tell_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

_Phase: TypeAlias = Literal["fit", "refit"]

_HOLDS_LOSS, _HOLDS_ACCURACY = STILL, 0.005
_RISES = 0.05


class EpochLine(msgspec.Struct, frozen=True, kw_only=True):
    """One epoch: its figures (None where there are none), the length of its bar from 0 to 1, and what it says."""

    epoch: int
    loss: float | None
    accuracy: float | None
    valid_loss: float | None
    valid_accuracy: float | None
    bar: float
    best: bool
    says: tuple[str, ...]

    @property
    def observation(self) -> str:
        """All that it says, in one phrase."""
        return ", ".join(self.says)


class TrainingTrace(msgspec.Struct, frozen=True, kw_only=True):
    """A training told epoch by epoch; printed, it is a table of 80 columns.

    Attributes:
        lines: the epochs that are shown: all, or from 21 on the first, every k-th, the best, the last, and those where a loss
            stopped being finite or overfitting began.
        num_epochs: how many there were; `every` is k.
        best_epoch: whose weights were kept, or None where nothing tells.
        overfits_since: the first epoch of overfitting, or None.
        gradient_median: median over all updates of the norm of all gradients, before clipping; None without such records.
        layer_medians: the same for each layer.
        clipped_share: share of updates whose gradients were scaled down.
        steps_per_second: median over the epochs of real time steps a second.
        through_time: how far back in time the loss reached, in words; None where that was not measured.
    """

    lines: tuple[EpochLine, ...]
    num_epochs: int
    every: int
    phase: _Phase = "fit"
    best_epoch: int | None = None
    overfits_since: int | None = None
    num_updates: int = 0
    gradient_median: float | None = None
    layer_medians: dict[str, float] = {}
    clipped_share: float | None = None
    steps_per_second: float | None = None
    through_time: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def num_left_out(self) -> int:
        """How many epochs are not shown."""
        return self.num_epochs - len(self.lines)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Show the table and the summary."""
        from statewise.training._narration_terminal import render

        yield from render(self, options)

    def __str__(self) -> str:
        """Return what is printed, without colour, in 80 columns."""
        from statewise.training._narration_terminal import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from statewise.training._narration_terminal import as_html

        return as_html(self)


def training_trace(history: History, *, num_classes: int | None = None, majority_accuracy: float | None = None) -> TrainingTrace:
    """Tell a training epoch by epoch, in words that its figures support.

    Args:
        history: the records of a run, or those of any training, read with `read_history` from a csv of `loss,accuracy`.
        num_classes: lets "starts high" be said of a loss at or above that of guessing, ln(classes).
        majority_accuracy: share of the most frequent class in training, from 0 to 1; lets "stuck" be told from "slow".

    Returns:
        The trace of the part that validation watched; of the refit where there is nothing else.

    Raises:
        DataError: the history holds no epoch.

    Example:
        >>> losses, accuracies = [1.2, 0.9, 0.7, 0.5, 0.4], [0.35, 0.50, 0.65, 0.75, 0.82]
        >>> pairs = enumerate(zip(losses, accuracies), 1)
        >>> run = History(records=tuple(Epoch(epoch=n, train_loss=loss, train_accuracy=right) for n, (loss, right) in pairs))
        >>> for line in training_trace(run).lines:
        ...     print(line.epoch, line.loss, line.accuracy, line.observation)
        1 1.2 0.35 loss starts high
        2 0.9 0.5 loss falls, accuracy improves
        3 0.7 0.65 loss falls, accuracy improves
        4 0.5 0.75 loss falls, accuracy rises steadily
        5 0.4 0.82 loss converges, accuracy rises steadily
    """
    phase: _Phase = "fit" if history.epochs("fit") else "refit"
    epochs = history.epochs(phase)
    if not epochs:
        raise DataError(
            asked="trace a training",
            where="the history",
            arrived=f"{len(history.records)} records and no epoch among them",
            hint="Let at least one epoch end, or give a csv with the columns loss,accuracy and one row an epoch.",
        )
    every = pace(len(epochs))
    curves = _Curves(epochs, every, num_classes, majority_accuracy)
    best, overfits = best_epoch(history, epochs, phase), overfits_since(epochs)
    shown = shown_places(epochs, every, best, overfits)
    updates = history.updates(phase)
    norms = _finite_ones(update.gradient_norm for update in updates)
    speeds = _finite_ones(epoch.steps_per_second for epoch in epochs)
    return TrainingTrace(
        lines=tuple(_line(curves, place, best, overfits) for place in shown),
        num_epochs=len(epochs),
        every=every,
        phase=phase,
        best_epoch=best,
        overfits_since=overfits,
        num_updates=len(updates),
        gradient_median=median(norms) if norms else None,
        layer_medians=_layer_medians(updates),
        clipped_share=fmean(update.clipped for update in updates) if updates else None,
        steps_per_second=median(speeds) if speeds else None,
        through_time=tell_change(lags, best) if (lags := history.lags(phase)) else None,
        notes=(*_hidden_jumps(curves, shown), *_notes(history, phase)),
    )


def _finite_ones(values: Iterable[float | None]) -> list[float]:
    """Return those that are there and finite."""
    return [value for value in values if value is not None and math.isfinite(value)]


class _Curves:
    """The figures of all epochs, and the changes that lead to each."""

    def __init__(self, epochs: Sequence[Epoch], every: int, num_classes: int | None, majority: float | None) -> None:
        self.epochs, self.every, self.majority = epochs, every, majority
        self.losses = [finite(epoch.train_loss) for epoch in epochs]
        self.accuracies = [finite(epoch.train_accuracy) for epoch in epochs]
        self.valid_losses = [finite(epoch.valid_loss) for epoch in epochs]
        self.valid_accuracies = [finite(epoch.valid_accuracy) for epoch in epochs]
        there = _finite_ones(self.losses)
        self.highest, self.lowest = (max(there), min(there)) if there else (0.0, 0.0)
        self.falls_before = _falls_before(self.losses)
        self.guessing = math.log(num_classes) if num_classes else math.inf

    def changes(self, values: Sequence[float | None], place: int) -> list[tuple[float, float]]:
        """Return (earlier figure, change) of each pace up to `place`, oldest first, back to the last gap."""
        places = list(range(place, -1, -self.every)) or [place]
        if len(places) == 1 and place:
            places.append(0)
        found: list[tuple[float, float]] = []
        for later, earlier in pairwise(places):
            before, now = values[earlier], values[later]
            if before is None or now is None:
                break
            found.append((before, now - before))
        return found[::-1]

    def bar(self, place: int) -> float:
        """Return the loss as a share of the highest, measured from zero or, below zero, from the lowest."""
        loss, floor = self.losses[place], min(0.0, self.lowest)
        if loss is None or self.highest <= floor:
            return 0.0
        return (loss - floor) / (self.highest - floor)


def _falls_before(losses: Sequence[float | None]) -> list[float]:
    """Return, for each epoch, the fall from the first finite loss to the lowest of the epochs before it."""
    falls, first, lowest = [], math.nan, math.inf
    for loss in losses:
        falls.append(0.0 if math.isnan(first) else first - lowest)
        if loss is not None:
            first, lowest = loss if math.isnan(first) else first, min(lowest, loss)
    return falls


def _line(curves: _Curves, place: int, best: int | None, overfits: int | None) -> EpochLine:
    epoch = curves.epochs[place]
    says = [_loss_says(curves, place), _accuracy_says(curves, place), _validation_says(curves, place)]
    if epoch.epoch == overfits:
        says.append("overfits from here on")
    if epoch.epoch == best:
        says.append("best epoch")
    return EpochLine(
        epoch=epoch.epoch,
        loss=curves.losses[place],
        accuracy=curves.accuracies[place],
        valid_loss=finite(epoch.valid_loss),
        valid_accuracy=curves.valid_accuracies[place],
        bar=curves.bar(place),
        best=epoch.epoch == best,
        says=tuple(filter(None, says)),
    )


def _loss_says(curves: _Curves, place: int) -> str:
    loss = curves.losses[place]
    if loss is None:
        return "loss is not finite"
    if place == 0:
        is_highest = loss >= curves.highest and loss - curves.lowest > _HOLDS_LOSS * abs(loss)
        return "loss starts high" if is_highest or loss >= curves.guessing else f"loss starts at {loss:.3g}"
    changes = curves.changes(curves.losses, place)
    return f"loss {_loss_moves(curves, place, changes)}" if changes else "loss is finite again"


def _loss_moves(curves: _Curves, place: int, changes: Sequence[tuple[float, float]]) -> str:
    moves = [0 if abs(change) <= _HOLDS_LOSS * abs(before) else int(math.copysign(1, change)) for before, change in changes]
    swings, jumps = _swings(moves), _jumps(curves, place)
    if swings or jumps:
        return " and ".join(word for word, holds in (("swings", swings), ("jumps", jumps)) if holds)
    if _converges([-change for _, change in changes]):
        return "converges"
    if len(moves) >= 3 and not any(moves[-3:]):
        first = _finite_ones(curves.losses)[0]
        fell = first - sum(changes[-1]) > _HOLDS_LOSS * abs(first)
        return "has levelled off" if fell else "is flat"
    return {-1: "falls", 0: "holds", 1: "rises"}[moves[-1]]


def _jumps(curves: _Curves, place: int) -> bool:
    """Whether the loss rose within one epoch by more than a fifth of the whole fall up to there."""
    now, before, fall = curves.losses[place], curves.losses[place - 1], curves.falls_before[place]
    if now is None or before is None:
        return False
    return fall > 0 and now - before > MAX_RISE * fall and now - before > _HOLDS_LOSS * abs(before)


def _swings(moves: Sequence[int]) -> bool:
    last = moves[-3:]
    return len(last) == 3 and all(last) and last[0] == -last[1] == last[2]


def _converges(falls: Sequence[float]) -> bool:
    last = falls[-3:]
    if len(last) < 3 or min(last) <= 0:
        return False
    shrinks = all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(last))
    return shrinks and last[-1] <= 0.5 * max(falls) * (1 + 1e-9)


def _accuracy_says(curves: _Curves, place: int) -> str:
    changes = [change for _, change in curves.changes(curves.accuracies, place)]
    now = curves.accuracies[place]
    if not changes or now is None:
        return ""
    # Compared with a hair of tolerance: 0.505 - 0.5 is more than 0.005 in binary.
    moves = [0 if abs(change) <= _HOLDS_ACCURACY + 1e-9 else int(math.copysign(1, change)) for change in changes]
    last = moves[-3:]
    if len(last) == 3 and set(last) == {1}:
        return "accuracy rises steadily"
    if len(last) == 3 and set(last) == {0}:
        if curves.majority is not None and abs(now - curves.majority) <= 0.01:
            return "accuracy is stuck at the majority share"
        there = _finite_ones(curves.accuracies[: place + 1])
        if max(there) <= there[0] + _HOLDS_ACCURACY + 1e-9:
            return "accuracy has not moved"
    return {-1: "accuracy drops", 0: "accuracy holds", 1: "accuracy improves"}[moves[-1]]


def _validation_says(curves: _Curves, place: int) -> str:
    if not _finite_ones([*curves.accuracies, *curves.valid_accuracies]):
        losses = curves.changes(curves.valid_losses, place)
        return "validation loss rises" if losses and losses[-1][1] > _RISES * abs(losses[-1][0]) else ""
    changes = curves.changes(curves.valid_accuracies, place)
    if not changes or changes[-1][1] >= -_HOLDS_ACCURACY:
        return ""
    before, change = changes[-1]
    low = curves.epochs[max(place - curves.every, 0)].valid_accuracy_low
    return "" if low is not None and before + change >= low else "validation accuracy drops"


def _layer_medians(updates: Sequence[Update]) -> dict[str, float]:
    norms: dict[str, list[float]] = {}
    for update in updates:
        for layer, norm in update.norms.items():
            norms.setdefault(layer, []).extend(_finite_ones([norm]))
    return {layer: median(there) for layer, there in norms.items() if there}


def _hidden_jumps(curves: _Curves, shown: Sequence[int]) -> Iterator[str]:
    """Tell of jumps in epochs that are not shown."""
    hidden = [curves.epochs[place].epoch for place in range(1, len(curves.epochs)) if place not in shown and _jumps(curves, place)]
    if hidden:
        more = f" and {len(hidden) - 5} more" if len(hidden) > 5 else ""
        plural = "epoch" if len(hidden) == 1 else "epochs"
        yield f"The loss also jumps in {plural} {', '.join(map(str, hidden[:5]))}{more}, not shown above."


_ENDINGS: dict[str, str] = {
    "finished": "All epochs were run.",
    "early_stop": "Stopped early: validation no longer improved.",
    "interrupted": "Interrupted before the last epoch.",
    "not_finite": "Stopped: a loss or gradient was not finite.",
}


def _notes(history: History, phase: _Phase) -> Iterator[str]:
    ended = history.ended(phase)
    if ended is not None:
        yield _ENDINGS[ended.reason]
    refit = history.epochs("refit") if phase == "fit" else []
    if refit:
        last = finite(refit[-1].train_loss)
        loss = "a loss that is not finite" if last is None else f"loss {last:.3g}"
        plural = "epoch" if len(refit) == 1 else "epochs"
        yield f"Then refitted on the whole training part for {len(refit)} {plural}, to {loss}."
