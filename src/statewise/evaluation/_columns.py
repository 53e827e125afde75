"""What stands in the columns of a predictions file, or of arrays in memory, and where does the user find each row?

Which column means what is `_reading`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from statewise.errors import DataError, OptionError, nearest
from statewise.evaluation._labels import label_text, numbered
from statewise.evaluation._predictions import SUFFIXES, as_text
from statewise.sequences import read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Columns of equal length: numbers as arrays of numbers, all else as arrays of objects in which None is missing.

    Args:
        values: the columns by name.
        source: where they came from.
        asked: what the user wanted, for messages.
        place: returns where the user finds a row, counted from 0.
        notes: what was accepted and should be known.
    """

    values: Mapping[str, np.ndarray]
    source: str
    asked: str
    place: Callable[[int], str]
    notes: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        """Return whether there is such a column."""
        return name in self.values

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.values.values()), ()))

    def error(self, where: str, arrived: str, hint: str) -> DataError:
        """Return an error about these columns, which names their source."""
        return DataError(asked=self.asked, where=f"{where} of {self.source}", arrived=arrived, hint=hint)

    def column(self, name: str, *, hint: str = "") -> np.ndarray:
        """Return a column.

        Raises:
            DataError: there is no such column; the nearest name is in the message.
        """
        if name not in self.values:
            raise self.error(f"column {name!r}", "no such column", f"{hint}{nearest(name, self.values)}")
        return self.values[name]

    def refuse_missing(self, name: str, missing: np.ndarray) -> None:
        """Raise a DataError that names the first row in which a value is missing, if there is one."""
        rows = np.flatnonzero(missing)
        if len(rows):
            raise self.error(
                f"column {name!r}, {self.place(int(rows[0]))}",
                f"{len(rows)} of {len(missing)} values are missing, the first there",
                "Fill them, or drop these rows: what is not known is not scored.",
            )

    def words(self, name: str) -> np.ndarray:
        """Return a column as text, none of it missing; whole numbers are written without a point."""
        values = self.column(name)
        if values.dtype.kind in "iu" or set(map(type, values.tolist())) == {str}:
            return as_text(values)
        codes, different = numbered(values)
        texts = [value.strip() or None if isinstance(value, str) else label_text(value) for value in different]
        self.refuse_missing(name, np.array([text is None for text in texts], dtype=bool)[codes])
        found: np.ndarray = np.array(texts, dtype=object)[codes]
        return found

    def numbers(self, name: str, *, may_miss: bool = False, hint: str = "") -> np.ndarray:
        """Return a column of finite numbers as float64.

        Args:
            name: of the column.
            may_miss: a missing value becomes NaN, and is not refused.
            hint: what the column is for, where there is none.

        Raises:
            DataError: a value is missing, not finite, or no number.
        """
        values = self.column(name, hint=hint)
        try:
            found = _as_numbers(values)
        except (TypeError, ValueError):
            row = next(row for row, value in enumerate(values) if not _is_number(value))
            raise self.error(
                f"column {name!r}, {self.place(row)}",
                f"{values[row]!r}, which is no number",
                "Mend the value, or give the column another name.",
            ) from None
        bad = np.flatnonzero(np.isinf(found) if may_miss else ~np.isfinite(found))
        if len(bad):
            told = "no value" if values[bad[0]] is None else str(found[bad[0]])
            raise self.error(
                f"column {name!r}, {self.place(int(bad[0]))}",
                f"{told} ({len(bad)} of {len(found)} values are missing or not finite)",
                "Fill them, or drop these rows.",
            )
        return found

    def probabilities(self, name: str) -> np.ndarray:
        """Return a column of probabilities; NaN and numbers outside 0 to 1 are refused."""
        values = self.numbers(name)
        outside = np.flatnonzero((values < 0) | (values > 1))
        if len(outside):
            raise self.error(
                f"column {name!r}, {self.place(int(outside[0]))}",
                f"{values[outside[0]]:g}, which is no probability ({len(outside)} of {len(values)} values are outside 0 to 1)",
                "Turn logits into probabilities first: 1 / (1 + exp(-x)), or softmax over the classes.",
            )
        return values

    def whole_numbers(self, name: str, *, least: int) -> np.ndarray:
        """Return a column of whole numbers as int64.

        Raises:
            DataError: a value is missing, below `least`, or not whole.
        """
        found = self.numbers(name)
        bad = np.flatnonzero((found != np.round(found)) | (found < least) | (np.abs(found) >= 2**53))
        if len(bad):
            raise self.error(
                f"column {name!r}, {self.place(int(bad[0]))}", f"{found[bad[0]]:g}", f"It holds whole numbers, of {least} or more."
            )
        return found.astype(np.int64)

    def has_fractions(self, name: str) -> bool:
        """Return whether a column holds nothing but numbers, some of them not whole; missing values aside."""
        values = self.values.get(name, np.zeros(0))
        if len(values) and not _is_number(values[0]) and str(values[0]).strip():
            return False  # a word tells it at once
        try:
            found = _as_numbers(values)
        except (TypeError, ValueError):
            return False
        there = found[np.isfinite(found)]
        return bool((there != np.round(there)).any())

    def numbers_if_all(self, name: str) -> np.ndarray:
        """Return a column as numbers where each value is one, else as it is."""
        values = self.column(name)
        if values.dtype != object or not len(values) or not _is_number(values[0]):
            return values
        try:
            found = values.astype(np.float64)
        except (TypeError, ValueError):
            return values
        whole = np.isfinite(found).all() and np.equal(found, np.round(found)).all() and np.abs(found).max() < 2**53
        return found.astype(np.int64) if whole else found


