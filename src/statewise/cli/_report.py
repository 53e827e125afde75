"""`statewise report`: a run in one HTML file."""

from __future__ import annotations

from pathlib import Path

from statewise.cli._out import require_writable
from statewise.cli._show import say
from statewise.cli._target import is_run, require_target
from statewise.errors import OptionError
from statewise.reporting import report as write_report


def report(target: Path, /, *, out: Path | None = None) -> int:
    """Write a run's report: one HTML file that needs no network.

    Args:
        target: the run directory.
        out: where to write it; report.html in the run directory by default.
    """
    path = require_target(target, "report", "a run directory")
    if not is_run(path):
        raise OptionError(asked="statewise report", where=f"'{path}'", arrived="a file", hint="Name a run directory.")
    require_writable(out, (), command="report", writes="HTML", suffixes=(".html", ".htm"), own="report.html")
    say(f"Report: {write_report(path, out)}")
    return 0
