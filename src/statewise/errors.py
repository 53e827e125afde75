"""Which errors can a user meet, and what does each message hold?

Every error states four facts: what was asked, where it went wrong, what arrived, and what to try.
Raise these for a user's mistake; `assert` is for ours.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class StatewiseError(Exception):
    """A user's mistake, told in four facts.

    Args:
        asked: what the user wanted, as the command or function that they called (`"read claims.csv"`).
        where: the place that stopped it: a column, row, path, argument or field.
        arrived: what was found there.
        hint: what to try, a full sentence.

    Example:
        >>> print(DataError(asked="read a.csv", where="column 'amout'", arrived="no such column", hint="Use 'amount'."))
        read a.csv: column 'amout': no such column. Use 'amount'.
    """

    exit_code = 2

    def __init__(self, *, asked: str, where: str, arrived: str, hint: str) -> None:
        self.asked, self.where, self.arrived, self.hint = asked, where, arrived, hint
        super().__init__(f"{asked}: {where}: {arrived}. {hint}")


class ShapeError(StatewiseError, ValueError):
    """The sizes of tensors, features or states do not fit together."""


class DataError(StatewiseError, ValueError):
    """A file, column, row or label cannot be used as it is."""


class OptionError(StatewiseError, ValueError):
    """An option or argument has a value that it cannot have."""


class ContractError(StatewiseError, TypeError):
    """It is not known, or not true, how a module wants to be called."""


class RunError(StatewiseError, RuntimeError):
    """A run directory cannot be read, written or continued."""


class AuditError(StatewiseError, AssertionError):
    """A module is not sound: checks of its audit found something, or none of them could be judged."""

    exit_code = 1


class MissingExtraError(StatewiseError, ImportError):
    """A feature needs an optional dependency that is not installed."""


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the end of a hint: the name most like `name`, or the names there are.

    Example:
        >>> nearest("amout", ["amount", "age"])
        "Did you mean 'amount'?"
        >>> nearest("zzz", ["amount", "age"])
        "There are: 'amount', 'age'."
    """
    known = [str(each) for each in names]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    folded = [each for each in known if each.casefold() == name.casefold()]
    if folded or close:
        return f"Did you mean {(folded or close)[0]!r}?"
    if not known:
        return "There are none."
    shown = ", ".join(repr(each) for each in known[:12])
    return f"There are: {shown}{', ...' if len(known) > 12 else ''}."


def kind_of(value: object) -> str:
    """Return what kind of thing a value is, with its article.

    Example:
        >>> kind_of(1), kind_of([]), kind_of(None)
        ('an int', 'a list', 'nothing')
    """
    name = type(value).__name__
    return "nothing" if value is None else f"{'an' if name[:1].lower() in 'aeio' or name == 'ndarray' else 'a'} {name}"


def missing_extra(asked: str, package: str, extra: str) -> MissingExtraError:
    """Return the error that names the command which installs a missing optional dependency."""
    return MissingExtraError(
        asked=asked,
        where=f"optional dependency {package!r}",
        arrived="it is not installed",
        hint=f"Install it with: pip install 'statewise[{extra}]'",
    )
