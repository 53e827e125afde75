"""How do rows (one a step) become sequences? Which column is what, which rows belong together, and in which order.

What a single column may hold is `_table`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from statewise.errors import OptionError, nearest
from statewise.sequences._labels import in_natural_order
from statewise.sequences._ragged import Ragged
from statewise.sequences._sequences import Sequences
from statewise.sequences._table import Table, polars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl


_ROW_NUMBERS = ("", "__index_level_0__")
"""What the row numbers that pandas writes are called; they are no feature unless named as one."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column of a file is what; the meaning of each is told at `read`."""

    key: str
    time: str | None = None
    target: str | None = None
    group: str | None = None
    features: Sequence[str] | Mapping[str, Sequence[str]] | None = None
    categorical: Sequence[str] = ()
    static: Sequence[str] = ()
    task: Literal["classify", "tag"] | None = None
    class_names: Sequence[str] | None = None
    categories: Mapping[str, Sequence[str]] | None = None
    static_names: Sequence[str] | None = None

    @property
    def taken(self) -> set[str]:
        """The columns that have a meaning of their own, so that they are no features unless named as such."""
        named = (self.key, self.time, self.target, self.group, *self.static)
        return {name for name in named if name is not None}


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a table in the order of the sequences.

    Args:
        order: the row of the table that holds each step, `[steps]`.
        sequence_of: the sequence that each step belongs to, `[steps]`.
        lengths: the number of steps of each sequence, `[n]`.
        keys: the key of each sequence, in the order of first appearance.
    """

    order: np.ndarray
    sequence_of: np.ndarray
    lengths: np.ndarray
    keys: Sequence[str]

    @property
    def first(self) -> np.ndarray:
        """The first step of each sequence: `[n]`."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    def change(self, values: np.ndarray) -> int | None:
        """Return the first step whose value (in the order of the sequences) differs from the one before in its sequence."""
        differs = (values[1:] != values[:-1]) & (self.sequence_of[1:] == self.sequence_of[:-1])
        found = np.flatnonzero(differs)
        return int(found[0]) + 1 if len(found) else None


def sequences_of(table: Table, columns: Columns, *, source: str) -> Sequences:
    """Return the sequences that the rows of a table form.

    Args:
        table: one row a step.
        columns: which column is what.
        source: where the data came from.

    Raises:
        DataError: a column is absent, a value cannot be used, or what belongs to a whole sequence changes inside it.
    """
    rows, times, notes = _rows(table, columns)
    inputs, feature_names, categories, more = _inputs(table, columns, rows)
    notes += more
    targets, each, class_names, more = _targets(table, columns, rows)
    notes += more
    static, static_names, more = _static(table, columns, rows)
    notes += more
    return Sequences(
        inputs=inputs,
        targets=targets,
        keys=rows.keys,
        groups=_groups(table, columns, rows),
        times=times,
        static=static,
        class_names=class_names,
        feature_names=feature_names,
        static_names=static_names,
        categories=categories,
        each=each,
        source=source,
        notes=(*table.notes, *notes),
    )


def _rows(table: Table, columns: Columns) -> tuple[Rows, Tensor | None, list[str]]:
    """Return which rows form which sequence and in which order, the time of each step, and notes."""
    words = table.words(columns.key, option="key")
    keys = words.unique(maintain_order=True).to_list()
    sequence_of = _codes(words, keys)
    seconds = None if columns.time is None else table.seconds(columns.time)
    order = np.argsort(sequence_of, kind="stable")
    notes = []
    if seconds is not None:
        in_file_order = order
        order = np.lexsort((seconds, sequence_of))
        moved = len(np.unique(sequence_of[order[order != in_file_order]]))
        if moved:
            notes.append(f"the rows of {moved} of {len(keys)} sequences were not in the order of {columns.time!r} and were sorted by it")
        same = int(((np.diff(seconds[order]) == 0) & (np.diff(sequence_of[order]) == 0)).sum())
        if same:
            notes.append(f"{same} rows have the same {columns.time!r} as the row before in their sequence; these kept the file's order")
    rows = Rows(order=order, sequence_of=sequence_of[order], lengths=np.bincount(sequence_of, minlength=len(keys)), keys=keys)
    return rows, None if seconds is None else torch.from_numpy(seconds[order]), notes


