"""`statewise predict`: a trained run and new data in, a predictions file out."""

from __future__ import annotations

from pathlib import Path

from statewise.cli._reading import Columns, read_for_run
from statewise.cli._show import say
from statewise.errors import OptionError
from statewise.evaluation import predict as predict_run
from statewise.runs import load

_SUFFIXES = (".parquet", ".csv", ".jsonl")


def predict(target: Path, /, *, data: Path, out: Path, columns: Columns | None = None) -> int:
    """Write the predictions of a run for new data; targets are not needed.

    Args:
        target: the run directory.
        data: the file to predict, with the columns the run was trained on.
        out: where to write: .parquet, .csv or .jsonl.
        columns: which column means what; as in training where not given.
    """
    if out.suffix not in _SUFFIXES:
        raise OptionError(asked="statewise predict", where="--out", arrived=f"'{out}'", hint=f"End the name with {', '.join(_SUFFIXES)}.")
    run = load(target)
    sequences = read_for_run(run, data, columns or Columns(), labelled=False)
    predictions = predict_run(run, sequences)
    predictions.save(out)
    say(f"{len(sequences)} sequences predicted: {out}")
    return 0
