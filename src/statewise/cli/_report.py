"""`statewise report`: a run, or a predictions file of any framework, in one HTML file."""

from __future__ import annotations

from pathlib import Path

from statewise.cli._out import require_writable
from statewise.cli._show import say
from statewise.cli._target import is_run, require_target
from statewise.errors import OptionError
from statewise.evaluation import evaluate, read_predictions
from statewise.reporting import report as write_report
from statewise.types import KnownTask


def report(
    target: Path, /, *, positive: str | None = None, threshold: float | None = None, task: KnownTask | None = None, out: Path | None = None
) -> int:
    """Write the report of a run, or of a predictions file: one HTML file that needs no network.

    Args:
        target: the run directory, or a predictions file (.parquet, .csv, .jsonl) of any framework.
        positive: of a predictions file, the class that a binary task looks for.
        threshold: of a predictions file without predictions, the score from which a row counts as positive; 0.5 by default.
        task: what a predictions file predicts; read off its columns when absent.
        out: where to write it; report.html in the run directory, or beside the file under its name, by default.
    """
    path = require_target(target, "report", "a run directory or a predictions file")
    given = {"positive": positive, "threshold": threshold, "task": task}
    if is_run(path):
        unused = next((name for name, value in given.items() if value is not None), None)
        if unused is not None:
            arrived = "an option that means nothing for a run, whose evaluation is read"
            raise OptionError(asked="statewise report", where=f"--{unused}", arrived=arrived, hint="Leave it out.")
        require_writable(out, (), command="report", writes="HTML", suffixes=(".html", ".htm"), own="report.html")
        say(f"Report: {write_report(path, out)}")
        return 0
    out = path.with_suffix(".html") if out is None else out
    require_writable(out, (path,), command="report", writes="HTML", suffixes=(".html", ".htm"))
    predictions = read_predictions(path, task=task, positive=positive, threshold=0.5 if threshold is None else threshold)
    say(f"Report: {write_report(evaluate(predictions, positive=positive), out)}")
    return 0
