"""Where are the answers good and where bad? The figures of parts of the rows: by length, place in the sequence, group, or any column.

A number is cut at its quartiles, a place at powers of four, so that the first steps, where a state is still cold, stand alone.
Of a column of words each value is a part; of many values the most frequent are, and the rest is one. A part with few independent units is
marked: its interval says how little is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from statewise.errors import OptionError, nearest
from statewise.evaluation._blocks import RowUnits
from statewise.evaluation._headline import headline
from statewise.evaluation._labels import label_text, numbered, step_numbers
from statewise.evaluation._part_records import FEW_UNITS, Slice
from statewise.evaluation._scored import is_scored, select_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statewise.evaluation._predictions import Predictions

MOST_PARTS, MOST_GROUPS = 20, 50
"""Of a column of words no more values are told apart, and no more groups."""
_PLACES = (1, 5, 17, 65, 257, 1025, 4097)
"""Where the parts of places in a sequence begin, counted from 1."""


class _Cut(NamedTuple):
    """How rows fall into parts: the number of each row's part, -1 for none, the names of the parts, and which one holds all the others."""

    by: str
    part: np.ndarray
    names: list[str]
    others: int | None = None


def slices_of(
    predictions: Predictions, units: RowUnits, *, positive: str | None, by: Sequence[str] | None, among: Predictions | None = None
) -> tuple[Slice, ...]:
    """Return the figures of each part, for each way to cut.

    Args:
        predictions: the rows that are scored.
        units: their independent units.
        positive: the class that a binary task looks for.
        by: `"length"`, `"position"`, `"since_reset"`, `"group"`, or columns of the predictions; when absent the first four, as far
            as they can be had and there is more than one part.
        among: the rows with those that are not scored, which count in lengths and places; by default there are none.

    Raises:
        OptionError: no such column.
    """
    usual = dict(_usual(predictions, predictions if among is None else among))
    found = []
    for name in usual if by is None else by:
        cut = usual.get(name) or _by_column(predictions, name, usual)
        if by is not None or len(cut.names) > 1:
            found += [_slice(predictions, units, positive, cut, number) for number in range(len(cut.names))]
    return tuple(each for each in found if each is not None)


def _slice(predictions: Predictions, units: RowUnits, positive: str | None, cut: _Cut, number: int) -> Slice | None:
    rows = cut.part == number
    if not rows.any():
        return None
    chosen = select_rows(predictions, rows)
    here = units._replace(of_unit=np.unique(units.of_unit[rows], return_inverse=True)[1].reshape(-1))
    if cut.by == "group" and number != cut.others:  # what is asked is about this one group: its sequences are the units
        here = RowUnits(numbered(chosen.key)[0], "sequence", "sequences")
    return Slice(
        by=cut.by,
        name=cut.names[number],
        num_scored=int(rows.sum()),
        num_units=here.num_units,
        metrics=headline(chosen, here, positive),
        few=here.num_units < FEW_UNITS,
        others=number == cut.others,
    )


def _usual(predictions: Predictions, whole: Predictions) -> Iterator[tuple[str, _Cut]]:
    """Yield the cuts that need no column of the user's."""
    length, place = _lengths(whole), _positions(whole)
    kept = slice(None) if len(whole) == len(predictions) else is_scored(whole)
    if length is not None:
        yield "length", _by_number("length", length[kept])
    if place is not None:
        yield "position", _by_place("position", place[kept])
    since = _since_reset(predictions)
    if since is not None:
        yield "since_reset", _by_place("since_reset", since)
    if predictions.group is not None:
        yield "group", _by_word("group", predictions.group)


