"""How good is the model on the validation part after an epoch: its loss, its accuracy with an interval, and metrics of one's own?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from statewise.evaluation import accuracy_over_units
from statewise.training._gradients import finite

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.sequences import Sequences
    from statewise.training._own import OwnParts
    from statewise.training._scoring import Scorer


@dataclass(frozen=True, kw_only=True)
class Validated:
    """What validation found; the accuracy is of classes alone."""

    loss: float
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)


@dataclass(kw_only=True)
class Validation:
    """The part that chooses the best weights, and how it is scored.

    Attributes:
        data: the validation part.
        steps: real steps in a batch.
        own: metrics of one's own.
        scorer: calls the module.
    """

    data: Sequences
    steps: int
    own: OwnParts
    scorer: Scorer

    def measure(self, check: Callable[[], object] = lambda: None) -> Validated:
        """Score the whole part in eval mode; `check` is called after each batch and may raise."""
        self.scorer.adapted.module.eval()
        loss_sum = weight_sum = 0.0
        correct, right_rows, kept = [], [], []
        with torch.no_grad():
            for values, items, at in self.scorer.answers(self.data, self.steps):
                scored = self.scorer.objective(values, items.targets, items.weights)
                loss_sum += float(scored.loss_sum)
                weight_sum += float(scored.weight_sum)
                if scored.correct is not None:
                    correct.append(scored.correct.cpu())
                    right_rows.append(at[scored.scored.cpu()])
                if self.own.metrics:
                    whole = scored.scored.reshape(len(values), -1).all(dim=1)
                    kept.append((values[whole].cpu(), items.targets[whole].cpu()))
                check()
        found = Validated(loss=loss_sum / weight_sum if weight_sum else math.nan, metrics=self.own.measure(kept))
        if not correct:
            return found
        estimate = accuracy_over_units(torch.cat(correct).numpy(), self._units[torch.cat(right_rows).numpy()])
        return replace(found, accuracy=finite(estimate.value), accuracy_low=estimate.low, accuracy_high=estimate.high)

    @cached_property
    def _units(self) -> np.ndarray:
        """The independent unit of each target: its group, else its sequence."""
        units = np.array(self.data.units, dtype=object)
        return units if self.data.each == "sequence" else np.repeat(units, self.data.lengths.numpy())
