"""What does a run have to show? Its records, and for each that is absent why, and how it is had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from statewise.auditing import Audit, read_audit
from statewise.errors import StatewiseError
from statewise.evaluation import Evaluation, read_evaluation
from statewise.runs import History, Provenance, Run, RunConfig, RunFiles, load, read_document, read_example, read_history
from statewise.tracing import Trace, trace
from statewise.training import TrainingTrace, training_trace
from statewise.verdicts import Verdict, judge, read_policy, read_verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.verdicts import GradientRules, Policy


Document = TypeVar("Document", Audit, Evaluation, Provenance, Verdict)


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Evidence that is not there: why, and how it is had."""

    why: str
    how: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a report shows.

    Attributes:
        run: the run itself.
        place: its directory in words, or `"kept in memory"`.
        verdict: the answer; `judged_now` where it was not read but given while the report was written.
        gradient_rules: the safe range of gradient norms, of the policy that judged where it can be had, else of the default.
        narration: the training epoch by epoch.
    """

    run: Run
    place: str
    evaluation: Evaluation | Missing
    verdict: Verdict | Missing
    judged_now: bool
    gradient_rules: GradientRules
    narration: TrainingTrace | Missing
    trace: Trace | Missing
    audit: Audit | Missing
    data_audit: Audit | None
    provenance: Provenance | Missing


def gather(run: Run | Evaluation | Path | str, policy: Policy | str | Path | None = None) -> Evidence:
    """Read what a run, or an evaluation alone, has to show; what cannot be read is missing, with the reason.

    A policy judges anew; without one the kept verdict stands, or the default policy judges.

    Raises:
        RunError: it is not a run directory, or its configuration or history is damaged.
    """
    if isinstance(run, Evaluation):
        return _of_figures(run, policy)
    found, broken = _run_of(run)
    place = "kept in memory" if found.directory is None else str(found.directory)
    evaluation = _evaluation(found, place)
    verdict, judged_now = _verdict(found, evaluation, policy)
    return Evidence(
        run=found,
        place=place,
        evaluation=evaluation,
        verdict=verdict,
        judged_now=judged_now,
        gradient_rules=_gradient_rules(verdict),
        narration=_narration(found),
        trace=broken or _trace(found, place),
        audit=_audit(found, place),
        data_audit=_data_audit(found),
        provenance=_provenance(found, place),
    )


def _of_figures(evaluation: Evaluation, policy: Policy | str | Path | None) -> Evidence:
    """Return the evidence of an evaluation whose model and training nobody knows."""
    names = evaluation.confusion.class_names or tuple(evaluation.label_counts)
    config = RunConfig(model_name=evaluation.source.strip("'"), task=evaluation.task, class_names=names, positive=evaluation.positive)
    verdict = judge(evaluation=evaluation, policy="default" if policy is None else policy)
    missing = Missing(why="Figures alone tell nothing of it.", how="Report the run that made them: statewise report RUN.")
    return Evidence(
        run=Run(config=config, history=History()),
        place=evaluation.source,
        evaluation=evaluation,
        verdict=verdict,
        judged_now=True,
        gradient_rules=_gradient_rules(verdict),
        narration=missing,
        trace=missing,
        audit=missing,
        data_audit=None,
        provenance=missing,
    )


def _run_of(run: Run | Path | str) -> tuple[Run, Missing | None]:
    """Return the run and, where its module cannot be had, why."""
    if isinstance(run, Run):
        return run, None
    files = RunFiles(run)
    config = read_document(files.config, RunConfig)
    history = read_history(files.history) if files.history.is_file() else History()
    try:
        return load(run), None
    except Exception as problem:  # noqa: BLE001  # a stranger's module may fail in any way, and the rest of the report stands without it
        missing = Missing(
            why=f"The module could not be loaded: {_says(problem)}",
            how="Load it in Python and report from there: statewise.report(statewise.load(directory, model=..., call=...)).",
        )
        return Run(config=config, history=history, directory=files.directory), missing


def _evaluation(run: Run, place: str) -> Evaluation | Missing:
    if isinstance(run.evaluation, Evaluation):
        return run.evaluation
    how = (
        "Score data with labels: run.evaluation = statewise.evaluate(run, test)."
        if run.directory is None
        else f"Score data with labels: statewise evaluate {place} --data FILE --out {RunFiles(place).evaluation}"
    )
    return _read_or_missing(run, "evaluation", read_evaluation, "No test data has been scored.", how)


def _verdict(run: Run, evaluation: Evaluation | Missing, policy: Policy | str | Path | None) -> tuple[Verdict | Missing, bool]:
    """Return the run's verdict; where none was kept, the one under the default policy; where a policy was given, the one under that."""
    kept = _read_or_missing(run, "verdict", read_verdict, "", "")
    if policy is None and (isinstance(kept, Verdict) or kept.why):
        return kept, False
    known = evaluation if isinstance(evaluation, Evaluation) else None
    try:
        return judge(run, evaluation=known, policy="default" if policy is None else policy), True
    except StatewiseError as problem:
        return Missing(why=f"The evidence could not be judged: {problem.arrived}.", how=problem.hint), False


def _audit(run: Run, place: str) -> Audit | Missing:
    if isinstance(run.audit, Audit):
        return run.audit
    how = "Audit it: run.audit = statewise.audit(run.model, data)." if run.directory is None else f"Audit it: statewise audit {place}"
    return _read_or_missing(run, "audit", read_audit, "The model has not been audited.", how)


def _data_audit(run: Run) -> Audit | None:
    """Return the audit of the data that the run left, if there is one that can be read."""
    found = _read_or_missing(run, "data_audit", read_audit, "", "")
    return found if isinstance(found, Audit) else None


def _provenance(run: Run, place: str) -> Provenance | Missing:
    how = (
        "Train with directory=... to have it written."
        if run.directory is None
        else f"It is written by the training; train again to have it in {place}."
    )
    return _read_or_missing(
        run, "provenance", lambda path: read_document(path, Provenance), "Where the run came from was not recorded.", how
    )


def _read_or_missing(run: Run, name: str, read: Callable[[Path], Document], absent: str, how: str) -> Document | Missing:
    path = None if run.directory is None else getattr(RunFiles(run.directory), name)
    if path is None or not path.is_file():
        return Missing(why=absent, how=how)
    try:
        return read(path)
    except StatewiseError as problem:
        return Missing(why=f"{path.name} could not be read: {problem.arrived}.", how=problem.hint)


def _gradient_rules(verdict: Verdict | Missing) -> GradientRules:
    try:
        return read_policy("default" if isinstance(verdict, Missing) else verdict.policy).gradients
    except StatewiseError:  # a verdict keeps the name of a policy file, not its path
        return read_policy("default").gradients


def _narration(run: Run) -> TrainingTrace | Missing:
    try:
        return training_trace(run.history, num_classes=len(run.config.class_names))
    except StatewiseError as problem:
        return Missing(why=f"The training is not recorded: {problem.arrived}.", how=problem.hint)


def _trace(run: Run, place: str) -> Trace | Missing:
    how = (
        f"Look inside with any sequence: statewise trace {place} --data FILE"
        if run.directory
        else "statewise.trace(run, one_sequence) shows it."
    )
    try:
        return trace(run, read_example(run))
    except StatewiseError as problem:
        return Missing(why=f"No sequence was traced: {problem.arrived}.", how=how)
    except Exception as problem:  # noqa: BLE001  # as in _run_of
        return Missing(why=f"No sequence was traced: {_says(problem)}", how=how)


def _says(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text if isinstance(problem, StatewiseError) else f"{type(problem).__name__}: {text[:300]}"
