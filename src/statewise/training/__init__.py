"""Training: from a module and sequences to a run, and the story of how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.training._fit import fit, interrupted
from statewise.training._narration import TrainingTrace, training_trace
from statewise.training._narration_lags import tell_lags
from statewise.training._options import FitOptions
from statewise.training._through_time import through_time

if TYPE_CHECKING:
    from rich.console import Console

    from statewise.training._terminal import ProgressBar

__all__ = ["FitOptions", "TrainingTrace", "fit", "interrupted", "progress_bar", "tell_lags", "through_time", "training_trace"]


def progress_bar(console: Console) -> ProgressBar:
    """Return a callback that draws a bar of epochs; use it as a context."""
    from statewise.training._terminal import ProgressBar

    return ProgressBar(console)
