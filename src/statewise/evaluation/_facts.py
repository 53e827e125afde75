"""How is each metric called, which way is better, and between which numbers does it lie? One table, which all that shows or judges asks."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

Of: TypeAlias = Literal["all", "a class", "probabilities", "values", "tokens"]
"""What a metric speaks of: all answers, one class (or the mean over classes), probabilities, values, or next tokens."""


class Facts(NamedTuple):
    """What is true of a metric.

    Attributes:
        words: its name in a table.
        of: what it speaks of.
        lower_is_better: whether it is an error.
        least: the lowest that it can be; `most` the highest.
    """

    words: str
    of: Of = "all"
    lower_is_better: bool = False
    least: float = 0.0
    most: float = 1.0


def _error(words: str, of: Of, *, least: float = 0.0, most: float = math.inf) -> Facts:
    return Facts(words, of, lower_is_better=True, least=least, most=most)


FACTS: dict[str, Facts] = {
    "accuracy": Facts("accuracy"),
    "balanced_accuracy": Facts("balanced accuracy"),
    "precision": Facts("precision", "a class"),
    "recall": Facts("recall", "a class"),
    "f1": Facts("f1", "a class"),
    "specificity": Facts("specificity", "a class"),
    "negative_predictive_value": Facts("negative predictive value", "a class"),
    "mcc": Facts("Matthews correlation", least=-1.0),
    "log_loss": _error("log loss (nats)", "probabilities"),
    "brier": _error("Brier score", "probabilities", most=2.0),
    "calibration_error": _error("calibration error", "probabilities", most=1.0),
    "roc_auc": Facts("ROC AUC", "probabilities"),
    "pr_auc": Facts("PR AUC (average precision)", "probabilities"),
    "subset_accuracy": Facts("subset accuracy"),
    "hamming_accuracy": Facts("hamming accuracy"),
    "mse": _error("MSE", "values"),
    "rmse": _error("RMSE", "values"),
    "mae": _error("MAE", "values"),
    "r2": Facts("R2", "values", least=-math.inf),
    "mase": _error("MASE", "values"),
    "skill": Facts("skill", "values", least=-math.inf),
    "cross_entropy": _error("cross-entropy (nats)", "tokens"),
    "bits": _error("bits a token", "tokens"),
    "perplexity": _error("perplexity", "tokens", least=1.0),
}


def metric_words(name: str) -> str:
    """Return a metric as it stands in a table.

    Example:
        >>> metric_words("balanced_accuracy"), metric_words("rmse"), metric_words("event_recall")
        ('balanced accuracy', 'RMSE', 'event recall')
    """
    return FACTS[name].words if name in FACTS else name.replace("_", " ")
