"""Evaluation: predictions of any framework, metrics with intervals over independent units, and their records."""

from __future__ import annotations

from statewise.evaluation._baselines import training_baseline
from statewise.evaluation._compare import compare
from statewise.evaluation._comparison import Comparison, Difference, Side, write_comparison
from statewise.evaluation._estimate import Estimate, figure
from statewise.evaluation._evaluate import evaluate, predictions_of_run
from statewise.evaluation._facts import FACTS, Facts, metric_words
from statewise.evaluation._generate import generate
from statewise.evaluation._intervals import accuracy_over_units
from statewise.evaluation._labels import match_class
from statewise.evaluation._part_records import EventRules, Events, Slice
from statewise.evaluation._part_sections import part_tables
from statewise.evaluation._predict import predict
from statewise.evaluation._predictions import Predictions
from statewise.evaluation._quantiles import student_quantile
from statewise.evaluation._reading import read_predictions
from statewise.evaluation._records import BaselineScore, Confusion, Counts, Evaluation, Points, Threshold, read_evaluation, write_evaluation
from statewise.evaluation._scored import FOLD, select_rows
from statewise.evaluation._sections import baseline_says, tables_of
from statewise.evaluation._table import Table
from statewise.evaluation._threshold import choose_threshold
from statewise.evaluation._trade_off import Cost, TradeOff
from statewise.evaluation._trade_off_table import saving_says, threshold_lines, written

__all__ = [
    "FACTS",
    "FOLD",
    "BaselineScore",
    "Comparison",
    "Confusion",
    "Cost",
    "Counts",
    "Difference",
    "Estimate",
    "Evaluation",
    "EventRules",
    "Events",
    "Facts",
    "Points",
    "Predictions",
    "Side",
    "Slice",
    "Table",
    "Threshold",
    "TradeOff",
    "accuracy_over_units",
    "baseline_says",
    "choose_threshold",
    "compare",
    "evaluate",
    "figure",
    "generate",
    "match_class",
    "metric_words",
    "part_tables",
    "predict",
    "predictions_of_run",
    "read_evaluation",
    "read_predictions",
    "saving_says",
    "select_rows",
    "student_quantile",
    "tables_of",
    "threshold_lines",
    "training_baseline",
    "write_comparison",
    "write_evaluation",
    "written",
]
