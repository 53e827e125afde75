"""Which findings are only consequences of others? The cause is mended on the probe, and the check is run again.

What passes then was a consequence; what still fails is a bug of its own. Where nothing from outside can mend a cause (a state that the
module ignores, an input that it never reads), a check that may follow from it, as it says itself, is taken to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statewise.auditing._subject import Failed
from statewise.errors import StatewiseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statewise.auditing._check import Check
    from statewise.auditing._needs import Examined
    from statewise.auditing._outcome import Outcome

_BAD = frozenset({"fail", "warn"})
_GOOD = frozenset({"pass", "observed"})


def settled(checks: Sequence[Check], outcomes: Mapping[str, Outcome], asked: Mapping[str, Examined]) -> tuple[Outcome, ...]:
    """Return the outcomes, consequences with the code of their cause, and what a defect kept from being judged judged without it.

    Args:
        checks: all of them.
        outcomes: by code.
        asked: by code, the subject that gave the outcome.
    """
    bad = {each.code: each for each in checks if outcomes[each.code].status in _BAD}
    if not bad:
        return tuple(outcomes[each.code] for each in checks)
    causes: dict[str, str] = {}
    for each in bad.values():
        # A warning hides no failure.
        worse = {code: cause for code, cause in bad.items() if (outcomes[each.code].status, outcomes[code].status) != ("fail", "warn")}
        cause = _cause_of(each, outcomes[each.code], worse, asked[each.code])
        if cause is not None and each.code not in _chain(cause, causes):
            causes[each.code] = cause
    return tuple(
        msgspec.structs.replace(outcomes[each.code], explained_by=causes.get(each.code))
        if each.code in bad
        else _judged_without(each, outcomes[each.code], bad, asked[each.code])
        for each in checks
    )


def _chain(code: str, causes: Mapping[str, str]) -> set[str]:
    """Return a code and the causes behind it."""
    found = {code}
    while code in causes:
        code = causes[code]
        found.add(code)
    return found


def _cause_of(check: Check, outcome: Outcome, bad: Mapping[str, Check], subject: Examined) -> str | None:
    """Return the first possible cause without which the check passes."""
    for code in (*check.after, *check.after_where.get(outcome.where or "", ())):
        if code not in bad:
            continue
        cure = bad[code].cure
        if cure is None or cure(subject) is None:
            return code
        mended = _mended(bad[code], subject)
        if mended is not None and check.outcome(mended).status in _GOOD:
            return code
    return None


def _judged_without(check: Check, outcome: Outcome, bad: Mapping[str, Check], subject: Examined) -> Outcome:
    """Return what the check says where a defect that kept it from being judged is mended; as it is where that does not help."""
    if outcome.status != "error" and not (
        outcome.status == "not_applicable" and "repeatable" in check.needs and subject.lacks("repeatable") is not None
    ):
        return outcome
    for code, cause in bad.items():
        mended = _mended(cause, subject)
        if mended is None:
            continue
        again = check.outcome(mended)
        if again.status in _BAD | _GOOD:
            return msgspec.structs.replace(again, evidence=f"{again.evidence} (asked with {code} mended)")
    return outcome


def _mended(cause: Check, subject: Examined) -> Examined | None:
    """Return the subject with the cause mended, which its own check confirms; None where it cannot be."""
    mended = None if cause.cure is None else cause.cure(subject)
    try:
        return mended if mended is not None and cause.outcome(mended).status in _GOOD else None
    except (Failed, StatewiseError):
        return None
