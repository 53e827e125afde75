"""`statewise audit --history`: did a training go wrong? Its file is read; no module is needed, and none runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from statewise.auditing import audit_history, require_known
from statewise.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statewise.auditing import Audit

_HINT = "Leave it out: --history is about a training alone. Its options are --select, --ignore, --fail-on, --out and --output-format."


def audit_file_of_history(
    history: Path, *, target: str | None, beside: Mapping[str, bool], select: Sequence[str], ignore: Sequence[str]
) -> Audit:
    """Return the audit of the history in a file.

    Args:
        history: a history.jsonl, or a csv with one row an epoch.
        target: the module that was named beside it, which means nothing for a history.
        beside: by option that means nothing for a history, whether it was given.
        select: codes, or beginnings of codes, of the checks to run.
        ignore: those not to run.

    Raises:
        OptionError: a target or an option that is about a module, or a code that is none.
        DataError: no such file, or one that holds no history.
    """
    given = [*(["the target"] if target else []), *(f"--{name}" for name, is_given in beside.items() if is_given)]
    if given:
        arrived = "something that means nothing beside --history"
        raise OptionError(asked="statewise audit", where=given[0], arrived=arrived, hint=_HINT)
    for option, codes in (("--select", select), ("--ignore", ignore)):
        require_known(codes, asked="statewise audit --history", where=option, family="history")
    return audit_history(history, select=select, ignore=ignore)
