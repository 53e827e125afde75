"""What follows a training? Predict, evaluate, trace, audit, judge, report: each written into the run as it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.auditing import audit, audit_data, brief
from statewise.cli._apart import Request, audit_apart
from statewise.cli._audit import TIMEOUT
from statewise.cli._show import heading, say, show
from statewise.errors import StatewiseError
from statewise.evaluation import evaluate, predict, write_evaluation
from statewise.models import Model
from statewise.reporting import report
from statewise.runs import RunFiles, add_to_provenance, keep_example, load, record_data, record_scoring, register_policy
from statewise.tasks import TASKS
from statewise.tracing import trace
from statewise.verdicts import Verdict, choose_by_policy, judge, read_policy, write_verdict

if TYPE_CHECKING:
    from statewise.auditing import Audit
    from statewise.cli._reading import Parts
    from statewise.evaluation import Threshold
    from statewise.runs import Run
    from statewise.sequences import Sequences


_LONGEST = 200
"""Steps of the sequence that is looked into; of a longer one the first."""


def finish(run: Run, parts: Parts, *, policy: str) -> Verdict:
    """Score the test part once, look inside, audit, judge, and write the report.

    Of two classes the predictions for the validation part are kept, and where the policy says what mistakes cost, they choose the
    threshold. Without a test part nothing is scored, and the verdict says that the evidence is missing.
    """
    assert run.directory is not None
    files, test = RunFiles(run.directory), parts.test
    threshold = _threshold(run, parts.valid, policy)
    if test is not None:
        heading("Evaluation on the test part")
        rules = read_policy(policy)
        register_policy(run.directory, policy=rules.name, policy_sha256=rules.sha256)
        predictions = predict(run, test)
        record_scoring(run.directory, record_data(test))
        predictions = predictions if threshold is None else predictions.at(threshold)
        predictions.save(files.predictions)
        run.evaluation = evaluate(predictions, positive=run.config.positive)
        write_evaluation(run.evaluation, files.evaluation)
        show(run.evaluation)
        example = _example(test)
        heading(f"Inside: {'the beginning of ' if example.num_steps == _LONGEST else ''}one sequence of the test part")
        keep_example(files, example)
        show(trace(run, example))
    heading("Audit")
    _audit(run, None if test is None else _example(test))
    heading("Audit of the data")
    _audit_data(run, parts)
    heading("Verdict")
    verdict = judge(run, policy=policy)
    write_verdict(verdict, files.verdict)
    tested = None if test is None else record_data(test)
    add_to_provenance(run.directory, test=tested, policy=verdict.policy, policy_sha256=verdict.policy_hash)
    show(verdict)
    path = report(run)
    say(f"Report: {path}\nRun:    {run.directory}")
    return verdict


def _threshold(run: Run, valid: Sequences, policy: str) -> Threshold | None:
    """Keep the predictions for the validation part, and return the threshold that the policy's costs and budgets choose on them.

    A model that was refitted on the validation part too has nothing to choose on.
    """
    assert run.directory is not None
    facts = TASKS.get(run.config.task)
    if len(run.config.class_names) != 2 or facts is None or facts.holds != "classes" or facts.ahead or run.config.options.get("refit"):
        return None
    predictions = predict(run, valid)
    predictions.save(RunFiles(run.directory).validation)
    try:
        return choose_by_policy(read_policy(policy), predictions)
    except StatewiseError as problem:
        say(f"No threshold could be chosen by the policy, so that it stays at 0.5: {problem}\n")
        return None


def _audit(run: Run, example: Sequences | None) -> None:
    """Audit the model as it lies in the run; that it cannot be audited ends nothing, and the verdict will miss the evidence."""
    assert run.directory is not None
    try:
        found = _audited(run, example)
    except StatewiseError as problem:
        say(f"The model could not be audited: {problem}\n")
        return
    found.save(RunFiles(run.directory).audit)
    say(f"{brief(found)}\n")


def _audit_data(run: Run, parts: Parts) -> None:
    """Audit the parts of the data that the run was trained and tested on; that they cannot be audited ends nothing."""
    assert run.directory is not None
    try:
        found = audit_data(parts.train, parts.valid, parts.test, run=run)
    except StatewiseError as problem:
        say(f"The data could not be audited: {problem}\n")
        return
    found.save(RunFiles(run.directory).data_audit)
    say(f"{brief(found)}\n")


def _audited(run: Run, example: Sequences | None) -> Audit:
    """Return the audit: of a model of ours in this process, where nothing in it can hang; of a stranger's in one of its own."""
    if run.config.model is None:
        return audit_apart(Request(target=str(run.directory), seed=0), timeout=TIMEOUT)
    assert run.directory is not None
    model = load(run.directory).model
    assert isinstance(model, Model)
    return audit(model, example)


def _example(test: Sequences) -> Sequences:
    """Return the first sequence that has a step, and of a long one its beginning."""
    first = test.select(torch.nonzero(test.lengths > 0)[:1, 0])
    return first if first.num_steps <= _LONGEST else first.select_steps(torch.arange(first.num_steps) < _LONGEST)
