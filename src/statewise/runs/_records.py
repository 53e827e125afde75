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
    """One pass over the training part, counted from 1; the validation figures are absent where there is no such part."""

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


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended", tag_field="record"):
    """Training is over, and which epoch's weights were kept."""

    reason: EndReason
    best_epoch: int
    seconds: float
    phase: Phase = "fit"


Record: TypeAlias = Started | Update | Epoch | Ended


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The records of one training, in order."""

    records: tuple[Record, ...] = ()

    def epochs(self, phase: Phase = "fit") -> list[Epoch]:
        """Return the epochs of one phase; `"fit"` is the one that validation watched."""
        return [record for record in self.records if isinstance(record, Epoch) and record.phase == phase]

    def updates(self, phase: Phase = "fit") -> list[Update]:
        """Return the optimiser steps of one phase."""
        return [record for record in self.records if isinstance(record, Update) and record.phase == phase]

    def ended(self, phase: Phase = "fit") -> Ended | None:
        """Return how one phase ended, or None while it has not."""
        return next((record for record in reversed(self.records) if isinstance(record, Ended) and record.phase == phase), None)
