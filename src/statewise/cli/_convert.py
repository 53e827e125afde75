"""How do sequences become a table with one row a step? The way back from what `read` makes of any file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from statewise.cli._reading import Columns
from statewise.errors import OptionError, missing_extra
from statewise.files import write_atomically
from statewise.sequences import Sequences, are_dates, read

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".parquet", ".csv")
"""The formats that are written."""
_KEPT = {"missing": "mean", "unlabelled": "skip", "ties": "keep"}
"""How a file is read for conversion where nothing else is asked for: with its gaps, which are written as empty values."""
_FOR_TRAINING = ("are read as the mean of the training part", "fed to a model, and not scored")
"""How the notes end that speak of what a model will do with the gaps."""


class Written(NamedTuple):
    """What was written, and what should be known of it."""

    num_sequences: int
    num_rows: int
    notes: tuple[str, ...]


def write_table(source: str, out: Path, columns: Columns, *, asked: str) -> Written:
    """Read a file and write it in long form.

    Raises:
        DataError: the file cannot be read.
        OptionError: a sequence holds what a table has no place for.
        RunError: the disk is full, or the folder cannot be written to.
    """
    sequences = read(source, **{**_KEPT, **columns.given()})
    frame = table_of(sequences, asked=asked)
    file = io.BytesIO()
    if out.suffix.lower() == ".csv":
        frame.write_csv(file, datetime_format="%Y-%m-%d %H:%M:%S%.f")
    else:
        frame.write_parquet(file, compression="zstd")
    write_atomically(out, file.getvalue(), asked=asked)
    return Written(len(sequences), frame.height, _notes(sequences, frame))


def _notes(sequences: Sequences, frame: pl.DataFrame) -> tuple[str, ...]:
    """Return what was accepted; that a gap will be read as a mean is true of training, here it stays one."""
    notes = [note for note in sequences.notes if not note.endswith(_FOR_TRAINING)]
    empty = [f"{count:,} of {name!r}" for name, count in zip(frame.columns, frame.null_count().row(0), strict=True) if count]
    return (*notes, f"values that are missing stay empty: {', '.join(empty)}") if empty else tuple(notes)


def table_of(sequences: Sequences, *, asked: str) -> pl.DataFrame:
    """Return sequences as one row a step: `key`, `step` or `time`, the features, `target`, `group`, `weight`.

    A sequence without steps has no row. NaN, and a target that is not known, become null.

    Raises:
        OptionError: two inputs, or an input and one of these, have a column of the same name.
    """
    try:
        import polars as pl
    except ImportError as problem:
        raise missing_extra(asked, "polars", "data") from problem
    lengths = sequences.lengths.cpu().numpy()
    rows = np.repeat(np.arange(len(lengths)), lengths)
    columns = [("key", pl.Series(sequences.keys, dtype=pl.String).gather(rows)), _order(sequences, lengths, rows)]
    columns += [*_features(sequences), *_static(sequences, rows), *_targets(sequences, rows)]
    if sequences.groups is not None:
        columns.append(("group", pl.Series(sequences.groups, dtype=pl.String).gather(rows)))
    names = [name for name, _ in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        hint = "Choose the columns to write with --features, or rename that one before."
        raise OptionError(asked=asked, where=f"column {twice!r}", arrived="two columns of this name", hint=hint)
    return pl.DataFrame([values.rename(name) for name, values in columns])


def _order(sequences: Sequences, lengths: np.ndarray, rows: np.ndarray) -> tuple[str, pl.Series]:
    """Return the time of each step, or its number from 0 where there are no times."""
    import polars as pl

    if sequences.times is None:
        return "step", pl.Series(np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths))
    times = sequences.times.cpu().numpy()
    if are_dates(sequences.times):
        return "time", pl.Series(np.round(times * 1e6).astype(np.int64)).cast(pl.Datetime("us"))
    whole = bool((times == np.round(times)).all())
    return "time", pl.Series(times.astype(np.int64) if whole else times)


def _features(sequences: Sequences) -> list[tuple[str, pl.Series]]:
    """Return a column for each feature of each input; a category is its label, and empty where it is none of them."""
    import polars as pl

    columns = []
    for name, part in sequences.parts.items():
        values = part.values.detach().cpu()
        if name in sequences.categories:
            codes = pl.Series(values.numpy()).replace(-1, None)
            columns.append((name, pl.Series(sequences.categories[name], dtype=pl.String).gather(codes)))
            continue
        flat = values.reshape(len(values), -1).numpy()
        names = sequences.feature_names_of(name) or [f"{name}_{number}" for number in range(1, flat.shape[1] + 1)]
        columns += [(each, _numbers(flat[:, place])) for place, each in enumerate(names)]
    return columns


def _static(sequences: Sequences, rows: np.ndarray) -> list[tuple[str, pl.Series]]:
    """Return a column for each feature of whole sequences."""
    if sequences.static is None:
        return []
    flat = sequences.static.cpu().numpy()
    names = sequences.static_names or [f"static_{number}" for number in range(1, flat.shape[1] + 1)]
    return [(name, _numbers(flat[rows, place])) for place, name in enumerate(names)]


def _targets(sequences: Sequences, rows: np.ndarray) -> list[tuple[str, pl.Series]]:
    """Return the target of each step, and the weights where they say more than which targets are known."""
    import polars as pl

    targets = sequences.targets
    if not isinstance(targets, torch.Tensor):
        return []
    spread = np.arange(len(rows)) if sequences.each == "step" else rows
    values = targets.cpu().numpy()[spread]
    names = sequences.class_names
    weights = None if sequences.weights is None else np.asarray(torch.as_tensor(sequences.weights).cpu())[spread]
    there = np.isfinite(values) if values.dtype.kind == "f" else np.ones(len(rows), dtype=bool)
    known = pl.Series(there if weights is None or values.dtype.kind == "f" else weights > 0)
    if values.ndim == 2:
        labels = names or [str(number) for number in range(values.shape[1])]
        columns = [(f"target_{label}", pl.Series(values[:, place])) for place, label in enumerate(labels)]
    elif sequences.holds == "values":
        columns = [("target", _numbers(values))]
    else:
        columns = [("target", pl.Series(names, dtype=pl.String).gather(values) if names else pl.Series(values))]
    columns = [(name, pl.select(pl.when(known).then(each)).to_series()) for name, each in columns]
    own = weights is not None and bool((weights[known.to_numpy()] != 1).any())
    return [*columns, ("weight", pl.Series(weights))] if own else columns


def _numbers(values: np.ndarray) -> pl.Series:
    """Return numbers as a column; NaN becomes null."""
    import polars as pl

    return pl.Series(np.ascontiguousarray(values)).fill_nan(None) if values.dtype.kind == "f" else pl.Series(np.ascontiguousarray(values))
