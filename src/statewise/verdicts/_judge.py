"""Is it fit for production? Gathers the evidence, lets each rule look at its part, and takes the gravest answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from statewise.auditing import Audit, Family
from statewise.errors import OptionError, RunError
from statewise.evaluation import Evaluation, read_evaluation
from statewise.runs import Epoch, History, Run, RunFiles, Update, read_history, read_scorings
from statewise.verdicts._audit import audits_of_run, judge_audit, judge_required_checks, told, weights_of
from statewise.verdicts._figures import judge_figures
from statewise.verdicts._looks import notes_on_looks
from statewise.verdicts._mistakes import judge_mistakes
from statewise.verdicts._policy import EvidenceName, Policy, SubjectKind, checked, read_policy
from statewise.verdicts._prevalence import at_prevalence
from statewise.verdicts._reasons import ORDER, Findings, Reason
from statewise.verdicts._skill import unit_words
from statewise.verdicts._training import judge_training
from statewise.verdicts._verdict import Verdict
from statewise.words import listed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike


def judge(
    run: Run | str | PathLike[str] | None = None,
    *,
    evaluation: Evaluation | None = None,
    history: History | None = None,
    audit: Audit | Sequence[Audit] | None = None,
    policy: Policy | str | Path = "default",
) -> Verdict:
    """Say whether a model is fit for production under a policy, and why.

    The first level that applies: `not_ready` (a limit missed, a failed check, a loss that is not finite, no skill),
    `not_enough_evidence` (required evidence absent, too few cases, a limit that only luck may have reached), `needs_work` (a
    figure below its limit within its interval, a training band not good), `ready`. What is given is judged; what the policy
    requires and is not there keeps the answer from being "ready".

    Args:
        run: a run or its directory, of which the evaluation, the history and the audit are read; None to judge figures alone.
        evaluation: what `evaluate` returned; takes the place of the run's.
        history: records of a training; takes the place of the run's.
        audit: what `audit` returned, and `audit_data` and the like: one, or several of different things; each takes the place of the
            run's. No audit is run here.
        policy: a policy, the name of a preset (`default`, `lenient`, `recall-first`, `precision-first`), or a TOML file.

    Raises:
        OptionError: nothing to judge, or no such policy.
        RunError: no such run directory, or a damaged evaluation or audit in it.
        DataError: a damaged history, or a policy file that is not TOML.

    Example:
        >>> from statewise.evaluation import Counts, evaluate
        >>> verdict = judge(evaluation=evaluate(Counts(tp=12, fn=88, fp=112, tn=9788)))
        >>> verdict.level, verdict.exit_code, verdict.reasons[0].subject
        ('not_ready', 1, "recall of 'positive'")
    """
    rules = checked(policy) if isinstance(policy, Policy) else read_policy(policy)
    evidence = _gather(run, evaluation, history, _by_family(audit))
    required = rules.require.of(evidence.kind)
    found = [Findings(reasons=tuple(_absent(evidence, required)))]
    if evidence.history is not None:
        task = None if evidence.evaluation is None else evidence.evaluation.task
        found.append(judge_training(evidence.history, rules, required="history" in required, task=task))
    if evidence.evaluation is not None:
        figures, told_of_share = at_prevalence(evidence.evaluation, rules)
        found += [judge_figures(figures, rules), judge_mistakes(figures, rules), Findings(notes=told_of_share)]
    for family, each in evidence.audits.items():
        weights = evidence.weights if family == "module" else None
        found.append(judge_audit(each, required=_AUDITS.get(family) in required, source=evidence.source, weights=weights))
    found.append(judge_required_checks(evidence.audits.values(), rules.require.checks))
    reasons = [reason for each in found for reason in each.reasons]
    against = sorted((reason for reason in reasons if reason.points_to != "ready"), key=lambda reason: ORDER.index(reason.points_to))
    return Verdict(
        level=against[0].points_to if against else "ready",
        header=_header(evidence),
        reasons=tuple(against),
        supports=tuple(reason for reason in reasons if reason.points_to == "ready"),
        policy=rules.name,
        policy_hash=rules.sha256,
        examined=tuple(_examined(evidence)),
        not_required=tuple(each for each in evidence.missing if each not in required),
        notes=(*(note for each in found for note in each.notes), *_looks(evidence.directory, rules)),
    )


def _looks(directory: Path | None, rules: Policy) -> tuple[str, ...]:
    return () if directory is None else tuple(notes_on_looks(read_scorings(directory), rules))


class _Evidence(msgspec.Struct, frozen=True, kw_only=True):
    kind: SubjectKind
    source: str
    evaluation: Evaluation | None
    history: History | None
    audits: dict[Family, Audit]
    weights: str | None = None
    directory: Path | None = None

    @property
    def missing(self) -> list[EvidenceName]:
        """The kinds of evidence that are not there."""
        given: dict[EvidenceName, object] = {"evaluation": self.evaluation, "history": self.history}
        given |= {name: self.audits.get(family) for family, name in _AUDITS.items()}
        return [name for name, value in given.items() if value is None]


def _gather(
    run: Run | str | PathLike[str] | None, evaluation: Evaluation | None, history: History | None, audits: dict[Family, Audit]
) -> _Evidence:
    """Read what the run holds and was not given, and say what is judged."""
    history = _if_any(history)
    if run is None and evaluation is None and history is None and not audits:
        raise OptionError(
            asked="judge",
            where="the arguments",
            arrived="nothing to judge",
            hint="Give a run directory, evaluation=evaluate(predictions), or evaluation=evaluate(Counts(tp=, fn=, fp=, tn=)).",
        )
    if run is None:
        kind: SubjectKind = "counts" if evaluation is not None and evaluation.unit == "count" else "predictions"
        source = evaluation.source if evaluation is not None else "what was given"
        return _Evidence(kind=kind, source=source, evaluation=evaluation, history=history, audits=audits)
    if isinstance(run, Run):
        directory = run.directory
        evaluation = evaluation or run.evaluation
        history = history or run.history
        audits = audits if run.audit is None or "module" in audits else {"module": run.audit, **audits}
    else:
        directory = _existing(Path(run))
    files = None if directory is None else RunFiles(directory)
    if evaluation is None and files is not None and files.evaluation.is_file():
        evaluation = read_evaluation(files.evaluation)
    if history is None and files is not None and files.history.is_file():
        history = read_history(files.history)
    audits = audits_of_run(directory) | audits
    weights = None if "module" not in audits else weights_of(run if isinstance(run, Run) else None, directory)
    source = f"run '{directory}'" if directory is not None else "a run in memory"
    return _Evidence(
        kind="run", source=source, evaluation=evaluation, history=_if_any(history), audits=audits, weights=weights, directory=directory
    )  # fmt: skip


def _existing(directory: Path) -> Path:
    if not directory.is_dir():
        raise RunError(
            asked="judge a run",
            where=f"folder '{directory}'",
            arrived="a file, and not a run directory" if directory.exists() else "no such folder",
            hint="Name a run directory made by 'statewise fit', or a predictions file (.parquet, .csv, .jsonl).",
        )
    return directory


def _if_any(history: History | None) -> History | None:
    """Return the history, or None for one in which nothing happened."""
    return history if history is not None and any(isinstance(record, Epoch | Update) for record in history.records) else None


def _by_family(audit: Audit | Sequence[Audit] | None) -> dict[Family, Audit]:
    """Return audits by what they examine.

    Raises:
        OptionError: two are of one kind.
    """
    given = () if audit is None else (audit,) if isinstance(audit, Audit) else tuple(audit)
    found = {each.examines: each for each in given}
    if len(found) < len(given):
        arrived = f"{len(given)} audits, of {listed(found)} alone"
        raise OptionError(asked="judge", where="audit", arrived=arrived, hint="Give one of each kind: of the module, of the data, ...")
    return found


_AUDITS: dict[Family, EvidenceName] = {"module": "audit", "data": "data"}
"""What the audits that a policy can require are called there."""

_HOW_TO_HAVE: dict[EvidenceName, str] = {
    "evaluation": "Evaluate the model on data that it was not trained on: statewise evaluate.",
    "history": "Judge the run directory that training wrote, with its history.jsonl.",
    "audit": "Audit the model: statewise audit RUN, in Python audit=statewise.audit(module, data).",
    "data": "Audit the data: statewise audit RUN --train FILE --test FILE, in Python audit=statewise.audit_data(train, valid, test).",
}


def _absent(evidence: _Evidence, required: Sequence[EvidenceName]) -> list[Reason]:
    return [
        Reason(
            subject=name,
            points_to="not_enough_evidence",
            says=f"The policy requires the {name}, and there is none in {evidence.source}.",
            do=_HOW_TO_HAVE[name].replace("RUN", str(evidence.directory or "RUN")),
        )
        for name in required
        if name in evidence.missing
    ]


def _header(evidence: _Evidence) -> str:
    """Return the first line: what was looked at, and what was not."""
    audits = evidence.audits
    seen = {
        "figures": evidence.evaluation,
        "training": evidence.history or audits.get("history"),
        "model": audits.get("module"),
        "data": audits.get("data"),
    }
    looked_at = [what for what, given in seen.items() if given is not None] + (["metric"] if "metric" in audits else [])
    unseen = [what for what in ("figures", "model", "training", "data") if seen[what] is None]
    were = f"{listed(unseen)} {'were' if len(unseen) > 1 else 'was'} not examined" if unseen else ""
    if evidence.kind == "run" and not looked_at:
        return f"{evidence.source}: nothing was examined"
    if evidence.kind == "run":
        return f"{evidence.source}: {listed(looked_at)} examined{'; ' if were else ''}{were}"
    return f"{listed(looked_at)} only: {were}" if were else f"{listed(looked_at)} examined"


def _examined(evidence: _Evidence) -> list[str]:
    lines = []
    if evidence.evaluation is not None:
        found = evidence.evaluation
        lines.append(
            f"evaluation of {found.source}: {found.num_scored:,} scored, {found.num_units:,} independent {unit_words(found)}"
            + (f", {len(found.confusion.class_names)} classes" if found.confusion.counts else f", task {found.task}")
        )
    if evidence.history is not None:
        lines.append(
            f"history: {len(evidence.history.epochs())} epochs, {len(evidence.history.updates())} updates"
            + (f", and {len(refit)} epochs of refit" if (refit := evidence.history.epochs("refit")) else "")
        )
    lines += [f"audit of {each.name}: {told(each)}" for each in evidence.audits.values()]
    return lines
