"""What happened during training? A stream of records: the bar, the report, the checks and one's own consumers read it.

One record is one line of `history.jsonl`. A loss or norm that is not finite is stored as null and read back as None.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Phase: TypeAlias = Literal["fit", "refit"]
EndReason: TypeAlias = Literal["finished", "early_stop", "interrupted", "not_finite"]


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started", tag_field="record"):
    """Training begins (or, with `resumed_at`, goes on after that many epochs)."""

    model: str
    task: str
    num_parameters: int
    num_epochs: int
    num_train: int
    num_valid: int
    steps_per_epoch: int
    phase: Phase = "fit"
    resumed_at: int = 0


class Update(msgspec.Struct, frozen=True, kw_only=True, tag="update", tag_field="record"):
    """One optimiser step. Norms are taken before clipping; `norms` has one entry a parameter group of the model."""

    update: int
    epoch: int
    loss: float | None
    gradient_norm: float | None
    norms: dict[str, float | None]
    clipped: bool
    learning_rate: float
    steps: int
    phase: Phase = "fit"


class Epoch(msgspec.Struct, frozen=True, kw_only=True, tag="epoch", tag_field="record"):
    """One pass over the training part, counted from 1; the validation figures are absent where there is no such part.

    Accuracies are of classes alone. `metrics` are figures of one's own on the validation part, by name.
    """

    epoch: int
    train_loss: float | None
    train_accuracy: float | None = None
    valid_loss: float | None = None
    valid_accuracy: float | None = None
    valid_accuracy_low: float | None = None
    valid_accuracy_high: float | None = None
    learning_rate: float | None = None
    steps_per_second: float | None = None
    seconds: float | None = None
    best: bool = False
    phase: Phase = "fit"
    metrics: dict[str, float | None] = {}


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended", tag_field="record"):
    """Training is over, and which epoch's weights were kept."""

    reason: EndReason
    best_epoch: int
    seconds: float
    phase: Phase = "fit"


class Lags(msgspec.Struct, frozen=True, kw_only=True, tag="lags", tag_field="record"):
    """How far back the loss reached after an epoch: the norm of its gradient with respect to the input of each step, by lag.

    A sequence has one loss: its own, or where every step has a target that at its last scored step. From there lags count back.

    Attributes:
        epoch: after which it was measured.
        lags: 0 first; of many, those up to 32 and some of each doubling.
        norms: the median over the sequences that have that lag. Each sequence counts in units of its loss's gradient at the output,
            whose median is multiplied back: so a lag that only long sequences have can be compared with one that all have. None
            where it is not finite.
        counts: how many sequences have that lag.
        factor: what a step further back multiplies the norm by: one rate, fitted to the logarithms within the sequences. None with
            fewer than two lags, and where a model reads both ways.
        factor_low, factor_high: its 95 % interval over the sequences; None for fewer than three.
        r_squared: share of the differences between lags that this one rate explains.
        half_life: steps after which the norm is halved; None where it does not fall.
        num_cut: sequences in which no gradient at all comes beyond some lag, although it was no tiny one there.
        cut_after: the largest such lag, -1 where no step gets any.
        cut: whether what was read before still moved the output (`"detached"`: the graph was cut) or did not (`"unread"`); None
            without a cut, and where a repeated call says something else.
        both_ways: whether the model also reads from the end, so that the far lags are near to its other direction.
        inputs: what the gradient is with respect to, such as `"encoded inputs"`.
        num_silent: sequences left out because their loss had no gradient even at the output.
    """

    epoch: int
    lags: tuple[int, ...]
    norms: tuple[float | None, ...]
    counts: tuple[int, ...]
    factor: float | None = None
    factor_low: float | None = None
    factor_high: float | None = None
    r_squared: float | None = None
    half_life: float | None = None
    num_cut: int = 0
    cut_after: int | None = None
    cut: Literal["detached", "unread"] | None = None
    both_ways: bool = False
    inputs: str = "inputs"
    num_silent: int = 0
    phase: Phase = "fit"

    @property
    def num_sequences(self) -> int:
        """How many sequences were measured."""
        return self.counts[0] if self.counts else 0


Record: TypeAlias = Started | Update | Epoch | Lags | Ended


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The records of one training, in order."""

    records: tuple[Record, ...] = ()

    def epochs(self, phase: Phase = "fit") -> list[Epoch]:
        """Return the epochs of one phase; `"fit"` is the one that validation watched."""
        return [record for record in self.records if isinstance(record, Epoch) and record.phase == phase]

    def updates(self, phase: Phase = "fit") -> list[Update]:
        """Return the optimiser steps of one phase."""
        return [record for record in self.records if isinstance(record, Update) and record.phase == phase]

    def lags(self, phase: Phase = "fit") -> list[Lags]:
        """Return how far back the loss reached in one phase, epoch by epoch; empty where that was not measured."""
        return [record for record in self.records if isinstance(record, Lags) and record.phase == phase]

    def ended(self, phase: Phase = "fit") -> Ended | None:
        """Return how one phase ended, or None while it has not."""
        return next((record for record in reversed(self.records) if isinstance(record, Ended) and record.phase == phase), None)
