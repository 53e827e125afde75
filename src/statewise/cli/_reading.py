"""Which data does a command work on? The options that all commands share, and how they become parts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from statewise.cli._fit_options import SplitOptions
from statewise.cli._show import warn
from statewise.errors import DataError, OptionError
from statewise.runs import Run
from statewise.sequences import FILE_NAME, FOLDER_NAME, Sequences, column_names, fingerprints, in_pieces, read
from statewise.types import KnownTask

if TYPE_CHECKING:
    from collections.abc import Mapping

_Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]
_NOT_LATER = ("max_steps",)
"""Pieces are for training: all else is read whole, the state carried from end to end."""
_MAY_BE_ABSENT = ("target", "group", "weight", "baselines")
"""What a file to predict need not have."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column means what."""

    key: str | None = None
    "Column that names the sequence of each row; '<file>' where each file is one."
    time: str | None = None
    "Column that orders the rows of a sequence."
    target: _Names = ()
    "Column of labels or numbers to predict; several of 0 and 1 for multilabel."
    group: str | None = None
    "Column of what must not be split: person, engine, account; '<folder>' for the folder of a file."
    features: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative="")] = None
    "Columns the model reads; by default all that have no other meaning."
    categorical: _Names = ()
    "Columns whose values are labels, not numbers."
    static: _Names = ()
    "Columns that hold one value for a whole sequence."
    weight: str | None = None
    "Column that says how much each target counts; 0 is fed and not scored."
    baselines: _Names = ()
    "Columns of what naive methods would answer, for regress: the model is held against the best, and never reads them."
    task: KnownTask | None = None
    "What is predicted; read off the data when absent: one label a sequence, or one a step."
    each: Literal["sequence", "step"] | None = None
    "What has a target, for regress and multilabel; read off the data when absent."
    known: _Names = ()
    "Features whose later values are known beforehand, for forecast."
    season: int | None = None
    "Steps of one season, for the naive forecast to beat; read off steady dates when absent."
    missing: Literal["error", "mean", "indicator"] | None = None
    "What a feature without a value is: an error, the mean of training, or that beside a column that says so."
    unlabelled: Literal["error", "skip"] | None = None
    "What a step without a target is: an error, or fed and not scored."
    ties: Literal["error", "keep"] | None = None
    "What two steps of a sequence at one time are: an error, or in the order of the file."
    max_steps: int | None = None
    "Cut longer sequences of the training part into pieces of so many steps; all other parts and files are read whole."
    max_gap: str | None = None
    "Begin a new sequence where time leaps by more than this: a number, or such as 90min."
    time_gaps: Annotated[bool, Parameter(negative="")] = False
    "Add a feature: the time since the step before."

    def given(self) -> dict[str, Any]:
        """Return the options that were given, as `read` takes them."""
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        found["target"] = self.target[0] if len(self.target) == 1 else list(self.target)
        return {name: value for name, value in found.items() if value is not None and value is not False and value != []}


@dataclass(frozen=True)
class Parts:
    """The parts of a training's data; there may be no test part."""

    train: Sequences
    valid: Sequences
    test: Sequences | None


def read_parts(
    *, data: Path | None, train: Path | None, valid: Path | None, test: Path | None, columns: Columns, cut: SplitOptions, seed: int
) -> Parts:
    """Read one file and split it, or read the parts that were given and carve the validation part out of the training part."""
    if (data is None) == (train is None):
        raise OptionError(
            asked="statewise fit",
            where="the data",
            arrived="no file" if data is None else "both --data and --train",
            hint="Give --data FILE, which is split in three, or --train FILE with --test FILE.",
        )
    options = {name: value for name, value in columns.given().items() if name not in _NOT_LATER}
    if data is not None:
        if valid is not None or test is not None:
            raise OptionError(
                asked="statewise fit", where="the data", arrived="--data beside --valid or --test", hint="Use --train instead of --data."
            )
        parts = cut.cut(read(data, **options), fractions=(0.7, 0.15, 0.15), seed=seed)
        return Parts(*_in_pieces(parts[0], parts[1], columns.max_steps), parts[2])
    assert train is not None
    training = read(train, **options)
    chosen = reading_of(training, columns)
    held_out = None if test is None else read_like(training, test, chosen)
    if valid is not None:
        cut.require_unused()
        return Parts(*_in_pieces(training, read_like(training, valid, chosen), columns.max_steps), held_out)
    carved = cut.cut(training, fractions=(0.85, 0.15), seed=seed)
    return Parts(*_in_pieces(carved[0], carved[1], columns.max_steps), held_out)


