"""Which labels does each row have and get? The columns `target_<class>`, and `prediction_<class>` or `p_<class>`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.errors import nearest
from statewise.evaluation._labels import label_text, numbered
from statewise.evaluation._value_answers import Read
from statewise.sequences import natural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.evaluation._columns import Columns

TARGET, PREDICTION, PROBABILITY = "target_", "prediction_", "p_"
_TRUTH = {"1": True, "true": True, "0": False, "false": False}


def read_labels(table: Columns, *, threshold: float, class_names: Sequence[str] | None) -> Read:
    """Return the labels of a table.

    Args:
        table: the columns.
        threshold: the probability from which a label is given, where there is no `prediction_<class>`.
        class_names: all labels in their order; the natural one when absent.

    Raises:
        DataError: a label has no answer, a truth is neither true nor false, or a probability is outside 0 to 1.
    """
    sides = {side: [name for name in table.values if name.startswith(side)] for side in (TARGET, PREDICTION, PROBABILITY)}
    told = next((side for side in (PREDICTION, PROBABILITY) if sides[side]), None)
    if told is None:
        hint = "Give 'p_<class>' or 'prediction_<class>' for each label."
        raise table.error("columns", f"no answers among {', '.join(map(repr, table.values))}", hint)
    labels = [name.removeprefix(TARGET) for name in sides[TARGET]] or [name.removeprefix(told) for name in sides[told]]
    names = [*(class_names or ()), *sorted((label for label in labels if label not in (class_names or ())), key=natural)]
    used = tuple(f"{side}{name}" for side, columns in sides.items() if columns for name in names)
    for column in used:
        table.column(column, hint="Each label has a column of its own. ")
    fields: dict[str, Any] = {"class_names": tuple(names)}
    if sides[TARGET]:
        fields["actual"] = np.stack([_truths(table, TARGET + name) for name in names], axis=1)
    notes = []
    if sides[PROBABILITY]:
        fields["probabilities"] = np.stack([table.probabilities(PROBABILITY + name) for name in names], axis=1)
    if sides[PREDICTION]:
        fields["predicted"] = np.stack([_truths(table, PREDICTION + name) for name in names], axis=1)
    else:
        fields["predicted"] = fields["probabilities"] >= threshold
        notes = [f"a label is given where its p_ is {threshold:g} or more (threshold)"]
    return Read(fields, used, notes)


def _truths(table: Columns, name: str) -> np.ndarray:
    """Return a column of true or false, 1 or 0."""
    codes, values = numbered(table.column(name))
    texts = [label_text(value) for value in values]
    table.refuse_missing(name, np.array([text is None for text in texts], dtype=bool)[codes])
    odd = next((number for number, text in enumerate(texts) if text not in _TRUTH), None)
    if odd is not None:
        row = int(np.flatnonzero(codes == odd)[0])
        hint = f"Write 1 or 0, true or false. {nearest(str(texts[odd]), _TRUTH)}"
        raise table.error(f"column {name!r}, {table.place(row)}", f"{values[odd]!r}, which is neither true nor false", hint)
    truths: np.ndarray = np.array([_TRUTH[str(text)] for text in texts], dtype=bool)[codes]
    return truths
