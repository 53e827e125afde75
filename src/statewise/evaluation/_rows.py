"""Which rows belong together? The task that a table's columns speak of, and the sequence and step of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from statewise.evaluation._labels import first_repeat, label_text, numbered
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from statewise.evaluation._columns import Columns
    from statewise.types import KnownTask


class Rows(NamedTuple):
    """What the rows of a table are.

    Attributes:
        task: what was predicted.
        key: the sequence of each row.
        step: the step of each row, where there are steps.
        notes: what was assumed.
    """

    task: KnownTask
    key: np.ndarray
    step: np.ndarray | None
    notes: list[str]


def rows_of(table: Columns, task: KnownTask | None) -> Rows:
    """Return the task and the sequences of a table; the task is read off the columns where it is not told.

    Raises:
        DataError: rows say the same twice, or a forecast does not say when it was made.
    """
    guess, notes = (task, []) if task is not None else _task_of(table)
    order = next((name for name in ("step", "time") if name in table), None)
    if guess == "forecast" and (order is None or "ahead" not in table):
        table.column("ahead", hint="How many steps later each value is, from 1. ")
        table.column("step", hint="The step at which each forecast was made. ")
    key, told = _keys(table, guess, order)
    each_step = _is_each_step(table, guess, key, order)
    found: KnownTask = guess or ("tag" if each_step else "classify")
    step = table.numbers_if_all("step") if "step" in table else None
    if ("key" in table or each_step) and not (each_step and order is None):
        _refuse_repeats(table, key, order if each_step else None)
    if each_step and order is not None:
        values = table.numbers_if_all(order)
        table.refuse_missing(order, np.array([value is None or value != value for value in values.tolist()], dtype=bool))  # noqa: PLR0124
        if values.dtype.kind == "f" and np.isinf(values).any():
            row = int(np.isinf(values).argmax())
            hint = "Give the place or the time of each step."
            raise table.error(f"column {order!r}, {table.place(row)}", f"{values[row]}, which is no place among steps", hint)
        if step is None or step.dtype.kind not in ("if" if found == "tag" else "i"):
            step = _ranks(key, values)
            told = [*told, f"the steps of a sequence are numbered in the order of column {order!r}"]
    return Rows(found, key, step, [*notes, *told])


def _task_of(table: Columns) -> tuple[KnownTask | None, list[str]]:
    """Return the task that the columns speak of, None for classes, and what was assumed."""
    by_column: dict[str, KnownTask] = {"ahead": "forecast", "nll": "next"}
    told = next((task for name, task in by_column.items() if name in table), None)
    if told is None and "target" not in table and any(name.startswith("target_") for name in table.values):
        told = "multilabel"
    if told is not None or "target" not in table or "score" in table or "prediction" not in table:
        return told, []
    has_probabilities = any(name.startswith("p_") for name in table.values)
    where = next((name for name in ("target", "prediction") if table.has_fractions(name)), None)
    # A million different values are read as labels only where it matters that they are none.
    labels = {label_text(value) for value in numbered(table.values["target"])[1]} if has_probabilities or where == "prediction" else set()
    if any(f"p_{label}" in table for label in labels):
        return None, []
    if where is None or (where == "prediction" and (labels <= {"0", "1", None} or not all(map(_is_number, labels)))):
        return None, []
    return "regress", [f"column {where!r} holds fractions: they are values to regress (task='classify' would read labels)"]


def _keys(table: Columns, task: KnownTask | None, order: str | None) -> tuple[np.ndarray, list[str]]:
    """Return the sequence of each row, and what was assumed."""
    if "key" in table:
        return table.words("key"), []
    if (task is not None and TASKS[task].each == ("step",)) or (task != "classify" and order == "step"):
        return np.full(len(table), "0", dtype=object), ["no column 'key': all rows are taken as the steps of one sequence"]
    rows = np.array([str(row) for row in range(1, len(table) + 1)], dtype=object)
    return rows, ["no column 'key': each row is taken as a sequence of its own, independent of the others"]


def _is_each_step(table: Columns, task: KnownTask | None, key: np.ndarray, order: str | None) -> bool:
    """Whether a row is a step: the task says so, or where it leaves it open the columns do."""
    each = ("sequence", "step") if task is None else TASKS[task].each
    if len(each) == 1:
        return each[0] == "step"
    return order == "step" or (order == "time" and "key" in table and len(set(key.tolist())) < len(key))


def _ranks(key: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return how many different steps of its sequence come before each row's."""
    of_key, keys = numbered(key)
    different = sorted(set(order.tolist()), key=str) if order.dtype == object else np.unique(order).tolist()
    place = {value: number for number, value in enumerate(different)}
    pairs, at = np.unique(of_key * len(place) + np.array([place[value] for value in order.tolist()]), return_inverse=True)
    first = np.searchsorted(pairs, np.arange(len(keys)) * len(place))
    ranks: np.ndarray = at.reshape(-1) - first[of_key]
    return ranks


def _is_number(label: str | None) -> bool:
    try:
        float(label or "0")
    except ValueError:
        return False
    return True


def _refuse_repeats(table: Columns, key: np.ndarray, order: str | None) -> None:
    """Refuse rows that say the same twice: of a sequence, or with `order` of a step of it (and a horizon)."""
    codes, _ = numbered(key)
    if order is None:
        where, arrived = "column 'key', {place}", "the key {key!r} again"
    else:
        where, arrived = f"column {order!r}, {{place}}", f"the same {order} of {{key!r}} again"
        for name in (order, *(["ahead"] if "ahead" in table else [])):
            numbers, different = numbered(table.values[name])
            codes = np.unique(codes * len(different) + numbers, return_inverse=True)[1].reshape(-1)
    repeat = first_repeat(codes)
    if repeat is None:
        return
    row, number = repeat
    raise table.error(
        where.format(place=table.place(row)),
        f"{arrived.format(key=key[row])} ({number} such rows)",
        "Give one row a sequence; where there is one a step, add a column 'step'."
        + ("" if "key" in table else " Rows of several sequences need a column 'key'."),
    )
