"""`statewise judge`: is it fit for production? The exit code is the answer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from statewise.cli._evaluate import evaluate_target, require_used
from statewise.cli._out import require_writable
from statewise.cli._reading import Columns
from statewise.cli._show import OutputFormat, say, show
from statewise.cli._target import FourCounts, counts_of, is_run
from statewise.runs import RunFiles, load
from statewise.types import KnownTask
from statewise.verdicts import judge as judge_any
from statewise.verdicts import write_verdict


def judge(
    target: Path | None = None,
    /,
    *,
    counts: FourCounts | None = None,
    policy: str = "default",
    positive: str | None = None,
    threshold: float = 0.5,
    task: KnownTask | None = None,
    season: int | None = None,
    out: Path | None = None,
    output_format: OutputFormat = "text",
) -> int:
    """Say whether a model is fit for production, and why.

    Ends with 0 ready, 1 not ready or needs work, 3 not enough evidence.

    Args:
        target: a run directory, or a predictions file of any framework.
        counts: the four counts of a binary task, instead of a target.
        policy: default, lenient, recall-first, precision-first, or a TOML file.
        positive: the class that a binary task looks for.
        threshold: the score from which a row of a predictions file without predictions counts as positive.
        task: what a predictions file predicts; read off its columns when absent.
        season: of a predictions file of forecasts, the steps of one season, for the naive forecast to beat.
        out: write the verdict as JSON; that of a run is always written into it.
        output_format: text or json.
    """
    counts_of(counts, target, "judge")
    require_writable(out, (target,), command="judge", writes="JSON", suffixes=(".json",), own="verdict.json")
    columns = Columns(task=task, season=season)
    if target is not None and target.is_dir() and is_run(target):
        require_used(None, columns, threshold, is_run=True, command="judge")
        run = load(target)
        evaluation = None if positive is None else evaluate_target(target, None, Columns(), None, positive=positive, command="judge")
        verdict = judge_any(run, evaluation=evaluation, policy=policy)
        write_verdict(verdict, RunFiles(target).verdict)
    else:
        evaluation = evaluate_target(target, None, columns, counts, positive=positive, threshold=threshold, command="judge")
        verdict = judge_any(evaluation=evaluation, policy=policy)
    if out is not None:
        write_verdict(verdict, out)
    if output_format == "json":
        say(msgspec.json.format(msgspec.json.encode(verdict), indent=2).decode())
    else:
        show(verdict)
    return verdict.exit_code
