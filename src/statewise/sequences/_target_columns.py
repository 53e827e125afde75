"""What should a model say, for a sequence or for a step, and how much does each answer count?

The targets of rows: classes, numbers, or several labels; what the kinds are in memory is `_targets`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from statewise.errors import nearest
from statewise.sequences._labels import in_natural_order
from statewise.sequences._rows import Rows, changes, codes_of, located, one_a_sequence
from statewise.sequences._table import Table, polars, rounding_of
from statewise.sequences._targets import UNKNOWN
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from statewise.sequences._options import Options
    from statewise.types import Each

_YES = ("1", "1.0", "true")
_NO = ("0", "0.0", "false")


class Targets(NamedTuple):
    """The targets of all sequences; without any, only the class names that were given."""

    values: Tensor | None = None
    each: Each | None = None
    class_names: Sequence[str] | None = None
    weights: Tensor | None = None
    notes: tuple[str, ...] = ()


class _Column(NamedTuple):
    """Targets, a row of the table each: `[rows]` or `[rows, labels]`; where they are given; and how they are told."""

    values: np.ndarray
    there: np.ndarray
    told: Any
    class_names: Sequence[str] | None = None
    notes: tuple[str, ...] = ()


def targets_of(table: Table, options: Options, rows: Rows) -> Targets:
    """Return the targets of the rows, whether there is one a sequence or one a step, and their weights.

    Raises:
        DataError: a target that cannot be one of its kind, that is missing, or that changes where there is one a sequence.
    """
    if not options.target:
        return Targets(class_names=options.class_names)
    stated = options.each or _each_of(options)
    there, local = (table, rows) if stated == "step" else located(table, rows, options.target)
    column = _READERS[_holds(options)](there, options)
    if not column.there.any() and _holds(options) == "classes" and options.class_names is None:
        hint = "Name another target column, or none to predict."
        raise table.error(f"target, column {options.target[0]!r}", "no value in any row", hint)
    values, given = column.values[local.order], column.there[local.order]
    agrees = local.change(values, among=given)
    if stated == "sequence" and agrees is not None:
        raise changes(there, local, options.target[0], steps=agrees, values=column.told, hint=_hint_of_change(options))
    inferred: Each = "step" if agrees is not None or local.change(given) is not None else "sequence"
    if there is table and table.heads is not None:
        inferred = "step"
    each = stated or inferred
    notes = [*column.notes, *([] if stated else [_told_each(options, each, differs=agrees is not None, of_heads=there is not table)])]
    if each == "sequence":
        owners, steps = local.first(given)
        picked = np.zeros((len(local.keys), *values.shape[1:]), dtype=values.dtype)
        picked[owners] = values[steps]
        labelled = np.zeros(len(local.keys), dtype=bool)
        labelled[owners] = True
        values, given = picked, labelled
    weights = _weights(table, options, rows, each)
    if not given.all():
        unit = "sequences" if each == "sequence" else "steps"
        notes.append(f"{int((~given).sum())} of {len(given)} {unit} have no usable target: they are fed to a model, and not scored")
        weights = given.astype(np.float32) if weights is None else weights * given
    return Targets(
        values=torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32 if values.dtype == np.float64 else None)),
        each=each,
        class_names=column.class_names,
        weights=None if weights is None else torch.from_numpy(weights.astype(np.float32)),
        notes=tuple(notes),
    )


def baselines_of(table: Table, options: Options, rows: Rows, each: Each | None) -> dict[str, Tensor]:
    """Return what naive methods answer, a number a target, NaN where one has no answer.

    Raises:
        DataError: a column is absent, holds words, or changes inside a sequence that has one target.
    """
    found = {}
    for name in options.baselines:
        there, local = (table, rows) if each == "step" else located(table, rows, [name])
        if there.kind(name, option="baselines", may_miss=True) == "word":
            raise there.error(f"baselines, column {name!r}", "words", "A baseline holds numbers, as the target does.")
        answers = there.numbers(name, option="baselines", may_miss=True)
        if each == "step":
            order = local.order
        else:
            hint = "With one target a sequence a baseline has one answer a sequence."
            codes = np.nan_to_num(answers, nan=np.inf)  # no number is equal to NaN, not even NaN
            order = one_a_sequence(there, local, name, answers, codes=codes, hint=hint)
        found[name] = torch.from_numpy(answers[order].astype(np.float32))
    return found


def _each_of(options: Options) -> Each | None:
    """Return what a task has targets for, where it leaves no choice."""
    if options.task not in TASKS:
        return None
    each = TASKS[options.task].each
    return each[0] if len(each) == 1 else None


def _holds(options: Options) -> str:
    return TASKS[options.task].holds if options.task in TASKS else "classes"


def _hint_of_change(options: Options) -> str:
    if options.each == "sequence":
        return "Say each='step' (--each step) where every step has a target of its own."
    return "One label a step is the task 'tag': say task='tag' (--task tag)."


def _told_each(options: Options, each: Each, *, differs: bool, of_heads: bool) -> str:
    if of_heads:
        why = "it is given for whole sequences"
    elif each == "sequence":
        why = "it is the same in every step of each sequence"
    else:
        why = "it changes inside a sequence" if differs else "it is not given for whole sequences"
    told = repr(options.target[0]) if len(options.target) == 1 else f"{len(options.target)} columns"
    return f"one target a {each} was read from {told}: {why}"


def _classes(table: Table, options: Options) -> _Column:
    """Return class numbers; a token that is not known has no target, another label that is not known is refused."""
    name = options.target[0]
    words = table.words(name, option="target", may_miss=options.unlabelled == "skip")
    _refuse_fractions(table, options, words)
    names = options.class_names or in_natural_order(words.drop_nulls().unique().to_list())
    given = words.is_not_null().to_numpy()
    if options.task == "next":
        names = names if options.class_names is not None else (*names, UNKNOWN)
        codes, there, notes = tokens_as_classes(codes_of(words, [each for each in names if each != UNKNOWN]), names, given)
        return _Column(codes, there, words, names, tuple(notes))
    codes = codes_of(words, names)
    unseen = np.flatnonzero((codes < 0) & given)
    if len(unseen):
        label = words[int(unseen[0])]
        place = f"column {name!r}, {table.place(int(unseen[0]))}"
        raise table.error(place, f"the label {label!r}, which is none of the classes", nearest(label, names))
    return _Column(np.maximum(codes, 0), given, words, names)


def tokens_as_classes(codes: np.ndarray, names: Sequence[str], given: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the class of each token, where there is one, and a note on those that are not known.

    Args:
        codes: the place of each token among the names without `UNKNOWN`, -1 where it is none of them.
        names: the classes; a token that is not known is of the class `UNKNOWN`, and of none where that is not among them.
        given: where there is a token at all.
    """
    given = np.ones(len(codes), dtype=bool) if given is None else given
    unknown = (codes < 0) & given
    place = {name: number for number, name in enumerate(names)}
    classes = np.array([number for number, name in enumerate(names) if name != UNKNOWN] + [place.get(UNKNOWN, 0)], dtype=np.int64)
    told = "are read as unknown" if UNKNOWN in place else "are not scored"
    notes = [f"{int(unknown.sum())} of {len(codes)} tokens are not known and {told}"] if unknown.any() else []
    return classes[codes], given & ~(unknown if UNKNOWN not in place else False), notes


