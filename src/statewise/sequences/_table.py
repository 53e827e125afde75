"""What do the rows of a table hold, and where does the user find each of them?

Loading is `_loading`'s; which column means what is `_long_form`'s. Csv is loaded as text, so that what is a number is decided
here, by one rule for every format, and a bad value can be named with its line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from statewise.errors import DataError, missing_extra, nearest
from statewise.sequences._targets import UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

Kind: TypeAlias = Literal["number", "word"]

_DATES = ("%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_MISSING = ("na", "n/a", "#n/a", "<na>", "null", "none", "nil", "?", "-", "--")
"""How a missing number is written, in any case, beside an empty value and `nan`."""
_FIRST, _LAST = -62_135_596_800, 253_402_300_800
"""Seconds of the years 1 and 10000: outside, a date is none."""
_TOO_LATE = 1e20
"""Nanoseconds since 1970 stay far below; a number as large as this is no time."""

_LOST = 1e-3
"""The share of a column's standard deviation that float32 may change a value by."""
_NOISE = 1e-14
"""Relative differences up to this are float64's own rounding."""
_TINY = 1e-35
"""Below, float32 has few digits left, or none."""


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
    """Rows, one a step, of one or several files or of data in memory.

    Args:
        frame: the columns; text is stripped, and empty text is null.
        files: the files in order; none for data in memory.
        file_of: the number of the file that each row comes from.
        row_of: the number of each row in its own file, from 0, blank lines counted.
        asked: what the user wanted, for messages.
        counted: what a file's rows are called there, and the number of the first: `("line", 2)` of a csv file.
        notes: what was accepted and should be known.
        step_of: where the file holds a whole sequence a row, the position of each step in it, from 0.
        heads: where the file holds a whole sequence a row, what belongs to sequences, one row each, those without steps too.
        lengths: the number of steps of each row of `heads`.
    """

    frame: pl.DataFrame
    files: tuple[Path, ...]
    file_of: np.ndarray = field(repr=False)
    row_of: np.ndarray = field(repr=False)
    asked: str
    counted: tuple[str, int] = ("row", 1)
    notes: tuple[str, ...] = ()
    step_of: np.ndarray | None = field(default=None, repr=False)
    heads: Table | None = None
    lengths: np.ndarray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.frame.height

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return self.frame.columns

    @property
    def whole(self) -> str:
        """What the table is called as a whole."""
        return f"file '{self.files[0]}'" if self.files else "the data in memory"

    def place(self, row: int) -> str:
        """Return where the user finds a row: the line of a csv file (its header is line 1), the row of a parquet file (from 1)."""
        word, first = self.counted
        told = f"{word} {int(self.row_of[row]) + first + (self._extra_lines(row) if word == 'line' else 0)}"
        if self.step_of is not None:
            told += f", step {int(self.step_of[row]) + 1}"
        return told if len(self.files) < 2 else f"{told} of '{self.files[int(self.file_of[row])]}'"

    def _extra_lines(self, row: int) -> int:
        """Return how many line breaks inside quoted values lie before a row, in its own file; other formats quote none."""
        if self.counted != ("line", 2):
            return 0
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

    def kind(self, name: str, *, option: str, may_miss: bool = False) -> Kind:
        """Return what a column holds: numbers, or words (none of its values is a number).

        Args:
            name: the column.
            option: the option that named it, for messages.
            may_miss: a column without any value holds numbers, all of them missing.

        Raises:
            DataError: words among numbers, nothing at all, or values of a kind that is neither.
        """
        pl, values = polars(self.asked), self.column(name, option=option)
        if values.null_count() == len(values) and values.dtype in (pl.String, pl.Null, pl.Boolean):
            if may_miss:
                return "number"
            raise self.error(f"column {name!r}", "no value in any row", "Leave the column out with features=[...].")
        if values.dtype.is_numeric():
            return "number"
        if values.dtype == pl.Boolean:
            return "word"
        if values.dtype != pl.String:
            raise self.error(f"column {name!r}", f"values of type {values.dtype}", "Leave it out with features=[...], or name it as time.")
        parsed = _parsed(values)
        if parsed.null_count() == values.null_count() and bool(parsed.is_finite().any()):
            return "number"
        there = values.is_not_null() & ~_is_mark(values)
        if not int(parsed.is_finite().sum()) and int(parsed.is_null().sum()) > values.null_count() and not (may_miss and not there.any()):
            return "word"
        self._refuse_words_among_numbers(name, values, there & parsed.is_null())
        return "number"

    def _refuse_words_among_numbers(self, name: str, values: pl.Series, is_word: pl.Series) -> None:
        """Refuse a column in which some values are numbers and others are not."""
        words = is_word.arg_true()
        if len(words):
            row = int(words[0])
            raise self.error(
                f"column {name!r}, {self.place(row)}",
                f"the text {values[row]!r} among numbers ({len(words)} of {len(values)} values are text)",
                f"Mend the value, or read the column as categories with categorical=[{name!r}].",
            )

    def numbers(self, name: str, *, option: str, may_miss: bool = False) -> np.ndarray:
        """Return a column whose kind is `"number"` as float64 `[rows]`.

        Args:
            name: the column.
            option: the option that named it, for messages.
            may_miss: give NaN for a value that is missing or infinite, instead of an error.

        Raises:
            DataError: a value is missing, not finite, or too large for float32.
        """
        values = self.column(name, option=option)
        parsed = _parsed(values)
        if not may_miss:
            self._refuse_missing(name, parsed, option)
        found = np.asarray(parsed.cast(polars(self.asked).Float64).fill_null(np.nan).to_numpy(), dtype=np.float64)
        if may_miss:
            found = np.where(np.isfinite(found), found, np.nan)
        bad = np.flatnonzero(~(np.abs(found) <= np.finfo(np.float32).max) & ~(np.isnan(found) & may_miss))
        if len(bad):
            raise self.error(
                f"column {name!r}, {self.place(int(bad[0]))}",
                f"{len(bad)} of {len(found)} values that cannot be computed with, the first is {found[bad[0]]}",
                "Drop or fill these rows: NaN and infinite values, and numbers beyond 3.4e38, would spoil every step after them."
                + _OTHERWISE.get(option, ""),
            )
        return found

    def words(self, name: str, *, option: str, may_miss: bool = False) -> pl.Series:
        """Return a column as text; whole numbers are written without a point.

        Args:
            name: the column.
            option: the option that named it, for messages.
            may_miss: keep null for a value that is missing, instead of an error.

        Raises:
            DataError: a value is missing.
        """
        pl = polars(self.asked)
        values = self.column(name, option=option)
        if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object):
            raise self.error(f"{option}, column {name!r}", f"values of type {values.dtype}", "Name a column with one value a row.")
        if values.dtype.is_float():
            values = values.fill_nan(None)
        if values.dtype == pl.String and option == "target":
            values = _without_marks(values)
        if not may_miss:
            self._refuse_missing(name, values, option)
        if values.dtype.is_float() and bool(((values == values.round(0)) & (values.abs() < 2**53)).all()):
            values = values.cast(pl.Int64)
        if values.dtype.is_temporal():
            self._refuse_absurd(name, values, self._epoch(values))
        return values.cast(pl.String)

    def seconds(self, name: str) -> tuple[np.ndarray, bool]:
        """Return a column of times as float64 `[rows]`, numbers as they are, dates as seconds since 1970 (UTC); and whether they are dates.

        Raises:
            DataError: a value is missing, is neither a number nor a date, or no time that there can be.
        """
        pl = polars(self.asked)
        values = self.column(name, option="time")
        if values.dtype == pl.String:
            values = _without_marks(values)
        self._refuse_missing(name, values, "time")
        if values.dtype.is_temporal():
            found = self._epoch(values)
            self._refuse_absurd(name, values, found)
            return found, values.dtype != pl.Duration
        if values.dtype == pl.String and int(_parsed(values).is_null().sum()):
            return self._seconds_of_text(name, values), True
        if values.dtype != pl.String and not values.dtype.is_numeric():
            raise self.error(f"time, column {name!r}", f"values of type {values.dtype}", "Name a column of numbers or of dates.")
        found = np.asarray(_parsed(values).to_numpy(), dtype=np.float64)
        bad = np.flatnonzero(~(np.abs(found) < _TOO_LATE))
        if len(bad):
            raise self.error(f"column {name!r}, {self.place(int(bad[0]))}", f"the time {found[bad[0]]}", "Drop or mend these rows.")
        return found, False

    def _epoch(self, values: pl.Series) -> np.ndarray:
        """Return dates as seconds since 1970 (UTC), lengths of time and times of day as seconds."""
        pl, dtype = polars(self.asked), values.dtype
        raw = np.asarray(values.to_physical().cast(pl.Float64).fill_null(0.0).to_numpy(), dtype=np.float64)
        if dtype == pl.Date:
            return raw * 86_400
        return raw / {"ms": 1e3, "us": 1e6, "ns": 1e9}[getattr(dtype, "time_unit", None) or "ns"]

    def _refuse_absurd(self, name: str, values: pl.Series, seconds: np.ndarray) -> None:
        """Refuse dates before the year 1 or after the year 9999."""
        bad = np.flatnonzero((seconds < _FIRST) | (seconds >= _LAST))
        if len(bad) and values.dtype != polars(self.asked).Duration:
            arrived = f"{len(bad)} of {len(seconds)} values that are no date, the first {seconds[bad[0]]:.6g} seconds from 1970"
            raise self.error(
                f"column {name!r}, {self.place(int(bad[0]))}", arrived, "Dates are of the years 1 to 9999: mend or drop these rows."
            )

    def _seconds_of_text(self, name: str, values: pl.Series) -> np.ndarray:
        """Return dates written as ISO 8601, each with or without a time of day and a zone, as seconds."""
        pl = polars(self.asked)
        plain = values.str.replace(r"^(\S{10})T", "$1 ").str.replace("Z$", "+00:00").rename("when").to_frame()
        each = [pl.col("when").str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us") for form in _DATES]
        likely = min(range(len(each)), key=lambda place: plain[:1].select(each[place]).item() is None)
        found = plain.select(each[likely]).to_series()
        if found.null_count():
            found = plain.select(pl.coalesce(each)).to_series()
        bad = (found.is_null() | (found < _FIRST * 10**6)).arg_true()
        if len(bad):
            row = int(bad[0])
            raise self.error(
                f"time, column {name!r}, {self.place(row)}",
                f"{values[row]!r}, which is no date that can be read ({len(bad)} of {len(values)} values)",
                "Write numbers, or dates such as 2024-05-31, 2024-05-31 12:30:00 or 2024-05-31T12:30:00Z.",
            )
        return np.asarray(found.to_numpy() / 1e6, dtype=np.float64)

    def _refuse_missing(self, name: str, values: pl.Series, option: str) -> None:
        """Refuse a column in which a value is missing."""
        missing = values.is_null().arg_true()
        if len(missing):
            raise self.error(
                f"column {name!r}, {self.place(int(missing[0]))}",
                f"{len(missing)} of {len(values)} values are missing, the first there",
                "Fill them or drop these rows before reading; no value is made up here." + _OTHERWISE.get(option, ""),
            )


_OTHERWISE = {
    "features": " Or read them as missing with missing='mean' or 'indicator' (--missing).",
    "categorical": " Or read them as unknown with missing='mean' (--missing).",
    "target": " Or feed these steps without scoring them, with unlabelled='skip' (--unlabelled).",
}
"""How to say otherwise, by what a column is for."""


def clean_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return columns with their text stripped, empty text null, and names of a short list as text."""
    pl = polars("read text")
    frame = frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    texts = [name for name in frame.columns if frame[name].dtype == pl.String]
    # Of single characters, a blank is one; so it is where some of them are not known.
    longer = [name for name in texts if bool(((frame[name].str.len_chars() > 1) & (frame[name] != UNKNOWN)).any())]
    frame = frame.with_columns(pl.col(longer).str.strip_chars())
    return frame.with_columns(pl.when(pl.col(texts) != "").then(pl.col(texts)))


def rounding_of(values: np.ndarray) -> tuple[str, str] | None:
    """Return what float32 loses of numbers and what to do about it, where that is over a thousandth of their standard deviation.

    NaN is passed over. Numbers that differ by no more than float64 itself rounds are taken as one, and lose nothing.

    Example:
        >>> rounding_of(np.array([1.7e9 + 1, 1.7e9 + 2]))[0]
        'numbers with a standard deviation of 0.5, which float32 changes by up to 2'
        >>> rounding_of(np.array([0.1, 1.7e9]))
    """
    there = values[~np.isnan(values)]
    if not len(there):
        return None
    least, largest = float(there.min()), float(np.abs(there).max())
    spread = float(np.std(there - least))
    lost = float(np.abs(there.astype(np.float32).astype(np.float64) - there).max())
    if spread <= _NOISE * largest or lost <= _LOST * spread:
        return None
    hint = f"Subtract a constant such as {least:.15g} first." if largest > _TINY else "Multiply the numbers, by 1e30 for instance, first."
    return f"numbers with a standard deviation of {spread:.3g}, which float32 changes by up to {lost:.3g}", hint


def _parsed(values: pl.Series) -> pl.Series:
    """Return values as float64; what is no number becomes null."""
    return values.cast(polars("read numbers").Float64, strict=False)


def _is_mark(values: pl.Series) -> pl.Series:
    """Tell which texts stand for a missing number."""
    return values.str.to_lowercase().is_in(list(_MISSING)).fill_null(value=False)


def _without_marks(values: pl.Series) -> pl.Series:
    """Return text in which the marks of missing numbers are null, where all else is numbers; words are left alone."""
    marks = _is_mark(values)
    others = values.filter(~marks & values.is_not_null())
    if not bool(marks.any()) or not len(others) or int(_parsed(others).is_null().sum()):
        return values
    return values.to_frame("v").select(polars("read text").when(~marks).then(polars("read text").col("v"))).to_series()
