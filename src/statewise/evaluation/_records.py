"""What is known after an evaluation, and how is it kept? Records that go to JSON and come back the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from statewise.errors import OptionError, RunError
from statewise.evaluation._estimate import Estimate
from statewise.evaluation._part_records import Events, Slice
from statewise.evaluation._trade_off import Cost, TradeOff
from statewise.files import write_atomically
from statewise.tasks import TASKS, Holds
from statewise.types import KnownTask

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

SCHEMA = 1
_LARGEST = 10**15
"""Up to here whole numbers and their sums are exact in double precision."""


Unit: TypeAlias = Literal["group", "sequence", "block", "count"]
Average: TypeAlias = Literal["positive class", "macro", "none"]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The four counts of a binary task.

    Args:
        tp: positives that were found.
        fn: positives that were missed.
        fp: negatives that were called positive.
        tn: negatives that were left alone.

    Raises:
        OptionError: a negative count, or no case at all.
    """

    tp: int
    fn: int
    fp: int
    tn: int

    def __post_init__(self) -> None:
        """Refuse what cannot be counts."""
        four = {name: getattr(self, name) for name in self.__struct_fields__}
        for name, count in four.items():
            if count > _LARGEST:
                raise self._error(name, str(count), f"A count is at most {_LARGEST:,}.")
            if count < 0:
                raise self._error(name, str(count), "A count is 0 or more.")
        if not any(four.values()):
            raise self._error("all four", "0", "Give the number of cases of each kind, such as tp=12, fn=88, fp=112, tn=9788.")

    def _error(self, where: str, arrived: str, hint: str) -> OptionError:
        return OptionError(asked="evaluate four counts", where=where, arrived=arrived, hint=hint)


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """How often each class was predicted as each: `counts[actual][predicted]`."""

    class_names: tuple[str, ...]
    counts: list[list[int]]


class BaselineScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a naive method reaches on the rows for which it has an answer, and how much better the model is there.

    Attributes:
        figures: its mse, rmse and mae; its cross_entropy and bits for `"next"`.
        skill: 1 - (error of the model) / (error of this method), of squares or of bits: 0 is no better, 1 is without error.
        num_scored: the rows that both have an answer for.
        model: the same figures of the model on these rows, where they are fewer than all.
    """

    figures: dict[str, float]
    skill: Estimate
    num_scored: int
    model: dict[str, float] = {}


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """A few of many rows, evenly spaced, to be drawn: what was, what was predicted, and of forecasts how far ahead."""

    actual: tuple[float, ...] = ()
    predicted: tuple[float, ...] = ()
    ahead: tuple[int, ...] = ()


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """The score from which a row counts as positive, as `choose_threshold` chose it, and on what.

    Attributes:
        value: the threshold; above 1 where nothing is called positive.
        positive: the class that the score is the probability of.
        why: what it was chosen by, in words.
        expected: precision, recall, false_positive_rate, alerts and costs on the rows it was chosen on, with intervals. It was
            chosen to look good there, so that others will see a little worse.
        cost: what mistakes cost, where that was told; per_day whether alerts a day were.
        source: where these rows came from; `num_scored` is their number.
        sha256: hash of them; `sample` holds the fingerprints of up to 256, so that the same rows are known again.
        overlap: the share of them that are among the rows it was applied to: anything but 0 makes what is told there too good.
    """

    value: float
    positive: str
    why: str
    expected: dict[str, Estimate]
    cost: Cost | None = None
    per_day: bool = False
    source: str
    num_scored: int
    sha256: str
    sample: tuple[int, ...]
    overlap: float = 0.0

    def __str__(self) -> str:
        """Return the threshold and why it is this one."""
        return f"{'above 1' if self.value > 1 else f'{self.value:.4g}'} for {self.positive!r}: {self.why}, chosen on {self.source}"

    def __repr__(self) -> str:
        """Return the same, in brackets."""
        return f"Threshold({self})"


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """How good the answers are, how sure that is, and what answering without looking would have reached.

    Which fields have something to say depends on what the task predicts: `confusion`, `positive`, `majority_class` and what
    follows it are of classes, `baselines` of values and of `"next"`, `label_counts` of several labels at once. The others are
    empty, None or 0.

    Attributes:
        schema: version of this record.
        task: `"classify"`, `"tag"`, `"multilabel"`, `"regress"`, `"forecast"` or `"next"`.
        source: where the predictions came from.
        metrics: classes: accuracy, balanced_accuracy, precision, recall, f1, specificity, negative_predictive_value, mcc, and of
            probabilities log_loss, brier, calibration_error, roc_auc, pr_auc. Several labels: subset_accuracy, hamming_accuracy,
            balanced_accuracy, precision, recall, f1. Values: mse, rmse, mae, r2, skill, of forecasts mase. Next: cross_entropy, bits,
            perplexity, accuracy, skill.
        per_class: precision, recall and f1 of each class or label.
        confusion: rows actual, columns predicted.
        positive: the class that a binary task looks for; None for several classes.
        average: what precision and the metrics after it speak of.
        unit: what is independent of each other: the group wherever groups exist, else the sequence, never the step; blocks of
            steps where those are fewer than 8.
        num_units: number of them.
        num_scored: number of targets: steps of a task that has one a step, else sequences; of a forecast, steps and horizons.
        num_sequences: number of sequences; None when only counts are known.
        majority_class: the most frequent class among the targets.
        majority_accuracy: accuracy of always answering it.
        chance: balanced accuracy of guessing: 1 / classes, or one half for labels.
        num_positives: number of targets of the positive class.
        prevalence: their share.
        baselines: what naive methods reach, by name; `judged_baseline` is the best of them, which `skill` is against.
        by_ahead: of forecasts, rmse, mae and skill by how many steps ahead, and the rmse of the baseline.
        label_counts: the four counts of each label.
        points: some of the values, for a chart.
        averages: precision, recall and f1 of several classes or labels: `"macro"`, `"micro"` and `"weighted"` averages.
        by_sequence: figures in which each sequence counts once, however long; those of `metrics` count each row once.
        events: of steps that have a label, how well runs of the positive class are found.
        slices: figures of parts of the rows.
        threshold: of two classes, the score from which rows counted as positive, where that is known; `chosen` is how it was chosen,
            where `choose_threshold` did.
        trade_off: of two classes with scores, what each threshold gives.
        cost: what mistakes cost, where that was told.
        mistakes: where a threshold was chosen or a cost told: false_positive_rate, alerts_per_thousand, alerts_per_day,
            cost_per_case, cost_per_case_at_half (at the threshold 0.5) and saving, the share of the latter that is saved.
        notes: one line for each thing that should be known.
    """

    schema: int = SCHEMA
    task: KnownTask
    source: str
    metrics: dict[str, Estimate]
    per_class: dict[str, dict[str, Estimate]] = {}
    confusion: Confusion = Confusion(class_names=(), counts=[])
    positive: str | None = None
    average: Average = "none"
    unit: Unit
    num_units: int
    num_scored: int
    num_sequences: int | None
    majority_class: str = ""
    majority_accuracy: float = 0.0
    chance: float = 0.0
    num_positives: int | None = None
    prevalence: float | None = None
    baselines: dict[str, BaselineScore] = {}
    judged_baseline: str | None = None
    by_ahead: dict[int, dict[str, Estimate]] = {}
    label_counts: dict[str, Counts] = {}
    points: Points = Points()
    averages: dict[str, dict[str, Estimate]] = {}
    by_sequence: dict[str, Estimate] = {}
    events: Events | None = None
    slices: tuple[Slice, ...] = ()
    threshold: float | None = None
    chosen: Threshold | None = None
    trade_off: TradeOff | None = None
    cost: Cost | None = None
    mistakes: dict[str, Estimate] = {}
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> Holds:
        """What an answer is: a class, a value, or any number of labels."""
        return TASKS[self.task].holds

    @property
    def counted(self) -> str:
        """What is scored, in a word: `"sequences"`, `"steps"`, `"forecasts"` (of a step and horizon), `"tokens"` or `"cases"`."""
        told = {"tag": "steps", "forecast": "forecasts", "next": "tokens"}.get(self.task)
        if told is None:
            told = "cases" if self.num_sequences is None else "sequences" if self.num_sequences == self.num_scored else "steps"
        return told

    @property
    def support(self) -> dict[str, int]:
        """Number of targets of each class, or of each label."""
        if self.label_counts:
            return {name: counts.tp + counts.fn for name, counts in self.label_counts.items()}
        return {name: sum(row) for name, row in zip(self.confusion.class_names, self.confusion.counts, strict=True)}

    @property
    def worst_class(self) -> str | None:
        """The class or label with the lowest f1 among those that occur; None where they all have the same."""
        found = {name: self.per_class[name]["f1"].value for name, count in self.support.items() if count}
        return min(found, key=lambda name: found[name]) if len(set(found.values())) > 1 else None

    @property
    def num_missed(self) -> int | None:
        """Number of positives that were predicted as the other class; None for several classes."""
        if self.positive is None:
            return None
        row = self.confusion.class_names.index(self.positive)
        return sum(self.confusion.counts[row]) - self.confusion.counts[row][row]

    def __repr__(self) -> str:
        """Return the figures in one line."""
        first = {"classes": ("accuracy", "recall"), "values": ("rmse",), "labels": ("subset_accuracy", "f1")}[self.holds]
        shown = ("bits", "skill") if self.task == "next" else (*first, *(["skill"] if self.baselines else []))
        figures = ", ".join(f"{name.replace('_', ' ')} {self.metrics[name]}" for name in shown if name in self.metrics)
        return f"Evaluation({self.task}, {self.num_scored} scored, {figures}, from {self.source})"

    def __str__(self) -> str:
        """Return what the terminal shows, as plain text of 80 columns."""
        from statewise.evaluation._terminal import as_text

        return as_text(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the tables and lines for the terminal."""
        from statewise.evaluation._terminal import render

        return render(self, options.max_width)

    def _repr_html_(self) -> str:
        from statewise.evaluation._terminal import as_html

        return as_html(self)


