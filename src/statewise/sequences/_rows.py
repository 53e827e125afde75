"""Which rows form which sequence, in which order, and what is one value a sequence among them?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.errors import OptionError
from statewise.sequences._table import Table, polars

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from statewise.sequences._options import Options

_LONG = 10_000
"""A sequence with more steps is long, where it is also far above the median."""
_FAR = 50


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

    def change(self, values: np.ndarray, among: np.ndarray | None = None) -> tuple[int, int] | None:
        """Return the first two neighbouring steps of one sequence whose values differ.

        Args:
            values: `[steps]` or `[steps, column]`, in the order of the sequences.
            among: true for the steps to compare; the others are passed over.
        """
        steps = np.arange(len(values)) if among is None else np.flatnonzero(among)
        chosen, owner = values[steps], self.sequence_of[steps]
        differs = chosen[1:] != chosen[:-1]
        differs = differs.any(axis=1) if differs.ndim > 1 else differs
        found = np.flatnonzero(differs & (owner[1:] == owner[:-1]))
        return (int(steps[found[0]]), int(steps[found[0] + 1])) if len(found) else None

    def first(self, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sequences that have a step among those that are true, and the first such step of each."""
        steps = np.flatnonzero(among)
        owners, places = np.unique(self.sequence_of[steps], return_index=True)
        return owners, steps[places]


def rows_of_table(table: Table, options: Options, single: str) -> tuple[Rows, np.ndarray | None, bool, list[str]]:
    """Return which rows form which sequence and in which order, the time of each step, whether times are dates, and notes.

    Args:
        table: the rows.
        options: `key`, `time` and `ties` matter.
        single: the key of the only sequence, where the options name no key.

    Raises:
        DataError: a key that is a measured number, or twice where a row is a sequence; two steps of one time.
    """
    keys, sequence_of = _sequences(table, options, single)
    lengths = table.lengths if table.lengths is not None else np.bincount(sequence_of, minlength=len(keys))
    seconds, dates = (None, False) if options.time is None else table.seconds(options.time)
    order, notes = np.argsort(sequence_of, kind="stable"), []
    if seconds is not None:
        in_file_order = order
        order = np.lexsort((seconds, sequence_of))
        moved = len(np.unique(sequence_of[order[order != in_file_order]]))
        if moved:
            notes.append(f"the rows of {moved} of {len(keys)} sequences were not in the order of {options.time!r} and were sorted by it")
        notes += _ties(table, options, order, sequence_of, seconds)
    rows = Rows(order=order, sequence_of=sequence_of[order], lengths=lengths, keys=keys)
    notes += _odd_lengths(lengths)
    if seconds is not None and options.task == "forecast":
        notes += _holes(options, rows, seconds[order])
    return rows, None if seconds is None else seconds[order], dates, notes


def _sequences(table: Table, options: Options, single: str) -> tuple[list[str], np.ndarray]:
    """Return the keys in the order of first appearance, and the sequence of each row."""
    if table.heads is not None and table.lengths is not None:
        return _keys_of_heads(table.heads, options), np.repeat(np.arange(len(table.lengths)), table.lengths)
    if options.key is None:
        return [single], np.zeros(len(table), dtype=np.int64)
    words = table.words(options.key, option="key")
    _refuse_fractions(table, options.key, words)
    keys: list[str] = words.unique(maintain_order=True).to_list()
    return keys, codes_of(words, keys)


def _keys_of_heads(heads: Table, options: Options) -> list[str]:
    """Return the key of each row of a table that holds a sequence a row: what is named, else its number."""
    if options.key is None:
        return [str(number) for number in range(1, len(heads) + 1)]
    words = heads.words(options.key, option="key")
    _refuse_fractions(heads, options.key, words)
    again = (~words.is_first_distinct()).arg_true()
    if len(again):
        row = int(again[0])
        hint = "A row is a whole sequence here, so each needs a key of its own."
        raise heads.error(f"key, column {options.key!r}, {heads.place(row)}", f"the key {words[row]!r} a second time", hint)
    keys: list[str] = words.to_list()
    return keys


def _refuse_fractions(table: Table, name: str, words: pl.Series) -> None:
    """Refuse a column of measured numbers as key: nearly every row would be a sequence of its own."""
    numbers = words.cast(polars(table.asked).Float64, strict=False)
    if int(numbers.is_null().sum()):
        return
    fractions = (~(numbers == numbers.round(0))).arg_true()
    if len(fractions):
        row = int(fractions[0])
        arrived = f"the number {words[row]}, which has a fraction, where the name of a sequence is needed"
        hint = "Name the column that says which sequence a row belongs to; names that look like numbers need a letter, such as 's1.5'."
        raise table.error(f"key, column {name!r}, {table.place(row)}", arrived, hint)


