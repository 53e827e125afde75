"""Do predictions look better than they are? What a file of any framework holds is asked for the paradoxes of accuracy and of forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from statewise.auditing._needs import Examined
from statewise.auditing._plain_audit import audited
from statewise.errors import DataError, kind_of
from statewise.evaluation import Counts, Evaluation, Predictions, evaluate, read_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.auditing._audit import Audit

PredictionsLike: TypeAlias = "Predictions | Evaluation | Counts | Path | str"
"""What can be audited as predictions: columns, a file of them, what came of them, or four counts."""


def audit_predictions(
    predictions: PredictionsLike, *, positive: str | None = None, select: Sequence[str] = (), ignore: Sequence[str] = ()
) -> Audit:
    """Ask whether predictions look better than they are: accuracy that a constant answer has too, forecasts that follow the last value.

    Args:
        predictions: with targets, of any framework; a file of them; their evaluation, or four counts.
        positive: the class that a binary task looks for, as for `evaluate`.
        select: codes, or beginnings of codes; all where it is empty.
        ignore: codes, or beginnings of codes, that are skipped.

    Raises:
        DataError: no targets, or nothing that can be evaluated.
        OptionError: `select` or `ignore` names no check.

    Example:
        >>> for each in audit_predictions(Counts(tp=12, fn=88, fp=112, tn=9788)).findings:
        ...     print(each.code, each.evidence)
        SW821 accuracy 0.980, and always answering 'negative' has 0.990; recall of 'positive' is 0.120 (0.064 to 0.200)
    """
    if isinstance(predictions, (str, Path)):
        predictions = read_predictions(predictions, positive=positive)
    if not isinstance(predictions, Predictions | Evaluation | Counts):
        raise _refused(predictions)
    evaluation = predictions if isinstance(predictions, Evaluation) else evaluate(predictions, positive=positive)
    subject = PredictionsSubject(evaluation=evaluation, predictions=predictions if isinstance(predictions, Predictions) else None)
    seen = f"Looked at: {evaluation.num_scored:,} answers of {evaluation.num_units:,} units, task {evaluation.task}."
    return audited("metric", subject, name=evaluation.source, sampled=seen, asked="audit predictions", select=select, ignore=ignore)


@dataclass(frozen=True, kw_only=True)
class PredictionsSubject(Examined):
    """Predictions as their checks see them.

    Attributes:
        evaluation: what came of them.
        predictions: the columns, where they are there.
    """

    evaluation: Evaluation
    predictions: Predictions | None


def _refused(given: object) -> DataError:
    hint = "Give predictions, a file of them, an Evaluation, or Counts."
    return DataError(asked="audit predictions", where="predictions", arrived=kind_of(given), hint=hint)
