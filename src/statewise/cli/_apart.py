"""How is a stranger's module audited without trusting it to come back? In a child process, which is ended when its time is up.

The child (`_inside.py`) and this process share a folder: what is asked, how far it is, what came out.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from statewise.auditing import CUT_SHORT, Audit, Check, Outcome, checks_of, chosen, encode, read_audit
from statewise.cli._reading import Columns
from statewise.contracts import Contract
from statewise.errors import StatewiseError

Told = Callable[[int, int, str], None]

_LOOK = 0.05
"""Seconds between two looks at the child."""
FOLDING = "folding"
"""Stands for the code of a check while findings are folded under their causes."""
_QUIET = 2.0
"""Seconds before anything is shown of how far it is."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is asked to audit: the words of the command line, as they came."""

    target: str
    weights: str | None = None
    contract: str | None = None
    call: str | None = None
    example: str | None = None
    data: str | None = None
    columns: Columns = Columns()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    seed: int = 0
    fast: bool = False


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An error in four facts, as the child met it."""

    asked: str
    where: str
    arrived: str
    hint: str
    exit_code: int


class Shared:
    """The files that both processes know."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.request = self.folder / "request.json"
        self.progress = self.folder / "progress.txt"
        self.so_far = self.folder / "so_far.json"
        self.record = self.folder / "audit.json"
        self.refusal = self.folder / "refusal.json"
        self.crash = self.folder / "crash.txt"
        self.said = self.folder / "said.txt"

    def keep(self, so_far: Audit) -> None:
        """Write what is known so far; whole or not at all where the process ends, though not where the machine does."""
        new = self.so_far.with_suffix(".new")
        new.write_bytes(encode(so_far.record()))
        new.replace(self.so_far)


class ChildCrashError(Exception):
    """The child met what nobody foresaw: a fault of ours, told with its trace."""


def audit_apart(request: Request, *, timeout: float) -> Audit:
    """Return the audit of what the request names, made in a process of its own.

    A module that hangs, or ends the process, leaves an audit that says at which check: an `"error"` there, and nothing known of the rest.

    Args:
        request: what is audited.
        timeout: seconds until the child and all that it started are ended.

    Raises:
        StatewiseError: the child refused the request.
        ChildCrashError: the child failed in a way that is our fault.
    """
    with tempfile.TemporaryDirectory(prefix="statewise-audit-") as folder:
        files = Shared(folder)
        files.request.write_bytes(msgspec.json.encode(request))
        with files.said.open("wb") as said:
            child = subprocess.Popen(  # noqa: S603  # it is this interpreter, and a folder of ours
                [sys.executable, "-m", "statewise.cli._inside", folder, str(os.getpid())],
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                ended = _wait(child, files, timeout)
            finally:
                _end(child)
        sys.stderr.write(files.said.read_text(encoding="utf-8", errors="replace"))
        return _outcome(request, files, child.returncode if ended else None, timeout)


def _wait(child: subprocess.Popen[bytes], files: Shared, timeout: float) -> bool:
    """Return whether the child ended in time."""
    began = time.monotonic()
    with _bar(began) as tell:
        while time.monotonic() - began < timeout:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_LOOK)
                return True
            tell(*_progress(files))
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child that is still there, and in any case all that it started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    elif child.poll() is None:
        child.kill()
    child.wait()


def _outcome(request: Request, files: Shared, code: int | None, timeout: float) -> Audit:
    """Return what the child left, or what its end says; `code` is None where its time was up."""
    if files.record.is_file():
        return read_audit(files.record)
    if files.refusal.is_file():
        told = msgspec.json.decode(files.refusal.read_bytes(), type=Refusal)
        problem = StatewiseError(asked=told.asked, where=told.where, arrived=told.arrived, hint=told.hint)
        problem.exit_code = told.exit_code
        raise problem
    if files.crash.is_file():
        raise ChildCrashError(files.crash.read_text(encoding="utf-8"))
    why = f"it did not come back within {timeout:g} seconds, and the process was ended" if code is None else _how_it_ended(code)
    return _unfinished(request, files, why)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"the module ended the process, with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the process was ended by {name} while the module ran"


def _unfinished(request: Request, files: Shared, why: str) -> Audit:
    """Return an audit that was cut short: what was known, an error where it stopped, nothing known of the other checks."""
    if files.so_far.is_file():
        known = read_audit(files.so_far)
        _, _, at = _progress(files)
        return replace(known, outcomes=_ended_at(at, known.outcomes, why))

    def outcome(check: Check) -> Outcome:
        if chosen(check.code, request.select, request.ignore):
            return Outcome(code=check.code, name=check.name, status="error", evidence=f"before the first check {why}")
        return check.skipped()

    outcomes = tuple(outcome(each) for each in checks_of("module"))
    return Audit(name=request.target, contract=Contract(), outcomes=outcomes, num_calls=0)


def _ended_at(code: str, outcomes: Sequence[Outcome], why: str) -> tuple[Outcome, ...]:
    """Return the outcomes with an error at the check that did not come back.

    While findings are folded every check has its outcome: then the error stands in the place of the last that was run and is no finding,
    or of the very last where all are.
    """
    pending = [each.code for each in outcomes if each.status == "skipped" and each.evidence == CUT_SHORT]
    if code == FOLDING or not pending:
        run = [each for each in outcomes if each.status != "skipped"] or list(outcomes)
        at = ([each.code for each in run if not each.is_finding] or [run[-1].code])[-1]
        why = f"while causes were sought {why}"
    else:
        at = code if code in pending else pending[0]
    return tuple(msgspec.structs.replace(each, status="error", evidence=why) if each.code == at else each for each in outcomes)


def _progress(files: Shared) -> tuple[int, int, str]:
    """Return how many checks are done, of how many, and the code of the one in hand; empty before the first."""
    try:
        lines = files.progress.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0, 0, ""
    words = next((line.split() for line in reversed(lines) if line.count(" ") == 2), ["0", "0", ""])
    return int(words[0]), int(words[1]), words[2]


@contextlib.contextmanager
def _bar(began: float) -> Iterator[Told]:
    """Show on a terminal how far an audit is, once it takes long; nothing anywhere else."""
    if not sys.stderr.isatty():
        yield lambda done, total, code: None  # noqa: ARG005
        return
    from rich.console import Console
    from rich.progress import Progress

    shown = Progress(console=Console(stderr=True), transient=True)
    bar = shown.add_task("audit", total=None)

    def tell(done: int, total: int, code: str) -> None:
        if time.monotonic() - began > _QUIET:
            shown.start()
            shown.update(bar, completed=done, total=total or None, description=f"audit {code}".strip())

    try:
        yield tell
    finally:
        shown.stop()
