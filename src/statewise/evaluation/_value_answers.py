"""Which values stand in a table? The columns `target`, `prediction`, `ahead` and `baseline_<name>` of regress and forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from statewise.evaluation._naive import naive_change, naive_forecasts, naive_mean

if TYPE_CHECKING:
    from statewise.evaluation._columns import Columns

BASELINE = "baseline_"


class Read(NamedTuple):
    """What a table answers: fields of `Predictions`, the columns that they were read from, and what should be known."""

    fields: dict[str, Any]
    columns: tuple[str, ...]
    notes: list[str]


def read_values(table: Columns, *, key: np.ndarray, step: np.ndarray | None, scored: np.ndarray, season: int | None) -> Read:
    """Return the values of a table; where it has no baseline, the naive ones that its targets tell.

    Args:
        table: the columns.
        key: the sequence of each row.
        step: the step of each row, whole numbers for forecasts.
        scored: whether each row is scored.
        season: steps of a season, for a seasonal forecast.

    Raises:
        DataError: a value is no number, or a prediction is missing.
    """
    actual = table.numbers("target", may_miss=True) if "target" in table else None
    fields: dict[str, Any] = {"predicted": table.numbers("prediction", hint="The answers are needed. "), "actual": actual}
    named = tuple(name for name in table.values if name.startswith(BASELINE))
    fields["baselines"] = {name.removeprefix(BASELINE): table.numbers(name, may_miss=True) for name in named}
    notes: list[str] = []
    if "ahead" in table:
        fields["ahead"] = table.whole_numbers("ahead", least=1)
    if not named and actual is not None:
        if "ahead" in table and step is not None:
            fields["baselines"], notes = naive_forecasts(key, step=step, ahead=fields["ahead"], actual=actual, season=season)
        else:
            fields["baselines"], notes = naive_mean(actual, scored)
    if "ahead" in table and step is not None and actual is not None and "change" not in table:
        known = np.where(scored, actual, np.nan)
        change, told = naive_change(key, step=step, ahead=fields["ahead"], actual=known, season=season)
        if change is not None:
            fields["change"], notes = np.full(len(table), change), [*notes, *told]
    return Read(fields, named, notes)
