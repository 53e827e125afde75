"""What do the lines of a jsonl file hold? One object each: a step, or a whole sequence whose values are lists."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec

from statewise.errors import DataError, kind_of
from statewise.sequences._table import polars

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

_HINT = 'Write one object a line, such as {"key": "a", "amount": 1.5}, as UTF-8.'


def read_lines(content: bytes, *, file: Path, asked: str) -> list[pl.Series]:
    """Return the columns of one JSON object a line; a name that is absent from a line is a missing value.

    Args:
        content: the file.
        file: its path, for messages.
        asked: what the user wanted, for messages.

    Raises:
        DataError: a line that holds no object, a name twice, or lists and single values under one name.
    """
    rows = _objects(content.removeprefix(b"\xef\xbb\xbf"), file, asked)
    names = dict.fromkeys(name for row in rows for name in row)
    return [_column(name, [row.get(name) for row in rows], file, asked) for name in names]


def _objects(content: bytes, file: Path, asked: str) -> list[dict[str, Any]]:
    """Return one object a line; a blank line, which only ever stands at the end, is left out."""
    try:
        rows = msgspec.json.Decoder(dict[str, Any]).decode_lines(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        rows = [_object(line, number, file, asked) for number, line in enumerate(content.splitlines(), start=1) if line.strip()]
    first = next(line for line in content.splitlines() if line.strip())
    names = [name for name, _ in json.loads(first, object_pairs_hook=lambda pairs: pairs)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        arrived = f"the name {twice!r} {names.count(twice)} times"
        raise DataError(asked=asked, where=f"file '{file}', line 1", arrived=arrived, hint="Give each value a name of its own.")
    return rows


def _object(line: bytes, number: int, file: Path, asked: str) -> dict[str, Any]:
    """Return the object of one line; NaN and Infinity, which JSON has not and many write, are read."""
    try:
        found = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as problem:
        told = "UTF-16 text" if line[:2] in (b"\xff\xfe", b"\xfe\xff") else problem.reason
        raise _bad_line(number, f"bytes that are not UTF-8 text ({told})", file, asked) from problem
    except (ValueError, RecursionError) as problem:
        raise _bad_line(number, f"no JSON object ({problem})", file, asked) from problem
    if not isinstance(found, dict):
        raise _bad_line(number, f"{kind_of(found)}, no JSON object", file, asked)
    return found


def _bad_line(number: int, arrived: str, file: Path, asked: str) -> DataError:
    return DataError(asked=asked, where=f"file '{file}', line {number}", arrived=arrived, hint=_HINT)


def _column(name: str, values: list[Any], file: Path, asked: str) -> pl.Series:
    """Return a column: of numbers, of True and False, of text, or of lists."""
    kinds = {type(value) for value in values} - {type(None)}
    if dict in kinds:
        number = next(place for place, value in enumerate(values) if isinstance(value, dict))
        raise _bad_value(
            name, number, "an object inside the object", "Give each value a name of its own on the first level.", file=file, asked=asked
        )
    if list in kinds and kinds != {list}:
        number = next(place for place, value in enumerate(values) if value is not None and not isinstance(value, list))
        raise _bad_value(
            name, number, "a single value where other lines have a list", "Write lists in every line, or in none.", file=file, asked=asked
        )
    if list not in kinds:
        return _flat(name, values)
    try:
        return _lists(name, [value or [] for value in values])
    except _OddItemError as odd:
        number, told = odd.args
        hint = "A list holds one value a step, or one equally long list of numbers a step."
        raise _bad_value(name, number, told, hint, file=file, asked=asked) from odd


def _bad_value(name: str, number: int, arrived: str, hint: str, *, file: Path, asked: str) -> DataError:
    return DataError(asked=asked, where=f"file '{file}', line {number + 1}, {name!r}", arrived=arrived, hint=hint)


def _flat(name: str, values: list[Any]) -> pl.Series:
    """Return values without lists among them as a column of one type; numbers beside text become text."""
    dtype, as_one = _form_of(values)
    return _series(name, [None if value is None else as_one(value) for value in values], dtype)


def _series(name: str, values: list[Any], dtype: Any) -> pl.Series:
    found: pl.Series = polars("read lines").Series(name, values, dtype=dtype)
    return found


def _form_of(values: list[Any]) -> tuple[Any, Callable[[Any], Any]]:
    """Return the type that all values can have, and what brings one into it."""
    pl = polars("read lines")
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pl.Null, _as_it_is
    if kinds <= {int, float}:
        large = float in kinds or any(abs(value) >= 2**63 for value in values if value is not None)
        return (pl.Float64, _as_float) if large else (pl.Int64, _as_it_is)
    return (pl.Boolean, _as_it_is) if kinds == {bool} else (pl.String, _as_text)


def _as_it_is(value: Any) -> Any:
    return value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


class _OddItemError(Exception):
    """A list holds what cannot be read: the number of its line, and what it is."""


def _lists(name: str, values: list[list[Any]]) -> pl.Series:
    """Return lists as one column of lists, of one type in all lines."""
    pl = polars("read lines")
    items = [item for value in values for item in value]
    for number, value in enumerate(values):
        for item in value:
            if isinstance(item, dict):
                raise _OddItemError(number, "an object inside a list")
            if isinstance(item, list) and not all(isinstance(each, (int, float)) for each in item):
                raise _OddItemError(number, "a list inside a list that holds other than numbers")
    kinds = {type(item) for item in items} - {type(None)}
    if list in kinds and kinds != {list}:
        raise _OddItemError(0, "lists and single values in one list")
    if list in kinds:
        nested = [[None if item is None else [_as_float(each) for each in item] for item in value] for value in values]
        return _series(name, nested, pl.List(pl.List(pl.Float64)))
    dtype, as_one = _form_of(items)
    return _series(name, [[None if item is None else as_one(item) for item in value] for value in values], pl.List(dtype))
