"""What does the page say of the audit? The answer, each finding with what was seen and its mend, and what could not be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statewise.auditing import answer, as_python, by_reason, consequences_of
from statewise.reporting._answer import Status
from statewise.reporting._evidence import Missing
from statewise.verdicts import weights_of
from statewise.words import capital, counted

if TYPE_CHECKING:
    from statewise.auditing import Audit, Outcome
    from statewise.runs import Run

_STATUS = {
    "fail": Status(key="missed", sign="✗", words="fails"),
    "warn": Status(key="open", sign="!", words="warns"),
    "error": Status(key="unknown", sign="?", words="error"),
}
_COUNTED = {
    "pass": "passed",
    "fail": "failed",
    "warn": "warned",
    "error": "ended in an error",
    "observed": "observed, and not held against it",
    "not_applicable": "not applicable",
    "skipped": "not run",
}
_OTHERS = ("error", "observed", "not_applicable", "skipped")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding as it is shown."""

    code: str
    name: str
    status: Status
    seen: str
    where: str
    why: str
    mend: str
    explains: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Checks that ended in the same way for the same reason."""

    kind: str
    reason: str
    number: int
    codes: str


@dataclass(frozen=True, kw_only=True)
class Audited:
    """The section on the audit.

    Attributes:
        says: the answer, in a sentence.
        counts: how many checks ended in which way.
        others: what was neither passed nor a finding, by reason.
        contract: of a module, as Python; empty for anything else.
        fine: what the probes were, and how often the module was called.
        stale: set where it is not an audit of the run's weights.
    """

    says: str
    findings: tuple[Finding, ...]
    counts: tuple[tuple[str, int], ...]
    others: tuple[Group, ...]
    contract: str
    fine: str
    stale: Missing | None


def audited_of(audit: Audit, run: Run) -> Audited:
    """Return the section on an audit."""
    outcomes = audit.outcomes
    counts = {words: sum(each.status == status for each in outcomes) for status, words in _COUNTED.items()}
    calls = f"{audit.num_calls:,} forward passes." if audit.num_calls else ""
    return Audited(
        says=f"{capital(answer(outcomes))}.",
        findings=tuple(_finding(each, outcomes) for each in audit.findings),
        counts=tuple((words, number) for words, number in counts.items() if number),
        others=tuple(_groups(outcomes)),
        contract=as_python(audit.contract, audit.sure) if audit.examines == "module" else "",
        fine=f"{counted(len(outcomes), 'check')} of {audit.name}. {audit.sampled} {calls}".strip(),
        stale=_stale(audit, run),
    )


def _finding(outcome: Outcome, outcomes: tuple[Outcome, ...]) -> Finding:
    return Finding(
        code=outcome.code, name=outcome.name, status=_STATUS[outcome.status], seen=capital(outcome.evidence), where=outcome.where or "",
        why=outcome.why, mend=outcome.fix, explains=", ".join(consequences_of(outcomes, outcome.code)),
    )  # fmt: skip


def _groups(outcomes: tuple[Outcome, ...]) -> list[Group]:
    found = []
    for status in _OTHERS:
        for reason, members in by_reason([each for each in outcomes if each.status == status]):
            codes = ", ".join(each.code for each in members)
            found.append(Group(kind=_COUNTED[status], reason=reason, number=len(members), codes=codes))
    return found


def _stale(audit: Audit, run: Run) -> Missing | None:
    weights = weights_of(run, run.directory) if audit.examines == "module" else None
    if weights is None or weights == audit.weights:
        return None
    return Missing(
        why="This is not an audit of the weights that the run holds.", how=f"Audit again: statewise audit {run.directory or 'RUN'}"
    )
