"""How does a file of columns become a table? Csv, jsonl, parquet and Arrow, each told what is wrong with it in its own terms."""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.errors import DataError, OptionError, missing_extra
from statewise.sequences._compressed import content_of, is_compressed
from statewise.sequences._lines import read_lines
from statewise.sequences._table import Table, clean_text, polars

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import polars as pl

    from statewise.sequences._options import Options

FORMATS: dict[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".npz": "npz",
    ".ts": "ts",
    ".txt": "txt",
}
"""The format of each suffix that can be read."""
_COUNTED = {"csv": ("line", 2), "jsonl": ("line", 1)}
_SEPARATORS = (",", ";", "\t", "|")


def format_of(path: Path) -> str | None:
    """Return the format of a file by its name, `.csv.gz` as `.csv`; None where it is not known."""
    inner = path.with_suffix("") if is_compressed(path) else path
    return FORMATS.get(inner.suffix.lower())


def read_table(files: Sequence[Path], *, asked: str) -> Table:
    """Read files of one format, one after another, as one table.

    Args:
        files: csv, jsonl, parquet or Arrow files with the same columns.
        asked: what the user wanted, for messages.

    Raises:
        DataError: a file is empty, damaged, without rows, or has other columns than the first.
        MissingExtraError: polars or pyarrow is not installed.
    """
    pl = polars(asked)
    format_ = format_of(files[0]) or ""
    load = _LOADERS[format_]
    try:
        loaded = [load(file, asked, pl) for file in files]
    except pl.exceptions.PanicException as problem:
        raise _damaged(files[0], asked, problem) from problem
    frames = [frame for frame, _ in loaded]
    notes = list(dict.fromkeys(note for _, each in loaded for note in each))
    _refuse_other_columns(files, frames, asked)
    whole = _joined(frames, files, asked, pl)
    blank = np.zeros(whole.height, dtype=bool)
    if format_ == "csv":
        blank = whole.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
    if blank.any():
        notes.append(f"{int(blank.sum())} blank lines were skipped")
    file_of = np.repeat(np.arange(len(frames)), [frame.height for frame in frames])
    row_of = np.concatenate([np.arange(frame.height) for frame in frames])
    table = Table(
        frame=whole.filter(~blank),
        files=tuple(files),
        file_of=file_of[~blank],
        row_of=row_of[~blank],
        asked=asked,
        counted=_COUNTED.get(format_, ("row", 1)),
        notes=tuple(notes),
    )
    if not len(table):
        told = f"column names ({', '.join(table.names)}) and no row" if table.names else "no column and no row"
        raise table.error(f"file '{files[0]}'", told, "Choose a file with one row a step.")
    return table


def with_file_names(table: Table, options: Options) -> Table:
    """Return a table with the columns `<file>` and `<folder>` where an option names them.

    Raises:
        OptionError: there is no file.
    """
    from statewise.sequences._options import FILE_NAME, FOLDER_NAME

    used = sorted({FILE_NAME, FOLDER_NAME}.intersection(filter(None, (options.key, options.group, *options.target, *options.static))))
    if not used:
        return table
    if not table.files:
        hint = "Give the frame a column for it."
        raise OptionError(asked=table.asked, where=" and ".join(used), arrived="the data lies in memory, in no file", hint=hint)
    pl = polars(table.asked)
    names = {FILE_NAME: file_names(table.files), FOLDER_NAME: [file.absolute().parent.name for file in table.files]}
    columns = [pl.Series(name, names[name]).gather(table.file_of) for name in used]
    return Table(**{**vars(table), "frame": table.frame.with_columns(columns)})


def file_names(files: Sequence[Path]) -> list[str]:
    """Return the name of each file without its suffix; with the folders that tell them apart where names repeat."""
    names = [_stem(file) for file in files]
    if len(set(names)) == len(names):
        return names
    parents = [file.absolute().parent.parts for file in files]
    shared = next((place for place, parts in enumerate(zip(*parents, strict=False)) if len(set(parts)) > 1), min(map(len, parents)))
    names = ["/".join((*parts[shared:], name)) for parts, name in zip(parents, names, strict=True)]
    return names if len(set(names)) == len(names) else [str(file) for file in files]


