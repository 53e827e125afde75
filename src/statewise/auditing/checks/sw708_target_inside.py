"""SW708: does a model read what it should predict?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._parts import columns_of, groups_of, names_of, owners_of
from statewise.auditing._telling import Told, told_class, told_value
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from statewise.auditing._parts import Parts
    from statewise.sequences import Sequences

_LAGS = 4
_LOOKED_AT = 50_000
_CASES = 40
"""Changes of the target, or of whom it is about, without which two columns may go together by chance."""


@check("SW708", "target-among-inputs", needs=("targets",))
def target_among_inputs(subject: Parts) -> Found:
    """No feature is the target, now or a few steps ago.

    How:
        In the training part the target of each step is held against each feature at that step and at the three before. It is a copy where
        a straight line leaves less than a thousandth of the target's usual step over, or where each value stands for one class: a failure.
        It is a warning where the target is nearly a function of the feature at its own step: less than a twentieth is left over, or 999 of
        1,000 classes are named by the nearest number. A target of a whole sequence is held against its static features, features that stay
        the same in it, and those that change: a number against the last step; a class against the first and the last, and it is told where
        both tell it. In the tasks next and forecast the series itself is an input: there no other feature may be what comes one to three
        steps later, unless it is known beforehand.
    Why:
        The model copies what will not be there when it is used. Near to perfect figures, useless live.
    Mend:
        Leave the column out (features=), or shift it: what is read at a step must be known before its target is.
    Seen in:
        sktime/pytorch-forecasting#182, KIC/pandas-ml-quant#25, spawnaga/market_direction_prediction#1
    """
    data = subject.train
    if data.holds == "labels" or data.task == "other":
        return Found(status="not_applicable", evidence="targets are neither one class nor one number")
    found = list(_of_sequences(data) if data.each == "sequence" else _of_steps(data))
    if not found:
        return Found(status="pass", evidence="no feature tells the target")
    name, how = min(found, key=lambda pair: (not pair[1].is_copy, pair[1].left))
    if data.holds == "classes":
        told = f"tells the target: its nearest number names {1 - how.left:.1%} right"
    else:
        told = f"tells the target but for {how.left:.2g} of its usual step"
    what = "is a copy of the target" if how.is_copy else told
    return Found(status="fail" if how.is_copy else "warn", evidence=f"{name} {what}", value=how.left, where=name)


def _of_steps(data: Sequences) -> Iterator[tuple[str, Told]]:
    """Yield which features tell the targets of steps, and how."""
    owners, units = owners_of(data), groups_of(data)
    target, scored = np.asarray(data.targets), np.asarray(data.scored)
    ahead = data.task in TASKS and TASKS[data.task].ahead
    steps = np.flatnonzero(scored)[-_LOOKED_AT:]
    follows = (steps[1:] == steps[:-1] + 1) & (owners[steps[1:]] == owners[steps[:-1]])
    usual = (
        0.0
        if data.holds == "classes"
        else float(np.abs(np.diff(target[steps].astype(np.float64)))[follows].mean())
        if follows.any()
        else 0.0
    )
    for name, column in _features(data):
        if ahead and (name in data.known or np.array_equal(column[steps], target[steps].astype(np.float64))):
            continue
        for lag in range(1 if ahead else 0, _LAGS):
            now = steps[steps >= lag]
            now = now[owners[now] == owners[now - lag]]
            how = _told(column[now - lag], target[now], units[owners[now]], usual)
            if how is not None and (how.is_copy or lag == 0):
                when = f"{lag} step{'s' if lag > 1 else ''} before" if lag else "at the same step"
                yield f"{name} {when}", how


def _of_sequences(data: Sequences) -> Iterator[tuple[str, Told]]:
    """Yield which features tell the targets of sequences, and how."""
    there = data.select(data.lengths > 0)
    lengths = there.lengths.cpu().numpy()
    ends = np.cumsum(lengths)
    target, scored, units = np.asarray(there.targets), np.asarray(there.scored), groups_of(there)
    usual = 0.0 if there.holds == "classes" else float(np.abs(np.diff(target.astype(np.float64))).mean()) if len(target) > 1 else 0.0
    static = () if there.static is None else np.asarray(there.static, dtype=np.float64).T
    names = there.static_names or [f"static feature {place + 1}" for place in range(len(static))]
    asked = [(name, [column]) for name, column in zip(names, static, strict=True)]
    for name, column in _features(there):
        is_same = np.array_equal(np.repeat(column[ends - 1], lengths), column, equal_nan=True)
        asked.append((name, [column[ends - 1]] if is_same or there.holds == "values" else [column[ends - lengths], column[ends - 1]]))
    for name, columns in asked:
        found = [_told(column[scored], target[scored], units[scored], usual) for column in columns]
        ways = [how for how in found if how is not None]
        if len(ways) == len(columns):
            yield name, max(ways, key=lambda how: (not how.is_copy, how.left))


def _told(column: NDArray[np.float64], target: NDArray[np.generic], owners: NDArray[np.int64], usual: float) -> Told | None:
    """Return how a column tells a target; classes of the second half of the groups or sequences are named by the first.

    A target that hardly changes may go with anything that hardly changes: there must be enough cases of it.
    """
    order = np.argsort(owners, kind="stable")
    column, target, owners = column[order], target[order], owners[order]
    if len(target) < 2 or 1 + int(((target[1:] != target[:-1]) | (owners[1:] != owners[:-1])).sum()) < _CASES:
        return None
    if not np.issubdtype(target.dtype, np.integer):
        return told_value(column, target.astype(np.float64), usual)
    half = np.median(owners) if len(owners) else 0
    is_first = owners < half if (owners < half).any() else np.arange(len(owners)) < len(owners) // 2
    return told_class(column, target.astype(np.int64), is_first)


def _features(data: Sequences) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield each feature by name, codes of categories included."""
    table = columns_of(data)
    for place, name in enumerate(names_of(data)):
        yield name, table[:, place]
    for name in data.categories:
        if name in data.parts and data.parts[name].values.ndim == 1:
            yield name, np.asarray(data.parts[name].values, dtype=np.float64)
