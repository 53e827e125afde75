"""What do the rows of a csv or parquet file hold, and where does the user find each of them?

Loading and the checks of whole columns are here; which column means what is `_long_form`'s. Csv is loaded as text, so that
what is a number is decided here, by one rule for both formats, and a bad value can be named with its line.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from statewise.errors import DataError, missing_extra, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

Kind: TypeAlias = Literal["number", "word"]

_DATES = ("%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def polars(asked: str) -> Any:
    """Return the optional package that reads files.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import polars as pl
    except ImportError as problem:
        raise missing_extra(asked, "polars", "data") from problem
    return pl


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of one or several files, without blank lines.

    Args:
        frame: the columns; text is stripped, and empty text is null.
        files: the files in order.
        file_of: the number of the file that each row comes from.
        row_of: the number of each row in its own file, from 0, blank lines counted.
        asked: what the user wanted, for messages.
        notes: what was accepted and should be known.
    """

    frame: pl.DataFrame
    files: tuple[Path, ...]
    file_of: np.ndarray = field(repr=False)
    row_of: np.ndarray = field(repr=False)
    asked: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.frame.height

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return self.frame.columns

    def place(self, row: int) -> str:
        """Return where the user finds a row: the line of a csv file (its header is line 1), the row of a parquet file (from 1)."""
        file = self.files[int(self.file_of[row])]
        number = int(self.row_of[row])
        told = f"line {number + 2 + self._extra_lines(row)}" if file.suffix.lower() == ".csv" else f"row {number + 1}"
        return told if len(self.files) == 1 else f"{told} of '{file}'"

    def _extra_lines(self, row: int) -> int:
        """Return how many line breaks inside quoted values lie before a row, in its own file."""
        before = self.frame[int(np.searchsorted(self.file_of, self.file_of[row])) : row]
        return int(before.select(polars(self.asked).all().str.count_matches("\n").sum()).sum_horizontal().sum())

    def error(self, where: str, arrived: str, hint: str) -> DataError:
        """Return an error about this table."""
        return DataError(asked=self.asked, where=where, arrived=arrived, hint=hint)

    def column(self, name: str, *, option: str) -> pl.Series:
        """Return a column.

        Raises:
            DataError: there is no such column; the nearest name is in the message.
        """
        if name not in self.names:
            raise self.error(f"{option}, column {name!r}", "no such column", nearest(name, self.names))
        return self.frame[name]

    def kind(self, name: str, *, option: str) -> Kind:
        """Return what a column holds: numbers, or words (none of its values is a number).

        Raises:
            DataError: words among numbers, nothing at all, or values of a kind that is neither.
        """
        values = self.column(name, option=option)
        if values.dtype.is_numeric():
            return "number"
        if values.dtype == polars(self.asked).Boolean:
            return "word"
        if values.dtype != polars(self.asked).String:
            raise self.error(f"column {name!r}", f"values of type {values.dtype}", "Leave it out with features=[...], or name it as time.")
        if values.null_count() == len(values):
            raise self.error(f"column {name!r}", "no value in any row", "Leave the column out with features=[...].")
        parsed = _parsed(values)
        if not int(parsed.is_finite().sum()) and int(parsed.is_null().sum()) > values.null_count():
            return "word"
        self._refuse_words_among_numbers(name, values, parsed)
        return "number"

    def _refuse_words_among_numbers(self, name: str, values: pl.Series, parsed: pl.Series) -> None:
        """Refuse a column in which some values are numbers and others are not."""
        words = (values.is_not_null() & parsed.is_null()).arg_true()
        if len(words):
            row = int(words[0])
            raise self.error(
                f"column {name!r}, {self.place(row)}",
                f"the text {values[row]!r} among numbers ({len(words)} of {len(values)} values are text)",
                f"Mend the value, or read the column as categories with categorical=[{name!r}].",
            )

    def numbers(self, name: str, *, option: str) -> np.ndarray:
        """Return a column whose kind is `"number"` as float64 `[rows]`.

        Raises:
            DataError: a value is missing, not finite, or too large for float32.
        """
        values = self.column(name, option=option)
        self._refuse_missing(name, values)
        found = np.asarray(_parsed(values).to_numpy(), dtype=np.float64)
        bad = np.flatnonzero(~(np.abs(found) <= np.finfo(np.float32).max))
        if len(bad):
            raise self.error(
                f"column {name!r}, {self.place(int(bad[0]))}",
                f"{len(bad)} of {len(found)} values that cannot be computed with, the first is {found[bad[0]]}",
                "Drop or fill these rows: NaN and infinite values, and numbers beyond 3.4e38, would spoil every step after them.",
            )
        return found

    def words(self, name: str, *, option: str) -> pl.Series:
        """Return a column as text; whole numbers are written without a point.

        Raises:
            DataError: a value is missing.
        """
        pl = polars(self.asked)
        values = self.column(name, option=option)
        if values.dtype.is_float():
            values = values.fill_nan(None)
        self._refuse_missing(name, values)
        if values.dtype.is_float() and bool(((values == values.round(0)) & (values.abs() < 2**53)).all()):
            values = values.cast(pl.Int64)
        if values.dtype.is_nested() or values.dtype == pl.Binary:
            raise self.error(f"{option}, column {name!r}", f"values of type {values.dtype}", "Name a column with one value a row.")
        return values.cast(pl.String)

    def seconds(self, name: str) -> np.ndarray:
        """Return a column of times as float64 `[rows]`: numbers as they are, dates as seconds since 1970 (UTC).

        Raises:
            DataError: a value is missing, or is neither a number nor a date.
        """
        pl = polars(self.asked)
        values = self.column(name, option="time")
        self._refuse_missing(name, values)
        if values.dtype in (pl.Date, pl.Datetime):
            return np.asarray(values.cast(pl.Datetime("ns")).dt.epoch("ns").to_numpy() / 1e9, dtype=np.float64)
        if values.dtype == pl.Duration:
            return np.asarray(values.dt.total_nanoseconds().to_numpy() / 1e9, dtype=np.float64)
        if values.dtype == pl.String and int(_parsed(values).is_null().sum()):
            return self._seconds_of_text(name, values)
        found = np.asarray(_parsed(values).to_numpy(), dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(found))
        if len(bad):
            raise self.error(f"column {name!r}, {self.place(int(bad[0]))}", f"the time {found[bad[0]]}", "Drop or mend these rows.")
        return found

    def _seconds_of_text(self, name: str, values: pl.Series) -> np.ndarray:
        """Return dates written as ISO 8601, each with or without a time of day and a zone, as seconds."""
        pl = polars(self.asked)
        plain = values.str.replace(r"^(\S{10})T", "$1 ").str.replace("Z$", "+00:00").rename("when").to_frame()
        each = [pl.col("when").str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us") for form in _DATES]
        found = plain.select(pl.coalesce(each)).to_series()
        bad = found.is_null().arg_true()
        if len(bad):
            row = int(bad[0])
            raise self.error(
                f"time, column {name!r}, {self.place(row)}",
                f"{values[row]!r}, which is no date that can be read ({len(bad)} of {len(values)} values)",
                "Write numbers, or dates such as 2024-05-31, 2024-05-31 12:30:00 or 2024-05-31T12:30:00Z.",
            )
        return np.asarray(found.to_numpy() / 1e6, dtype=np.float64)

    def _refuse_missing(self, name: str, values: pl.Series) -> None:
        """Refuse a column in which a value is missing."""
        missing = values.is_null().arg_true()
        if len(missing):
            raise self.error(
                f"column {name!r}, {self.place(int(missing[0]))}",
                f"{len(missing)} of {len(values)} values are missing, the first there",
                "Fill them or drop these rows before reading; no value is made up here.",
            )


def read_table(files: Sequence[Path], *, asked: str) -> Table:
    """Read files of one format, one after another, as one table.

    Args:
        files: csv or parquet files with the same columns.
        asked: what the user wanted, for messages.

    Raises:
        DataError: a file is empty, damaged, without rows, or has other columns than the first.
        MissingExtraError: polars is not installed.
    """
    pl = polars(asked)
    load = _load_csv if files[0].suffix.lower() == ".csv" else _load_parquet
    frames = [load(file, asked, pl) for file in files]
    for file, frame in zip(files, frames, strict=True):
        if frame.columns != frames[0].columns:
            other = next((name for name in frame.columns if name not in frames[0].columns), None)
            told = f"its columns are {', '.join(frame.columns)}" if other is None else f"a column {other!r} that '{files[0]}' has not"
            raise DataError(asked=asked, where=f"file '{file}'", arrived=told, hint="Files that are read together need the same columns.")
    whole = pl.concat(frames, how="vertical_relaxed")
    blank = whole.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
    file_of = np.repeat(np.arange(len(frames)), [frame.height for frame in frames])
    row_of = np.concatenate([np.arange(frame.height) for frame in frames])
    table = Table(frame=whole.filter(~blank), files=tuple(files), file_of=file_of[~blank], row_of=row_of[~blank], asked=asked)
    if not len(table):
        told = f"column names ({', '.join(table.names)}) and no row" if table.names else "no column and no row"
        raise table.error(f"file '{files[0]}'", told, "Choose a file with one row a step.")
    if not blank.any():
        return table
    return Table(**{**vars(table), "notes": (f"{int(blank.sum())} blank lines were skipped",)})


def _load_csv(file: Path, asked: str, pl: Any) -> pl.DataFrame:
    """Return a csv file with every column as stripped text."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines), [])
        if not header:
            raise _empty(file, asked)
        _refuse_twice(header, file, asked)
        frame = pl.read_csv(file, infer_schema=False, glob=False)
    except (UnicodeDecodeError, csv.Error, pl.exceptions.PolarsError) as problem:
        where, arrived = _first_bad_line(file) or (f"file '{file}'", f"no csv that can be read ({_first_line(problem)})")
        hint = "Write the file as UTF-8, with commas, one header line, and the same number of values in each line."
        raise DataError(asked=asked, where=where, arrived=arrived, hint=hint) from problem
    return _clean_text(frame, pl)


