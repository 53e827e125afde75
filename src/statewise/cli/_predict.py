"""`statewise predict`: a trained run and new data in, a predictions file out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from statewise.cli._out import require_writable
from statewise.cli._reading import Columns, read_for_run
from statewise.cli._show import say
from statewise.errors import OptionError
from statewise.evaluation import generate
from statewise.evaluation import predict as predict_run
from statewise.runs import load
from statewise.sequences import UNKNOWN

if TYPE_CHECKING:
    from statewise.runs import Run

_SUFFIXES = (".parquet", ".csv", ".jsonl")


def predict(
    target: Path,
    /,
    *,
    data: Path | None = None,
    out: Path | None = None,
    columns: Columns | None = None,
    prompt: str | None = None,
    steps: int = 200,
    temperature: float = 1.0,
    seed: int = 0,
) -> int:
    """Write the predictions of a run for new data (targets are not needed), or go on with a text.

    Args:
        target: the run directory.
        data: the file to predict, with the columns the run was trained on.
        out: where to write: .parquet, .csv or .jsonl.
        columns: which column means what; as in training where not given.
        prompt: a text to go on with, for a run of the task next; what follows is printed token by token.
        steps: how many tokens to draw after --prompt.
        temperature: 1 draws as the model says, less makes likely tokens likelier, 0 always takes the likeliest.
        seed: draws the same tokens again.
    """
    if prompt is not None:
        if data is not None or out is not None:
            raise _error("--prompt", "--data or --out beside it", "Predict a file, or go on with a text: one at a time.")
        return _go_on(load(target), prompt, steps=steps, temperature=temperature, seed=seed)
    if data is None or out is None:
        missing = " and ".join(name for name, given in (("--data", data), ("--out", out)) if given is None)
        raise _error("the options", f"no {missing}", "Give --data FILE --out FILE; or --prompt TEXT for a run of the task next.")
    if out.suffix not in _SUFFIXES:
        raise _error("--out", f"'{out}'", f"End the name with {', '.join(_SUFFIXES)}.")
    require_writable(out, (data,), command="predict", writes="a table of predictions", suffixes=_SUFFIXES)
    run = load(target)
    sequences = read_for_run(run, data, columns or Columns(), labelled=False)
    predictions = predict_run(run, sequences)
    predictions.save(out)
    say(f"{len(sequences)} sequence{'' if len(sequences) == 1 else 's'} predicted: {out}")
    return 0


def _go_on(run: Run, prompt: str, *, steps: int, temperature: float, seed: int) -> int:
    """Print a text and what follows it, each token as it is drawn; tokens of several letters are words, and stand apart."""
    by_word = any(len(name) > 1 for name in run.config.class_names if name != UNKNOWN)
    tokens = generate(run, prompt.split() if by_word else prompt, steps=steps, temperature=temperature, seed=seed)
    first = next(tokens, "")  # a prompt that cannot be read is told before anything is printed
    between = " " if by_word else ""
    sys.stdout.write(prompt + between + first)
    for token in tokens:
        sys.stdout.write(between + token)
        sys.stdout.flush()
    sys.stdout.write("\n")
    return 0


def _error(where: str, arrived: str, hint: str) -> OptionError:
    return OptionError(asked="statewise predict", where=where, arrived=arrived, hint=hint)
