"""What does an audit say for or against a model? A failed check decides; an audit of other weights, or one cut short, is no evidence.

Besides that of the module there may be audits of the data, of a metric or of the training. A policy can name checks that must have passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing import Audit, Family, by_reason, consequences_of, judged, listed_codes, read_audit, weights_hash
from statewise.errors import StatewiseError
from statewise.runs import Run, RunFiles, read_tensors
from statewise.verdicts._reasons import Findings, Reason
from statewise.words import counted, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from statewise.auditing import Outcome
_SUBJECTS: dict[Family, str] = {
    "module": "audit",
    "data": "audit of the data",
    "metric": "audit of the metric",
    "history": "audit of the training",
}


def audits_of_run(directory: Path | None) -> dict[Family, Audit]:
    """Return the audits that a run directory holds, by what they examine.

    Raises:
        RunError: one is damaged.
    """
    if directory is None:
        return {}
    paths: dict[Family, Path] = {"module": RunFiles(directory).audit, "data": RunFiles(directory).data_audit}
    return {family: read_audit(path) for family, path in paths.items() if path.is_file()}


def judge_required_checks(audits: Iterable[Audit], codes: Sequence[str]) -> Findings:
    """Hold audits against the checks that a policy requires: each must have passed. One that failed has its reason already."""
    outcomes = [each for audit in audits for each in audit.outcomes]
    reasons = []
    for code in codes:
        of_it = [each for each in outcomes if each.code.startswith(code)]
        open_ones = [each for each in of_it if each.status not in {"pass", "fail"}]
        if not of_it or open_ones:
            how = "no audit has made it" if not of_it else "; ".join(f"{each.code} {_ended(each)}" for each in open_ones[:3])
            do = (
                f"Make it: statewise explain {code} tells what it needs."
                if of_it
                else "Give the audit that makes it: audit=, or in the run."
            )
            says = f"The policy requires the check {code} to pass, and {how}."
            reasons.append(Reason(subject=f"check {code}", points_to="not_enough_evidence", says=says, do=do))
        elif all(each.status == "pass" for each in of_it):
            reasons.append(Reason(subject=f"check {code}", points_to="ready", says="Required by the policy, and passed."))
    return Findings(reasons=tuple(reasons))


def _ended(outcome: Outcome) -> str:
    words = {"not_applicable": "did not apply", "skipped": "was not run", "error": "ended in an error", "warn": "warns"}
    because = f" ({outcome.evidence})" if outcome.evidence else ""
    return f"{words.get(outcome.status, f'is {outcome.status}')}{because}"


def weights_of(run: Run | None, directory: Path | None) -> str | None:
    """Return the hash of a run's weights, empty where its directory holds none that can be read; None for records alone."""
    if directory is not None:
        try:
            return weights_hash(read_tensors(RunFiles(directory).weights))
        except StatewiseError:
            return ""
    return None if run is None or run.model is None else weights_hash(run.model.state_dict())


def judge_audit(audit: Audit, *, required: bool, source: str, weights: str | None) -> Findings:
    """Hold an audit against the rule that no check fails, and that all of them came to their end.

    Args:
        audit: the audit.
        required: whether the policy requires one; only then what is not known keeps the answer from being "ready".
        source: what is judged.
        weights: hash of the weights that are judged, empty where they cannot be read; None where there are none to compare.
    """
    cut_short = not audit.weights and any(each.status == "error" for each in audit.outcomes)
    if weights is not None and not cut_short and (weights != audit.weights or not weights):
        says = (
            f"The audit is of other weights than those of {source}: it says nothing about this model."
            if weights
            else f"The weights of {source} cannot be read: nobody can say whether the audit is of them."
        )
        stale = Reason(subject="audit", points_to="not_enough_evidence", says=says, do=_again(source))
        return Findings(reasons=(stale,) if required else (), notes=() if required else (says,))
    failed = list(_failed(audit))
    unknown = list(_unknown(audit, source)) if required else []
    warned = [each for each in audit.findings if each.status == "warn"]
    notes = tuple(f"The audit warns: {each.code} {each.name}: {each.evidence}." for each in warned)
    num_judged = len(judged(audit.outcomes))
    if failed or unknown or not num_judged:
        return Findings(reasons=(*failed, *unknown), notes=notes)
    passed = counted(num_judged - len(warned), "check")
    says = f"{passed} passed, {len(warned)} warned, none failed."
    return Findings(reasons=(Reason(subject=_SUBJECTS[audit.examines], points_to="ready", says=says),), notes=notes)


def told(audit: Audit) -> str:
    """Return in a few words how many checks there were, and how they ended."""
    kinds = {"pass": "passed", "fail": "failed", "warn": "warned", "error": "ended in an error", "not_applicable": "did not apply"}
    counts = {status: sum(each.status == status for each in audit.outcomes) for status in kinds}
    parts = [f"{count} {kinds[status]}" for status, count in counts.items() if count]
    return f"{counted(len(audit.outcomes), 'check')}{', ' if parts else ''}{', '.join(parts)}"


def _failed(audit: Audit) -> Iterator[Reason]:
    """Yield each failed check that is not a mere consequence, with what was seen."""
    for each in audit.findings:
        if each.status == "fail":
            explained = consequences_of(audit.outcomes, each.code)
            also = f" It also explains {', '.join(explained)}." if explained else ""
            says = f"{sentence(each.evidence)} {each.why}{also}".strip()
            do = each.fix or f"See: statewise explain {each.code}."
            yield Reason(subject=f"{each.code} {each.name}", points_to="not_ready", says=says, do=do)


def _unknown(audit: Audit, source: str) -> Iterator[Reason]:
    """Yield what keeps an audit from being evidence: errors, checks that were not run, nothing that could be judged."""
    errors = [each for each in audit.outcomes if each.status == "error"]
    skipped = [each for each in audit.outcomes if each.status == "skipped"]
    if errors:
        first, of_it = by_reason(errors)[0]
        says = f"{counted(len(errors), 'check')} of the audit ended in an error, {listed_codes(of_it)}: {first}."
        do = f"See that the module can be called as its contract says, and audit it again. {_again(source)}"
        yield Reason(subject=_SUBJECTS[audit.examines], points_to="not_enough_evidence", says=says, do=do)
    elif skipped:
        says = f"{counted(len(skipped), 'check')} of the audit {'was' if len(skipped) == 1 else 'were'} not run ({listed_codes(skipped)})."
        yield Reason(
            subject=_SUBJECTS[audit.examines],
            points_to="not_enough_evidence",
            says=says,
            do=f"{_again(source)} Leave out --select and --ignore.",
        )
    elif not judged(audit.outcomes):
        says = "No check of the audit could be judged."
        do = f"Give the audit data, or say in a contract what the module promises. {_again(source)}"
        yield Reason(subject=_SUBJECTS[audit.examines], points_to="not_enough_evidence", says=says, do=do)


def _again(source: str) -> str:
    """Return how an audit of what is judged is had."""
    path = source.removeprefix("run ") if source.startswith("run '") else "RUN"
    return f"Run: statewise audit {path}."
