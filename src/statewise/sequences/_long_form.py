"""How do rows (one a step) become sequences? The rows are brought in order, then each column is read for what it is.

What a single column may hold is `_table`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from statewise.sequences._inputs import inputs_of, static_of
from statewise.sequences._pieces import Made
from statewise.sequences._rows import Rows, codes_of, located, one_a_sequence, rows_of_table
from statewise.sequences._sequences import Sequences
from statewise.sequences._target_columns import baselines_of, targets_of

if TYPE_CHECKING:
    from statewise.sequences._options import Options
    from statewise.sequences._table import Table

_DAY = 86_400.0
_SEASONS = ((7 * _DAY, 52), (30.4 * _DAY, 12), (91.3 * _DAY, 4), (_DAY, 7))
"""The steps of a season by the seconds of a step: weeks, months and quarters of a year, days of a week."""
_STEADY = 0.9
"""The share of steps that are as long as the median one, for a season to be read off the times."""


def sequences_of(table: Table, options: Options, *, source: str, single: str) -> tuple[Sequences, Made]:
    """Return the sequences that the rows of a table form, and what is still to be made of them.

    Args:
        table: one row a step.
        options: which column is what.
        source: where the data came from.
        single: the key of the only sequence, where the options name no key.

    Raises:
        DataError: a column is absent, a value cannot be used, or what belongs to a whole sequence changes inside it.
    """
    rows, seconds, dates, notes = rows_of_table(table, options, single)
    inputs, feature_names, categories, more, indicators = inputs_of(table, options, rows)
    targets = targets_of(table, options, rows)
    static, static_names, of_static = static_of(table, options, rows)
    season, of_season = _season(options, rows, seconds if dates else None)
    data = Sequences(
        inputs=inputs,
        targets=targets.values,
        keys=rows.keys,
        groups=_groups(table, options, rows),
        times=None if seconds is None else torch.from_numpy(seconds),
        static=static,
        class_names=targets.class_names,
        feature_names=feature_names,
        static_names=static_names,
        categories=categories,
        each=targets.each,
        weights=targets.weights,
        baselines=baselines_of(table, options, rows, targets.each),
        task=options.task,
        known=options.known,
        season=season,
        missing="error" if options.missing == "error" else "mean",
        source=source,
        notes=(*table.notes, *notes, *more, *targets.notes, *of_static, *of_season),
    )
    return data, Made(indicators=indicators)


def _groups(table: Table, options: Options, rows: Rows) -> list[str] | None:
    """Return the group of each sequence."""
    if options.group is None:
        return None
    there, local = located(table, rows, [options.group])
    words = there.words(options.group, option="group")
    codes = codes_of(words, words.unique(maintain_order=True).to_list())
    hint = "A sequence belongs to one group: choose another key, or another group."
    groups: list[str] = words.gather(one_a_sequence(there, local, options.group, words, codes=codes, hint=hint)).to_list()
    return groups


def _season(options: Options, rows: Rows, seconds: np.ndarray | None) -> tuple[int | None, list[str]]:
    """Return the steps of a season of a forecast: those stated, else what steady dates suggest, with a note."""
    if options.task != "forecast" or options.season is not None or seconds is None:
        return options.season, []
    gaps = np.diff(seconds)[np.diff(rows.sequence_of) == 0]
    step = float(np.median(gaps)) if len(gaps) else 0.0
    steady = step > 0 and float(np.isclose(gaps, step, rtol=0.12 if step > 20 * _DAY else 1e-6).mean()) >= _STEADY
    season = _season_of(step) if steady else None
    if season is None or season * 2 > rows.lengths.max():
        return None, []
    return season, [f"a season of {season} steps was read off the dates (a step is {_told(step)}); season=N (--season) says another"]


def _season_of(step: float) -> int | None:
    """Return the steps of a season: of a day for steps that divide it, of a week for days, of a year for longer ones."""
    found = next((season for length, season in _SEASONS if abs(step - length) <= 0.05 * length), None)
    if found is not None or step >= _DAY:
        return found
    steps = _DAY / step
    return round(steps) if abs(steps - round(steps)) < 1e-6 else None


def _told(seconds: float) -> str:
    """Return a length of time in its largest whole unit."""
    unit, size = next((each for each in (("day", _DAY), ("hour", 3600.0), ("minute", 60.0)) if seconds >= each[1]), ("second", 1.0))
    count = seconds / size
    return f"{count:.4g} {unit}{'' if count == 1 else 's'}"
