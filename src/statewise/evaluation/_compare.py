"""Is B better than A? Two runs, two sets of predictions of any framework, or one of each, on the sequences that both answered.

Which rows those are is `_matched`'s, the figures are `_differences`'.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from statewise.errors import OptionError, nearest
from statewise.evaluation._blocks import units_of
from statewise.evaluation._comparison import Answer, Comparison, Difference, Side, Worse
from statewise.evaluation._differences import Pair, differences_of
from statewise.evaluation._evaluate import predictions_of_run
from statewise.evaluation._facts import FACTS
from statewise.evaluation._labels import choose_positive, match_class
from statewise.evaluation._matched import ASKED, error, match_rows
from statewise.evaluation._predict import predict
from statewise.evaluation._predictions import Predictions
from statewise.evaluation._scored import wrong_by
from statewise.runs import Run
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from statewise.evaluation._matched import Matched
    from statewise.sequences import Sequences

_LARGEST = 1e150


def compare(
    a: Predictions | Run | nn.Module,
    b: Predictions | Run | nn.Module,
    data: Sequences | None = None,
    *,
    positive: str | None = None,
    worse_by: Mapping[str, float] | None = None,
) -> Comparison:
    """Return by how much B differs from A on the rows that both answered, each figure with a 95 % interval of the difference.

    Rows are matched by key, and where there are steps by step (of forecasts also by how far ahead), whatever their order. Both models
    err more on a hard sequence than on an easy one: the interval is that of the difference on the same sequences, which is narrower
    than two intervals side by side.

    Args:
        a: predictions with targets, a run, or a model together with `data`. A run without `data` is compared by the predictions
            in its directory.
        b: what is compared with it, likewise.
        data: labelled sequences on which runs and models are scored.
        positive: the class that a binary task looks for, as in `evaluate`.
        worse_by: by how much B may be worse, by metric, such as `{"accuracy": 0.01}`; then `.worse` says whether it is worse by
            more: `"yes"`, `"no"`, or `"open"` where the interval leaves it open.

    Raises:
        DataError: other tasks, targets that disagree, or under half of the rows in common.
        OptionError: no such metric, a margin below 0, or nothing to predict.
        RunError: a run has no predictions in its directory.

    Example:
        >>> target = [0, 1] * 20
        >>> a = Predictions.from_columns({"target": target, "prediction": [0, 1, 0, 0] * 10})
        >>> b = Predictions.from_columns({"target": target, "prediction": target})
        >>> found = compare(a, b, worse_by={"accuracy": 0.02}).differences["accuracy"]
        >>> print(found.a, found.b, found.difference, found.says)
        0.75 1.0 0.250 (0.109 to 0.410) B is better
    """
    told = [_predictions(each, data, positive, name).looking_for(positive) for each, name in ((a, "A"), (b, "B"))]
    matched = match_rows(*told)
    _require_figures(matched)
    place, notes = _positive(matched, positive)
    apart = wrong_by(matched.b) - wrong_by(matched.a)
    units = units_of(matched.a, apart)
    pairs = differences_of(matched.a, matched.b, units, place=place)
    margins = _margins(worse_by or {}, pairs)
    alike = matched.a.predicted == matched.b.predicted
    num_alike = int((alike.all(axis=1) if alike.ndim == 2 else alike).sum())
    same = num_alike == len(matched.a)
    return Comparison(
        task=matched.a.task,
        a=Side(source=matched.a.source, num_only=matched.only_a),
        b=Side(source=matched.b.source, num_only=matched.only_b),
        differences={name: _difference(name, pair, margins.get(name), same=same) for name, pair in pairs.items()},
        positive=None if place is None else matched.a.class_names[place],
        unit=units.unit,
        num_units=units.num_units,
        num_shared=len(matched.a),
        num_alike=num_alike,
        notes=(*matched.notes, *notes, *units.notes, *_note_on_scores(matched)),
    )


def _predictions(subject: Predictions | Run | nn.Module, data: Sequences | None, positive: str | None, name: str) -> Predictions:
    """Return the answers of one side."""
    if isinstance(subject, Predictions):
        return subject
    if data is not None:
        return predict(subject, data)
    told = subject.config.positive if positive is None and isinstance(subject, Run) else positive
    return predictions_of_run(subject, told, asked=f"{ASKED} ({name})")


def _require_figures(matched: Matched) -> None:
    """Refuse answers of which no figure can be made."""
    a, b = matched.a, matched.b
    for name, each in (("A", a), ("B", b)):
        columns = {"prediction": each.predicted} if each.holds == "values" else {"nll": each.nll} if each.task == "next" else {}
        for column, values in columns.items():
            if values is None:
                hint = "Give -log of the probability that each token was given, in nats."
                raise error(f"column 'nll' of {name} ({each.source})", "no such column", hint)
            bad = np.flatnonzero(~(np.abs(values) < _LARGEST) | ((values < -1e-9) & (column == "nll")))
            if len(bad):
                arrived = f"{values[bad[0]]} in sequence {each.key[bad[0]]!r} ({len(bad):,} of {len(values):,} rows)"
                hint = "Each row needs a finite number" + (" of 0 or more, in nats." if column == "nll" else ".")
                raise error(f"column {column!r} of {name} ({each.source})", arrived, hint)
    if a.holds == "classes" and not TASKS[a.task].ahead and len(a.class_names) < 2:
        hint = "Two classes or more are needed to tell right from wrong."
        raise error("the rows that both answered", f"one class only: {', '.join(map(repr, a.class_names))}", hint)


def _positive(matched: Matched, told: str | None) -> tuple[int | None, list[str]]:
    """Return the number of the positive class of a binary task, and how it was chosen where nobody told."""
    a, names = matched.a, matched.a.class_names
    if a.holds != "classes" or TASKS[a.task].ahead or len(names) != 2:
        if told is not None:
            hint = "Leave it out: it is for a task of two classes."
            raise OptionError(asked=ASKED, where="positive", arrived=f"{told!r}, for the task {a.task!r}", hint=hint)
        return None, []
    assert a.actual is not None, "only rows with targets are scored"
    known = told or a.positive or matched.b.positive
    if told is None and a.positive and matched.b.positive and match_class(matched.b.positive, names) != match_class(a.positive, names):
        hint = "Say which is looked for: positive= (--positive)."
        arrived = f"{a.positive!r} in A, {matched.b.positive!r} in B"
        raise OptionError(asked=ASKED, where="the class that is looked for", arrived=arrived, hint=hint)
    chosen, why = choose_positive(names, np.bincount(a.actual, minlength=2).tolist(), known)
    notes = [] if known else [f"the positive class is {chosen!r}, {why}; another is chosen with positive= (--positive)"]
    return names.index(chosen), notes


def _margins(worse_by: Mapping[str, float], pairs: Mapping[str, Pair]) -> dict[str, float]:
    for name, margin in worse_by.items():
        if name not in pairs:
            raise OptionError(asked=ASKED, where="worse_by", arrived=f"{name!r}, no figure of this task", hint=nearest(name, pairs))
        if not 0 <= margin < math.inf:
            hint = "Give how much worse B may be, 0 or more, in the unit of the figure: 0.01 is a point of accuracy."
            raise OptionError(asked=ASKED, where="worse_by", arrived=f"{name}={margin}", hint=hint)
    return {name: float(margin) for name, margin in worse_by.items()}


def _difference(name: str, pair: Pair, margin: float | None, *, same: bool) -> Difference:
    """Return a difference with what it says of B; `same`: both gave the same answer in every row."""
    lower_is_better = FACTS[name].lower_is_better
    found = pair.difference
    loss = None if found.low is None or found.high is None else (found.low, found.high) if lower_is_better else (-found.high, -found.low)
    worse: Worse | None = None
    if margin is not None:
        unchanged = same and found.value == 0
        worse = "no" if unchanged else "open" if loss is None else "yes" if loss[0] > margin else "no" if loss[1] <= margin else "open"
    return Difference(
        a=_known(pair.a),
        b=_known(pair.b),
        difference=found,
        lower_is_better=lower_is_better,
        answer=_answer(found.value, loss),
        margin=margin,
        worse=worse,
    )


def _answer(value: float, loss: tuple[float, float] | None) -> Answer:
    if math.isnan(value):
        return "undefined"
    if loss is None or loss[0] <= 0 <= loss[1]:
        return "open"
    return "worse" if loss[0] > 0 else "better"


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _note_on_scores(matched: Matched) -> list[str]:
    """Return what keeps probabilities from being compared."""
    if matched.a.holds != "classes" or matched.a.task == "next":
        return []
    there = [each.probabilities is not None or each.score is not None for each in (matched.a, matched.b)]
    if there[0] == there[1]:
        return []
    return [f"only {'A' if there[0] else 'B'} has probabilities: log loss, Brier score, calibration and areas are not compared"]
