"""Which rows did two models both answer? Matched by key, step and horizon, whatever their order; their targets must be the same.

Rows that only one has are counted and left out. Classes are matched by name, so that their order may differ too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from statewise.errors import DataError
from statewise.evaluation._labels import first_repeat, label_text, numbered, truth_as_numbers
from statewise.evaluation._scored import scored_rows, select_rows

if TYPE_CHECKING:
    from statewise.evaluation._predictions import Predictions

ASKED = "compare"
_LEAST = 0.5
"""Of the rows of the smaller side, the share that the other must have too."""

_CLOSE = 1e-6
"""By how much of themselves two targets may differ: a file may hold fewer digits than another."""


class Matched(NamedTuple):
    """The rows that both sides have, in the order of the first; row by row the same sequence, step, group and target.

    Attributes:
        a: those of the first side.
        b: those of the second.
        only_a: how many scored rows the first alone has.
        only_b: how many the second alone has.
        notes: what should be known about them.
    """

    a: Predictions
    b: Predictions
    only_a: int
    only_b: int
    notes: tuple[str, ...]


def match_rows(a: Predictions, b: Predictions) -> Matched:
    """Return the rows that two sets of predictions share.

    Args:
        a: one side; its groups are used, or where it has none those of the other.
        b: the other.

    Raises:
        DataError: other tasks, too few rows in common, a row twice, or targets, groups or labels that disagree.

    Example:
        >>> from statewise.evaluation import Predictions
        >>> a = Predictions.from_columns({"key": ["x", "y", "z"], "target": [0, 1, 1], "prediction": [0, 0, 1]})
        >>> b = Predictions.from_columns({"key": ["z", "x"], "target": [1, 0], "prediction": [1, 1]})
        >>> found = match_rows(a, b)
        >>> found.a.key.tolist(), found.b.prediction.tolist(), found.only_a
        (['x', 'z'], ['1', '1'], 1)
    """
    if a.task != b.task:
        hint = "Compare answers to one question; what a file answers can be told with task= (--task)."
        raise error("the tasks", f"{a.task!r} in A ({a.source}), {b.task!r} in B ({b.source})", hint)
    (a, of_a), (b, of_b) = scored_rows(a), scored_rows(b)
    notes = _joint_notes((*a.notes, *of_a), (*b.notes, *of_b))
    codes = _codes(a, b)
    for name, each, code in (("A", a, codes[0]), ("B", b, codes[1])):
        _refuse_repeats(name, each, code)
    _, rows_a, rows_b = np.intersect1d(*codes, assume_unique=True, return_indices=True)
    _refuse_few(a, b, len(rows_a))
    order = np.argsort(rows_a, kind="stable")
    only_a, only_b = len(a) - len(rows_a), len(b) - len(rows_b)
    a, b = _same_classes(select_rows(a, rows_a[order]), select_rows(b, rows_b[order]))
    _refuse_other_targets(a, b)
    _refuse_other_groups(a, b)
    group = b.group if a.group is None else a.group
    if only_a or only_b:
        told = ", ".join(f"{count:,} of {name}" for name, count in (("A", only_a), ("B", only_b)) if count)
        notes = (*notes, f"rows that only one of them has are left out: {told}")
    return Matched(replace(a, group=group), replace(b, group=group), only_a, only_b, notes)


def error(where: str, arrived: str, hint: str) -> DataError:
    """Return the error of a comparison in four facts."""
    return DataError(asked=ASKED, where=where, arrived=arrived, hint=hint)


def _joint_notes(of_a: tuple[str, ...], of_b: tuple[str, ...]) -> tuple[str, ...]:
    """Return the notes of both sides, each with the side that it is of."""
    both = [f"A and B: {note}" for note in of_a if note in of_b]
    alone = [f"A: {note}" for note in of_a if note not in of_b] + [f"B: {note}" for note in of_b if note not in of_a]
    return tuple(dict.fromkeys([*both, *alone]))


def _codes(a: Predictions, b: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return a number for each row of both sides that is the same where key, step and horizon are."""
    codes = numbered(np.concatenate([a.key, b.key]))[0]
    for name in ("step", "ahead"):
        columns = [getattr(each, name) for each in (a, b)]
        if (columns[0] is None) != (columns[1] is None):
            lacking, source = ("A", a.source) if columns[0] is None else ("B", b.source)
            hint = "Both need it, so that it is known which rows belong together."
            raise error(f"column {name!r} of {lacking} ({source})", "no such column, though the other side has one", hint)
        if columns[0] is not None:
            of_rows, different = numbered(_joined(*columns))
            codes = np.unique(codes * len(different) + of_rows, return_inverse=True)[1].reshape(-1)
    return codes[: len(a)], codes[len(a) :]


def _joined(of_a: np.ndarray, of_b: np.ndarray) -> np.ndarray:
    """Return two columns one after the other; as text where only one of them holds numbers."""
    if (of_a.dtype == object) == (of_b.dtype == object):
        return np.concatenate([of_a, of_b])
    found = np.empty(len(of_a) + len(of_b), dtype=object)
    found[:] = list(map(label_text, [*of_a.tolist(), *of_b.tolist()]))
    return found


