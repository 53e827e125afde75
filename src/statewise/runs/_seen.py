"""Which sequences took part in a training? Their fingerprints stay with the run, so that later data can be compared with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statewise.files import write_atomically
from statewise.runs._config import SCHEMA
from statewise.runs._files import RunFiles, read_document
from statewise.sequences import fingerprints

if TYPE_CHECKING:
    from statewise.runs._run import Run
    from statewise.sequences import Sequences

_DIGITS = 12
"""Hexadecimal digits of a fingerprint: so many that a hundred thousand others hardly ever meet one by chance."""
_MOST = 100_000


class SeenSequences(msgspec.Struct, frozen=True, kw_only=True):
    """The sequences of the training and the validation part: `seen.json`.

    Attributes:
        num_sequences: how many different ones there are.
        fingerprints: the beginning of the hash of each one's inputs, in order; of very many only the first.
    """

    schema: int = SCHEMA
    num_sequences: int
    fingerprints: tuple[str, ...]


def write_seen(files: RunFiles, *parts: Sequences | None) -> None:
    """Write down which sequences a training has seen."""
    marks = sorted({mark for part in parts if part is not None for mark in _marks(part)})
    seen = SeenSequences(num_sequences=len(marks), fingerprints=tuple(marks[:_MOST]))
    write_atomically(files.seen, msgspec.json.encode(seen) + b"\n", asked=f"write {files.seen.name}")


def count_seen(run: Run, data: Sequences) -> int:
    """Return how many sequences are, number by number, some that the run was trained or validated on.

    Of a run that is kept in memory, or that wrote nothing down about them, none are known. Sequences without a step do not count.
    A training on more than 100,000 sequences keeps the first fingerprints in their order; that part of `data` is then compared which
    comes before their last, and the number of all is told from it.

    Raises:
        RunError: what the run wrote down is damaged.
    """
    if run.directory is None or not RunFiles(run.directory).seen.is_file():
        return 0
    kept = read_document(RunFiles(run.directory).seen, SeenSequences)
    seen, last = set(kept.fingerprints), kept.fingerprints[-1] if kept.num_sequences > len(kept.fingerprints) else None
    marks = _marks(data)
    comparable = [mark for mark in marks if last is None or mark <= last]
    met = sum(mark in seen for mark in comparable)
    return met if len(comparable) == len(marks) else round(met * len(marks) / max(len(comparable), 1))


def _marks(data: Sequences) -> list[str]:
    there = data.select(data.lengths > 0)
    return [mark.hex()[:_DIGITS] for mark in fingerprints(there)]