def _inputs(
    table: Table, columns: Columns, rows: Rows
) -> tuple[Ragged | dict[str, Ragged], list[str] | dict[str, list[str]], dict[str, list[str]], list[str]]:
    """Return the inputs, the names of their features, the categories of each categorical one, and notes."""
    by_input = _feature_columns(table, columns)
    known, lengths = dict(columns.categories or {}), torch.from_numpy(rows.lengths)
    inputs: dict[str, Ragged] = {}
    names: dict[str, list[str]] = {}
    categories: dict[str, list[str]] = {}
    notes = [
        f"column {name!r} holds row numbers and was left out" for name in _ROW_NUMBERS if name in table.names and columns.features is None
    ]
    for input_name, chosen in by_input.items():
        words = [name for name in chosen if name in columns.categorical or name in known or table.kind(name, option="features") == "word"]
        numbers = [name for name in chosen if name not in words]
        if numbers:
            block = np.stack([table.numbers(name, option="features") for name in numbers], axis=1).astype(np.float32)
            inputs[input_name] = Ragged(torch.from_numpy(block[rows.order]), lengths)
            names[input_name] = numbers
        for name in words:
            if name in inputs or name in by_input:
                raise _twice(table, name)
            categories[name], codes, more = _categories(table, name, known.get(name), inferred=name not in {*columns.categorical, *known})
            inputs[name] = Ragged(torch.from_numpy(codes[rows.order]), lengths)
            notes += more
    if list(inputs) == ["x"] and not isinstance(columns.features, dict):
        return inputs["x"], names["x"], categories, notes
    return inputs, names, categories, notes


def _feature_columns(table: Table, columns: Columns) -> dict[str, list[str]]:
    """Return the columns of each input, all of them checked to exist."""
    if columns.features is None:
        by_input = {"x": [name for name in table.names if name not in columns.taken and name not in _ROW_NUMBERS]}
    elif isinstance(columns.features, dict):
        by_input = {name: list(chosen) for name, chosen in columns.features.items()}
    else:
        by_input = {"x": list(columns.features)}
    every = [name for chosen in by_input.values() for name in chosen]
    for name in every:
        table.column(name, option="features")
        if name == columns.target:
            raise table.error(
                f"features, column {name!r}", "it is the target", "A model that reads its target learns nothing: leave it out."
            )
    empty = next((name for name, chosen in by_input.items() if not chosen), "x" if not by_input else None)
    if empty is not None:
        arrived = f"no column, of {', '.join(map(repr, table.names))}"
        raise table.error(f"features of input {empty!r}", arrived, "Give the file a column that the model can read at each step.")
    twice = next((name for name in every if every.count(name) > 1), None)
    if twice is not None:
        raise _twice(table, twice)
    for name in columns.categorical:
        table.column(name, option="categorical")
        if name not in {*every, *columns.static}:
            raise table.error(f"categorical, column {name!r}", "it is no feature", "Name it in features=[...] or in static=[...] too.")
    return by_input


def _twice(table: Table, name: str) -> Exception:
    return table.error(f"features, column {name!r}", "it is read twice, or has the name of an input", "Name each column once.")


def _categories(table: Table, name: str, known: Sequence[str] | None, *, inferred: bool) -> tuple[list[str], np.ndarray, list[str]]:
    """Return the categories of a column, the code of each row (-1: a category that is not known), and notes."""
    words = table.words(name, option="categorical")
    names = list(in_natural_order(words.unique().to_list())) if known is None else [str(each) for each in known]
    codes, notes = _codes(words, names), []
    if inferred:
        notes.append(f"column {name!r} holds no number and is read as {len(names)} categories")
    unseen = codes < 0
    if unseen.any():
        examples = words.filter(unseen).unique(maintain_order=True).to_list()
        shown = ", ".join(map(repr, examples[:5])) + (", ..." if len(examples) > 5 else "")
        notes.append(f"column {name!r}: {int(unseen.sum())} rows have a category that is not known ({shown}) and are read as unknown")
    return names, codes, notes


def _targets(
    table: Table, columns: Columns, rows: Rows
) -> tuple[Tensor | None, Literal["sequence", "step"] | None, Sequence[str] | None, list[str]]:
    """Return class numbers, whether there is one a sequence or one a step, the class names, and notes."""
    if columns.target is None:
        return None, None, columns.class_names, []
    words = table.words(columns.target, option="target")
    _refuse_fractions(table, columns, words)
    names = in_natural_order(words.unique().to_list()) if columns.class_names is None else tuple(map(str, columns.class_names))
    codes = _codes(words, names)
    unseen = np.flatnonzero(codes < 0)
    if len(unseen):
        label = words[int(unseen[0])]
        hint = nearest(label, names)
        raise table.error(
            f"column {columns.target!r}, {table.place(int(unseen[0]))}", f"the label {label!r}, which is none of the classes", hint
        )
    numbers = codes[rows.order]
    change = rows.change(numbers)
    if columns.task == "classify" and change is not None:
        hint = "One label a step is the task 'tag': say task='tag' (--task tag)."
        raise _changes(table, rows, columns.target, step=change, values=words, hint=hint)
    per_step = columns.task == "tag" or change is not None
    notes = []
    if columns.task is None:
        why = "it changes inside a sequence" if per_step else "it is the same in every step of each sequence"
        notes.append(f"one target a {'step' if per_step else 'sequence'} was read from {columns.target!r}: {why}")
    targets = torch.from_numpy(numbers if per_step else numbers[rows.first])
    return targets, "step" if per_step else "sequence", names, notes


