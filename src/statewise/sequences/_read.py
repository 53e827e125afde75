"""How does a file become sequences? Finds the files, refuses what cannot be read, and hands on to the format's reader."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from statewise.errors import DataError, OptionError, nearest
from statewise.sequences._long_form import Columns, sequences_of
from statewise.sequences._table import read_table
from statewise.sequences._ts import read_ts

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from statewise.sequences._sequences import Sequences

SUFFIXES = (".csv", ".parquet", ".ts")


def read(
    path: str | os.PathLike[str],
    *,
    key: str | None = None,
    time: str | None = None,
    target: str | None = None,
    group: str | None = None,
    features: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    categorical: Sequence[str] = (),
    static: Sequence[str] = (),
    task: Literal["classify", "tag"] | None = None,
    class_names: Sequence[str] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
    static_names: Sequence[str] | None = None,
) -> Sequences:
    """Read labelled sequences from a csv, parquet or `.ts` file.

    Csv and parquet are read in long form: one row a step. Sequences come in the order in which their keys first appear; the rows
    of one key may lie anywhere. A `.ts` file has its own header and needs no option.

    Args:
        path: the file, or a pattern such as `claims/*.parquet` for several with the same columns.
        key: the column that says which sequence a row belongs to.
        time: the column to sort each sequence by, stably: numbers, or dates (kept as seconds since 1970, UTC). Absent, the order
            of the file.
        target: the column of labels. Absent, the sequences have no targets (for prediction).
        group: the column of what must not be split (person, engine, account), one value a sequence.
        features: the columns to read at each step, or a dict of them by input; absent, every column not named otherwise. Numbers
            become one float32 input `[steps, feature]`; each categorical column becomes an int64 input of codes `[steps]` under
            its own name.
        categorical: columns to read as categories although they hold numbers; one in which no value is a number is read so anyway.
        static: columns that belong to a whole sequence: numbers, or words, which become one column a value named `column=value`.
        task: `"classify"` for one target a sequence, `"tag"` for one a step. Absent, one a sequence where it never changes inside
            one, else one a step; a note says which.
        class_names: the classes in order, such as those of the training file; a label that is none of them is refused.
        categories: the categories of each categorical column, such as those of the training file; another one gets the code -1.
        static_names: the names of the static features of the training file, so that words become the same columns.

    Raises:
        DataError: the file, a column, a row or a value cannot be used; the message names it.
        OptionError: options that do not go together.
        MissingExtraError: polars, which reads csv and parquet, is not installed.

    Example:
        >>> from statewise.datasets import japanese_vowels
        >>> train, test = japanese_vowels()
        >>> read(train).num_classes
        9
    """
    asked = f"read {path}"
    features = _as_lists(features)
    if task not in {None, "classify", "tag"}:
        raise OptionError(asked=asked, where="task", arrived=repr(task), hint="The tasks that a file is read for are 'classify' and 'tag'.")
    files = _files(Path(path), asked)
    named = {"key": key, "time": time, "target": target, "group": group, "categorical": _as_list(categorical), "static": _as_list(static)}
    try:
        if files[0].suffix.lower() == ".ts":
            _refuse_columns(files, named, task, asked)
            return read_ts(files[0], asked=asked, class_names=class_names, features=features)
        table = read_table(files, asked=asked)
    except OSError as problem:
        raise DataError(
            asked=asked, where=f"file '{files[0]}'", arrived=problem.strerror or str(problem), hint="Choose a file that you may read."
        ) from problem
    if key is None:
        told = ", ".join(map(repr, table.names))
        hint = "Name the column that says which sequence a row belongs to, with key='...' (--key)."
        raise table.error("key", f"none was named; the columns are {told}", hint)
    if len(table) == 1 and target is not None:
        raise table.error(f"file '{files[0]}'", "one row only", "Labelled sequences need more than one step: one row is one step.")
    columns: dict[str, Any] = {**named, "features": features, "task": task}
    columns |= {"class_names": class_names, "categories": categories, "static_names": static_names}
    return sequences_of(table, Columns(**columns), source=str(path))


def _as_list(names: Sequence[str]) -> list[str]:
    """Return column names as a list; a single name given as text is one name, not its letters."""
    return [names] if isinstance(names, str) else list(names)


def _as_lists(features: Sequence[str] | Mapping[str, Sequence[str]] | None) -> list[str] | dict[str, list[str]] | None:
    """Return the names of the features as a list, or as lists by input."""
    if features is None:
        return None
    return {name: _as_list(each) for name, each in features.items()} if isinstance(features, Mapping) else _as_list(features)


def _files(path: Path, asked: str) -> list[Path]:
    """Return the files that a path or pattern names, all of one known format."""
    found = [path] if path.exists() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not found:
        raise _not_found(path, asked)
    for file in found:
        if file.is_dir():
            hint = f"Name a file in it, or all of them with '{file}/*.csv' or '{file}/*.parquet'."
            raise DataError(asked=asked, where=f"path '{file}'", arrived="it is a folder", hint=hint)
        if file.suffix.lower() not in SUFFIXES:
            arrived = f"the suffix {file.suffix!r}" if file.suffix else "no suffix"
            raise DataError(
                asked=asked, where=f"file '{file}'", arrived=arrived, hint=f"Files that can be read end in {', '.join(SUFFIXES)}."
            )
    suffixes = {file.suffix.lower() for file in found}
    if len(suffixes) > 1 or (len(found) > 1 and suffixes == {".ts"}):
        arrived = f"{len(found)} files of {' and '.join(sorted(suffixes))}"
        raise DataError(
            asked=asked, where=f"path '{path}'", arrived=arrived, hint="Read several csv or several parquet files, one .ts file."
        )
    return found


def _not_found(path: Path, asked: str) -> DataError:
    """Return the error about a path that does not exist, with the nearest name in its folder."""
    folder = path.parent
    if not folder.is_dir():
        arrived, hint = f"there is no folder '{folder}'", f"The working folder is '{Path.cwd()}'."
    else:
        names = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
        arrived, hint = "no such file", f"In '{folder}': {nearest(path.name, names)}"
    return DataError(asked=asked, where=f"path '{path}'", arrived=arrived, hint=hint)


def _refuse_columns(files: list[Path], named: dict[str, Any], task: str | None, asked: str) -> None:
    """Refuse options that a `.ts` file has no use for."""
    option = next((name for name, value in named.items() if value), None)
    if option is not None:
        hint = "A .ts file has one series a line with its label last: leave the option out."
        raise OptionError(asked=asked, where=f"{option}={named[option]!r}", arrived=f"'{files[0].name}' has no columns", hint=hint)
    if task == "tag":
        hint = "Write one row a step with one label each, as csv or parquet."
        raise OptionError(asked=asked, where="task='tag'", arrived=f"'{files[0].name}' has one label a sequence", hint=hint)