def _in_pieces(train: Sequences, valid: Sequences, max_steps: int | None) -> tuple[Sequences, Sequences]:
    """Return the training part in pieces; what watches it is read whole, and both have groups or neither, so that a refit can join them."""
    if max_steps is None:
        return train, valid
    return in_pieces(train, max_steps), valid if valid.groups is not None else replace(valid, groups=valid.keys)


def require_apart(parts: Parts, *, cut: bool) -> None:
    """Refuse a test file whose sequences all stand in the training part too; tell where some do.

    Args:
        parts: the parts.
        cut: whether the test part was cut out of the same file: then nothing is there twice but what repeats in the data.

    Raises:
        DataError: nothing in the test file is new.
    """
    if parts.test is None:
        return
    trained = {*fingerprints(parts.train), *fingerprints(parts.valid)}
    num_known = sum(mark in trained for mark in fingerprints(parts.test))
    if num_known and cut:
        warn(
            f"{num_known} of {len(parts.test)} test sequences also occur in training, number by number: "
            "repeats in the data; the test figures say less about new ones"
        )
    elif num_known == len(parts.test):
        raise DataError(
            asked="statewise fit",
            where=f"the test part ({parts.test.source})",
            arrived=f"all of its {num_known} sequences are trained on too",
            hint="Give a test part of its own, or --data FILE, which is split in three.",
        )
    elif num_known:
        warn(f"{num_known} of {len(parts.test)} test sequences are trained on too, number by number: the test figures are too good")


def tell_notes(data: Sequences) -> None:
    """Tell what was accepted and should be known; to standard error, where it does not mix with figures."""
    for note in data.notes:
        warn(note)


def read_like(training: Sequences, path: Path, options: Mapping[str, Any]) -> Sequences:
    """Read a file with the classes and categories of the training part."""
    classes = {"class_names": training.class_names, "categories": training.categories, "static_names": training.static_names}
    return read(path, **{**options, **classes})


def reading_of(training: Sequences, columns: Columns) -> dict[str, Any]:
    """Return how the training part was read, with every choice made, so that a later file is read the same way.

    Without the columns by name, a later file that has one more would be read as having one more feature; and without the columns
    that say where a value was missing, one that lacks other values would be read as having others.
    """
    options = {name: value for name, value in columns.given().items() if name not in _NOT_LATER}
    options = {"task": training.task, "season": training.season, **options}
    if training.task in ("regress", "multilabel"):
        options["each"] = training.each
    options = {name: value for name, value in options.items() if value is not None}
    numeric = [name for part in training.parts if part not in training.categories for name in training.feature_names_of(part) or ()]
    if options.get("missing") == "indicator" and not any(name.endswith("_missing") for name in numeric):
        options["missing"] = "mean"
    if _has_no_columns(training, options):
        return options
    made = [name for name in numeric if name not in options.get("features", ()) and name.endswith(("_missing", "_gap"))]
    options["features"] = [*options["features"], *made] if "features" in options else [*numeric, *training.categories]
    return {**options, "categorical": list(training.categories), "categories": {name: list(of) for name, of in training.categories.items()}}


def _has_no_columns(training: Sequences, options: Mapping[str, Any]) -> bool:
    """Tell whether the training part came from series without names, or from texts."""
    series = str(training.source).endswith(".ts") and options.get("missing") != "indicator"
    return series or (training.task == "next" and "target" not in options)


def read_for_run(run: Run, path: Path, columns: Columns, *, labelled: bool = True) -> Sequences:
    """Read a file the way the run's own data was read, with its columns, classes and categories.

    Args:
        run: the run; what it was read with is used where `columns` does not say otherwise.
        path: the new file.
        columns: options that differ from those of the training.
        labelled: False does without labels and groups where the file has none, as live data has not.
    """
    options = {**run.config.reading, **columns.given()}
    if not labelled:
        options["unlabelled"] = "skip"
        there = column_names(path, asked=f"read {path}")
        for name in _MAY_BE_ABSENT:
            if there is not None and not _names(options.get(name)) <= {*there, FILE_NAME, FOLDER_NAME}:
                del options[name]
        if "target" not in options:
            options.pop("each", None)
            options.pop("baselines", None)
    if path.suffix != ".ts" and "features" not in options and run.config.feature_names is not None:
        options["features"] = list(run.config.feature_names)
    model = run.config.model
    options["categories"] = (model.categories if model is not None else None) or options.get("categories") or None
    static_names = model.static_names if model is not None else None
    data = read(path, **options, class_names=run.config.class_names or None, static_names=static_names)
    tell_notes(data)
    return data


def _names(named: str | list[str] | None) -> set[str]:
    """Return the columns that an option names."""
    if named is None:
        return set()
    return {named} if isinstance(named, str) else set(named)