def _refuse_fractions(table: Table, columns: Columns, words: pl.Series) -> None:
    """Refuse measured values as classes, unless the caller says that they are classes."""
    if columns.task is not None or columns.class_names is not None:
        return
    numbers = words.cast(polars(table.asked).Float64, strict=False)
    fractions = (numbers.is_finite() & (numbers != numbers.round(0))).fill_null(value=False).arg_true()
    if len(fractions):
        row = int(fractions[0])
        raise table.error(
            f"target, column {columns.target!r}, {table.place(row)}",
            f"the number {words[row]}, which has a fraction, where a class is needed",
            "Name a column of labels; if each different number is a class, say so with task='classify' or task='tag'.",
        )


def _groups(table: Table, columns: Columns, rows: Rows) -> list[str] | None:
    """Return the group of each sequence."""
    if columns.group is None:
        return None
    words = table.words(columns.group, option="group")
    change = rows.change(_codes(words, words.unique(maintain_order=True).to_list())[rows.order])
    if change is not None:
        hint = "A sequence belongs to one group: choose another key, or another group."
        raise _changes(table, rows, columns.group, step=change, values=words, hint=hint)
    groups: list[str] = words[rows.order[rows.first].tolist()].to_list()
    return groups


def _static(table: Table, columns: Columns, rows: Rows) -> tuple[Tensor | None, list[str] | None, list[str]]:
    """Return the features of whole sequences `[n, static]`, their names, and notes; a category is one column a value."""
    blocks: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for name in columns.static:
        if name in columns.categorical or table.kind(name, option="static") == "word":
            wanted = columns.static_names
            known = None if wanted is None else [each.removeprefix(f"{name}=") for each in wanted if each.startswith(f"{name}=")]
            names, codes, more = _categories(table, name, known, inferred=False)
            notes += more
            blocks |= {f"{name}={word}": codes == number for number, word in enumerate(names)}
            values: pl.Series | np.ndarray = table.words(name, option="static")
        else:
            values = blocks[name] = table.numbers(name, option="static")
            codes = values
        change = rows.change(np.asarray(codes)[rows.order])
        if change is not None:
            hint = f"What changes from step to step is a feature: leave {name!r} out of static."
            raise _changes(table, rows, name, step=change, values=values, hint=hint)
    if not blocks:
        return None, None, notes
    if columns.static_names is not None and list(columns.static_names) != list(blocks):
        arrived = f"{', '.join(blocks)} instead of {', '.join(columns.static_names)}"
        raise table.error("static", arrived, "Name the static columns of the training file, in the same order.")
    chosen = rows.order[rows.first]
    return torch.from_numpy(np.stack([block[chosen] for block in blocks.values()], axis=1).astype(np.float32)), list(blocks), notes


def _changes(table: Table, rows: Rows, name: str, *, step: int, values: Any, hint: str) -> Exception:
    """Return the error about a value that changes inside a sequence."""
    before, after = int(rows.order[step - 1]), int(rows.order[step])
    key = rows.keys[int(rows.sequence_of[step])]
    arrived = f"it changes inside the sequence: {values[before]} in {table.place(before)}, {values[after]} in {table.place(after)}"
    return table.error(f"column {name!r}, key {key!r}", arrived, hint)


def _codes(words: pl.Series, names: Sequence[str]) -> np.ndarray:
    """Return the place of each word among the names as int64, -1 where it is none of them."""
    if len(set(names)) != len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise OptionError(asked="read(class_names=, categories=)", where="names", arrived=f"{twice!r} twice", hint="Give each name once.")
    pl = polars("read labels")
    code = partial(words.cast, pl.Enum(list(names)), strict=False)
    return np.asarray(code().to_physical().cast(pl.Int64).fill_null(-1).to_numpy(), dtype=np.int64)