def _stem(file: Path) -> str:
    return (file.with_suffix("") if is_compressed(file) else file).stem


def _refuse_other_columns(files: Sequence[Path], frames: Sequence[pl.DataFrame], asked: str) -> None:
    """Refuse files that are read together and have different columns."""
    for file, frame in zip(files, frames, strict=True):
        if frame.columns != frames[0].columns:
            other = next((name for name in frame.columns if name not in frames[0].columns), None)
            told = f"its columns are {', '.join(frame.columns)}" if other is None else f"a column {other!r} that '{files[0]}' has not"
            raise DataError(asked=asked, where=f"file '{file}'", arrived=told, hint="Files that are read together need the same columns.")


def _joined(frames: Sequence[pl.DataFrame], files: Sequence[Path], asked: str, pl: Any) -> Any:
    """Return all rows as one frame; a column that is of numbers here and of text there is refused."""
    try:
        return pl.concat(frames, how="vertical_relaxed")
    except pl.exceptions.PolarsError as problem:
        for file, frame in zip(files, frames, strict=True):
            odd = next((name for name in frame.columns if not _go_together(frame[name].dtype, frames[0][name].dtype, pl)), None)
            if odd is not None:
                arrived = f"values of type {frame[odd].dtype}, but {frames[0][odd].dtype} in '{files[0]}'"
                hint = "Write the column in the same way in every file."
                raise DataError(asked=asked, where=f"file '{file}', column {odd!r}", arrived=arrived, hint=hint) from problem
        raise _damaged(files[0], asked, problem) from problem


def _go_together(one: Any, other: Any, pl: Any) -> bool:
    return bool(one == other or (one.is_numeric() and other.is_numeric()) or pl.Null in (one, other))


def _load_csv(file: Path, asked: str, pl: Any) -> tuple[Any, list[str]]:
    """Return a csv file with every column as stripped text."""
    source: Any = file
    try:
        if is_compressed(file):
            source = content_of(file, asked)
        with _text(source) as lines:
            separator, header = _header(lines, asked, file)
        _refuse_twice(header, file, asked)
        frame = pl.read_csv(source, infer_schema=False, glob=False, separator=separator)
    except (UnicodeDecodeError, csv.Error, pl.exceptions.PolarsError) as problem:
        where, arrived = _first_bad_line(file, source) or (f"file '{file}'", f"no csv that can be read ({_first_line(problem)})")
        hint = "Write the file as UTF-8, with commas, one header line, and the same number of values in each line."
        raise DataError(asked=asked, where=where, arrived=arrived, hint=hint) from problem
    told = {"\t": "tabulators"}.get(separator, repr(separator))
    return clean_text(frame), [] if separator == "," else [f"values are separated by {told}, not by commas"]


def _text(source: Path | bytes) -> io.TextIOWrapper:
    """Return a csv file or its content, open as text."""
    if isinstance(source, bytes):
        return io.TextIOWrapper(io.BytesIO(source), encoding="utf-8-sig", newline="")
    return source.open(encoding="utf-8-sig", newline="")


def _header(lines: io.TextIOWrapper, asked: str, file: Path) -> tuple[str, list[str]]:
    """Return what separates the values of a csv file, and the names in its first line.

    Raises:
        DataError: there is none, or it holds zero bytes, as text of two bytes a letter does.
    """
    first = lines.readline()
    if "\0" in first:
        hint = "It looks like UTF-16 text, or is no text at all: write the file as UTF-8."
        raise DataError(asked=asked, where=f"file '{file}', line 1", arrived="zero bytes among the text", hint=hint)
    rest = "".join(islice(lines, 20)) if first.count('"') % 2 else ""  # a quoted name may hold a line break
    found = {separator: next(csv.reader(io.StringIO(first + rest, newline=""), delimiter=separator), []) for separator in _SEPARATORS}
    separator = "," if len(found[","]) > 1 else max(_SEPARATORS, key=lambda each: len(found[each]))
    if not found[separator]:
        raise _empty(file, asked)
    return separator, found[separator]


