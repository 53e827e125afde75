"""Did a training go wrong? A history, ours or a stranger's, is read into curves, and the checks of a history are asked of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

from statewise.auditing._needs import Examined
from statewise.auditing._plain_audit import audited
from statewise.errors import DataError, kind_of
from statewise.runs import History, Run, history_of, read_history
from statewise.sequences import number_of
from statewise.training import broken_places, finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from statewise.auditing._audit import Audit
    from statewise.runs import Epoch, Phase, Update

HistoryLike: TypeAlias = "History | Run | Path | str | Mapping[str, Sequence[float | None]] | Iterable[float | None]"
"""What can be audited as a history: records, a run, a file, columns by name, or losses alone."""


def audit_history(
    history: HistoryLike, *, majority_accuracy: float | None = None, select: Sequence[str] = (), ignore: Sequence[str] = ()
) -> Audit:
    """Ask whether a training went wrong: its losses, accuracies, gradient norms and learning rate.

    A rise counts only where it is more than the noise of the curve, so that a short history is mostly not applicable.

    Args:
        history: the records of a run, the run, a `history.jsonl` or a csv with one row an epoch (`loss`, and where there are some
            `accuracy`, `valid_loss`, `valid_accuracy`), the same columns in a dict, or the training loss of each epoch in a list.
        majority_accuracy: share of the most frequent class, from 0 to 1; tells an accuracy that is stuck there from one at its best.
        select: codes, or beginnings of codes; all where it is empty.
        ignore: codes, or beginnings of codes, that are skipped.

    Raises:
        DataError: no such file, no epoch, or an entry that is not a number.
        OptionError: `select` or `ignore` names no check, or the share is none.

    Example:
        >>> run = {"loss": [1.2, 0.9, 0.7, 0.5, 0.4], "accuracy": [0.35, 0.50, 0.65, 0.75, 0.82]}
        >>> audit_history(run).findings
        ()
        >>> print(audit_history([0.7, 0.69, 0.7, 0.71, 0.7, 0.69, 0.7]).findings[0].code)
        SW902
    """
    if majority_accuracy is not None:
        number_of(
            majority_accuracy, 1e-9, 1, asked="audit a history", where="majority_accuracy", whole=False, hint="Give a share from 0 to 1."
        )
    records, name = _read(history)
    phase: Phase = "fit" if records.epochs("fit") else "refit"
    subject = HistorySubject(history=records, phase=phase, majority_accuracy=majority_accuracy)
    if not subject.epochs and not subject.updates:
        hint = "Let at least one epoch end, or give a csv with the columns loss,accuracy and one row an epoch."
        raise DataError(asked="audit a history", where=name, arrived="no epoch in it", hint=hint)
    seen = f"{len(subject.epochs)} epochs and {len(subject.updates):,} updates{' of the refit' if phase == 'refit' else ''}"
    return audited("history", subject, name=name, sampled=f"Looked at: {seen}.", asked="audit a history", select=select, ignore=ignore)


@dataclass(frozen=True, kw_only=True)
class HistorySubject(Examined):
    """A history as its checks see it.

    Attributes:
        history: the records.
        phase: the part that is looked at.
        majority_accuracy: share of the most frequent class, where known.
    """

    history: History
    phase: Phase
    majority_accuracy: float | None = None

    @cached_property
    def epochs(self) -> list[Epoch]:
        """The epochs that are looked at."""
        return self.history.epochs(self.phase)

    @cached_property
    def updates(self) -> list[Update]:
        """The updates that are looked at."""
        return self.history.updates(self.phase)

    @cached_property
    def broken(self) -> list[str]:
        """Where a loss is not finite."""
        return broken_places(self.history, self.phase)

    @cached_property
    def losses(self) -> list[float]:
        """The finite training losses of the epochs."""
        return _there(epoch.train_loss for epoch in self.epochs)

    @cached_property
    def valid_losses(self) -> list[float]:
        """The finite validation losses."""
        return _there(epoch.valid_loss for epoch in self.epochs)

    @cached_property
    def accuracies(self) -> list[float]:
        """The accuracies of the training part; of the validation part where there are none."""
        return _there(epoch.train_accuracy for epoch in self.epochs) or _there(epoch.valid_accuracy for epoch in self.epochs)

    @cached_property
    def norms(self) -> list[float]:
        """The finite norms of all gradients together, before clipping."""
        return _there(update.gradient_norm for update in self.measured)

    @cached_property
    def measured(self) -> list[Update]:
        """The updates whose norm is finite."""
        return [update for update in self.updates if finite(update.gradient_norm) is not None]

    @cached_property
    def update_losses(self) -> list[float]:
        """The finite losses of the updates."""
        return _there(update.loss for update in self.updates)

    @property
    def learns(self) -> bool:
        """Whether the training loss falls by more than its noise."""
        return len(self.losses) >= 2 and falls(self.losses)


def noise_of(values: Sequence[float]) -> float:
    """Return the standard deviation of the noise of a curve, whatever its trend: from its second differences, outliers aside.

    Of a long curve the differences over two and three epochs count too, where they are larger: neighbours may share their noise.

    Example:
        >>> noise_of([5.0, 4.0, 3.0, 2.0, 1.0])
        0.0
        >>> round(noise_of([1.0, 1.1, 1.0, 1.1, 1.0, 1.1]), 3)
        0.121
    """
    widths = [width for width in (1, 2, 3) if len(values) >= 5 * width + 2] or [1]
    bends = [
        [abs(values[at] - 2 * values[at + width] + values[at + 2 * width]) for at in range(len(values) - 2 * width)] for width in widths
    ]
    return max((1.4826 * median(each) / math.sqrt(6) for each in bends if each), default=0.0)


def falls(losses: Sequence[float]) -> bool:
    """Return whether a curve ends lower than it began, by more than its noise and than 1 %."""
    last = losses[-max(len(losses) // 3, 1) :]
    fall = losses[0] - math.fsum(last) / len(last)
    return fall > max(0.01 * abs(losses[0]), 3 * noise_of(losses) * math.sqrt(1 + 1 / len(last)))


def _there(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and finite(value) is not None]


def _read(given: HistoryLike) -> tuple[History, str]:
    """Return the records of what was given, and its name."""
    if isinstance(given, History):
        return given, "a history"
    if isinstance(given, Run):
        return given.history, f"the history of {given.directory or 'a run'}"
    if isinstance(given, (str, Path)):
        path = Path(given)
        return read_history(path / "history.jsonl" if path.is_dir() else path), str(given)
    if isinstance(given, Mapping):
        return history_of(given), "a history"
    if hasattr(given, "__iter__"):
        return history_of({"loss": list(given)}), "a history of losses"
    hint = "Give a History, a run, a file, a dict of columns such as {'loss': [...]}, or a list of losses."
    raise DataError(asked="audit a history", where="the history", arrived=kind_of(given), hint=hint)
