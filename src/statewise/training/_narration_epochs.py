"""Which epochs of a training matter: the best, the one from which it overfits, and those that are shown of many?"""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.runs import Epoch, History

_Phase: TypeAlias = Literal["fit", "refit"]

_SHOWN_WHOLE = 20


def overfits_since(epochs: Sequence[Epoch]) -> int | None:
    """Return the epoch after the lowest validation loss where overfitting follows, by the rule of the story; else None."""
    watched = [epoch for epoch in epochs if finite(epoch.valid_loss) is not None and finite(epoch.train_loss) is not None]
    if len(watched) < 3:
        return None
    losses: list[float] = [epoch.valid_loss or 0.0 for epoch in watched]
    lowest = losses.index(min(losses))
    after = losses[lowest + 1 :]
    if len(after) < 2 or fmean(after) - losses[lowest] <= 0.05 * abs(losses[lowest]):
        return None
    return watched[lowest + 1].epoch if (watched[-1].train_loss or 0.0) < (watched[lowest].train_loss or 0.0) else None


def best_epoch(history: History, epochs: Sequence[Epoch], phase: _Phase) -> int | None:
    """Return the epoch whose weights were kept; without that record the lowest validation loss; without that None."""
    ended = history.ended(phase)
    flagged = [epoch.epoch for epoch in epochs if epoch.best]
    if ended is not None or flagged:
        best = flagged[-1] if ended is None else ended.best_epoch
        return best if any(epoch.epoch == best for epoch in epochs) else None
    watched = [(loss, epoch.epoch) for epoch in epochs if (loss := finite(epoch.valid_loss)) is not None]
    return min(watched)[1] if watched else None


def pace(num_epochs: int) -> int:
    """Return the round number of epochs from line to line that shows at most twenty lines."""
    if num_epochs <= _SHOWN_WHOLE:
        return 1
    steps = (int(unit * 10.0**power) for power in range(12) for unit in (1, 2, 5))
    return next(step for step in steps if num_epochs / step <= _SHOWN_WHOLE)


def shown_places(epochs: Sequence[Epoch], every: int, best: int | None, overfits: int | None) -> list[int]:
    """Return the places that are shown: the first, every k-th, the last, the best, where overfitting or a broken loss begins."""
    places = {0, len(epochs) - 1, *range(every - 1, len(epochs), every)}
    places |= {place for place, epoch in enumerate(epochs) if epoch.epoch in (best, overfits)}
    broken = next((place for place, epoch in enumerate(epochs) if finite(epoch.train_loss) is None), None)
    return sorted(places | ({broken} if broken is not None else set()))


def finite(value: float | None) -> float | None:
    """Return a figure that is there and finite, or None."""
    return value if value is not None and math.isfinite(value) else None
