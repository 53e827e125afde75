"""`statewise evaluate`: metrics with intervals, of a run, a predictions file, or four counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from statewise.cli._out import require_writable
from statewise.cli._parts import Parts
from statewise.cli._reading import Columns, read_for_run
from statewise.cli._show import OutputFormat, say, show
from statewise.cli._target import FourCounts, counts_of, is_run, require_target
from statewise.cli._threshold import ThresholdOptions, choose_for
from statewise.errors import OptionError
from statewise.evaluation import Evaluation, read_evaluation, read_predictions, write_evaluation
from statewise.evaluation import evaluate as evaluate_any
from statewise.runs import RunFiles, load

if TYPE_CHECKING:
    from collections.abc import Sequence

_THRESHOLD = 0.5
_USUAL = Parts()
_OF_PREDICTIONS = ("task", "season")
"""What can be said of a predictions file; its columns have fixed names."""


def evaluate(
    target: Path | None = None,
    /,
    *,
    data: Path | None = None,
    columns: Columns | None = None,
    counts: FourCounts | None = None,
    positive: str | None = None,
    threshold: float = _THRESHOLD,
    parts: Parts | None = None,
    choose: ThresholdOptions | None = None,
    out: Path | None = None,
    output_format: OutputFormat = "text",
) -> int:
    """Show metrics with 95 % intervals, the confusion matrix and the baseline.

    Args:
        target: a run directory, or a predictions file (.parquet, .csv, .jsonl) of any framework.
        data: for a run: the file to score; without it the run's own predictions are read.
        columns: which column means what; as in training where not given. Of a predictions file --task and --season alone.
        counts: the four counts of a binary task, instead of a target.
        positive: the class that a binary task looks for.
        threshold: the score from which a row of a predictions file without predictions counts as positive.
        parts: which parts of the rows, and which runs of steps, are told of.
        choose: by what the threshold is chosen, on validation rows, instead.
        out: write the evaluation as JSON.
        output_format: text or json.
    """
    choose = choose or ThresholdOptions()
    own = RunFiles(target).evaluation.name if target is not None and out is not None and _is_within(out, target) else ""
    require_writable(out, (target, data, choose.valid), command="evaluate", writes="JSON", suffixes=(".json",), own=own)
    evaluation = evaluate_target(
        target,
        data,
        columns or Columns(),
        counts,
        positive=positive,
        threshold=threshold,
        parts=parts or Parts(),
        choose=choose,
        command="evaluate",
    )
    if out is not None:
        write_evaluation(evaluation, out)
    if output_format == "json":
        say(msgspec.json.format(msgspec.json.encode(evaluation), indent=2).decode())
    else:
        show(evaluation)
    return 0


def _is_within(out: Path, folder: Path) -> bool:
    return folder.is_dir() and out.parent.is_dir() and out.parent.samefile(folder)


Target: TypeAlias = Literal["run", "file", "counts"]
_KINDS: dict[Target, str] = {
    "run": "a run, whose predictions are made",
    "file": "a predictions file, which holds its own columns",
    "counts": "four counts",
}


def require_used(columns: Columns, *, of: Target, command: str, threshold: float = _THRESHOLD, read: Sequence[Path | None] = ()) -> None:
    """Refuse options that the target has no use for, rather than pass over them.

    Args:
        columns: mean something where a run reads a file, and of a predictions file what is said of it as a whole.
        of: the target.
        command: its name, for messages.
        threshold: means something for a predictions file alone.
        read: the files of data that a run is to read, `--data` first; None for those that are not given.
    """
    unused = ["--threshold"] if of != "file" and threshold != _THRESHOLD else []
    if of != "run" and read and read[0] is not None:
        unused.append("--data")
    if of != "run" or not any(read):
        unused += [f"--{name}" for name in columns.given() if of != "file" or name not in _OF_PREDICTIONS]
    if unused:
        arrived = f"an option that means nothing for {_KINDS[of]}"
        raise OptionError(asked=f"statewise {command}", where=unused[0], arrived=arrived, hint="Leave it out.")


def evaluate_target(
    target: Path | None,
    data: Path | None,
    columns: Columns,
    counts: FourCounts | None,
    *,
    positive: str | None,
    threshold: float = _THRESHOLD,
    parts: Parts = _USUAL,
    choose: ThresholdOptions | None = None,
    command: str,
) -> Evaluation:
    """Return the evaluation of whatever was named on the command line."""
    four = counts_of(counts, target, command)
    choose = choose or ThresholdOptions()
    if four is not None:
        require_used(columns, of="counts", command=command, threshold=threshold, read=(data,))
        if parts.are_given:
            arrived = "four counts, which have no parts"
            raise OptionError(asked=f"statewise {command}", where="--by or --events", arrived=arrived, hint="Leave it out.")
        choose.refuse(command, why="an option that means nothing for four counts")
        return evaluate_any(four, positive=positive)
    path = require_target(target, command, "a run directory or a predictions file")
    read = (data, choose.valid) if is_run(path) else (data,)
    require_used(columns, of="run" if is_run(path) else "file", command=command, threshold=threshold, read=read)
    if threshold != _THRESHOLD:
        choose.refuse(command, why="beside --threshold, which says it already")
    chosen = choose_for(path, choose, columns, positive=positive, command=command)
    if not is_run(path):
        predictions = read_predictions(path, task=columns.task, season=columns.season, positive=positive, threshold=threshold)
        return evaluate_any(predictions, positive=positive, by=parts.slices, events=parts.rules, threshold=chosen)
    if data is None and positive is None and chosen is None and not parts.are_given:
        return read_evaluation(RunFiles(path).evaluation)
    run = load(path)
    positive = positive or run.config.positive
    given = None if data is None else read_for_run(run, data, columns)
    return evaluate_any(run, given, positive=positive, by=parts.slices, events=parts.rules, threshold=chosen)
