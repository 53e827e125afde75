"""What follows a training? Predict, evaluate, trace, judge, report: each written into the run as it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.cli._show import heading, say, show
from statewise.evaluation import evaluate, predict, write_evaluation
from statewise.reporting import report
from statewise.runs import RunFiles, add_to_provenance, keep_example, record_data
from statewise.tracing import trace
from statewise.verdicts import Verdict, judge, write_verdict

if TYPE_CHECKING:
    from statewise.runs import Run
    from statewise.sequences import Sequences


_LONGEST = 200
"""Steps of the sequence that is looked into; of a longer one the first."""


def finish(run: Run, test: Sequences | None, *, policy: str) -> Verdict:
    """Score the test part once, look inside, judge, and write the report.

    Without a test part nothing is scored, and the verdict says that the evidence is missing.
    """
    assert run.directory is not None
    files = RunFiles(run.directory)
    if test is not None:
        heading("Evaluation on the test part")
        predictions = predict(run, test)
        predictions.save(files.predictions)
        run.evaluation = evaluate(predictions, positive=run.config.positive)
        write_evaluation(run.evaluation, files.evaluation)
        show(run.evaluation)
        example = _example(test)
        heading(f"Inside: {'the beginning of ' if example.num_steps == _LONGEST else ''}one sequence of the test part")
        keep_example(files, example)
        show(trace(run, example))
    heading("Verdict")
    verdict = judge(run, policy=policy)
    write_verdict(verdict, files.verdict)
    tested = None if test is None else record_data(test)
    add_to_provenance(run.directory, test=tested, policy=verdict.policy, policy_sha256=verdict.policy_hash)
    show(verdict)
    path = report(run)
    say(f"Report: {path}\nRun:    {run.directory}")
    return verdict


def _example(test: Sequences) -> Sequences:
    """Return the first sequence that has a step, and of a long one its beginning."""
    first = test.select(torch.nonzero(test.lengths > 0)[:1, 0])
    return first if first.num_steps <= _LONGEST else first.select_steps(torch.arange(first.num_steps) < _LONGEST)
