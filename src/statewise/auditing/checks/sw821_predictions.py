"""SW821 to SW823: is an accuracy more than that of a constant answer, and a forecast more than the last value?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check

if TYPE_CHECKING:
    from statewise.auditing._predictions import PredictionsSubject
    from statewise.evaluation import Estimate

_LOOKS_GOOD, _BAD_RECALL = 0.80, 0.50
_FEW_UNITS = 8


@check("SW821", "accuracy-paradox", needs=("predictions",))
def accuracy_paradox(subject: PredictionsSubject) -> Found:
    """A high accuracy does not come from the most frequent class alone.

    How:
        An accuracy of 0.80 or more that always answering the most frequent class reaches too, while the 95 % interval of the recall of
        the class that is looked for (of several classes, of any) lies below 0.50.
    Why:
        98 % accuracy sells a model that misses 88 % of the fraud.
    Mend:
        Judge by recall and precision of the rare class at a threshold chosen by cost, by balanced accuracy, or by the cost itself.
    Seen in:
        probabl-ai/skore#2666
    """
    found = subject.evaluation
    accuracy = found.metrics.get("accuracy")
    if accuracy is None or not found.majority_class:
        return Found(status="not_applicable", evidence="there are no classes, of which one is the most frequent")
    recalls = (
        {found.positive: found.metrics["recall"]} if found.positive else {name: each["recall"] for name, each in found.per_class.items()}
    )
    known = {name: each for name, each in recalls.items() if math.isfinite(each.value)}
    if not known:
        return Found(status="not_applicable", evidence="no recall is known")
    name = min(known, key=lambda each: known[each].value)
    recall = known[name]
    says = f"accuracy {accuracy.value:.3f}, and always answering {found.majority_class!r} has {found.majority_accuracy:.3f}; "
    says += f"recall of {name!r} is {recall}"
    as_good = found.majority_accuracy >= _low(accuracy)
    if accuracy.value >= _LOOKS_GOOD and as_good and _high(recall) < _BAD_RECALL:
        return Found(status="fail", evidence=says, value=recall.value, limit=_BAD_RECALL, where=f"class {name!r}")
    if accuracy.value >= _LOOKS_GOOD and as_good and recall.value < _BAD_RECALL:
        return Found(status="observed", evidence=f"{says}: too few to tell", value=recall.value, limit=_BAD_RECALL)
    return Found(status="pass", evidence=says, value=recall.value, limit=_BAD_RECALL)


@check("SW822", "no-better-than-naive", needs=("predictions",), after=("SW821",))
def no_better_than_naive(subject: PredictionsSubject) -> Found:
    """Predictions are better than what needs no model.

    How:
        Values and tokens: the skill against the best naive answer (persistence, seasonal, mean, unigram) has an interval above 0.
        Classes: the interval of balanced accuracy lies above 1 / classes. A failure where the figure itself does not; else a warning.
    Why:
        A small error of a slow series, or a high accuracy of a frequent class, is had for nothing.
    Mend:
        Print the naive answer beside the model's; forecast changes instead of levels; look for what the inputs can tell.
    Seen in:
        NourozR/Stock-Price-Prediction-LSTM#2, vict0rsch/deep_learning#13
    """
    found = subject.evaluation
    if found.num_units < _FEW_UNITS:
        return Found(status="not_applicable", evidence=f"{found.num_units} independent units are too few for an interval")
    if found.judged_baseline is not None:
        figure, limit, what = found.metrics["skill"], 0.0, f"skill against {found.judged_baseline}"
    elif found.chance and "balanced_accuracy" in found.metrics:
        figure, limit, what = (
            found.metrics["balanced_accuracy"],
            found.chance,
            f"balanced accuracy (chance: {found.chance:.3f})",
        )
    else:
        return Found(status="not_applicable", evidence="no naive answer is known")
    says = f"{what} is {figure}"
    if not math.isfinite(figure.value) or _low(figure) > limit:
        return Found(status="pass" if math.isfinite(figure.value) else "not_applicable", evidence=says, value=figure.value, limit=limit)
    return Found(status="fail" if figure.value <= limit else "warn", evidence=says, value=figure.value, limit=limit)


@check("SW823", "forecast-lags", needs=("predictions",), after=("SW822",))
def forecast_lags(subject: PredictionsSubject) -> Found:
    """A forecast follows what comes, and not the last value that was known.

    How:
        The correlation of the forecasts with the value of now and with the value they are about. Where the first is above 0.95 and the
        larger, the forecast is late by its own horizon: a warning without skill over persistence, and only told with it.
    Why:
        Drawn as two curves it looks perfect; the forecast is the last value with some noise.
    Mend:
        Forecast the change instead of the level, and judge by the skill over persistence.
    Seen in:
        NourozR/Stock-Price-Prediction-LSTM#5
    """
    columns = subject.predictions
    if columns is None or columns.task != "forecast" or "persistence" not in columns.baselines or columns.actual is None:
        return Found(status="not_applicable", evidence="there are no forecasts whose last known value is there")
    last, actual, predicted = columns.baselines["persistence"], columns.actual, columns.predicted
    there = np.isfinite(last) & np.isfinite(actual) & np.isfinite(predicted)
    if there.sum() < 50 or min(each[there].std() for each in (last, actual, predicted)) == 0:
        return Found(status="not_applicable", evidence="fewer than 50 forecasts have a last known value, or all are the same")
    behind, ahead = (float(np.corrcoef(predicted[there], each[there])[0, 1]) for each in (last, actual))
    says = f"forecasts correlate with the last known value by {behind:.3f}, with the value they are about by {ahead:.3f}"
    if behind <= 0.95 or behind <= ahead:
        return Found(status="pass", evidence=says, value=behind, limit=ahead)
    against = subject.evaluation.baselines.get("persistence")
    has_skill = against is not None and _low(against.skill) > 0
    return Found(status="observed" if has_skill else "warn", evidence=says, value=behind, limit=ahead)


def _low(figure: Estimate) -> float:
    return figure.value if figure.low is None or math.isnan(figure.low) else figure.low


def _high(figure: Estimate) -> float:
    return figure.value if figure.high is None or math.isnan(figure.high) else figure.high
