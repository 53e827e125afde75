"""Which rules hold for every history, whoever asks? The verdict and the checks of a history share them; how bad it is each says itself."""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import TYPE_CHECKING

from statewise.runs import Started
from statewise.training._narration_epochs import finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.runs import Epoch, History, Phase

MAX_RISE = 0.20
"""How far one epoch may go against the trend, as a share of the whole fall (or climb)."""
STILL = 0.01
"""A change of a loss of at most this share is none."""
NORM_LOW, NORM_HIGH = 1e-4, 10.0
"""The safe range of the median norm of all gradients together, before clipping."""
SPIKE_RATIO, SPIKE_WINDOW, SPIKE_EXEMPT = 10.0, 50, 20
"""A spike lies this many times above the median of that many updates before it; the first few are exempt."""
MAX_SPIKE_SHARE = 0.01


def thirds(values: Sequence[float]) -> tuple[float, float]:
    """Return the means of the first and of the last third; a third is floor(number / 3).

    Example:
        >>> thirds([5.0, 4.0, 3.0, 2.0, 1.0, 0.0, 9.0])
        (4.5, 4.5)
    """
    third = len(values) // 3
    return fmean(values[:third]), fmean(values[-third:])


def spikes_of(
    norms: Sequence[float], *, ratio: float = SPIKE_RATIO, window: int = SPIKE_WINDOW, exempt: int = SPIKE_EXEMPT
) -> tuple[list[int], int]:
    """Return the places of norms far above the median of those just before them, and how many norms were judged.

    Never compared with the median of the whole run: healthy norms fall many-fold while a run converges.

    Example:
        >>> spikes_of([1.0] * 25 + [11.0] + [1.0] * 4)
        ([25], 10)
    """
    judged = range(exempt, len(norms))
    return [at for at in judged if norms[at] > ratio * median(norms[max(at - window, 0) : at])], len(judged)


def broken_places(history: History, phase: Phase) -> list[str]:
    """Return where a loss of one phase is absent, infinite or not a number, in words."""
    epochs, updates, ended = history.epochs(phase), history.updates(phase), history.ended(phase)
    broken = [f"update {update.update}" for update in updates if finite(update.loss) is None]
    broken += [f"epoch {epoch.epoch}" for epoch in epochs if finite(epoch.train_loss) is None]
    watched = _was_watched(history, phase)
    broken += [f"the validation of epoch {epoch.epoch}" for epoch in epochs if _lost_validation(epoch, was_watched=watched)]
    return ["the last update"] if ended is not None and ended.reason == "not_finite" and not broken else broken


def _was_watched(history: History, phase: Phase) -> bool:
    """Whether validation losses were taken at all: then an absent one was not finite."""
    said = any(isinstance(record, Started) and record.phase == phase and record.num_valid for record in history.records)
    return said or any(epoch.valid_loss is not None for epoch in history.epochs(phase))


def _lost_validation(epoch: Epoch, *, was_watched: bool) -> bool:
    if epoch.valid_loss is None:
        return was_watched and epoch.valid_accuracy is not None
    return not math.isfinite(epoch.valid_loss)
