"""How often was data looked at that a run was not trained on? Each time is written down, beside the policy that stood before the first.

A test set that is scored again and again while models are chosen is a validation set. And a limit that was chosen once the figures were
known proves less than one that stood before.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import msgspec

from statewise.runs._config import SCHEMA, DataRecord
from statewise.runs._files import RunFiles, read_document, write_document


class Scoring(msgspec.Struct, frozen=True, kw_only=True):
    """One look at data.

    Attributes:
        when: date and time, UTC.
        command: what was called.
        data: what was scored.
    """

    when: str
    command: str
    data: DataRecord


class Scorings(msgspec.Struct, frozen=True, kw_only=True):
    """All looks at data that a run was not trained on: `scorings.json`.

    Attributes:
        policy: name of the policy that was written down before the first look; empty where none was.
        policy_sha256: hash of its rules.
        scorings: in order.
    """

    schema: int = SCHEMA
    policy: str = ""
    policy_sha256: str = ""
    scorings: tuple[Scoring, ...] = ()


def read_scorings(directory: Path) -> Scorings:
    """Return the looks at data that a run directory knows of.

    Raises:
        RunError: what was written down is damaged.
    """
    path = RunFiles(directory).scorings
    return read_document(path, Scorings) if path.is_file() else Scorings()


def register_policy(directory: Path, *, policy: str, policy_sha256: str) -> None:
    """Write down by which policy a run will be judged; once data has been scored it is too late, and nothing is written."""
    before = read_scorings(directory)
    if not before.scorings:
        write_document(RunFiles(directory).scorings, msgspec.structs.replace(before, policy=policy, policy_sha256=policy_sha256))


def record_scoring(directory: Path, data: DataRecord) -> None:
    """Write down that data was looked at."""
    before = read_scorings(directory)
    now = Scoring(
        when=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        command=" ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        data=data,
    )
    write_document(RunFiles(directory).scorings, msgspec.structs.replace(before, scorings=(*before.scorings, now)))
