"""How does anything become sequences? Finds what is meant, and hands on to the reader of its format; what each option means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statewise.errors import DataError, OptionError
from statewise.sequences._characters import read_characters
from statewise.sequences._files import files_of
from statewise.sequences._frames import is_in_memory, table_in_memory
from statewise.sequences._lists import laid_out
from statewise.sequences._loading import file_names, format_of, read_table, with_file_names
from statewise.sequences._long_form import sequences_of
from statewise.sequences._npz import is_layout, layout_of, read_npz
from statewise.sequences._options import FILE_NAME, Options, options_of
from statewise.sequences._pieces import Made, finished
from statewise.sequences._ts import read_ts

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from statewise.sequences._options import Missing, Ties, Unlabelled
    from statewise.sequences._sequences import Sequences
    from statewise.sequences._table import Table
    from statewise.types import Each, KnownTask


def read(
    path: str | os.PathLike[str] | Any,
    *,
    key: str | None = None,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    group: str | None = None,
    features: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    categorical: Sequence[str] = (),
    static: Sequence[str] = (),
    weight: str | None = None,
    baselines: Sequence[str] = (),
    task: KnownTask | None = None,
    each: Each | None = None,
    known: Sequence[str] = (),
    season: int | None = None,
    missing: Missing = "error",
    unlabelled: Unlabelled = "error",
    ties: Ties = "error",
    max_steps: int | None = None,
    max_gap: float | str | None = None,
    time_gaps: bool = False,
    class_names: Sequence[str] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
    static_names: Sequence[str] | None = None,
) -> Sequences:
    """Read sequences from a file, from several, or from data in memory.

    Csv, tsv, jsonl, parquet and Arrow files hold a step a row, or a sequence a row whose features are lists. Sequences come in the
    order in which their keys first appear; the rows of one key may lie anywhere. Text files, `.npz` and `.ts` need no column names.
    What cannot be used is refused, unless an option says how; what is accepted and should be known stands in the notes.

    Args:
        path: a file, a folder, a pattern such as `claims/**/*.parquet` for several files with the same columns; or a polars or
            pandas frame, a dict of columns, an array `[steps, feature]`, or a dict of arrays laid out as in an `.npz` file.

        key: *Which column is what.* The one that says which sequence a row belongs to; `FILE_NAME` (`"<file>"`) where each file is
            a sequence. Absent, a table for `"forecast"` or `"next"` is one sequence a file; one with lists has a sequence a row.
        time: the column to sort each sequence by, stably: numbers, or dates (kept as seconds since 1970, UTC). Absent, the order
            of the file.
        target: the column of labels or numbers to predict; for `"multilabel"` several of 0 and 1, or of true and false. Absent, the
            sequences have no targets (for prediction).
        group: the column of what must not be split (person, engine, account), one value a sequence; `FOLDER_NAME` (`"<folder>"`)
            for the folder of each file, which can be a target too.
        features: the columns to read at each step, or a dict of them by input; absent, every column not named otherwise. Numbers
            become one float32 input `[steps, feature]`; each categorical column becomes an int64 input of codes `[steps]` under
            its own name.
        categorical: columns to read as categories although they hold numbers; one in which no value is a number is read so anyway.
        static: columns that belong to a whole sequence: numbers, or words, which become one column a value named `column=value`.
        weight: the column that says how much each target counts; 0 is fed to a model and not scored.
        baselines: columns of what naive methods would answer, for `"regress"`, empty where one has no answer: an evaluation holds
            the model against the best of them. A model never reads them.

        task: *What is predicted.* `"classify"` one label a sequence, `"tag"` one a step, `"multilabel"` any of several labels,
            `"regress"` a number, `"forecast"` the target's own later values, `"next"` the next token (of a `.txt` file: character).
            Absent, labels; one a sequence where it never changes inside one, else one a step; a note says which.
        each: one target a `"sequence"` or a `"step"`, for `"regress"` and `"multilabel"`; absent, read off the data likewise.
        known: features whose later values are known beforehand (a calendar, a plan), for `"forecast"`.
        season: steps of one season for the naive forecast to beat; absent, read off steady dates (24 for hours, 7 for days).

        missing: *What is not refused.* What a feature without a value (empty, NaN, infinite, `NA`, `?`) is: an `"error"`; the `"mean"`
            of the training part, which a model of ours puts there; or that beside a column `<name>_missing` (`"indicator"`). A
            category without a value is unknown.
        unlabelled: what a step without a target is: an `"error"`, or fed and not scored (`"skip"`).
        ties: what two steps of a sequence at the same time are: an `"error"`, or in the order of the file (`"keep"`).

        max_steps: *What is made of it.* Cut longer sequences into pieces of so many steps, `key#1`, `key#2`, ..., whose group, unless
            given, is the key of the whole.
        max_gap: begin a new sequence where time leaps by more than this: a number in the unit of the times, or such as `"90min"`.
        time_gaps: add a feature `<time>_gap`: the time since the step before, 0 at the first.

        class_names: *As the training file was read.* The classes in order; a label that is none of them is refused.
        categories: the categories of each categorical column; another one gets the code -1.
        static_names: the names of the static features, so that words become the same columns.

    Raises:
        DataError: the file, a column, a row or a value cannot be used; the message names it.
        OptionError: options that do not go together.
        MissingExtraError: polars or pyarrow, which read files of columns, is not installed.

    Example:
        >>> from statewise.datasets import japanese_vowels
        >>> train, test = japanese_vowels()
        >>> read(train).num_classes
        9
    """
    given = {name: value for name, value in locals().items() if name != "path"}
    in_memory = is_in_memory(path)
    asked = "read data in memory" if in_memory else f"read {path}"
    options = options_of(asked, **given)
    if in_memory:
        return _from_memory(path, options, asked)
    try:
        return _from_files(path, options, asked)
    except OSError as problem:
        place, told = problem.filename or path, problem.strerror or str(problem)
        raise DataError(asked=asked, where=f"file '{place}'", arrived=told, hint="Choose a file that you may read.") from problem


def _from_memory(data: Any, options: Options, asked: str) -> Sequences:
    """Return the sequences of data in memory."""
    if is_layout(data):
        table, options = layout_of(data, options, asked=asked)
    else:
        table = table_in_memory(data, options, asked=asked)
        if hasattr(data, "dtype"):
            options = replace(options, features=None)  # they named the columns of the array, of which some may have another meaning
    keyed = hasattr(data, "dtype") and not data.dtype.names
    return _from_table(table, options, source="data in memory", single="1", asked=asked, keyed=keyed)


def _from_files(path: Any, options: Options, asked: str) -> Sequences:
    """Return the sequences of files of one format."""
    files = files_of(Path(path), texts=options.task == "next", asked=asked)
    format_, source = format_of(files[0]), str(path)
    if format_ == "ts":
        options, made = _without_indicators(options)
        return finished(read_ts(files[0], asked=asked, options=options), options, made, asked=asked)
    if format_ == "txt":
        return finished(read_characters(files, options, asked=asked, source=source), options, Made(), asked=asked)
    if format_ == "npz":
        table, options = read_npz(files[0], options, asked=asked)
    else:
        table = read_table(files, asked=asked)
    if len(files) > 1 and options.key is None and options.ahead:
        options = replace(options, key=FILE_NAME)
    return _from_table(table, options, source=source, single=file_names(files)[0], asked=asked, keyed=False)


def _from_table(table: Table, options: Options, *, source: str, single: str, asked: str, keyed: bool) -> Sequences:
    """Return the sequences of a table.

    Args:
        table: rows as they were loaded.
        options: the options of `read`.
        source: where the data came from.
        single: the key of the only sequence.
        asked: what the user wanted, for messages.
        keyed: whether the whole is one sequence where no key is named.
    """
    if table.heads is None:
        table = laid_out(with_file_names(table, options), options)
    if options.key is None and table.heads is None and not (options.ahead or keyed):
        told = ", ".join(map(repr, table.names))
        hint = "Name the column that says which sequence a row belongs to, with key='...' (--key), or '<file>' where each file is one."
        raise table.error("key", f"none was named; the columns are {told}", hint)
    if len(table) == 1 and options.target and table.heads is None and options.class_names is None:
        raise table.error(table.whole, "one row only", "Labelled sequences need more than one step: one row is one step.")
    if options.target == () and options.ahead and (options.task == "next" or options.features is None):
        hint = "Name the column of the series, or of tokens, with target='...' (--target)."
        raise OptionError(asked=asked, where="target", arrived=f"none, for the task {options.task!r}", hint=hint)
    data, made = sequences_of(table, options, source=source, single=single)
    return finished(data, options, made, asked=asked)


def _without_indicators(options: Options) -> tuple[Options, Made]:
    """Return options whose features are channels, and which of the features say where a channel has no value."""
    if options.missing != "indicator" or not isinstance(options.features, tuple):
        return options, Made()
    wanted = tuple(name for name in options.features if name.endswith("_missing"))
    return replace(options, features=tuple(name for name in options.features if name not in wanted)), Made(wanted)
