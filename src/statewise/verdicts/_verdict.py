"""What is the answer, and how is it kept and shown?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from statewise.errors import RunError
from statewise.files import write_atomically
from statewise.verdicts._reasons import Level, Reason

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

SCHEMA = 1
_EXIT_CODES: dict[Level, int] = {"ready": 0, "needs_work": 1, "not_ready": 1, "not_enough_evidence": 3}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model is fit for production under a policy, and why.

    Attributes:
        schema: version of this record.
        level: `"ready"`, `"needs_work"`, `"not_ready"` or `"not_enough_evidence"`.
        header: what was looked at, and what was not.
        reasons: what speaks against "ready", what decided first.
        supports: what speaks for it.
        policy: name of the policy; `policy_hash` is the SHA-256 of its rules.
        examined: the evidence that was read, one line each.
        not_required: what could have been looked at, was not, and was not required.
        notes: remarks that decided nothing.
    """

    schema: int = SCHEMA
    level: Level
    header: str
    reasons: tuple[Reason, ...]
    supports: tuple[Reason, ...]
    policy: str
    policy_hash: str
    examined: tuple[str, ...]
    not_required: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What `statewise judge` ends with: 0 ready, 1 not ready or needs work, 3 not enough evidence."""
        return _EXIT_CODES[self.level]

    @property
    def says(self) -> str:
        """The level in words."""
        return self.level.replace("_", " ")

    def __repr__(self) -> str:
        """Return the level and what decided it, in one line."""
        because = f", because of {self.reasons[0].subject}" if self.reasons else ""
        return f"Verdict({self.says}{because}, policy {self.policy!r})"

    def __str__(self) -> str:
        """Return what the terminal shows, as plain text of 80 columns."""
        from statewise.verdicts._terminal import as_text

        return as_text(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the verdict, its reasons, and what was not looked at."""
        from statewise.verdicts._terminal import render

        return render(self, options.max_width)

    def _repr_html_(self) -> str:
        from statewise.verdicts._terminal import as_html

        return as_html(self)


def write_verdict(verdict: Verdict, path: Path | str) -> Path:
    """Write a verdict as JSON, whole or not at all."""
    content = msgspec.json.format(msgspec.json.encode(verdict), indent=2)
    return write_atomically(path, content + b"\n", asked="write the verdict")


def read_verdict(path: Path | str) -> Verdict:
    """Read a verdict back.

    Raises:
        RunError: the file is absent, damaged, or of another version.
    """
    try:
        document = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
        if document.get("schema") != SCHEMA:
            raise _unreadable(path, f"schema {document.get('schema')!r}, this version reads {SCHEMA}", "Judge again, or use that version.")
        return msgspec.convert(document, Verdict)
    except OSError as problem:
        raise _unreadable(path, problem.strerror or str(problem), "Make it with 'statewise judge'.") from problem
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise _unreadable(path, f"damaged ({problem})", "Judge again, or restore it from a copy.") from problem


def _unreadable(path: Path | str, arrived: str, hint: str) -> RunError:
    return RunError(asked="read a verdict", where=f"file '{path}'", arrived=arrived, hint=hint)
