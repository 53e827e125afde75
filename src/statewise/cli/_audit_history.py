"""`statewise audit --history`: did a training go wrong? Its file is read; no module is needed, and none runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from statewise.auditing import audit_history, encode, require_known
from statewise.cli._out import require_writable
from statewise.cli._show import OutputFormat, say, show
from statewise.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statewise.auditing import Audit

_HINT = "Leave it out: --history is about a training alone. Its options are --select, --ignore, --fail-on, --out and --output-format."


def audit_file_of_history(
    history: Path,
    *,
    beside: Mapping[str, Any],
    select: Sequence[str],
    ignore: Sequence[str],
    out: Path | None,
    output_format: OutputFormat,
) -> Audit:
    """Audit the history in a file, show what came out, and return it.

    Args:
        history: a history.jsonl, or a csv with one row an epoch.
        beside: what else was given, by option, that means nothing for a history.
        select: codes, or beginnings of codes, of the checks to run.
        ignore: those not to run.
        out: where to write it as JSON too.
        output_format: text or json.

    Raises:
        OptionError: an option that is about a module, a code that is none, or a place that cannot be written.
        DataError: no such file, or one that holds no history.
    """
    for name, value in beside.items():
        if value:
            arrived = "something that means nothing beside --history"
            raise OptionError(asked="statewise audit", where=name, arrived=arrived, hint=_HINT)
    for option, codes in (("--select", select), ("--ignore", ignore)):
        require_known(codes, asked="statewise audit --history", where=option, family="history")
    require_writable(out, (history,), command="audit", writes="JSON", suffixes=(".json",))
    found = audit_history(history, select=select, ignore=ignore)
    if out is not None:
        found.save(out)
    if output_format == "json":
        say(encode(found.record()).decode())
    else:
        show(found)
    return found