def _refuse_fractions(table: Table, options: Options, words: pl.Series) -> None:
    """Refuse measured values as classes, unless the caller says that they are classes."""
    if options.task is not None or options.class_names is not None:
        return
    numbers = words.cast(polars(table.asked).Float64, strict=False)
    fractions = (numbers.is_finite() & (numbers != numbers.round(0))).fill_null(value=False).arg_true()
    if len(fractions):
        row = int(fractions[0])
        raise table.error(
            f"target, column {options.target[0]!r}, {table.place(row)}",
            f"the number {words[row]}, which has a fraction, where a class is needed",
            "To predict a number say task='regress' (--task regress) or task='forecast'; to predict a class name a column of labels, "
            "and if each different number is a class, say task='classify' or task='tag'.",
        )


def _values(table: Table, options: Options) -> _Column:
    """Return numbers."""
    name, may_miss = options.target[0], options.unlabelled == "skip"
    if table.kind(name, option="target", may_miss=may_miss) == "word":
        hint = "Name a column of numbers; words are classes, of the tasks 'classify' and 'tag'."
        raise table.error(f"target, column {name!r}", f"words, where the task {options.task!r} needs numbers", hint)
    values = table.numbers(name, option="target", may_miss=may_miss)
    lost = rounding_of(values)
    if lost is not None:
        raise table.error(f"target, column {name!r}", *lost)
    return _Column(values, ~np.isnan(values), table.frame[name])


def _labels(table: Table, options: Options) -> _Column:
    """Return several labels at once, a column each; a row in which one is missing has no target."""
    names = options.target if options.class_names is None else options.class_names
    if set(names) != set(options.target):
        arrived = f"{', '.join(options.target)} instead of {', '.join(names)}"
        raise table.error("target", arrived, "Name the label columns of the training file.")
    columns, there = [], np.ones(len(table), dtype=bool)
    for name in names:
        words = table.words(name, option="target", may_miss=options.unlabelled == "skip").str.to_lowercase()
        yes, no = (words.is_in(list(each)).fill_null(value=False).to_numpy() for each in (_YES, _NO))
        given = words.is_not_null().to_numpy()
        odd = np.flatnonzero(given & ~yes & ~no)
        if len(odd):
            row = int(odd[0])
            hint = "Write 0 and 1, or true and false, in each column of a label."
            raise table.error(f"target, column {name!r}, {table.place(row)}", f"the value {words[row]!r}", hint)
        columns.append(yes)
        there &= given
    return _Column(np.stack(columns, axis=1) & there[:, None], there, _Told(table.frame, names), names)


class _Told:
    """The labels of a row as they are told in a message."""

    def __init__(self, frame: pl.DataFrame, names: Sequence[str]) -> None:
        self.frame, self.names = frame, names

    def __getitem__(self, row: int) -> str:
        """Return the labels of one row."""
        return ", ".join(f"{name}={self.frame[name][row]}" for name in self.names)


_READERS: dict[str, Callable[[Table, Options], _Column]] = {"classes": _classes, "values": _values, "labels": _labels}


def _weights(table: Table, options: Options, rows: Rows, each: Each) -> np.ndarray | None:
    """Return how much each target counts."""
    if options.weight is None:
        return None
    there, local = (table, rows) if each == "step" else located(table, rows, [options.weight])
    weights = there.numbers(options.weight, option="weight")
    bad = np.flatnonzero(weights < 0)
    if len(bad):
        arrived = f"{len(bad)} of {len(weights)} weights below 0, the first is {weights[bad[0]]:g}"
        hint = "A weight is 0 (fed to a model, not scored) or more."
        raise there.error(f"weight, column {options.weight!r}, {there.place(int(bad[0]))}", arrived, hint)
    if each == "step":
        return np.asarray(weights[local.order])
    hint = "With one target a sequence there is one weight a sequence."
    return np.asarray(weights[one_a_sequence(there, local, options.weight, weights, codes=weights, hint=hint)])
