"""What is known after a cross-validation? A row a fold, a figure a group, and all out-of-fold answers in the common form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from statewise.evaluation import FACTS, Evaluation, Predictions, figure, metric_words

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One training and what it left out.

    Attributes:
        number: from 1; `of` is how many there are.
        left_out: what was not trained on, in words.
        num_train: sequences that were trained on.
        num_valid: sequences that chose the epoch; they come from the training part.
        num_scored: rows of the test fold.
        metric: what `value` is.
        value: the figure of the test fold.
        epochs: how many were trained.
        best_epoch: whose weights were kept.
    """

    number: int
    of: int
    left_out: str
    num_train: int
    num_valid: int
    num_scored: int
    metric: str
    value: float
    epochs: int
    best_epoch: int

    def __str__(self) -> str:
        """Return the fold in one line, to be printed as it ends."""
        scored = f"{metric_words(self.metric)} {figure(self.value) if self.metric in _SHARES else f'{self.value:.4g}'}"
        return f"fold {self.number} of {self.of} ({self.left_out} left out): {scored} on {self.num_scored:,} rows; {self.epochs} epochs"


class PartScore(msgspec.Struct, frozen=True, kw_only=True):
    """The figure of a group, or where no group is left out of a fold.

    Attributes:
        name: of the group or fold.
        fold: in which it was left out, from 1.
        num_scored: number of its rows.
        value: its figure.
    """

    name: str
    fold: int
    num_scored: int
    value: float


_SHARES = ("accuracy", "hamming_accuracy")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CrossValidation:
    """How good is a recipe on what it has not seen? As many models as there are folds, each scored on what it was not trained on.

    Attributes:
        by: what was never split: `"group"`, `"sequence"` or `"time"`.
        metric: the figure of the rows; the evaluation holds the others.
        folds: one a training.
        parts: one a group, or one a fold where no group is left out.
        predictions: the out-of-fold answers of all folds, `split` naming the fold; `.save(path)` writes them.
        evaluation: the metrics of all of them together, with intervals over groups where there are groups.
    """

    by: str
    metric: str
    folds: tuple[Fold, ...]
    parts: tuple[PartScore, ...]
    predictions: Predictions
    evaluation: Evaluation

    @property
    def worst(self) -> PartScore:
        """The group, or fold, with the worst figure; one without any is none."""
        return self.from_worst[0]

    @property
    def from_worst(self) -> tuple[PartScore, ...]:
        """The groups, or folds, from the worst figure to the best; those without any last."""
        sign = -1 if FACTS[self.metric].lower_is_better else 1
        return tuple(sorted(self.parts, key=lambda part: (math.isnan(part.value), sign * part.value)))

    def __repr__(self) -> str:
        """Return the figure of all folds together."""
        found = self.evaluation.metrics[self.metric]
        return f"CrossValidation(by {self.by}, {len(self.folds)} folds, {metric_words(self.metric)} {found}, worst {self.worst.name!r})"

    def __str__(self) -> str:
        """Return what the terminal shows, as plain text of 100 columns."""
        from statewise.training._cross_validation_terminal import as_text

        return as_text(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a row a group, and what holds of all of them together."""
        from statewise.training._cross_validation_terminal import render

        return render(self)


def is_share(metric: str) -> bool:
    """Return whether a figure is written as a part of 1."""
    return metric in _SHARES
