"""`statewise compare`: is B better than A, on the rows that both answered? The exit code says whether it is worse by more than a margin."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from statewise.cli._out import require_writable
from statewise.cli._reading import Columns, read_for_run
from statewise.cli._show import OutputFormat, say, show
from statewise.cli._target import is_run, require_target
from statewise.errors import OptionError
from statewise.evaluation import Predictions, predict, predictions_of_run, read_predictions, write_comparison
from statewise.evaluation import compare as compare_any
from statewise.runs import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.types import KnownTask

_OF_FILES = ("task", "season")


def compare(
    a: Path | None = None,
    b: Path | None = None,
    /,
    *,
    data: Path | None = None,
    columns: Columns | None = None,
    positive: str | None = None,
    threshold: Annotated[tuple[float, ...], Parameter(consume_multiple=True, negative="")] = (),
    worse_by: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = (),
    out: Path | None = None,
    output_format: OutputFormat = "text",
) -> int:
    """Show by how much B differs from A, each figure with the 95 % interval of the difference.

    Ends with 0; with --worse-by: 1 if B is worse by more than a margin, 3 if that cannot be told, 0 if it is not.

    Args:
        a: a run directory, or a predictions file (.parquet, .csv, .jsonl) of any framework.
        b: what is compared with it, likewise. Rows are matched by key, and by step where there are steps.
        data: for runs: the file to score both on; without it a run's own predictions are read.
        columns: which column of --data means what; as in training where not given. Of predictions files --task and --season alone.
        positive: the class that a binary task looks for.
        threshold: the score from which a row of a predictions file without predictions counts as positive; two numbers are A's and B's.
        worse_by: by how much B may be worse: METRIC=MARGIN, such as accuracy=0.01; several may be given.
        out: write the comparison as JSON.
        output_format: text or json.
    """
    paths = tuple(require_target(path, "compare", "two of them: each a run directory or a predictions file") for path in (a, b))
    require_writable(out, (*paths, data), command="compare", writes="JSON", suffixes=(".json",))
    margins = _margins(worse_by)
    first, second = _sides(paths, data, columns or Columns(), positive, _thresholds(threshold, paths))
    comparison = compare_any(first, second, positive=positive, worse_by=margins)
    if out is not None:
        write_comparison(comparison, out)
    if output_format == "json":
        say(msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode())
    else:
        show(comparison)
    return comparison.exit_code


def _margins(words: Sequence[str]) -> dict[str, float]:
    """Return the margins by metric."""
    found = {}
    for word in words:
        name, equals, number = word.partition("=")
        try:
            found[name.strip().lower().replace("-", "_")] = float(number) if equals else math.nan
        except ValueError:
            found[name] = math.nan
        if math.isnan(next(reversed(found.values()))):
            hint = "Write METRIC=MARGIN, such as --worse-by accuracy=0.01."
            raise OptionError(asked="statewise compare", where="--worse-by", arrived=repr(word), hint=hint)
    return found


def _thresholds(given: Sequence[float], paths: Sequence[Path]) -> tuple[float, float]:
    """Return the threshold of each side."""
    if given and all(is_run(path) for path in paths):
        arrived = "an option that means nothing for runs, whose predictions are made"
        raise OptionError(asked="statewise compare", where="--threshold", arrived=arrived, hint="Leave it out.")
    if len(given) > 2:
        raise OptionError(asked="statewise compare", where="--threshold", arrived=f"{len(given)} numbers", hint="Give one, or A's and B's.")
    return (given[0], given[-1]) if given else (0.5, 0.5)


def _sides(
    paths: Sequence[Path], data: Path | None, columns: Columns, positive: str | None, thresholds: tuple[float, float]
) -> list[Predictions]:
    """Return the predictions of both; a file beside a run is read as the run's task and classes tell."""
    runs = [load(path) if is_run(path) else None for path in paths]
    _refuse_unused(data, columns, runs_alone=all(runs))
    known = next((run for run in runs if run is not None), None)
    task: KnownTask | None = columns.task
    if task is None and known is not None and known.config.task != "other":
        task = known.config.task
    names = known.config.class_names if known is not None and known.config.class_names else None
    found = []
    for path, run, threshold in zip(paths, runs, thresholds, strict=True):
        if run is None:
            found.append(
                read_predictions(path, task=task, season=columns.season, positive=positive, threshold=threshold, class_names=names)
            )
        elif data is None:
            found.append(predictions_of_run(run, positive or run.config.positive, asked="statewise compare"))
        else:
            found.append(predict(run, read_for_run(run, data, columns)))
    return found


def _refuse_unused(data: Path | None, columns: Columns, *, runs_alone: bool) -> None:
    """Refuse options that have no use here, rather than pass over them."""
    if data is None:
        unused = [f"--{name}" for name in columns.given() if runs_alone or name not in _OF_FILES]
        kind = "runs whose own predictions are read" if runs_alone else "a predictions file, whose columns have fixed names"
    else:
        unused, kind = [] if runs_alone else ["--data"], "a predictions file, which holds its own answers"
    if unused:
        arrived = f"an option that means nothing for {kind}"
        raise OptionError(asked="statewise compare", where=unused[0], arrived=arrived, hint="Leave it out, or score two runs with --data.")