def _refuse_twice(header: Sequence[str], file: Path, asked: str, *, line: str = ", line 1") -> None:
    """Refuse a header with the same name twice."""
    seen: set[str] = set()
    twice = next((name for name in header if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]
    if twice is not None:
        arrived = f"the column name {twice!r} {list(header).count(twice)} times"
        raise DataError(asked=asked, where=f"file '{file}'{line}", arrived=arrived, hint="Give each column a name of its own.")


def _first_bad_line(file: Path, source: Path | bytes) -> tuple[str, str] | None:
    """Return where a csv file goes wrong, and how; None when it cannot be told."""
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8-sig")
            except UnicodeDecodeError as problem:
                told = "UTF-16 text" if line[:2] in (b"\xff\xfe", b"\xfe\xff") else problem.reason
                return f"file '{file}', line {number}", f"bytes that are not UTF-8 text ({told})"
    try:
        with _text(source) as text:
            reader = csv.reader(text)
            width = len(next(reader, []))
            for values in reader:
                if len(values) > width:
                    return f"file '{file}', line {reader.line_num}", f"{len(values)} values under {width} column names"
    except csv.Error:
        pass
    return None


def _load_parquet(file: Path, asked: str, pl: Any) -> tuple[pl.DataFrame, list[str]]:
    """Return a parquet file with its text stripped."""

    def load(pa: Any) -> Any:
        import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: F401

        with pa.parquet.ParquetFile(file) as opened:
            return opened.read()

    return _load_columns(file, asked, pl, load, "parquet")


def _load_arrow(file: Path, asked: str, pl: Any) -> tuple[pl.DataFrame, list[str]]:
    """Return an Arrow file (Feather, version 2) or a stored Arrow stream with its text stripped."""

    def load(pa: Any) -> Any:
        import pyarrow.ipc  # type: ignore[import-untyped]  # noqa: F401

        with file.open("rb") as opened:
            whole = opened.read(6) == b"ARROW1"
        with pa.OSFile(str(file)) as opened, pa.ipc.open_file(opened) if whole else pa.ipc.open_stream(opened) as reader:
            return reader.read_all()

    return _load_columns(file, asked, pl, load, "Arrow")


def _load_columns(file: Path, asked: str, pl: Any, load: Callable[[Any], Any], told: str) -> tuple[pl.DataFrame, list[str]]:
    """Return a binary file of columns, every value of it checked: pyarrow withstands damaged files, where others abort."""
    try:
        import pyarrow as pa
    except ImportError as problem:
        raise missing_extra(asked, "pyarrow", "data") from problem
    with file.open("rb") as opened:
        if not opened.read(1):
            raise _empty(file, asked)
    try:
        table = load(pa)
        _refuse_twice(table.column_names, file, asked, line="")
        table.validate(full=True)
        return clean_text(pl.DataFrame(pl.from_arrow(table))), []
    except DataError:
        raise
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as problem:
        raise DataError(
            asked=asked,
            where=f"file '{file}'",
            arrived=f"no whole {told} file ({_first_line(problem)})",
            hint="It is damaged or was cut off: write or copy it again.",
        ) from problem


def _load_jsonl(file: Path, asked: str, pl: Any) -> tuple[pl.DataFrame, list[str]]:
    """Return a file of one JSON object a line with its text stripped."""
    content = content_of(file, asked)
    if not content.strip():
        raise _empty(file, asked)
    return clean_text(pl.DataFrame(read_lines(content, file=file, asked=asked))), []


_LOADERS: dict[str, Callable[[Path, str, Any], tuple[Any, list[str]]]] = {
    "csv": _load_csv,
    "parquet": _load_parquet,
    "arrow": _load_arrow,
    "jsonl": _load_jsonl,
}


def _damaged(file: Path, asked: str, problem: BaseException) -> DataError:
    arrived = f"values that cannot be read ({_first_line(problem)})"
    return DataError(asked=asked, where=f"file '{file}'", arrived=arrived, hint="It may be damaged: write or copy it again.")


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().split("\n", maxsplit=1)[0]


def _empty(file: Path, asked: str) -> DataError:
    return DataError(asked=asked, where=f"file '{file}'", arrived="it is empty", hint="Choose a file with column names and one row a step.")
