"""What is a table of an evaluation, and how is a metric called in words?"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["baselines", "ahead", "labels", "averages", "by_sequence", "events", "slices"]

_WORDS = {
    "r2": "R2",
    "mse": "MSE",
    "rmse": "RMSE",
    "mae": "MAE",
    "mase": "MASE",
    "mcc": "Matthews correlation",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC (average precision)",
    "brier": "Brier score",
    "log_loss": "log loss (nats)",
    "bits": "bits a token",
    "cross_entropy": "cross-entropy (nats)",
}


class Table(NamedTuple):
    """A table of words and figures: the first column is of words."""

    kind: Kind
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def metric_words(name: str) -> str:
    """Return a metric as it stands in a table.

    Example:
        >>> metric_words("balanced_accuracy"), metric_words("rmse")
        ('balanced accuracy', 'RMSE')
    """
    return _WORDS.get(name, name.replace("_", " "))
