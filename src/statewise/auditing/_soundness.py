"""Is what the checks said enough to call a module sound? One answer for the table, the command line, pytest and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from statewise.errors import AuditError
from statewise.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.auditing._outcome import Outcome

FailOn: TypeAlias = Literal["fail", "warn"]
"""From which status on a finding counts."""

_JUDGED = ("pass", "fail", "warn")


def judged(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Return those that came to a judgement."""
    return tuple(each for each in outcomes if each.status in _JUDGED)


def held_against(outcomes: Sequence[Outcome], fail_on: FailOn = "fail") -> tuple[Outcome, ...]:
    """Return the findings at or above a status."""
    counts = ("fail",) if fail_on == "fail" else ("fail", "warn")
    return tuple(each for each in outcomes if each.is_finding and each.status in counts)


def is_sound(outcomes: Sequence[Outcome], fail_on: FailOn = "fail") -> bool:
    """Whether something was judged, no finding counts, and no check ended in an error."""
    return bool(judged(outcomes)) and not held_against(outcomes, fail_on) and not _errors(outcomes)


def answer(outcomes: Sequence[Outcome]) -> str:
    """Return the answer in a few words.

    Example:
        >>> from statewise.auditing import Outcome
        >>> answer([Outcome(code="SW101", name="a", status="pass"), Outcome(code="SW102", name="b", status="not_applicable")])
        'sound: 1 check passed'
        >>> answer([Outcome(code="SW101", name="a", status="fail"), Outcome(code="SW102", name="b", status="pass")])
        'not sound: 1 finding (SW101)'
    """
    findings, errors = [each for each in outcomes if each.is_finding], _errors(outcomes)
    parts = []
    if findings:
        parts.append(f"{counted(len(findings), 'finding')} ({listed_codes(findings)})")
    if errors:
        parts.append(f"{counted(len(errors), 'error')} ({listed_codes(errors)})")
    if not parts and not judged(outcomes):
        return "not known: no check could be judged"
    if not parts:
        return f"sound: {counted(len(judged(outcomes)), 'check')} passed"
    failed = any(each.status == "fail" for each in findings)
    return f"{'not sound' if failed else 'not known' if errors else 'sound, with warnings'}: {' and '.join(parts)}"


def unsound(name: str, outcomes: Sequence[Outcome], fail_on: FailOn = "fail") -> AuditError:
    """Return the error that names what was found."""
    against = held_against(outcomes, fail_on)
    bad = against or _errors(outcomes)
    if not bad:
        return AuditError(
            asked=f"audit {name}",
            where="all checks",
            arrived="none of them could be judged",
            hint="Give data=, a few sequences that the module can read, or a contract= that says what it promises.",
        )
    told = "; ".join(f"{each.code} {each.name}: {each.evidence}" for each in bad[:3])
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    hint = f"{bad[0].fix} See 'statewise explain {bad[0].code}'." if against and bad[0].fix else f"See 'statewise explain {bad[0].code}'."
    return AuditError(asked=f"audit {name}", where=listed_codes(bad), arrived=f"{told}{more}", hint=hint)


def listed_codes(outcomes: Sequence[Outcome], most: int = 6) -> str:
    """Return the codes of some outcomes, the first few of many."""
    codes = [each.code for each in outcomes]
    return ", ".join(codes[:most]) + (f" and {len(codes) - most} more" if len(codes) > most else "")


def _errors(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [each for each in outcomes if each.status == "error"]
