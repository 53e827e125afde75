"""How is a history written and read? Ours as JSON lines; a stranger's as a csv file with `loss` and `accuracy`."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from statewise.errors import DataError, nearest
from statewise.runs._records import Epoch, History, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
_TEST = "test_"
"""Columns that begin so are figures of the test part, and are kept under their own names."""


def encode_records(records: Iterable[Record]) -> bytes:
    """Return one JSON line a record; what is not finite becomes null."""
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def read_history(path: Path | str) -> History:
    """Read the history of a run (`history.jsonl`), or of any training from a csv file.

    Args:
        path: a `.jsonl` of ours, or a csv with one row an epoch: `loss`, and where there are some `accuracy`, `valid_loss`,
            `valid_accuracy`, `learning_rate`. An `epoch` column orders the rows; without one they are in the order of the file. Columns
            that begin with `test_` become `metrics`.

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
            asked="read a history",
            where=f"file '{path}'",
            arrived=f"no column 'loss', but {columns}" if columns else "an empty file",
            hint=nearest("loss", columns) if columns else "Write a csv with columns loss,accuracy and one row an epoch.",
        )
    reader.fieldnames = columns
    rows = list(reader)
    epochs = [_read_epoch(row, number, path) for number, row in enumerate(rows, 1)]
    if "epoch" in columns:
        epochs = _in_order(epochs, [row["epoch"] for row in rows], f"file '{path}', column 'epoch'")
    if not epochs:
        raise DataError(asked="read a history", where=f"file '{path}'", arrived="no rows", hint="Write one row an epoch.")
    return History(records=tuple(epochs))


def history_of(columns: Mapping[str, Iterable[float | None]]) -> History:
    """Return a history of columns with one entry an epoch, under the names that a csv has; others are left out.

    Raises:
        DataError: no column of losses, columns of unequal length, or an entry that is not a number.

    Example:
        >>> [epoch.valid_loss for epoch in history_of({"loss": [1.0, 0.5], "val_loss": [1.1, 0.7]}).epochs()]
        [1.1, 0.7]
    """
    there = {name: list(values) for name, values in columns.items() if name in _COLUMNS or name.startswith(_TEST)}
    if not {"loss", "train_loss"} & set(there):
        arrived = f"no column 'loss', but {sorted(columns)}"
        raise DataError(asked="read a history", where="the columns", arrived=arrived, hint=nearest("loss", columns))
    sizes = {name: len(values) for name, values in there.items()}
    if len(set(sizes.values())) > 1 or not all(sizes.values()):
        hint = "Give one entry an epoch in each column."
        raise DataError(asked="read a history", where="the columns", arrived=f"entries: {sizes}", hint=hint)
    rows = [dict(zip(there, entries, strict=True)) for entries in zip(*there.values(), strict=True)]
    epochs = [_epoch_of(row, number) for number, row in enumerate(rows, 1)]
    if "epoch" in columns:
        epochs = _in_order(epochs, list(columns["epoch"]), "column 'epoch'")
    return History(records=tuple(epochs))


def _in_order(epochs: list[Epoch], told: list[Any], where: str) -> list[Epoch]:
    """Return the epochs in the order of their numbers, which they keep where these count from 1 or more.

    Raises:
        DataError: a number that is none, or twice the same.
    """
    hint = "Number the epochs 1, 2, 3, ..., each once, or leave the column out."
    numbers = []
    for each in told:
        try:
            numbers.append(float(each))
        except (TypeError, ValueError) as problem:
            raise DataError(asked="read a history", where=where, arrived=f"{each!r}, which is not a number", hint=hint) from problem
    if len(numbers) != len(epochs) or len(set(numbers)) < len(numbers) or not all(map(math.isfinite, numbers)):
        again = next((each for place, each in enumerate(numbers) if each in numbers[:place]), None)
        arrived = f"epoch {again:g} again" if again is not None else f"{len(numbers)} numbers for {len(epochs)} epochs"
        raise DataError(asked="read a history", where=where, arrived=arrived, hint=hint)
    are_counts = all(each >= 1 and each == int(each) for each in numbers)
    order = sorted(range(len(epochs)), key=numbers.__getitem__)
    return [
        msgspec.structs.replace(epochs[place], epoch=int(numbers[place]) if are_counts else rank) for rank, place in enumerate(order, 1)
    ]


def _epoch_of(row: Mapping[str, float | None], number: int) -> Epoch:
    figures: dict[str, float | None] = {"train_loss": None}
    own: dict[str, float | None] = {}
    for column, value in row.items():
        try:
            figure = None if value is None or not math.isfinite(float(value)) else float(value)
        except (TypeError, ValueError) as problem:
            arrived = f"{value!r}, which is not a number"
            where = f"column {column!r}, epoch {number}"
            raise DataError(asked="read a history", where=where, arrived=arrived, hint="Give a number, or None.") from problem
        (own if column not in _COLUMNS else figures)[_COLUMNS.get(column, column)] = figure
    return msgspec.convert(figures | {"record": "epoch", "epoch": number, "metrics": own}, Epoch)


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
    figures: dict[str, float | None] = {}
    for column, entry in row.items():
        text = (entry or "").strip() if column in _COLUMNS or str(column).startswith(_TEST) else ""
        if not text:
            continue
        try:
            figures[column] = float(text)
        except ValueError as problem:
            raise DataError(
                asked="read a history",
                where=f"file '{path}', line {number + 1}, column {column!r}",
                arrived=f"{text!r}, which is not a number",
                hint="Write a number, or leave the entry empty.",
            ) from problem
    return _epoch_of(figures, number)