def _refuse_repeats(name: str, predictions: Predictions, codes: np.ndarray) -> None:
    repeat = first_repeat(codes)
    if repeat is None:
        return
    row, number = repeat
    hint = "Give one row a sequence, or with a column 'step' one a step, so that it is known which rows belong together."
    arrived = f"{_place(predictions, row)} again ({number} such rows)"
    raise error(f"the rows of {name} ({predictions.source})", arrived, hint)


def _refuse_few(a: Predictions, b: Predictions, num_shared: int) -> None:
    if num_shared and num_shared >= _LEAST * min(len(a), len(b)):
        return
    examples = "; ".join(f"{name} ({each.source}) has {_place(each, 0)}" for name, each in (("A", a), ("B", b)))
    arrived = f"{num_shared:,} of {len(a):,} in A and {len(b):,} in B; {examples}"
    hint = "Score both on the same sequences under the same keys (and steps); at least half of the rows of the smaller must be in both."
    raise error("the rows that both answered", arrived, hint)


def _place(predictions: Predictions, row: int) -> str:
    """Return which row it is, in words."""
    told = [f"key {str(predictions.key[row])!r}"]
    told += [f"{name} {getattr(predictions, name)[row]}" for name in ("step", "ahead") if getattr(predictions, name) is not None]
    return ", ".join(told)


def _same_classes(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
    """Return both with the same class names in the same order."""
    if a.holds == "values":
        return a, b
    renamed = truth_as_numbers([*map(label_text, a.class_names), *map(label_text, b.class_names)])
    finals = [[renamed.get(text, text) for text in (label_text(name) or name for name in each.class_names)] for each in (a, b)]
    if any(len(set(final)) < len(final) for final in finals):
        finals = [list(each.class_names) for each in (a, b)]
    if a.holds == "labels":
        return a, _labels_in_order(b, finals[1], tuple(finals[0]))
    names = tuple(dict.fromkeys([*finals[0], *finals[1]]))
    return _renumbered(a, finals[0], names), _renumbered(b, finals[1], names)


def _labels_in_order(predictions: Predictions, given: list[str], wanted: tuple[str, ...]) -> Predictions:
    """Return predictions of several labels with these in another order."""
    if set(given) != set(wanted):
        odd = sorted(set(given) ^ set(wanted))
        hint = "Both must have answered the same labels."
        raise error("the labels of A and B", f"{', '.join(map(repr, odd[:5]))} in only one of them", hint)
    place = [given.index(name) for name in wanted]
    columns = {name: getattr(predictions, name) for name in ("predicted", "actual", "probabilities")}
    moved: dict[str, Any] = {name: None if column is None else column[:, place] for name, column in columns.items()}
    return replace(predictions, class_names=wanted, **moved)


def _renumbered(predictions: Predictions, given: list[str], names: tuple[str, ...]) -> Predictions:
    """Return predictions of one class a row with other numbers for the classes; one that was unknown has the probability 0."""
    number = {name: place for place, name in enumerate(names)}
    place = np.array([number[name] for name in given], dtype=np.int64)
    probabilities = predictions.probabilities
    if probabilities is not None:
        wide = np.zeros((len(predictions), len(names)))
        wide[:, place] = probabilities
        probabilities = wide
    called = dict(zip(predictions.class_names, given, strict=True))
    return replace(
        predictions,
        class_names=names,
        predicted=place[predictions.predicted],
        actual=None if predictions.actual is None else place[predictions.actual],
        probabilities=probabilities,
        score_class=None if predictions.score_class is None else called[predictions.score_class],
        positive=None if predictions.positive is None else called.get(predictions.positive, predictions.positive),
    )


def _refuse_other_targets(a: Predictions, b: Predictions) -> None:
    assert a.actual is not None, "only rows with targets are scored"
    assert b.actual is not None, "only rows with targets are scored"
    apart = ~np.isclose(a.actual, b.actual, rtol=_CLOSE, atol=0.0) if a.holds == "values" else a.actual != b.actual
    rows = np.flatnonzero(apart.any(axis=1) if apart.ndim == 2 else apart)
    if not len(rows):
        return
    row = int(rows[0])
    targets = [str(each.target[row]) for each in (a, b) if each.target is not None]
    raise error(
        f"the targets of {_place(a, row)}",
        f"{targets[0]} in A ({a.source}), {targets[1]} in B ({b.source}); {len(rows):,} of {len(a):,} shared rows disagree",
        "Compare two models on the same truth: mend the file whose targets are wrong, or give its rows other keys.",
    )


def _refuse_other_groups(a: Predictions, b: Predictions) -> None:
    if a.group is None or b.group is None:
        return
    rows = np.flatnonzero(numbered(a.group)[0] != numbered(b.group)[0])
    if len(rows):
        row = int(rows[0])
        arrived = f"group {a.group[row]!r} in A, {b.group[row]!r} in B, which are not the same sequences"
        raise error(f"the groups of {_place(a, row)}", arrived, "Group both in the same way, or leave the column out of one of them.")