def write_evaluation(evaluation: Evaluation, path: Path | str) -> Path:
    """Write an evaluation as JSON, whole or not at all."""
    content = msgspec.json.format(msgspec.json.encode(evaluation), indent=2)
    return write_atomically(path, content + b"\n", asked="write the evaluation")


def read_evaluation(path: Path | str) -> Evaluation:
    """Read an evaluation back.

    Raises:
        RunError: the file is absent, damaged, or of another version.
    """
    try:
        document = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
        if document.get("schema") != SCHEMA:
            hint = "Use the version that wrote it, or evaluate again."
            raise _unreadable(path, f"schema {document.get('schema')!r}, this version reads {SCHEMA}", hint)
        _undefined_as_nan(document)
        return msgspec.convert(document, Evaluation, str_keys=True)
    except OSError as problem:
        raise _unreadable(
            path, problem.strerror or str(problem), "Make it with 'statewise evaluate ... --out FILE', or by fitting."
        ) from problem
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as problem:
        raise _unreadable(path, f"damaged ({problem})", "Evaluate again, or restore it from a copy.") from problem


def _undefined_as_nan(part: Any) -> None:
    """Put NaN in the place of null wherever a figure is undefined, which JSON has no word for."""
    if isinstance(part, dict):
        if {"value", "method"} <= part.keys() and part["value"] is None:
            part["value"] = math.nan
        for each in part.values():
            _undefined_as_nan(each)
    elif isinstance(part, list):
        for each in part:
            _undefined_as_nan(each)


def _unreadable(path: Path | str, arrived: str, hint: str) -> RunError:
    return RunError(asked="read an evaluation", where=f"file '{path}'", arrived=arrived, hint=hint)
