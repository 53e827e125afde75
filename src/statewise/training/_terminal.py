"""What does a person see while a model trains? A bar of epochs with the latest figures: one consumer of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from statewise.runs import Ended, Epoch, Started

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from statewise.runs import Record

_TITLES = {"fit": "training", "refit": "refitting"}


class ProgressBar:
    """A callback for `fit` that draws a bar; use it as a context.

    Example:
        `with ProgressBar(console) as bar: fit(model, train, valid, callbacks=[bar])`
    """

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBar:
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        """Wipe the bar away."""
        self._bar.stop()

    def __call__(self, record: Record) -> None:
        """Take one record."""
        if isinstance(record, Started):
            self._task = self._bar.add_task(_TITLES[record.phase], total=record.num_epochs, completed=record.resumed_at, figures="")
        elif isinstance(record, Epoch) and self._task is not None:
            self._bar.update(self._task, completed=record.epoch, figures=_figures(record))
        elif isinstance(record, Ended) and self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


def _figures(epoch: Epoch) -> str:
    figures = [("loss", epoch.train_loss, ".3f"), ("valid", epoch.valid_loss, ".3f"), ("accuracy", epoch.valid_accuracy, ".3f")]
    shown = [f"{name} {value:{form}}" for name, value, form in figures if value is not None]
    return "  ".join([*shown, f"{epoch.steps_per_second or 0:,.0f} steps/s"])
