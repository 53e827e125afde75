"""Training: from a module and sequences to a run, and the story of how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.training._bands import (
    MAX_RISE,
    MAX_SPIKE_SHARE,
    NORM_HIGH,
    NORM_LOW,
    SPIKE_EXEMPT,
    SPIKE_RATIO,
    SPIKE_WINDOW,
    STILL,
    broken_places,
    spikes_of,
    thirds,
)
from statewise.training._cross_validate import cross_validate
from statewise.training._cross_validation import CrossValidation, Fold, PartScore
from statewise.training._decay import Reach, lags_of
from statewise.training._fit import fit, interrupted
from statewise.training._generators import drawn_apart, seed_all
from statewise.training._narration import EpochLine, TrainingTrace, training_trace
from statewise.training._narration_epochs import best_epoch, finite, overfits_since
from statewise.training._narration_lags import tell_lags
from statewise.training._options import FitOptions
from statewise.training._taps import kind_of_taps, reads_both_ways, tapped
from statewise.training._through_time import gradients, is_by_step, looking_back, reach_of, same_draws, through_time
from statewise.training._untouched import untouched

if TYPE_CHECKING:
    from rich.console import Console

    from statewise.training._terminal import ProgressBar

__all__ = [
    "MAX_RISE",
    "MAX_SPIKE_SHARE",
    "NORM_HIGH",
    "NORM_LOW",
    "SPIKE_EXEMPT",
    "SPIKE_RATIO",
    "SPIKE_WINDOW",
    "STILL",
    "CrossValidation",
    "EpochLine",
    "FitOptions",
    "Fold",
    "PartScore",
    "Reach",
    "TrainingTrace",
    "best_epoch",
    "broken_places",
    "cross_validate",
    "drawn_apart",
    "finite",
    "fit",
    "gradients",
    "interrupted",
    "is_by_step",
    "kind_of_taps",
    "lags_of",
    "looking_back",
    "overfits_since",
    "progress_bar",
    "reach_of",
    "reads_both_ways",
    "same_draws",
    "seed_all",
    "spikes_of",
    "tapped",
    "tell_lags",
    "thirds",
    "through_time",
    "training_trace",
    "untouched",
]


def progress_bar(console: Console) -> ProgressBar:
    """Return a callback that draws a bar of epochs; use it as a context."""
    from statewise.training._terminal import ProgressBar

    return ProgressBar(console)
