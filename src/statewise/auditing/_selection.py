"""Which checks are made? Those whose code begins as was asked, in Python and on the command line alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import all_checks, checks_of
from statewise.errors import OptionError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.auditing._check import Family


def chosen(code: str, select: Sequence[str], ignore: Sequence[str]) -> bool:
    """Return whether a check is selected, as all are where nothing is, and not ignored."""
    return (not select or code.startswith(tuple(select))) and not code.startswith(tuple(ignore))


def require_known(codes: Sequence[str], *, asked: str, where: str, family: Family | None = "module") -> None:
    """Refuse what no code begins with: none of a family, or with `family=None` none at all.

    Raises:
        OptionError: one of `codes`; the nearest are named.
    """
    known = [each.code for each in (all_checks() if family is None else checks_of(family))]
    for given in codes:
        if not given or not any(code.startswith(given) for code in known):
            raise OptionError(asked=asked, where=where, arrived=f"{given!r}, with which no code begins", hint=nearest(given, known))