def _load_parquet(file: Path, asked: str, pl: Any) -> pl.DataFrame:
    """Return a parquet file with its text stripped."""
    if file.stat().st_size == 0:
        raise _empty(file, asked)
    try:
        frame = pl.read_parquet(file, glob=False)
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise DataError(
            asked=asked,
            where=f"file '{file}'",
            arrived=f"no whole parquet file ({_first_line(problem)})",
            hint="It is damaged or was cut off: write or copy it again.",
        ) from problem
    return _clean_text(frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)), pl)


def _clean_text(frame: pl.DataFrame, pl: Any) -> pl.DataFrame:
    """Strip text, and make empty text null."""
    stripped = pl.col(pl.String).str.strip_chars()
    return frame.with_columns(stripped).with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)))


def _refuse_twice(header: list[str], file: Path, asked: str) -> None:
    """Refuse a header with the same name twice."""
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        arrived = f"the column name {twice!r} {header.count(twice)} times"
        raise DataError(asked=asked, where=f"file '{file}', line 1", arrived=arrived, hint="Give each column a name of its own.")


def _first_bad_line(file: Path) -> tuple[str, str] | None:
    """Return where a csv file goes wrong, and how; None when it cannot be told."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8-sig")
            except UnicodeDecodeError as problem:
                return f"file '{file}', line {number}", f"bytes that are not UTF-8 text ({problem.reason})"
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text)
        width = len(next(reader, []))
        for values in reader:
            if len(values) > width:
                return f"file '{file}', line {reader.line_num}", f"{len(values)} values under {width} column names"
    return None


def _parsed(values: pl.Series) -> pl.Series:
    """Return values as float64; what is no number becomes null."""
    return values.cast(polars("read numbers").Float64, strict=False)


def _first_line(problem: Exception) -> str:
    return str(problem).strip().split("\n", maxsplit=1)[0]


def _empty(file: Path, asked: str) -> DataError:
    return DataError(asked=asked, where=f"file '{file}'", arrived="it is empty", hint="Choose a file with column names and one row a step.")
