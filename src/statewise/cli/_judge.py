"""`statewise judge`: is it fit for production? The exit code is the answer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from statewise.cli._evaluate import require_used
from statewise.cli._out import require_writable
from statewise.cli._reading import Columns
from statewise.cli._show import OutputFormat, say, show, warn
from statewise.cli._target import FourCounts, counts_of, is_run, require_target
from statewise.cli._threshold import ThresholdOptions, choose_for, validation_of, validation_rows
from statewise.errors import StatewiseError
from statewise.evaluation import Evaluation, Threshold, evaluate, read_predictions
from statewise.runs import Run, RunFiles, load
from statewise.types import KnownTask
from statewise.verdicts import Policy, choose_by_policy, cost_of, read_policy, write_verdict
from statewise.verdicts import judge as judge_any


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
    choose: ThresholdOptions | None = None,
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
        choose: by what the threshold is chosen, on validation rows; by default by the costs and budgets of the policy.
        out: write the verdict as JSON; that of a run is always written into it.
        output_format: text or json.
    """
    four = counts_of(counts, target, "judge")
    choose = choose or ThresholdOptions()
    require_writable(out, (target, choose.valid), command="judge", writes="JSON", suffixes=(".json",), own="verdict.json")
    columns, rules = Columns(task=task, season=season), read_policy(policy)
    if four is not None:
        require_used(columns, of="counts", command="judge", threshold=threshold)
        choose.refuse("judge", why="an option that means nothing for four counts")
        verdict = judge_any(evaluation=evaluate(four, positive=positive), policy=rules)
    elif is_run(path := require_target(target, "judge", "a run directory or a predictions file")):
        require_used(columns, of="run", command="judge", threshold=threshold)
        run = load(path)
        verdict = judge_any(run, evaluation=_of_run(run, path, choose, rules, positive=positive), policy=rules)
        write_verdict(verdict, RunFiles(path).verdict)
    else:
        evaluation = evaluation_of_file(path, choose, rules, columns, positive=positive, threshold=threshold, command="judge")
        verdict = judge_any(evaluation=evaluation, policy=rules)
    if out is not None:
        write_verdict(verdict, out)
    if output_format == "json":
        say(msgspec.json.format(msgspec.json.encode(verdict), indent=2).decode())
    else:
        show(verdict)
    return verdict.exit_code


def evaluation_of_file(
    path: Path, choose: ThresholdOptions, rules: Policy, columns: Columns, *, positive: str | None, threshold: float, command: str
) -> Evaluation:
    """Return the evaluation of a predictions file, at the threshold that was told or chosen, and with the costs of the policy."""
    require_used(columns, of="file", command=command, threshold=threshold)
    if threshold != 0.5:
        choose.refuse(command, why="beside --threshold, which says it already")
    chosen = _chosen(path, choose, rules, columns, positive=positive, command=command)
    predictions = read_predictions(path, task=columns.task, season=columns.season, positive=positive, threshold=threshold)
    has_scores = predictions.score is not None or (predictions.probabilities is not None and len(predictions.class_names) == 2)
    return evaluate(predictions, positive=positive, threshold=chosen, cost=cost_of(rules.cost) if has_scores else None)


def _of_run(run: Run, path: Path, choose: ThresholdOptions, rules: Policy, *, positive: str | None) -> Evaluation | None:
    """Return the evaluation of a run's predictions at another threshold or for another class; None leaves that of the run."""
    chosen = _chosen(path, choose, rules, Columns(), positive=positive, command="judge")
    if chosen is None and choose.valid is None:
        chosen = _by_policy(path, rules, positive=positive)
    if chosen is None and positive is None:
        return None
    return evaluate(run, positive=positive or run.config.positive, threshold=chosen, cost=None if chosen is None else cost_of(rules.cost))


def _chosen(
    path: Path, choose: ThresholdOptions, rules: Policy, columns: Columns, *, positive: str | None, command: str
) -> Threshold | None:
    """Return the threshold that the options choose, or with validation rows alone the policy; None where neither says how."""
    if choose.valid is not None and not choose.says_how and rules.knows_mistakes:
        return choose_by_policy(rules, validation_rows(path, choose, columns, positive=positive, command=command))
    return choose_for(path, choose, columns, positive=positive, command=command)


def _by_policy(path: Path, rules: Policy, *, positive: str | None) -> Threshold | None:
    """Return the threshold that the policy chooses on the validation predictions a run kept, where it kept them."""
    files = RunFiles(path)
    if not (rules.knows_mistakes and files.validation.is_file() and files.predictions.is_file()):
        return None
    try:
        return choose_by_policy(rules, validation_of(path, positive=positive, command="judge"))
    except StatewiseError as problem:
        warn(f"No threshold could be chosen by the policy, so that the run's own is judged: {problem}")
        return None
