"""What is told of an evaluation besides its metrics, in words and tables that the terminal, a notebook and the report share?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from statewise.evaluation._estimate import amount, figure
from statewise.evaluation._facts import FACTS, metric_words
from statewise.evaluation._part_sections import part_tables
from statewise.evaluation._table import Table
from statewise.evaluation._trade_off_table import mistake_rows, trade_off_rows

if TYPE_CHECKING:
    from statewise.evaluation._records import Evaluation
    from statewise.tasks import Holds

MOST_ROWS = 15
"""No more classes, labels or horizons than this are listed."""

_COLUMNS = {"mse": "MSE", "rmse": "RMSE", "mae": "MAE", "cross_entropy": "cross-entropy", "bits": "bits"}


def metric_name(evaluation: Evaluation, name: str) -> str:
    """Return a metric with what it is of."""
    if name == "skill" and evaluation.judged_baseline is not None:
        return f"skill against {evaluation.judged_baseline}"
    return metric_of(name, positive=evaluation.positive, holds=evaluation.holds)


def metric_of(name: str, *, positive: str | None, holds: Holds) -> str:
    """Return a metric with what it is of: the positive class, or the mean over classes or labels.

    Example:
        >>> metric_of("recall", positive="yes", holds="classes"), metric_of("recall", positive=None, holds="classes")
        ("recall of 'yes'", 'macro recall')
    """
    words = metric_words(name)
    if name in FACTS and FACTS[name].of == "probabilities" and name != "log_loss":
        several = {"brier": words, "calibration_error": f"{words} of the likeliest class"}.get(name, f"macro {words}")
        return several if positive is None else f"{words} of {positive!r}"
    if name != "balanced_accuracy" and (name not in FACTS or FACTS[name].of != "a class"):
        return words
    if name == "balanced_accuracy":
        return f"{words}, mean of labels" if holds == "labels" else words
    return f"macro {words}" if positive is None else f"{words} of {positive!r}"


def tables_of(evaluation: Evaluation) -> tuple[Table, ...]:
    """Return what the task adds to the metrics: errors beside those of naive methods, by how far ahead; figures by label."""
    made = (_against_baselines(evaluation), _by_ahead(evaluation), _by_label(evaluation), _trade_off(evaluation), _mistakes(evaluation))
    return (*(table for table in made if table is not None), *part_tables(evaluation))


def baseline_says(evaluation: Evaluation) -> str:
    """Return in a sentence how the model stands beside the best naive method.

    Example:
        >>> from statewise.evaluation import Predictions, evaluate
        >>> columns = {"target": [1.5, 2.0, 4.0], "prediction": [1.5, 2.5, 3.5], "baseline_mean": [2.0, 2.0, 2.0]}
        >>> baseline_says(evaluate(Predictions.from_columns(columns)))
        'mean has an RMSE of 1.190, this 0.4082'
    """
    if evaluation.judged_baseline is None:
        return "none is known, so that it is not known whether a naive method does as well"
    score = evaluation.baselines[evaluation.judged_baseline]
    name, words = ("bits", "{} bits a token") if "bits" in score.figures else ("rmse", "an RMSE of {}")
    theirs, ours = words.format(amount(score.figures[name])), evaluation.metrics[name].written
    if score.model:
        ours = f"{amount(score.model[name])} on the same {score.num_scored:,} of {evaluation.num_scored:,} rows"
    return f"{evaluation.judged_baseline} has {theirs}, this {ours}"


def _against_baselines(evaluation: Evaluation) -> Table | None:
    if not evaluation.baselines:
        return None
    names = tuple(next(iter(evaluation.baselines.values())).figures)
    rows = [("this", *(evaluation.metrics[name].written for name in names), "", "")]
    for name, each in evaluation.baselines.items():
        marked = f"{name} (judged)" if name == evaluation.judged_baseline and len(evaluation.baselines) > 1 else name
        rows.append((marked, *(amount(each.figures[figure]) for figure in names), each.skill.written, each.skill.interval or "none"))
        if each.model:
            rows.append(("this, on these rows", *(amount(each.model[figure]) for figure in names), "", ""))
    return Table("baselines", "Against naive methods", ("", *(_COLUMNS[name] for name in names), "skill", "95 % of skill"), tuple(rows))


def _by_ahead(evaluation: Evaluation) -> Table | None:
    found = evaluation.by_ahead
    if len(found) < 2:
        return None
    aheads = sorted(found)
    chosen = [aheads[at] for at in np.unique(np.linspace(0, len(aheads) - 1, MOST_ROWS).astype(int)).tolist()]
    rows = tuple(
        (f"{ahead}", found[ahead]["rmse"].written, *_naive(evaluation, ahead), found[ahead]["mae"].written, *_skill(evaluation, ahead))
        for ahead in chosen
    )
    of = "" if len(chosen) == len(aheads) else f" ({len(chosen)} of {len(aheads)} horizons)"
    naive = (f"of {evaluation.judged_baseline}",) if evaluation.judged_baseline is not None else ()
    return Table("ahead", f"By how many steps ahead{of}", ("ahead", "RMSE", *naive, "MAE", "skill", "95 % of skill"), rows)


def _naive(evaluation: Evaluation, ahead: int) -> tuple[str, ...]:
    """Return the error of the naive method that is judged, where there is one."""
    if evaluation.judged_baseline is None:
        return ()
    found = evaluation.by_ahead[ahead].get("baseline_rmse")
    return ("unknown" if found is None else found.written,)


def _skill(evaluation: Evaluation, ahead: int) -> tuple[str, str]:
    skill = evaluation.by_ahead[ahead].get("skill")
    return ("unknown", "none") if skill is None else (skill.written, skill.interval or "none")


def _by_label(evaluation: Evaluation) -> Table | None:
    if not evaluation.label_counts:
        return None
    support, each = evaluation.support, evaluation.per_class
    names = list(support)
    if len(names) > MOST_ROWS:
        names = sorted((name for name in names if support[name]), key=lambda name: _worst_first(each[name]["f1"].value))[:MOST_ROWS]
    rows = tuple(
        (
            name,
            f"{support[name]:,}",
            figure(each[name]["precision"].value),
            figure(each[name]["recall"].value),
            each[name]["recall"].interval or "none",
            figure(each[name]["f1"].value),
        )
        for name in names
    )
    title = "Labels" if len(names) == len(support) else f"The {len(names)} labels with the lowest f1, of {len(support)}"
    return Table("labels", title, ("label", "targets", "precision", "recall", "95 % of recall", "f1"), rows)


def _trade_off(evaluation: Evaluation) -> Table | None:
    if evaluation.trade_off is None:
        return None
    header, rows = trade_off_rows(evaluation.trade_off)
    return Table("trade-off", f"What each threshold gives, of {evaluation.trade_off.num_distinct:,}", header, rows)


def _mistakes(evaluation: Evaluation) -> Table | None:
    if not evaluation.mistakes:
        return None
    expected = ("on validation",) if evaluation.chosen is not None else ()
    return Table("mistakes", "What mistakes are made", ("", "value", "95 % interval", *expected), mistake_rows(evaluation))


def _worst_first(value: float) -> float:
    return -1.0 if math.isnan(value) else value
