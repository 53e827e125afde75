"""What do the sections on metrics, confusion matrix and classes say? Figures of one evaluation, arranged for reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statewise.evaluation import baseline_says
from statewise.reporting._answer import Status, status_of
from statewise.reporting._figures import figure, metric_label, short
from statewise.words import capital, counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statewise.evaluation import Estimate, Evaluation
    from statewise.verdicts import Reason

_STRONGER = "A stronger colour means a larger share of its actual class."
_UNITS = {"group": "group", "sequence": "sequence", "block": "block", "count": "case"}


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One metric, and the limit where the policy has one."""

    label: str
    estimate: Estimate
    limit: float | None
    status: Status | None


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The section on metrics."""

    says: str
    chart_says: str
    of: str
    rows: tuple[MetricRow, ...]
    methods: tuple[str, ...]
    baseline: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the confusion matrix."""

    count: int
    right: bool


@dataclass(frozen=True, kw_only=True)
class MatrixRow:
    """One row of the confusion matrix: an actual class."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The section on the confusion matrix; `most` is the width in pixels beyond which cells would be needlessly wide."""

    says: str
    caption: str
    names: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    most: int


@dataclass(frozen=True, kw_only=True)
class Mistaken:
    """The class that another is most often taken for."""

    name: str
    count: int


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class and its figures."""

    name: str
    count: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    worst: bool
    positive: bool
    mistaken: Mistaken | None


@dataclass(frozen=True, kw_only=True)
class Classes:
    """The section on single classes."""

    says: str
    rows: tuple[ClassRow, ...]


def metrics_of(evaluation: Evaluation, judged: Mapping[str, Reason]) -> Metrics:
    """Return the section on metrics.

    Args:
        evaluation: the figures.
        judged: the reason that holds a metric against its limit, by metric.
    """
    return Metrics(
        says=_scored(evaluation),
        chart_says="Each metric that is a share with its 95 % interval; the tick is the limit of the policy.",
        of=_of(evaluation),
        rows=tuple(
            MetricRow(
                label=metric_label(name),
                estimate=estimate,
                limit=judged[name].limit if name in judged else None,
                status=status_of(judged[name]) if name in judged else None,
            )
            for name, estimate in evaluation.metrics.items()
        ),
        methods=_methods(evaluation),
        baseline=_baseline(evaluation),
        notes=tuple(map(capital, evaluation.notes)),
    )


def matrix_of(evaluation: Evaluation) -> Matrix:
    """Return the section on the confusion matrix."""
    names = evaluation.confusion.class_names
    noun = evaluation.counted
    right = sum(row[place] for place, row in enumerate(evaluation.confusion.counts))
    positive = "" if evaluation.positive is None else f" Positive class: {short(evaluation.positive)}."
    return Matrix(
        says=f"{right:,} of {evaluation.num_scored:,} {noun} lie on the diagonal. {_STRONGER}{positive}",
        caption=f"Rows: actual class, columns: predicted class, in {noun}.{positive}",
        names=names,
        rows=tuple(
            MatrixRow(name=name, cells=tuple(Cell(count=number, right=place == column) for column, number in enumerate(row)))
            for place, (name, row) in enumerate(zip(names, evaluation.confusion.counts, strict=True))
        ),
        most=220 + (96 if len(names) <= 3 else 68) * len(names),
    )


def classes_of(evaluation: Evaluation) -> Classes:
    """Return the section on single classes."""
    worst = evaluation.worst_class
    lowest = evaluation.per_class[worst or max(evaluation.support, key=evaluation.support.__getitem__)]["f1"]
    interval = "" if lowest.interval is None else f" ({lowest.interval})"
    told = f"The worst class is {short(worst)!r}, with F1" if worst is not None else "All classes have the same F1,"
    several = len(evaluation.per_class) > 2
    return Classes(
        says=f"{told} {figure(lowest.value)}{interval if worst is not None else ''}.",
        rows=tuple(
            ClassRow(
                name=name,
                count=evaluation.support[name],
                precision=figures["precision"],
                recall=figures["recall"],
                f1=figures["f1"],
                worst=several and name == worst,
                positive=name == evaluation.positive,
                mistaken=_mistaken(evaluation, name),
            )
            for name, figures in evaluation.per_class.items()
        ),
    )


def _scored(evaluation: Evaluation) -> str:
    unit = counted(evaluation.num_units, _UNITS[evaluation.unit]) + (" of steps" if evaluation.unit == "block" else "")
    scored = f"{evaluation.num_scored:,} {evaluation.counted}"
    few = evaluation.num_sequences is None or evaluation.counted == "sequences"
    of = "" if few else f" of {counted(evaluation.num_sequences or 0, 'sequence')}"
    positives = (
        ""
        if evaluation.num_positives is None or evaluation.prevalence is None
        else f" {evaluation.num_positives:,} are of the positive class {short(evaluation.positive or '')!r} ({evaluation.prevalence:.1%})."
    )
    return f"{scored}{of} from {evaluation.source} were scored; the intervals rest on {unit}.{positives}"


def _of(evaluation: Evaluation) -> str:
    """Return what precision and the metrics after it speak of, where there are such."""
    if evaluation.positive is not None:
        return f" of the positive class {short(evaluation.positive)!r}"
    of_many = "labels" if evaluation.holds == "labels" else "classes"
    return f", averaged over {of_many} (macro)" if evaluation.per_class else ""


def _methods(evaluation: Evaluation) -> tuple[str, ...]:
    """Return how the intervals were made, one line a method."""
    by_method: dict[str, list[str]] = {}
    for name, estimate in evaluation.metrics.items():
        by_method.setdefault(estimate.method, []).append(metric_label(name))
    return tuple(f"{', '.join(names)}: {method}" for method, names in by_method.items())


def _baseline(evaluation: Evaluation) -> str:
    if not evaluation.confusion.counts:
        chance = "" if evaluation.holds != "labels" else f"guessing each label has a balanced accuracy of {figure(evaluation.chance)}"
        return f"Without looking: {chance or baseline_says(evaluation)}."
    always, accuracy = short(evaluation.majority_class), figure(evaluation.majority_accuracy)
    chance = figure(evaluation.chance)
    return f"Without looking: always answering {always!r} has an accuracy of {accuracy}; guessing has a balanced accuracy of {chance}."


def _mistaken(evaluation: Evaluation, name: str) -> Mistaken | None:
    names = evaluation.confusion.class_names
    row = evaluation.confusion.counts[names.index(name)]
    wrong = [(number, other) for number, other in zip(row, names, strict=True) if other != name and number]
    return None if not wrong else Mistaken(name=max(wrong, key=lambda each: each[0])[1], count=max(wrong, key=lambda each: each[0])[0])
