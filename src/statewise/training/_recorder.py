"""Where do the records of training go? To a list, to `history.jsonl`, and to everyone who asked for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

from statewise.errors import RunError
from statewise.files import write_atomically
from statewise.runs import History, Record, encode_records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Consumer: TypeAlias = Callable[[Record], object]


class Recorder:
    """Keeps the records and hands each one on; the file grows before each checkpoint, and at the end.

    Args:
        path: the file, or None to keep the records in memory alone.
        consumers: functions of one record, called in order.
        kept: the records up to the checkpoint that training goes on from; what follows them in the file is cut away.
    """

    def __init__(self, path: Path | None, consumers: Sequence[Consumer], kept: Sequence[Record] = ()) -> None:
        self.records: list[Record] = list(kept)
        self._path, self._consumers, self._written = path, consumers, len(kept)
        if path is not None:
            write_atomically(path, encode_records(kept), asked="write the history")

    def __call__(self, record: Record) -> None:
        """Keep one record and hand it on."""
        self.records.append(record)
        self.announce(record)

    def announce(self, record: Record) -> None:
        """Hand a record on without keeping it: the history already holds the one that training began with."""
        for consumer in self._consumers:
            consumer(record)

    def flush(self) -> None:
        """Write what is not written yet, so that it outlasts a loss of power: a checkpoint counts on it."""
        if self._path is None:
            return
        waiting, self._written = self.records[self._written :], len(self.records)
        try:
            with self._path.open("ab") as file:
                file.write(encode_records(waiting))
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            raise RunError(
                asked="write the history",
                where=f"file '{self._path}'",
                arrived=problem.strerror or str(problem),
                hint="Make room or choose another folder, and go on with --resume (resume=True).",
            ) from problem

    def history(self) -> History:
        """Return all records so far."""
        return History(records=tuple(self.records))
