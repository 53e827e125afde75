"""Which data does a command work on? The options that all commands share, and how they become parts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from statewise.cli._fit_options import SplitOptions
from statewise.cli._show import warn
from statewise.errors import DataError, OptionError
from statewise.runs import Run
from statewise.sequences import Sequences, fingerprints, read, read_table


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column means what."""

    key: str | None = None
    "Column that names the sequence of each row."
    time: str | None = None
    "Column that orders the rows of a sequence."
    target: str | None = None
    "Column of labels."
    group: str | None = None
    "Column of what must not be split: person, engine, account."
    features: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative="")] = None
    "Columns the model reads; by default all that have no other meaning."
    categorical: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ()
    "Columns whose values are labels, not numbers."
    static: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ()
    "Columns that hold one value for a whole sequence."
    task: Literal["classify", "tag"] | None = None
    "One label a sequence, or one a step; read off the data when absent."

    def given(self) -> dict[str, Any]:
        """Return the options that were given, as `read` takes them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value not in (None, ())}


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
    options = columns.given()
    if data is not None:
        if valid is not None or test is not None:
            raise OptionError(
                asked="statewise fit", where="the data", arrived="--data beside --valid or --test", hint="Use --train instead of --data."
            )
        whole = read(data, **options)
        parts = cut.cut(whole, fractions=(0.7, 0.15, 0.15), seed=seed)
        return Parts(parts[0], parts[1], parts[2])
    assert train is not None
    training = read(train, **options)
    chosen = reading_of(training, columns)
    held_out = None if test is None else read_like(training, test, chosen)
    if valid is not None:
        cut.require_unused()
        return Parts(training, read_like(training, valid, chosen), held_out)
    carved = cut.cut(training, fractions=(0.85, 0.15), seed=seed)
    return Parts(carved[0], carved[1], held_out)


def require_apart(parts: Parts) -> None:
    """Refuse a test part whose sequences all stand in the training part too; tell where some do.

    Raises:
        DataError: nothing in the test part is new.
    """
    if parts.test is None:
        return
    trained = {*fingerprints(parts.train), *fingerprints(parts.valid)}
    num_known = sum(mark in trained for mark in fingerprints(parts.test))
    if num_known == len(parts.test):
        raise DataError(
            asked="statewise fit",
            where=f"the test part ({parts.test.source})",
            arrived=f"all of its {num_known} sequences are trained on too",
            hint="Give a test part of its own, or --data FILE, which is split in three.",
        )
    if num_known:
        warn(f"{num_known} of {len(parts.test)} test sequences are trained on too, number by number: the test figures are too good")


def tell_notes(data: Sequences) -> None:
    """Tell what was accepted and should be known; to standard error, where it does not mix with figures."""
    for note in data.notes:
        warn(note)


def read_like(training: Sequences, path: Path, options: dict[str, Any]) -> Sequences:
    """Read a file with the classes and categories of the training part."""
    return read(path, **options, class_names=training.class_names, categories=training.categories, static_names=training.static_names)


def reading_of(training: Sequences, columns: Columns) -> dict[str, Any]:
    """Return how the training part was read, with every choice made, so that a later file is read the same way.

    Without the columns by name, a later file that has one more would be read as having one more feature.
    """
    options = {"task": "tag" if training.each == "step" else "classify", **columns.given()}
    if str(training.source).endswith(".ts"):
        return options
    numeric = [name for part in training.parts if part not in training.categories for name in training.feature_names_of(part) or ()]
    options.setdefault("features", [*numeric, *training.categories])
    return {**options, "categorical": list(training.categories)}


def read_for_run(run: Run, path: Path, columns: Columns, *, labelled: bool = True) -> Sequences:
    """Read a file the way the run's own data was read, with its columns, classes and categories.

    Args:
        run: the run; what it was read with is used where `columns` does not say otherwise.
        path: the new file.
        columns: options that differ from those of the training.
        labelled: False does without labels and groups where the file has none, as live data has not.
    """
    options = {**run.config.reading, **columns.given()}
    if not labelled and path.suffix != ".ts" and path.is_file():
        there = read_table([path], asked=f"read '{path}'").names
        options = {name: column for name, column in options.items() if name not in ("target", "group") or column in there}
    if path.suffix != ".ts" and "features" not in options and run.config.feature_names is not None:
        options["features"] = list(run.config.feature_names)
    categories = run.config.model.categories if run.config.model is not None else {}
    static_names = run.config.model.static_names if run.config.model is not None else None
    data = read(path, **options, class_names=run.config.class_names, categories=categories or None, static_names=static_names)
    tell_notes(data)
    return data