def _lengths(predictions: Predictions) -> np.ndarray | None:
    """Return the number of steps of the sequence of each row: as told, or where a row is a step, counted."""
    if predictions.length is not None:
        return np.asarray(predictions.length)
    if predictions.step is None:
        return None
    of_key, of_step = predictions.key_numbers, step_numbers(predictions.step)
    different = np.unique(of_key * (of_step.max() + 1) + of_step)
    counted: np.ndarray = np.bincount(different // (of_step.max() + 1))[of_key]
    return counted


def _positions(predictions: Predictions) -> np.ndarray | None:
    """Return which step of its sequence each row is, from 1."""
    step = predictions.step
    if step is None or step.dtype.kind not in "iu":
        return None
    of_key, keys = numbered(predictions.key)
    first = np.full(len(keys), step.max())
    np.minimum.at(first, of_key, step)
    return np.asarray(step - first[of_key] + 1)


def _since_reset(predictions: Predictions) -> np.ndarray | None:
    """Return how many steps the state has seen since it began, from 1, NaN where that is not known: as `history` or `since_reset` tells."""
    column = _as_numbers(predictions.more["since_reset"]) if "since_reset" in predictions.more else predictions.history
    if column is None:
        return None
    since = np.where(np.asarray(column, dtype=np.float64) >= 0, column, np.nan) + 1
    return since if np.isfinite(since).any() else None


def _by_place(by: str, place: np.ndarray) -> _Cut:
    """Cut places at powers of four: 1 to 4, 5 to 16, and so on. What is not known is in no part."""
    known = np.isfinite(place)
    last = float(place[known].max())
    begins = [begin for begin in _PLACES if begin <= last]
    ends = [*(begin - 1 for begin in begins[1:]), last]
    names = [f"{begin:,} to {end:,.0f}" for begin, end in zip(begins, ends, strict=True)]
    return _Cut(by, np.where(known, np.searchsorted(begins, place, side="right") - 1, -1), names)


def _by_number(by: str, column: np.ndarray) -> _Cut:
    """Cut numbers at their quartiles; few different ones are a part each. What is not known is in no part."""
    known = np.isfinite(column)
    different = np.unique(column[known])
    if len(different) <= 4:
        names = [f"{value:g}" for value in different.tolist()]
        return _Cut(by, np.where(known, np.searchsorted(different, column), -1), names)
    edges = np.unique(np.quantile(column[known], (0.25, 0.5, 0.75), method="inverted_cdf"))
    part = np.where(known, np.searchsorted(edges, column, side="left"), -1)
    spans = [(column[part == number].min(), column[part == number].max()) for number in range(len(edges) + 1) if (part == number).any()]
    names = [f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in spans]
    return _Cut(by, np.unique(part, return_inverse=True)[1].reshape(-1) - int((part < 0).any()), names)


def _by_word(by: str, column: np.ndarray) -> _Cut:
    """Make a part of each value, of many of the most frequent."""
    codes, values = numbered(column)
    names = [label_text(value) or "no value" for value in values]
    counts = np.bincount(codes, minlength=len(names))
    most = MOST_GROUPS if by == "group" else MOST_PARTS
    if len(names) <= most:
        return _Cut(by, codes, names)
    kept = np.sort(np.argsort(-counts, kind="stable")[: most - 1])
    renumbered = np.full(len(names), len(kept))
    renumbered[kept] = np.arange(len(kept))
    return _Cut(by, renumbered[codes], [*(names[place] for place in kept.tolist()), f"{len(names) - len(kept):,} others"], len(kept))


def _by_column(predictions: Predictions, name: str, usual: dict[str, _Cut]) -> _Cut:
    """Cut by a column of the user's.

    Raises:
        OptionError: there is none of this name.
    """
    columns = dict(predictions.more) | {each: getattr(predictions, each) for each in ("split", "amount", "weight", "ahead", "score")}
    there = {each: column for each, column in columns.items() if column is not None}
    if name not in there:
        hint = nearest(name, [*usual, *there]) if usual or there else "The predictions have no further columns."
        raise OptionError(asked="evaluate", where="by", arrived=f"{name!r}, which is no column of {predictions.source}", hint=hint)
    column = np.asarray(there[name])
    numbers = _as_numbers(column)
    return _by_word(name, column) if numbers is None else _by_number(name, numbers)


def _as_numbers(column: np.ndarray) -> np.ndarray | None:
    """Return a column as numbers, NaN for what is missing; None where it holds words."""
    if column.dtype.kind in "iuf":
        return column.astype(np.float64)
    if column.dtype != object:
        return None
    try:
        return np.array([np.nan if value in (None, "") else value for value in column.tolist()], dtype=np.float64)
    except (TypeError, ValueError):
        return None