def _ties(table: Table, options: Options, order: np.ndarray, sequence_of: np.ndarray, seconds: np.ndarray) -> list[str]:
    """Refuse two steps of a sequence at the same time, or note them."""
    same = np.flatnonzero((np.diff(seconds[order]) == 0) & (np.diff(sequence_of[order]) == 0))
    if not len(same):
        return []
    if options.ties == "keep":
        told = "rows have the same" if len(same) > 1 else "row has the same"
        return [f"{len(same)} {told} {options.time!r} as the row before in their sequence; these kept the file's order"]
    before, after = (int(order[same[0] + offset]) for offset in (0, 1))
    raise table.error(
        f"time, column {options.time!r}, {table.place(after)}",
        f"the same time as {table.place(before)} in the same sequence ({len(same)} such rows)",
        "Drop repeated rows, choose a key that tells them apart, or keep the file's order with ties='keep' (--ties keep).",
    )


def _holes(options: Options, rows: Rows, seconds: np.ndarray) -> list[str]:
    """Return a note on steps of a forecast that come late by the clock, and begin no new sequence."""
    gaps = np.diff(seconds)[np.diff(rows.sequence_of) == 0]
    usual = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    late = gaps > 1.5 * usual
    if options.max_gap is not None:
        late &= gaps <= float(options.max_gap)
    if not late.any():
        return []
    told = f"{int(late.sum()):,} of {len(gaps):,} steps come more than 1.5 usual steps ({usual:g}) after the one before"
    return [f"{told}: 'ahead' counts rows; cut there with max_gap= (--max-gap)"]


def _odd_lengths(lengths: np.ndarray) -> list[str]:
    """Return notes on sequences without steps, and on one far longer than the others."""
    notes, empty = [], int((lengths == 0).sum())
    if empty:
        notes.append(f"{empty} of {len(lengths)} sequences have no steps: no loss and no prediction comes of them")
    median = float(np.median(lengths)) if len(lengths) else 0.0
    if len(lengths) > 1 and lengths.max() > _LONG and lengths.max() > _FAR * median:
        told = f"the longest sequence has {lengths.max():,} steps, the median {median:,g}"
        notes.append(f"{told}; max_steps=N (--max-steps) cuts long ones into pieces of N steps")
    return notes


def located(table: Table, rows: Rows, names: Sequence[str]) -> tuple[Table, Rows]:
    """Return where columns that belong to sequences stand: in the heads, a row a sequence, or among the steps."""
    heads = table.heads
    if heads is None or not all(name in heads.names for name in names):
        return table, rows
    each = np.arange(len(heads))
    return heads, Rows(order=each, sequence_of=each, lengths=np.ones_like(each), keys=rows.keys)


def one_a_sequence(table: Table, rows: Rows, name: str, values: Any, *, codes: np.ndarray, hint: str) -> np.ndarray:
    """Return the row of the table that speaks for each sequence, in a column that may not change inside one.

    Args:
        table: the rows.
        rows: which rows form which sequence.
        name: the column.
        values: the column as it is told in the message.
        codes: the column as numbers, one a row of the table.
        hint: what to try where it changes.

    Raises:
        DataError: it changes inside a sequence, or a sequence has no step to read it from.
    """
    change = rows.change(codes[rows.order])
    if change is not None:
        raise changes(table, rows, name, steps=change, values=values, hint=hint)
    owners, steps = rows.first(np.ones(len(rows.order), dtype=bool))
    if len(owners) < len(rows.keys):
        absent = np.setdiff1d(np.arange(len(rows.keys)), owners)
        arrived = "the sequence has no step to read it from"
        raise table.error(
            f"column {name!r}, key {rows.keys[int(absent[0])]!r}", arrived, "Give one value a sequence instead of one a step."
        )
    return np.asarray(rows.order[steps])


def changes(table: Table, rows: Rows, name: str, *, steps: tuple[int, int], values: Any, hint: str) -> Exception:
    """Return the error about a value that changes inside a sequence."""
    before, after = (int(rows.order[step]) for step in steps)
    key = rows.keys[int(rows.sequence_of[steps[1]])]
    arrived = f"it changes inside the sequence: {values[before]} in {table.place(before)}, {values[after]} in {table.place(after)}"
    return table.error(f"column {name!r}, key {key!r}", arrived, hint)


def codes_of(words: pl.Series, names: Sequence[str]) -> np.ndarray:
    """Return the place of each word among the names as int64, -1 where it is none of them or missing."""
    if len(set(names)) != len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise OptionError(asked="read(class_names=, categories=)", where="names", arrived=f"{twice!r} twice", hint="Give each name once.")
    pl = polars("read labels")
    code = partial(words.cast, pl.Enum(list(names)), strict=False)
    return np.asarray(code().to_physical().cast(pl.Int64).fill_null(-1).to_numpy(), dtype=np.int64)
