"""How does a file of any framework become `Predictions`? Which column means what, and what is refused.

What stands in the columns is `_columns`'s, which class a row names `_answers`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.errors import OptionError
from statewise.evaluation._answers import Answers
from statewise.evaluation._columns import load_columns
from statewise.evaluation._labels import match_class, numbered
from statewise.evaluation._predictions import PredictedTask, Predictions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from statewise.evaluation._columns import Columns

_NUMBERS = ("weight", "amount", "length")
_KNOWN = ("key", "step", "target", "prediction", "score", "group", "split", *_NUMBERS)


def read_predictions(
    path: Path | str,
    *,
    task: PredictedTask | None = None,
    positive: str | None = None,
    threshold: float = 0.5,
    class_names: Sequence[str] | None = None,
) -> Predictions:
    """Read predictions that any framework has written.

    The file has a row a sequence (or, with a column `step` or `time`, a row a step) and the columns

    - `target`, the right label, and at least one of
    - `prediction`, a label; `score`, the probability of the positive class of a binary task; `p_<class>` for each class.
      A score becomes a prediction at `threshold`, probabilities by their largest, unless there is `prediction` as well;
    - optional: `key`, the sequence (without it each row is one), `group`, `weight`, `amount`, `split`, `length`, and any
      others, which are kept.

    Labels may be words, whole numbers or booleans: 1, 1.0 and "1" are one class, True and "true" are one.

    Args:
        path: a .parquet, .csv (with a header line) or .jsonl file.
        task: `"classify"` or `"tag"`; read off the columns when absent.
        positive: the class that a binary task looks for and that `score` is the probability of. When absent, the one named
            1, true, yes, y, positive or pos, else the rarer; where there are predictions too, those tell what `score` means.
        threshold: the score from which a row counts as positive.
        class_names: all classes, where some may not occur in the file.

    Raises:
        DataError: the file, a column, a value or a label cannot be used; row and column are named.
        OptionError: another suffix, a threshold outside 0 to 1, or a positive class that does not occur.
        MissingExtraError: polars is not installed (parquet and csv).
    """
    return predictions_of(load_columns(path), task=task, positive=positive, threshold=threshold, class_names=class_names)


def predictions_of(
    table: Columns, *, task: PredictedTask | None, positive: str | None, threshold: float, class_names: Sequence[str] | None
) -> Predictions:
    """Return the predictions that stand in some columns; the rules are those of `read_predictions`."""
    if not 0 <= threshold <= 1:
        raise OptionError(asked=table.asked, where="threshold", arrived=str(threshold), hint="A probability is from 0 to 1.")
    answers = Answers(table, class_names, positive)
    predicted, notes = answers.predicted(threshold)
    key, task, task_notes = _sequences(table, task)
    group = table.words("group") if "group" in table else None
    if group is not None:
        _refuse_split_sequences(table, key, group)
    numbers: dict[str, Any] = {name: table.numbers(name) for name in _NUMBERS if name in table}
    more = (name for name in table.values if name not in _KNOWN and name not in answers.probability_columns)
    return Predictions(
        task=task,
        class_names=answers.class_names,
        key=key,
        predicted=predicted,
        actual=answers.actual,
        step=table.numbers_if_all("step") if "step" in table else None,
        score=answers.score,
        score_class=answers.score_class(predicted),
        probabilities=answers.probabilities,
        group=group,
        split=table.words("split") if "split" in table else None,
        **numbers,
        more={name: table.values[name] for name in more},
        positive=None if positive is None or len(answers.class_names) != 2 else match_class(positive, answers.class_names),
        source=table.source,
        notes=(*table.notes, *task_notes, *notes),
    )


def _sequences(table: Columns, task: PredictedTask | None) -> tuple[np.ndarray, PredictedTask, list[str]]:
    """Return the key of each row, the task, and what was assumed."""
    order = next((name for name in ("step", "time") if name in table), None)
    if "key" not in table:
        if task == "tag" or (task is None and order == "step"):
            return np.full(len(table), "0", dtype=object), "tag", ["no column 'key': all rows are taken as the steps of one sequence"]
        rows = np.array([str(row) for row in range(1, len(table) + 1)], dtype=object)
        return rows, "classify", ["no column 'key': each row is taken as a sequence of its own, independent of the others"]
    key = table.words("key")
    codes, different = numbered(key)
    if task is None:
        task = "tag" if order == "step" or (order == "time" and len(different) < len(key)) else "classify"
    if task == "classify":
        _refuse_repeats(table, codes, "column 'key', {place}", "the key {key!r} again", key)
    elif order is not None:
        steps, different_steps = numbered(table.values[order])
        _refuse_repeats(
            table, codes * len(different_steps) + steps, f"column {order!r}, {{place}}", f"the same {order} of {{key!r}} again", key
        )
    return key, task, []


def _refuse_repeats(table: Columns, codes: np.ndarray, where: str, arrived: str, key: np.ndarray) -> None:
    """Refuse rows that say the same twice."""
    first = np.unique(codes, return_index=True)[1]
    if len(first) == len(codes):
        return
    again = np.ones(len(codes), dtype=bool)
    again[first] = False
    row = int(np.flatnonzero(again)[0])
    raise table.error(
        where.format(place=table.place(row)),
        f"{arrived.format(key=key[row])} ({int(again.sum())} such rows)",
        "Give one row a sequence; where there is one a step, add a column 'step'.",
    )


def _refuse_split_sequences(table: Columns, key: np.ndarray, group: np.ndarray) -> None:
    """Refuse a sequence whose rows name different groups."""
    keys, _ = numbered(key)
    groups, names = numbered(group)
    of_key = np.zeros(keys.max() + 1, dtype=np.int64)
    of_key[keys] = groups
    apart = np.flatnonzero(of_key[keys] != groups)
    if len(apart):
        row = int(apart[0])
        raise table.error(
            f"column 'group', {table.place(row)}",
            f"the groups {names[groups[row]]!r} and {names[of_key[keys[row]]]!r} for the one sequence {key[row]!r}",
            "A sequence belongs to one group; give sequences of different groups different keys.",
        )
