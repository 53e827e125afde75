"""How is anything but a module audited? Every check of its family is asked once, and consequences are folded under their causes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._audit import Audit
from statewise.auditing._check import checks_of
from statewise.auditing._folding import settled
from statewise.auditing._selection import chosen, require_known
from statewise.contracts import Contract

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.auditing._check import Family
    from statewise.auditing._needs import Examined


def audited(
    family: Family, subject: Examined, *, name: str, sampled: str, asked: str, select: Sequence[str] | str, ignore: Sequence[str] | str
) -> Audit:
    """Return what the checks of a family say about what they examine.

    Args:
        family: the checks.
        subject: what they are given.
        name: of it, for the reader.
        sampled: what was looked at, in a sentence.
        asked: what the user wanted, for messages.
        select: codes, or beginnings of codes; all where it is empty.
        ignore: codes, or beginnings of codes, that are skipped.

    Raises:
        OptionError: `select` or `ignore` names no check of the family.
    """
    select, ignore = ((given,) if isinstance(given, str) else tuple(given) for given in (select, ignore))
    for given, where in ((select, "select"), (ignore, "ignore")):
        require_known(given, asked=asked, where=where, family=family)
    checks = checks_of(family)
    outcomes = {each.code: each.outcome(subject) if chosen(each.code, select, ignore) else each.skipped() for each in checks}
    return Audit(
        name=name,
        contract=Contract(),
        outcomes=settled(checks, outcomes, dict.fromkeys(outcomes, subject)),
        num_calls=0,
        examines=family,
        sampled=sampled,
    )
