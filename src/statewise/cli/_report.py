"""`statewise report`: a run, or a predictions file of any framework, in one HTML file."""

from __future__ import annotations

from pathlib import Path

from statewise.cli._judge import evaluation_of_file
from statewise.cli._out import require_writable
from statewise.cli._reading import Columns
from statewise.cli._show import say
from statewise.cli._target import is_run, require_target
from statewise.cli._threshold import ThresholdOptions
from statewise.errors import OptionError
from statewise.reporting import report as write_report
from statewise.types import KnownTask
from statewise.verdicts import read_policy


def report(
    target: Path,
    /,
    *,
    policy: str | None = None,
    positive: str | None = None,
    threshold: float | None = None,
    task: KnownTask | None = None,
    choose: ThresholdOptions | None = None,
    out: Path | None = None,
) -> int:
    """Write the report of a run, or of a predictions file: one HTML file that needs no network.

    Args:
        target: the run directory, or a predictions file (.parquet, .csv, .jsonl) of any framework.
        policy: what is judged anew: default, lenient, recall-first, precision-first, or a TOML file; else a run's kept verdict stands.
        positive: of a predictions file, the class that a binary task looks for.
        threshold: of a predictions file without predictions, the score from which a row counts as positive; 0.5 by default.
        task: what a predictions file predicts; read off its columns when absent.
        choose: of a predictions file, by what the threshold is chosen, on validation rows; by default by the policy.
        out: where to write it; report.html in the run directory, or beside the file under its name, by default.
    """
    path = require_target(target, "report", "a run directory or a predictions file")
    choose = choose or ThresholdOptions()
    given = {"positive": positive, "threshold": threshold, "task": task}
    if is_run(path):
        why = "an option that means nothing for a run, whose evaluation is read"
        unused = next((name for name, value in given.items() if value is not None), None)
        if unused is not None:
            raise OptionError(asked="statewise report", where=f"--{unused}", arrived=why, hint="Leave it out.")
        choose.refuse("report", why=why)
        require_writable(out, (), command="report", writes="HTML", suffixes=(".html", ".htm"), own="report.html")
        say(f"Report: {write_report(path, out, policy=policy)}")
        return 0
    out = path.with_suffix(".html") if out is None else out
    require_writable(out, (path, choose.valid), command="report", writes="HTML", suffixes=(".html", ".htm"))
    rules = read_policy(policy or "default")
    threshold = 0.5 if threshold is None else threshold
    columns = Columns(task=task)
    evaluation = evaluation_of_file(path, choose, rules, columns, positive=positive, threshold=threshold, command="report")
    say(f"Report: {write_report(evaluation, out, policy=rules)}")
    return 0
