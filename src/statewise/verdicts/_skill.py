"""Does the model know anything? Its figure against that of answering without looking, as an interval.

- **Classes and labels**: balanced accuracy, which is 1 / classes for guessing (one half for labels).
- **Values**: 1 - MSE / MSE of the best naive method, which is 0 for that method. **Next**: the same with bits.

The whole interval has to lie above it. Accuracy against the majority is printed elsewhere, never judged.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from statewise.verdicts._reasons import Reason, quoted

if TYPE_CHECKING:
    from statewise.evaluation import Estimate, Evaluation

_UNITS = {"group": "groups", "sequence": "sequences", "block": "blocks of steps", "count": "cases"}


class _Question(NamedTuple):
    """What is held against what, and how it is said."""

    estimate: Estimate | None
    limit: float
    begins: str
    above: str
    not_shown: str
    none: str
    unknown: str
    do_without: str
    do: str


def judge_skill(evaluation: Evaluation) -> Reason:
    """Return the reason that the model's skill gives."""
    asked = _of_naive_methods(evaluation) if evaluation.holds == "values" or evaluation.task == "next" else _of_guessing(evaluation)
    estimate, limit, says, above = asked.estimate, asked.limit, asked.begins, asked.above
    if estimate is None or math.isnan(estimate.value):
        return Reason(subject="skill", points_to="not_enough_evidence", says=asked.unknown, do=asked.do_without)
    figures = quoted(estimate, limit)
    if estimate.low is None:
        if estimate.value > limit:
            says += f"the figure lies above {above}, but it has no interval ({estimate.method}), so that luck cannot be told from skill."
            do = more(evaluation)
            return Reason(subject="skill", points_to="not_enough_evidence", says=says, do=do, limit_kind="above", **figures)
        says += f"the figure alone (it has no interval: {estimate.method}) does not lie above {above}. No skill."
    elif estimate.low > limit:
        says += f"the whole interval lies above {above}."
        return Reason(subject="skill", points_to="ready", says=says, limit_kind="above", **figures)
    elif estimate.value > limit:
        says += f"the interval does not lie above {above}. {asked.not_shown}"
        do = more(evaluation, estimate, limit)
        return Reason(subject="skill", points_to="not_ready", says=says, do=do, limit_kind="above", **figures)
    else:
        says += f"the interval does not lie above {above}. {asked.none}"
    return Reason(subject="skill", points_to="not_ready", says=says, do=asked.do, limit_kind="above", **figures)


def unit_words(evaluation: Evaluation) -> str:
    """Return what the independent units of an evaluation are called, in the plural."""
    return _UNITS[evaluation.unit]


def more(evaluation: Evaluation, estimate: Estimate | None = None, limit: float | None = None) -> str:
    """Return how much more test data would settle it, if the figure stayed: intervals narrow with the root of the units."""
    words = unit_words(evaluation)
    if estimate is None or limit is None or estimate.low is None or estimate.high is None or estimate.value == limit:
        return f"Test on more {words}."
    end = estimate.low if estimate.value > limit else estimate.high
    times = ((estimate.value - end) / (estimate.value - limit)) ** 2
    if times < 1.05:
        return f"Test on more {words}: hardly more would settle it, if the figure stays."
    told = "more than 100" if times > 100 else f"about {times:.1f}".removesuffix(".0")
    return f"Test on more {words}: {told} times as many would settle it, if the figure stays."


def _of_guessing(evaluation: Evaluation) -> _Question:
    labels = evaluation.holds == "labels"
    among = f"guessing among {len(evaluation.confusion.class_names)} classes" if not labels else "guessing each label"
    test_both = "Test on data in which labels are there in some rows and not in others."
    return _Question(
        estimate=evaluation.metrics.get("balanced_accuracy"),
        limit=evaluation.chance,
        begins=f"Balanced accuracy{', mean of labels,' if labels else ''} against {among}: ",
        above="chance",
        not_shown="Skill is not shown: luck alone could have given this figure.",
        none="No skill: the answers may as well be guesses.",
        unknown="The evaluation has no balanced accuracy, so that it is not known whether the model does better than guessing.",
        do_without=test_both if labels else "Evaluate again with this version.",
        do="Check that inputs and labels belong together, that the loss falls, and that the model is not near its initial weights.",
    )


def _of_naive_methods(evaluation: Evaluation) -> _Question:
    baseline = evaluation.judged_baseline or "any"
    error, saved = ("bits", "bits") if evaluation.task == "next" else ("MSE", "squared error")
    known = f"the baseline {baseline} makes no error itself" if evaluation.judged_baseline else "no baseline is known"
    return _Question(
        estimate=evaluation.metrics.get("skill"),
        limit=0.0,
        begins=f"Share of the {saved} of {baseline} that the model saves (1 - {error} / {error} of {baseline}): ",
        above="0",
        not_shown=f"No skill is shown: luck alone could have given this advantage over {baseline}.",
        none=f"No skill: {baseline} does as well.",
        unknown=f"There is nothing to hold the errors against: {known}.",
        do_without="Give what a naive method answers in a column 'baseline_<name>', or evaluate a run, which knows its own.",
        do=f"See whether the model only repeats what {baseline} says: give it inputs that tell more, or let it predict the difference.",
    )