def columns_in_memory(columns: Mapping[str, Any], source: str) -> Columns:
    """Return lists or arrays as columns.

    Raises:
        DataError: columns of unequal length, of more than one axis, or no rows.
    """
    values = {str(name): _as_array(column) for name, column in columns.items()}
    table = Columns(values=values, source=source, asked="read predictions", place=lambda row: f"row {row + 1}")
    for name, column in values.items():
        if column.ndim != 1 or len(column) != len(table):
            raise table.error(
                f"column {name!r}", f"the shape {column.shape}", f"Give every column the same length, as the first: {len(table)}."
            )
    return _with_rows(table)


def load_columns(path: Path | str) -> Columns:
    """Return the columns of a .parquet, .csv or .jsonl file.

    Raises:
        DataError: no such file, an empty or a damaged one.
        OptionError: another suffix.
        MissingExtraError: polars is not installed (parquet and csv).
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(
            asked="read predictions", where=f"file '{path}'", arrived=f"the suffix {path.suffix!r}", hint=nearest(path.suffix, SUFFIXES)
        )
    if not path.is_file():
        there = [each.name for each in path.parent.iterdir() if each.suffix.lower() in SUFFIXES] if path.parent.is_dir() else []
        raise DataError(asked="read predictions", where=f"file '{path}'", arrived="no such file", hint=nearest(path.name, there))
    return _with_rows(_load_lines(path) if path.suffix.lower() == ".jsonl" else _load_table(path))


def _load_table(path: Path) -> Columns:
    """Read csv or parquet; every value of a csv file stays text, so that one rule decides what it is."""
    table = read_table([path], asked="read predictions")
    values = {name: _of_series(table.frame[name]) for name in table.names}
    return Columns(values=values, source=f"'{path}'", asked="read predictions", place=table.place, notes=table.notes)


def _of_series(series: pl.Series) -> np.ndarray:
    return series.to_numpy() if series.dtype.is_numeric() else np.array(series.to_list(), dtype=object)


def _load_lines(path: Path) -> Columns:
    """Read one JSON object a line; a name that is absent from a line is a missing value."""
    content = path.read_bytes()
    try:
        rows = msgspec.json.Decoder(dict[str, Any]).decode_lines(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        line = _first_bad_line(content)
        raise DataError(
            asked="read predictions",
            where=f"file '{path}', line {line}",
            arrived=f"no JSON object ({problem})",
            hint='Write one object a line, such as {"key": "a", "target": 1, "score": 0.7}.',
        ) from problem
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: _as_array([row.get(name) for row in rows]) for name in names}
    return Columns(values=values, source=f"'{path}'", asked="read predictions", place=lambda row: f"row {row + 1}")


def _first_bad_line(content: bytes) -> int:
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            if line.strip():
                return number
    return 1


def _with_rows(table: Columns) -> Columns:
    if not len(table):
        raise table.error("the rows", "none", "Choose a file with one row a sequence, or one a step.")
    return table


def _as_array(column: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Return an array of numbers where all are numbers of one kind, else of objects."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
        return column
    entries = column.tolist() if hasattr(column, "tolist") else list(column)
    kinds = set(map(type, entries))
    if len(kinds) == 1 and kinds <= {int, float}:
        return np.array(entries)
    found = np.empty(len(entries), dtype=object)
    found[:] = entries
    return found


def _as_numbers(values: np.ndarray) -> np.ndarray:
    """Return numbers, NaN where there is none: in a csv file an empty entry is missing too."""
    try:
        return values.astype(np.float64)
    except ValueError:
        if values.dtype != object:
            raise
    return np.array([None if isinstance(value, str) and not value.strip() else value for value in values], dtype=object).astype(np.float64)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None
    return True
