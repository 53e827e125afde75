"""What is told of a threshold, in words and tables that the terminal, a notebook and the report share?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from statewise.evaluation._estimate import amount, figure

if TYPE_CHECKING:
    from statewise.evaluation._records import Evaluation
    from statewise.evaluation._trade_off import TradeOff

_ROWS = 8
_NAMES = {
    "false_positive_rate": "false-positive rate",
    "alerts_per_thousand": "alerts per thousand",
    "alerts_per_day": "alerts a day",
    "cost_per_case": "cost a case",
    "cost_per_case_at_half": "cost a case at 0.5",
    "saving": "saved of that",
}


def written(threshold: float) -> str:
    """Return a threshold with so many digits that count.

    Example:
        >>> written(0.123456), written(0.5), written(1.0000000000000002)
        ('0.1235', '0.5', 'above 1')
    """
    return "above 1" if threshold > 1 else f"{threshold:.4g}"


def trade_off_rows(trade_off: TradeOff) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the header and about eight rows of what thresholds give: the used one, 0.5, and others evenly over the recall."""
    cost = ("cost a case",) if trade_off.cost else ()
    header = ("threshold", "recall", "precision", "FP rate", "alerts/1,000", *cost)
    rows = []
    for place in _shown(trade_off):
        told = (trade_off.recall, trade_off.precision, trade_off.false_positive_rate)
        each = trade_off.thresholds[place]
        rows.append(
            (
                f"{written(each)} (used)" if place == trade_off.used else written(each),
                *(figure(shares[place]) for shares in told),
                f"{trade_off.alerts_per_thousand[place]:,.1f}",
                *([amount(trade_off.cost_per_case[place])] if trade_off.cost else []),
            )
        )
    return header, tuple(rows)


def _shown(trade_off: TradeOff) -> list[int]:
    """Return the places of the rows that are shown."""
    kept = {trade_off.thresholds.index(0.5)} | ({trade_off.used} if trade_off.used is not None else set())
    found = np.array([tp + 1e-3 * fp for tp, fp in zip(trade_off.tp, trade_off.fp, strict=True)])
    wanted = np.linspace(found[0], found[-1], _ROWS - len(kept))
    nearest = {int(np.abs(found - each).argmin()) for each in wanted}
    return sorted(kept | nearest)


def mistake_rows(evaluation: Evaluation) -> tuple[tuple[str, ...], ...]:
    """Return a row for each figure of a chosen threshold or a cost: name, value, interval, and what validation let expect."""
    expected = {} if evaluation.chosen is None else evaluation.chosen.expected
    return tuple(
        (_NAMES[name], each.written, each.interval or "none", *([expected[name].written] if name in expected else [""] if expected else []))
        for name, each in evaluation.mistakes.items()
        if name in _NAMES
    )


def saving_says(evaluation: Evaluation) -> str:
    """Return whether the threshold is cheaper than 0.5, in a sentence without its point; empty where no cost was told."""
    saving = evaluation.mistakes.get("saving")
    if saving is None:
        return ""
    at, half = (evaluation.mistakes[name].written for name in ("cost_per_case", "cost_per_case_at_half"))
    if evaluation.threshold is None:
        begins = f"the answers cost {at} a case, those from 0.5 on {half}"
    else:
        begins = f"from {written(evaluation.threshold)} on mistakes cost {at} a case, from 0.5 on {half}"
    if saving.low is None or saving.high is None or math.isnan(saving.value):
        return f"{begins}; {saving.method}"
    begins += f": {100 * saving.value:.1f} % are saved ({100 * saving.low:.1f} to {100 * saving.high:.1f} %)"
    if saving.low > 0:
        return f"{begins}, and the interval excludes 0"
    if saving.high < 0:
        return f"{begins}: it is dearer, and the interval excludes 0"
    return f"{begins}: the interval holds 0, so that it is not shown to be cheaper"


def threshold_lines(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return, as titles and texts, the threshold and what it costs, where one was chosen or a cost told."""
    lines = []
    if evaluation.chosen is not None:
        chosen = evaluation.chosen
        lines.append(("threshold", f"{written(chosen.value)}, chosen on {chosen.num_scored:,} rows of {chosen.source}: {chosen.why}"))
        rate = evaluation.mistakes["false_positive_rate"]
        lines.append(("", f"precision {evaluation.metrics['precision']} at a false-positive rate of {rate}"))
    if evaluation.cost is not None:
        lines.append(("cost", f"{evaluation.cost.says}; {saving_says(evaluation)}"))
    return lines
