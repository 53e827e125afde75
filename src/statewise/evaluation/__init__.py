"""Evaluation: predictions of any framework, metrics with intervals over independent units, and their records."""

from __future__ import annotations

from statewise.evaluation._baselines import training_baseline
from statewise.evaluation._evaluate import evaluate
from statewise.evaluation._generate import generate
from statewise.evaluation._intervals import accuracy_over_units
from statewise.evaluation._labels import match_class
from statewise.evaluation._predict import predict
from statewise.evaluation._predictions import Predictions
from statewise.evaluation._quantiles import student_quantile
from statewise.evaluation._reading import read_predictions
from statewise.evaluation._records import (
    BaselineScore,
    Confusion,
    Counts,
    Estimate,
    Evaluation,
    Points,
    Threshold,
    figure,
    read_evaluation,
    write_evaluation,
)
from statewise.evaluation._sections import baseline_says, tables_of
from statewise.evaluation._threshold import choose_threshold
from statewise.evaluation._trade_off import Cost, TradeOff
from statewise.evaluation._trade_off_table import saving_says, threshold_lines, written

__all__ = [
    "BaselineScore",
    "Confusion",
    "Cost",
    "Counts",
    "Estimate",
    "Evaluation",
    "Points",
    "Predictions",
    "Threshold",
    "TradeOff",
    "accuracy_over_units",
    "baseline_says",
    "choose_threshold",
    "evaluate",
    "figure",
    "generate",
    "match_class",
    "predict",
    "read_evaluation",
    "read_predictions",
    "saving_says",
    "student_quantile",
    "tables_of",
    "threshold_lines",
    "training_baseline",
    "write_evaluation",
    "written",
]
