"""What does `statewise` on the command line do? One table of commands; the parser and the commands load when one is called."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from statewise.errors import RunError, StatewiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED, _CRASHED = 130, 70
_REFUSALS = {errno.ENAMETOOLONG, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EMFILE, errno.EIO}
"""What the operating system says of a path or a disk, and is no fault of ours."""


class Command(NamedTuple):
    """One command: its name, where its function lies, and what it does in a line."""

    name: str
    target: str
    says: str


COMMANDS = (
    Command("fit", "statewise.cli._fit:fit", "Train a model, then evaluate, trace, audit and judge it."),
    Command("predict", "statewise.cli._predict:predict", "Write the predictions of a run for new data."),
    Command("evaluate", "statewise.cli._evaluate:evaluate", "Metrics with intervals: of a run, a predictions file, or four counts."),
    Command("compare", "statewise.cli._compare:compare", "Say which of two runs or predictions files is better, and how sure that is."),
    Command("audit", "statewise.cli._audit:audit", "Look for silent bugs in a module, for leaks in data, or for trouble in a training."),
    Command("trace", "statewise.cli._trace:trace", "Show shapes and values inside a model, step by step."),
    Command("judge", "statewise.cli._judge:judge", "Say whether a model is fit for production, and why."),
    Command("report", "statewise.cli._report:report", "Write the report of a run or a predictions file: one HTML file, no network needed."),
    Command("explain", "statewise.cli._explain:explain", "Tell what a check of the audit does, why it matters and how to mend it."),
    Command("data", "statewise.cli._data:data", "Fetch public data sets, or convert a file to one row a step."),
    Command("doctor", "statewise.cli._doctor:doctor", "Show versions, devices and extras, and test the engine."),
)

EPILOGUE = """\
Exit codes: 0 ready, sound or done, 1 not ready, needs work or findings, 2 wrong usage or unreadable
input, 3 not enough evidence, 70 a crash of ours, 130 interrupted, 143 ended by SIGTERM.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: the words after `statewise`; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(_help())
        return 0
    if words[0] == "--version":
        from statewise import __version__

        sys.stdout.write(f"statewise {__version__}\n")
        return 0
    try:
        from statewise.cli._app import run

        return run(words)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away, as `head` does: no fault of anyone's.
        sys.stderr.close()
        return 0
    except Exception as problem:  # noqa: BLE001  # the last line of defence: a crash of ours has its own exit code
        return _fail(problem)


def _fail(problem: Exception) -> int:
    from statewise.cli._show import show_crash, show_error

    told = problem if isinstance(problem, StatewiseError) else _as_refusal(problem)
    if told is not None:
        show_error(told)
        return told.exit_code
    show_crash(problem)
    return _CRASHED


def _as_refusal(problem: Exception) -> StatewiseError | None:
    """Return what the operating system refused, in four facts; None where the program has failed."""
    if not isinstance(problem, OSError) or problem.errno not in _REFUSALS:
        return None
    return RunError(
        asked="statewise",
        where=f"file '{problem.filename}'" if problem.filename else "a file",
        arrived=str(problem.strerror or problem),
        hint="Choose a path that is not too long, may be used, and has room.",
    )


def _help() -> str:
    width = max(len(command.name) for command in COMMANDS)
    lines = [f"  {command.name:<{width}}  {command.says}" for command in COMMANDS]
    return "\n".join(
        [
            "statewise: recurrent sequence models whose hidden state can be trusted.",
            "",
            "Usage: statewise COMMAND [OPTIONS]      (statewise COMMAND --help tells more)",
            "",
            *lines,
            "",
            "  --version   Show the version.",
            "",
            EPILOGUE,
        ]
    )


def entry() -> None:
    """Run the command line and end the process with its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed, as by >&-
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # until the process ends
    sys.exit(main())
