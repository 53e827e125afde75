"""Sequences without padding: the ragged batch, labelled sets of it, reading, splitting and scaling them."""

from __future__ import annotations

from statewise.sequences._arguments import SEEDS, flag_of, number_of, require_sequences
from statewise.sequences._batches import batch_rows, batches
from statewise.sequences._files import column_names
from statewise.sequences._is_first import is_first_from_done
from statewise.sequences._labels import natural, told
from statewise.sequences._lanes import Lanes, Runs, laid, pieces_of, side_by_side
from statewise.sequences._loading import read_table
from statewise.sequences._options import FILE_NAME, FOLDER_NAME, seconds_of
from statewise.sequences._pieces import in_pieces
from statewise.sequences._ragged import Ragged, mean_per_sequence
from statewise.sequences._read import read
from statewise.sequences._scaling import Scale, Statistics, fit_statistics, recode, standardize, target_scale
from statewise.sequences._sequences import Sequences
from statewise.sequences._split import folds, split
from statewise.sequences._split_time import are_dates
from statewise.sequences._summary import DataSummary, class_counts, describe, fingerprints, require_two_classes
from statewise.sequences._targets import UNKNOWN, Aligned, aligned, steps_ahead
from statewise.sequences._windows import Span, Strides, Window, Windows, windows

__all__ = [
    "FILE_NAME",
    "FOLDER_NAME",
    "SEEDS",
    "UNKNOWN",
    "Aligned",
    "DataSummary",
    "Lanes",
    "Ragged",
    "Runs",
    "Scale",
    "Sequences",
    "Span",
    "Statistics",
    "Strides",
    "Window",
    "Windows",
    "aligned",
    "are_dates",
    "batch_rows",
    "batches",
    "class_counts",
    "column_names",
    "describe",
    "fingerprints",
    "fit_statistics",
    "flag_of",
    "folds",
    "in_pieces",
    "is_first_from_done",
    "laid",
    "mean_per_sequence",
    "natural",
    "number_of",
    "pieces_of",
    "read",
    "read_table",
    "recode",
    "require_sequences",
    "require_two_classes",
    "seconds_of",
    "side_by_side",
    "split",
    "standardize",
    "steps_ahead",
    "target_scale",
    "told",
    "windows",
]
