"""How does a file of any framework become `Predictions`? Which column means what, and what is refused.

What stands in the columns is `_columns`'s, what a row answers `_answers`', `_value_answers`', `_token_answers`' and `_label_answers`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.errors import OptionError, nearest
from statewise.evaluation._answers import Answers
from statewise.evaluation._columns import load_columns
from statewise.evaluation._label_answers import read_labels
from statewise.evaluation._labels import match_class, numbered
from statewise.evaluation._predictions import Predictions
from statewise.evaluation._rows import rows_of
from statewise.evaluation._token_answers import read_tokens
from statewise.evaluation._value_answers import Read, read_values
from statewise.tasks import TASKS
from statewise.types import KnownTask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from statewise.evaluation._columns import Columns

_NUMBERS = ("weight", "amount", "length", "change")
_KNOWN = ("key", "step", "ahead", "target", "prediction", "score", "nll", "group", "split", "history", *_NUMBERS)


def read_predictions(
    path: Path | str,
    *,
    task: KnownTask | None = None,
    positive: str | None = None,
    threshold: float = 0.5,
    class_names: Sequence[str] | None = None,
    season: int | None = None,
) -> Predictions:
    """Read predictions that any framework has written.

    The file has a row a sequence (or, with a column `step` or `time`, a row a step) and the columns

    - `target`, the right label, and at least one of
    - `prediction`, a label; `score`, the probability of the positive class of a binary task; `p_<class>` for each class.
      A score becomes a prediction at `threshold`, probabilities by their largest, unless there is `prediction` as well;
    - optional: `key`, the sequence (without it each row is one), `group`, `weight` (0: not scored), `amount`, `split`, `length`,
      `history`, and any others, which are kept.

    Labels may be words, whole numbers or booleans: 1, 1.0 and "1" are one class, True and "true" are one. Other tasks:

    - values to `"regress"`: `target` and `prediction` are numbers, one of them with fractions (or `task` says so). A target may be
      missing. What naive methods answer stands in `baseline_<name>`; without any, the mean of the targets is one.
    - `"forecast"`: likewise, and `ahead` (1 is the next step) beside `step` (or `time`), that at which the forecast was made; `change` is
      the usual change of the series in training, which MASE divides by. Without baselines, the last known value (and with `season`
      that of a season ago) is read off the targets of earlier rows, and so is the change.
    - `"next"`: `target` and `prediction` are tokens, `nll` is -log of the probability of the target, in nats. Without baselines, the
      frequencies of the targets are one.
    - `"multilabel"`: `target_<class>` is true or false, beside `p_<class>` or `prediction_<class>`.

    Args:
        path: a .parquet, .csv (with a header line) or .jsonl file.
        task: what was predicted; read off the columns when absent.
        positive: the class that a binary task looks for and that `score` is the probability of. When absent, the one named
            1, true, yes, y, positive or pos, else the rarer; where there are predictions too, those tell what `score` means.
        threshold: the score from which a row counts as positive.
        class_names: all classes, where some may not occur in the file.
        season: steps of one season, such as 24 hours.

    Raises:
        DataError: the file, a column, a value or a label cannot be used; row and column are named.
        OptionError: another suffix, no such task, a threshold outside 0 to 1, or a positive class that does not occur.
        MissingExtraError: polars is not installed (parquet and csv).
    """
    return predictions_of(load_columns(path), task=task, positive=positive, threshold=threshold, class_names=class_names, season=season)


def predictions_of(
    table: Columns,
    *,
    task: KnownTask | None,
    positive: str | None,
    threshold: float,
    class_names: Sequence[str] | None,
    season: int | None = None,
) -> Predictions:
    """Return the predictions that stand in some columns; the rules are those of `read_predictions`."""
    _refuse_options(table, task=task, threshold=threshold, season=season)
    rows = rows_of(table, task)
    group = table.words("group") if "group" in table else None
    if group is not None:
        _refuse_split_sequences(table, rows.key, group)
    common: dict[str, Any] = {name: table.numbers(name) for name in _NUMBERS if name in table}
    if "history" in table:
        common["history"] = table.whole_numbers("history", least=0)
    weight = common.get("weight")
    if weight is not None and (weight < 0).any():
        row = int((weight < 0).argmax())
        hint = "A weight is 0 or more; a row of weight 0 is kept and not scored."
        raise table.error(f"column 'weight', {table.place(row)}", f"{weight[row]:g}, which is below 0", hint)
    scored = np.ones(len(table), dtype=bool) if weight is None else weight != 0
    holds = TASKS[rows.task].holds
    if holds == "values":
        read = read_values(table, key=rows.key, step=rows.step, scored=scored, season=season)
    elif holds == "labels":
        read = read_labels(table, threshold=threshold, class_names=class_names)
    elif rows.task == "next":
        read = read_tokens(table, scored, class_names=class_names)
    else:
        read = _read_classes(table, class_names, positive, threshold)
    more = (name for name in table.values if name not in _KNOWN and name not in read.columns)
    return Predictions(
        task=rows.task,
        key=rows.key,
        step=rows.step,
        group=group,
        split=table.words("split") if "split" in table else None,
        more={name: table.values[name] for name in more},
        source=table.source,
        notes=(*table.notes, *rows.notes, *read.notes),
        **common,
        **read.fields,
    )


def _refuse_options(table: Columns, *, task: str | None, threshold: float, season: int | None) -> None:
    if task is not None and task not in TASKS:
        raise OptionError(asked=table.asked, where="task", arrived=repr(task), hint=nearest(task, TASKS))
    if not 0 <= threshold <= 1:
        raise OptionError(asked=table.asked, where="threshold", arrived=str(threshold), hint="A probability is from 0 to 1.")
    if season is not None and season < 1:
        raise OptionError(asked=table.asked, where="season", arrived=str(season), hint="Give the steps of one season, such as 24.")


def _read_classes(table: Columns, class_names: Sequence[str] | None, positive: str | None, threshold: float) -> Read:
    """Return the classes of a table."""
    answers = Answers(table, class_names, positive)
    if positive is not None and len(answers.class_names) > 2:
        arrived = f"{positive!r}, but there are {len(answers.class_names)} classes"
        raise OptionError(asked=table.asked, where="positive", arrived=arrived, hint="Leave it out: each class has its own row.")
    predicted, notes = answers.predicted(threshold)
    fields = {
        "class_names": answers.class_names,
        "predicted": predicted,
        "actual": answers.actual,
        "score": answers.score,
        "score_class": answers.score_class(predicted),
        "score_is_guess": answers.guesses_score,
        "probabilities": answers.probabilities,
        "threshold": threshold if answers.follows_threshold else None,
        "positive": None if positive is None or len(answers.class_names) != 2 else match_class(positive, answers.class_names),
    }
    return Read(fields, tuple(answers.probability_columns), notes)


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
