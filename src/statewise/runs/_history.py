"""How is a history written and read? Ours as JSON lines; a stranger's as a csv file with `loss` and `accuracy`."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from statewise.errors import DataError, nearest
from statewise.runs._records import Epoch, History, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

_COLUMNS = {
    "loss": "train_loss",
    "train_loss": "train_loss",
    "accuracy": "train_accuracy",
    "train_accuracy": "train_accuracy",
    "valid_loss": "valid_loss",
    "val_loss": "valid_loss",
    "valid_accuracy": "valid_accuracy",
    "val_accuracy": "valid_accuracy",
    "learning_rate": "learning_rate",
}


def encode_records(records: Iterable[Record]) -> bytes:
    """Return one JSON line a record; what is not finite becomes null."""
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def read_history(path: Path | str) -> History:
    """Read the history of a run (`history.jsonl`), or of any training from a csv file.

    Args:
        path: a `.jsonl` of ours, or a csv with one row an epoch: `loss`, and where there are some `accuracy`, `valid_loss`,
            `valid_accuracy`, `learning_rate`; an `epoch` column is not needed.

    Raises:
        DataError: no such file, no such column, or an entry that is not a number.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            asked="read a history",
            where=f"file '{path}'",
            arrived="no such file",
            hint="Give a history.jsonl or a csv with columns loss,accuracy.",
        )
    if path.suffix == ".jsonl":
        # What a killed process left of its last line is not a record: only whole lines count.
        whole = path.read_bytes().rpartition(b"\n")[0]
        return History(records=tuple(_read_record(line, path, number) for number, line in enumerate(whole.split(b"\n"), 1) if line))
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as problem:
        raise DataError(
            asked="read a history",
            where=f"file '{path}'",
            arrived=f"no UTF-8 text ({problem})",
            hint="Write a csv with columns loss,accuracy as UTF-8.",
        ) from problem
    reader = csv.DictReader(lines, skipinitialspace=True)
    columns = [name.strip() for name in reader.fieldnames or ()]
    if not {"loss", "train_loss"} & set(columns):
        raise DataError(
            asked="read a history", where=f"file '{path}'", arrived=f"no column 'loss', but {columns}", hint=nearest("loss", columns)
        )
    reader.fieldnames = columns
    epochs = [_read_epoch(row, number, path) for number, row in enumerate(reader, 1)]
    if not epochs:
        raise DataError(asked="read a history", where=f"file '{path}'", arrived="no rows", hint="Write one row an epoch.")
    return History(records=tuple(epochs))


def _read_record(line: bytes, path: Path, number: int) -> Record:
    try:
        record: Record = msgspec.json.decode(line, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        newer = str(problem).endswith("`$.record`")
        raise DataError(
            asked="read a history",
            where=f"file '{path}', line {number}",
            arrived=f"a kind of record that this version does not know ({problem})" if newer else f"damaged ({problem})",
            hint="Use the version that wrote it." if newer else "Restore it from a copy, or run 'statewise fit' again.",
        ) from problem
    return record


def _read_epoch(row: dict[str, str | None], number: int, path: Path) -> Epoch:
    figures: dict[str, float | None] = {"train_loss": None}
    for column, field in _COLUMNS.items():
        text = (row.get(column) or "").strip()
        if not text:
            continue
        try:
            value = float(text)
        except ValueError as problem:
            raise DataError(
                asked="read a history",
                where=f"file '{path}', line {number + 1}, column {column!r}",
                arrived=f"{text!r}, which is not a number",
                hint="Write a number, or leave the entry empty.",
            ) from problem
        figures[field] = value if math.isfinite(value) else None
    return msgspec.convert(figures | {"record": "epoch", "epoch": number}, Epoch)
