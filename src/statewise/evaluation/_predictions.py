"""What did a model answer, for whom, and what would have been right? One row a sequence, a step, or a step and horizon, in columns.

Reading files of any framework is `_reading`'s, making predictions with a model is `_predict`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.errors import DataError, OptionError, ShapeError, missing_extra, nearest
from statewise.evaluation._labels import SCORE_NOTE, match_class, numbered, score_note
from statewise.files import write_atomically
from statewise.tasks import TASKS
from statewise.types import KnownTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statewise.evaluation._records import Threshold, Unit
    from statewise.tasks import Holds


SUFFIXES = (".parquet", ".csv", ".jsonl")
_KINDS: dict[str, Any] = {
    "key": str,
    "step": None,
    "ahead": np.int64,
    "score": np.float64,
    "probabilities": np.float64,
    "nll": np.float64,
    "history": np.int64,
    "change": np.float64,
    "group": str,
    "weight": np.float64,
    "amount": np.float64,
    "split": str,
    "length": None,
}
"""What each column is brought to; None leaves it as it came."""

_ANSWERS: dict[Holds, Any] = {"classes": np.int64, "values": np.float64, "labels": np.bool_}
"""What the answers and the targets of a task are brought to."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Predictions:
    """Answers, and where known the right ones, in columns of equal length `[rows]`.

    Args:
        task: `"classify"` and `"multilabel"` have one row a sequence or (as `"tag"`) one a step, `"regress"` likewise, `"next"` one
            a step, and `"forecast"` one a step and horizon.
        class_names: the label behind each class number; the labels of `"multilabel"`; none for values.
        key: the sequence of each row, text.
        predicted: class numbers, int64; values, float64; of `"multilabel"` which labels were given, bool `[rows, labels]`.
        actual: the same of the targets, or None. A value that is not known is NaN: its row is kept and never scored.
        step: the position (or time) of each row in its sequence; of a forecast, the step at which it was made.
        ahead: forecasts: how many steps later the value is, from 1.
        score: binary tasks: probability of `score_class`.
        score_class: the class that `score` is the probability of; the last one when absent.
        score_is_guess: whether nobody told which class that is, so that it is the one that is looked for, once that is told.
        probabilities: several classes or labels: `[rows, classes]`.
        nll: `"next"`: the negative logarithm, in nats, of the probability that was given to the class that came.
        baselines: what naive methods answer, by name: values, NaN where a method has no answer; or for `"next"` their
            nll, where each row needs one (`evaluate` refuses NaN).
        group: what must not be split, text.
        weight: a row of weight 0 is kept and never scored; no metric uses the other weights.
        amount: what each row is worth.
        split: the part of the data that a row comes from, text.
        length: number of steps of the sequence.
        history: how many steps of its stream came before this one.
        change: forecasts: how much the series of the row usually changes from a step to the next, or to a season later, in training.
        more: further columns to slice by.
        positive: the class that a binary task looks for, where the user has told it.
        threshold: the score from which rows were called positive, where that is known; `at` gives another.
        source: where the predictions came from.
        notes: one line for each thing that was accepted and should be known.

    Raises:
        ShapeError: columns of unequal length, or answers for another number of labels than there are names.
        DataError: class numbers that have no name.

    Example:
        >>> p = Predictions(task="classify", class_names=("no", "yes"), key=np.array(["a", "b"]), predicted=np.array([1, 0]))
        >>> p.prediction.tolist(), p.target
        (['yes', 'no'], None)
        >>> Predictions(task="regress", key=np.array(["a", "b"]), predicted=np.array([1.5, 0.2])).prediction.tolist()
        [1.5, 0.2]
    """

    task: KnownTask
    class_names: tuple[str, ...] = ()
    key: np.ndarray
    predicted: np.ndarray
    actual: np.ndarray | None = None
    step: np.ndarray | None = None
    ahead: np.ndarray | None = None
    score: np.ndarray | None = None
    score_class: str | None = None
    score_is_guess: bool = False
    probabilities: np.ndarray | None = None
    nll: np.ndarray | None = None
    baselines: Mapping[str, np.ndarray] = field(default_factory=dict)
    group: np.ndarray | None = None
    weight: np.ndarray | None = None
    amount: np.ndarray | None = None
    split: np.ndarray | None = None
    length: np.ndarray | None = None
    history: np.ndarray | None = None
    change: np.ndarray | None = None
    more: Mapping[str, np.ndarray] = field(default_factory=dict)
    positive: str | None = None
    threshold: Threshold | float | None = None
    source: str = "predictions in memory"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Bring the columns into one form, and refuse sizes and numbers that do not fit."""
        store = object.__setattr__
        store(self, "class_names", tuple(str(name) for name in self.class_names))
        answers = _ANSWERS[self.holds]
        for name, kind in {**_KINDS, "predicted": answers, "actual": answers}.items():
            column = getattr(self, name)
            if column is not None:
                store(self, name, as_text(column) if kind is str else np.asarray(column, dtype=kind))
        store(self, "baselines", {name: np.asarray(column, dtype=np.float64) for name, column in self.baselines.items()})
        for name in ("predicted", "actual"):
            self._require_named(name)
        self._require_probabilities()
        if self.score is not None and self.score_class is None and len(self.class_names) == 2:
            store(self, "score_class", self.class_names[-1])
        columns = {name: getattr(self, name) for name in ("predicted", "actual", *_KINDS)}
        for name, column in {**columns, **{f"baselines[{name!r}]": each for name, each in self.baselines.items()}, **self.more}.items():
            if column is not None and len(column) != len(self.predicted):
                raise _error(name, f"{len(column)} rows, while predicted has {len(self.predicted)}", "Give every column one entry a row.")

    def _require_probabilities(self) -> None:
        found = self.probabilities
        if found is None:
            return
        if found.ndim != 2 or found.shape[1] != len(self.class_names):
            hint = "Give a column for each class: [rows, classes]."
            raise _error("probabilities", f"the shape {found.shape} for {len(self.class_names)} class names", hint)
        bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if len(bad):
            hint = "Give a probability for each class and row; rows that are not known are left out."
            raise _error("probabilities", f"not finite in row {bad[0] + 1} ({len(bad):,} of {len(found):,} rows)", hint)

    def _require_named(self, name: str) -> None:
        answers = getattr(self, name)
        if answers is None or self.holds == "values":
            return
        if self.holds == "labels":
            if answers.shape[1:] != (len(self.class_names),):
                hint = "Give one entry a row and label: [rows, labels]."
                raise _error(name, f"the shape {answers.shape} for {len(self.class_names)} class names", hint)
        elif answers.size and not 0 <= answers.min() <= answers.max() < len(self.class_names):
            raise DataError(
                asked="Predictions(...)",
                where=name,
                arrived=f"class numbers from {answers.min()} to {answers.max()} for {len(self.class_names)} class names",
                hint="Class numbers count from 0, one a name; labels are read by Predictions.from_columns.",
            )

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Any],
        *,
        task: KnownTask | None = None,
        positive: str | None = None,
        threshold: float = 0.5,
        class_names: tuple[str, ...] | None = None,
        season: int | None = None,
        source: str = "predictions in memory",
    ) -> Predictions:
        """Return predictions from columns of labels and probabilities, by the rules of `read_predictions`.

        Args:
            columns: lists or arrays by name: `target`, and `prediction`, `score` or `p_<class>`, and any others.
            task: as in `read_predictions`, like the rest.
            positive: the class that `score` is the probability of.
            threshold: the score from which a row counts as positive.
            class_names: all classes, where some may not occur.
            season: steps of one season.
            source: where the columns came from, for messages.

        Example:
            >>> p = Predictions.from_columns({"target": [0, 1, 1], "score": [0.2, 0.9, 0.4]})
            >>> p.prediction.tolist()
            ['0', '1', '0']
        """
        from statewise.evaluation._columns import columns_in_memory
        from statewise.evaluation._reading import predictions_of

        table = columns_in_memory(columns, source)
        return predictions_of(table, task=task, positive=positive, threshold=threshold, class_names=class_names, season=season)

    def at(self, threshold: Threshold | float) -> Predictions:
        """Return the same rows called positive from another threshold on; see `choose_threshold`.

        Raises:
            OptionError: not two classes, a threshold outside 0 to 1, or one that was chosen for another class.
            DataError: there are no scores.

        Example:
            >>> Predictions.from_columns({"target": [0, 1, 1], "score": [0.2, 0.9, 0.4]}).at(0.3).prediction.tolist()
            ['0', '1', '1']
        """
        from statewise.evaluation._threshold import called_from

        return called_from(self, threshold)

    @property
    def holds(self) -> Holds:
        """What an answer is: a class, a value, or any number of labels."""
        return TASKS[self.task].holds

    @property
    def target(self) -> np.ndarray | None:
        """The right label (or value, or which labels) of each row, or None."""
        return None if self.actual is None else self._decoded(self.actual)

    @property
    def prediction(self) -> np.ndarray:
        """The predicted label (or value, or which labels) of each row."""
        return self._decoded(self.predicted)

    def _decoded(self, answers: np.ndarray) -> np.ndarray:
        if self.holds != "classes":
            return answers
        labels: np.ndarray = np.array(self.class_names, dtype=object)[answers]
        return labels

    @property
    def unit(self) -> Unit:
        """What is independent of each other: the group where groups exist, else the sequence."""
        return "sequence" if self.group is None else "group"

    def unit_numbers(self) -> np.ndarray:
        """Return the number of the unit of each row, from 0 without gaps: int64 `[rows]`."""
        return self.key_numbers if self.group is None else numbered(self.group)[0]

    @cached_property
    def key_numbers(self) -> np.ndarray:
        """The number of the sequence of each row, in order of appearance from 0: int64 `[rows]`."""
        return numbered(self.key)[0]

    @property
    def num_sequences(self) -> int:
        """Number of different sequences."""
        return int(self.key_numbers.max()) + 1 if len(self) else 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.predicted)

    def __repr__(self) -> str:
        """Return the sizes and names, not the rows."""
        target = "no targets" if self.actual is None else "with targets"
        classes = "" if self.holds == "values" else f"{len(self.class_names)} {'labels' if self.holds == 'labels' else 'classes'}, "
        return f"Predictions({self.task}, {len(self)} rows, {classes}{target}, from {self.source})"

    def looking_for(self, positive: str | None) -> Predictions:
        """Return these with the score as that of the class that is looked for, where it was a guess which class it is of; else these.

        Raises:
            OptionError: `positive` is no class.
        """
        if positive is None or self.score is None or not self.score_is_guess or not isinstance(self.threshold, float):
            return self
        chosen = match_class(positive, self.class_names)
        if chosen == self.score_class:
            return replace(self, score_is_guess=False)
        place = self.class_names.index(chosen)
        notes = tuple(note for note in self.notes if not note.startswith(SCORE_NOTE))
        return replace(
            self,
            score_class=chosen,
            score_is_guess=False,
            predicted=np.where(self.score >= self.threshold, place, 1 - place),
            notes=(*notes, score_note(chosen, self.threshold)),
        )

    def columns(self) -> dict[str, np.ndarray]:
        """Return the columns under the names that they have in a file, those that are absent left out."""
        found: dict[str, np.ndarray | None] = {"key": self.key, "step": self.step, "ahead": self.ahead}
        found |= self._label_columns() if self.holds == "labels" else {"target": self.target, "prediction": self.prediction}
        if self.probabilities is not None:
            found |= {f"p_{name}": self.probabilities[:, number] for number, name in enumerate(self.class_names)}
        found |= {"nll": self.nll} | {f"baseline_{name}": column for name, column in self.baselines.items()}
        found |= {name: getattr(self, name) for name in ("score", "group", "weight", "amount", "split", "length", "history", "change")}
        return {name: column for name, column in {**found, **self.more}.items() if column is not None}

    def _label_columns(self) -> dict[str, np.ndarray | None]:
        """Return a column of truths for each label, and one of answers unless they are the probabilities from one half on."""
        told = self.probabilities is not None and np.array_equal(self.predicted, self.probabilities >= 0.5)
        sides = {"target": self.actual, "prediction": None if told else self.predicted}
        return {
            f"{side}_{name}": answers[:, number]
            for side, answers in sides.items()
            if answers is not None
            for number, name in enumerate(self.class_names)
        }

    def save(self, path: Path | str) -> Path:
        """Write the rows to a .parquet, .csv or .jsonl file, whole or not at all.

        Raises:
            OptionError: another suffix.
            RunError: the folder cannot be written to.
            MissingExtraError: polars is not installed (parquet and csv).
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            raise OptionError(
                asked="save predictions", where=f"file '{path}'", arrived=f"the suffix {suffix!r}", hint=nearest(suffix, SUFFIXES)
            )
        content = _as_lines(self.columns()) if suffix == ".jsonl" else _as_table(self.columns(), suffix)
        return write_atomically(path, content, asked="save predictions")


def _error(where: str, arrived: str, hint: str) -> ShapeError:
    return ShapeError(asked="Predictions(...)", where=where, arrived=arrived, hint=hint)


def as_text(column: np.ndarray) -> np.ndarray:
    """Return a column with each entry as a str."""
    entries = column.tolist()
    if column.dtype == object and set(map(type, entries)) == {str}:
        return column
    text = np.empty(len(column), dtype=object)
    text[:] = list(map(str, entries))
    return text


def _as_table(columns: dict[str, np.ndarray], suffix: str) -> bytes:
    try:
        import polars as pl
    except ImportError as problem:
        raise missing_extra("save predictions", "polars", "data") from problem
    import io

    frame = pl.DataFrame({name: column.tolist() if column.dtype == object else column for name, column in columns.items()}, strict=False)
    buffer = io.BytesIO()
    frame.write_parquet(buffer) if suffix == ".parquet" else frame.write_csv(buffer)
    return buffer.getvalue()


def _as_lines(columns: dict[str, np.ndarray]) -> bytes:
    import msgspec

    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return msgspec.json.Encoder().encode_lines([dict(zip(columns, row, strict=True)) for row in rows])
