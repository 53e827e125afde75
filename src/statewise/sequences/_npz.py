"""What does an `.npz` file hold? Arrays by name, in one of three layouts; the same in a dict of arrays in memory.

`values [steps, feature]` beside `lengths [n]`; `x [n, time, feature]`, padded on the right, beside `lengths`; or a single stream,
`values [steps, feature]` alone. Other arrays say what belongs to them: `targets`, `keys`, `groups`, `times`, `weights`, `static`.
"""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from statewise.errors import DataError
from statewise.sequences._compressed import refuse_bomb
from statewise.sequences._table import Table, polars

if TYPE_CHECKING:
    from pathlib import Path

    from statewise.sequences._options import Options

_NAMES = ("feature_names", "class_names", "static_names")
_BELONG = ("targets", "keys", "groups", "times", "weights", "static")
_HINT = "Save values [steps, feature] with lengths [n], or x [n, time, feature] padded on the right with lengths [n]."


class Layout(NamedTuple):
    """A table, and the options that the arrays' names stand for."""

    table: Table
    options: Options


def is_layout(data: Any) -> bool:
    """Tell whether a dict in memory holds arrays of whole sequences, not columns."""
    if not isinstance(data, Mapping):
        return False
    main = next((data[name] for name in ("values", "x") if name in data), None)
    return main is not None and ("lengths" in data or getattr(main, "ndim", 1) > 1)


def read_npz(file: Path, options: Options, *, asked: str) -> Layout:
    """Return the arrays of an `.npz` file as a table with a row a step.

    Raises:
        DataError: a damaged file, an array of objects, one that would fill the memory, or arrays that do not fit together.
    """
    arrays: dict[str, np.ndarray] = {}
    with file.open("rb") as opened:
        if not opened.read(1):
            raise DataError(asked=asked, where=f"file '{file}'", arrived="it is empty", hint=_HINT)
    try:
        with zipfile.ZipFile(file) as packed, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy remarks on headers that Python 2 wrote; they are read
            members = [info for info in packed.infolist() if info.filename.endswith(".npy")]
            refuse_bomb(sum(info.file_size for info in members), file.stat().st_size, asked, f"file '{file}'")
            for info in members:
                name = info.filename.removesuffix(".npy")
                _refuse_header(packed, info, f"file '{file}', array {name!r}", asked)
                with packed.open(info) as array:
                    arrays[name] = np.lib.format.read_array(array, allow_pickle=False)
    except DataError:
        raise
    except _BROKEN as problem:
        arrived = f"no whole .npz file ({str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__})"
        raise DataError(
            asked=asked, where=f"file '{file}'", arrived=arrived, hint="Write it with numpy.savez, and copy it whole."
        ) from problem
    return layout_of(arrays, options, asked=asked, files=(file,))


_BROKEN = (
    zipfile.BadZipFile, zlib.error, ValueError, TypeError, KeyError, OverflowError, EOFError, RuntimeError, SyntaxError, MemoryError,
)  # fmt: skip
"""What a damaged file makes zipfile and numpy raise; RuntimeError of a password, a way of packing not known, or too deep a header."""


def _refuse_header(packed: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, asked: str) -> None:
    """Refuse an array of objects, which may hold any program, and one that says it is larger than it is."""
    with packed.open(info) as array:
        version = np.lib.format.read_magic(array)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(array)
    if dtype.hasobject:
        hint = "Save numbers and text only: such objects are programs when they are read. Text is an array of dtype 'U'."
        raise DataError(asked=asked, where=where, arrived="Python objects", hint=hint)
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize > info.file_size:
        arrived = f"a header of shape {shape} for {info.file_size:,} bytes"
        raise DataError(asked=asked, where=where, arrived=arrived, hint="It is damaged, or was made to fill the memory: write it again.")


def layout_of(given: Mapping[str, Any], options: Options, *, asked: str, files: tuple[Path, ...] = ()) -> Layout:
    """Return arrays of whole sequences as a table with a row a step, and options that name its columns.

    Args:
        given: the arrays by name.
        options: the options of `read`; what they name goes before the usual names.
        asked: what the user wanted, for messages.
        files: the file, if they come from one.

    Raises:
        DataError: arrays that are absent, of a kind that cannot be read, or do not fit together.
    """
    reader = _Arrays(given, f"file '{files[0]}'" if files else "the arrays in memory", asked)
    pl = polars(asked)
    steps = {name: pl.Series(name, column) for name, column in reader.features().items()}
    heads: dict[str, Any] = {}
    for name in reader.others():
        for column, values, per_step in reader.columns(name):
            if column in steps:
                raise reader.error(f"array {name!r}", f"a feature is called {column!r} too", "Give it another name in feature_names.")
            (steps if per_step else heads)[column] = pl.Series(column, values)
    lengths = reader.lengths
    rows = np.repeat(np.arange(len(lengths)), lengths)
    features = [name for name in steps if name in reader.features()]
    steps |= {name: values.gather(rows) for name, values in heads.items() if name not in steps}
    frame = pl.DataFrame(heads) if heads else pl.DataFrame({"": pl.Series(range(len(lengths)), dtype=pl.Int64)})
    head = Table(
        frame=frame, files=files, file_of=np.zeros_like(lengths), row_of=np.arange(len(lengths)), asked=asked, counted=("sequence", 1)
    )
    starts = np.cumsum(lengths) - lengths
    table = Table(
        frame=pl.DataFrame(steps),
        files=files,
        file_of=np.zeros_like(rows),
        row_of=rows,
        asked=asked,
        counted=("sequence", 1),
        step_of=np.arange(len(rows)) - starts[rows],
        heads=head,
        lengths=lengths,
    )
    return Layout(table, reader.named(options, table, features))


class _Arrays:
    """Arrays by name, brought to a row a step and a row a sequence."""

    def __init__(self, given: Mapping[str, Any], where: str, asked: str) -> None:
        self.where, self.asked = where, asked
        self.arrays = {str(name): self._usable(str(name), array) for name, array in given.items()}
        self.targets = "targets"
        if "y" in self.arrays and "targets" not in self.arrays:
            self.arrays["targets"] = self.arrays.pop("y")
            self.targets = "targets" if "y" in self.arrays.get("feature_names", np.array([])).astype(str).reshape(-1) else "y"
        self.main = self._main()
        self.values, self.lengths, self.padded = self._laid_flat()

    def error(self, where: str, arrived: str, hint: str) -> DataError:
        """Return an error about these arrays."""
        return DataError(asked=self.asked, where=f"{self.where}, {where}", arrived=arrived, hint=hint)

    def _usable(self, name: str, array: Any) -> np.ndarray:
        """Return an array of numbers, dates or text; refuse any other."""
        found = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
        if found.dtype.kind == "S":
            try:
                found = np.char.decode(found, "utf-8")
            except UnicodeDecodeError as problem:
                raise self.error(f"array {name!r}", "text that is not UTF-8", "Save text as an array of dtype 'U'.") from problem
        if found.dtype.kind not in "iufbUMm":
            raise self.error(f"array {name!r}", f"values of type {found.dtype}", "Save numbers, dates or text (dtype 'U').")
        if found.dtype.kind == "f" and found.dtype.itemsize not in (4, 8):
            found = found.astype(np.float32 if found.dtype.itemsize < 4 else np.float64)
        if found.dtype.kind in "Mm":
            found = found.astype(f"{'datetime' if found.dtype.kind == 'M' else 'timedelta'}64[ns]")
        return np.ascontiguousarray(found.astype(found.dtype.newbyteorder("=")))

    def _main(self) -> str:
        """Return the name of the array that the model reads."""
        for name in ("values", "x"):
            if name in self.arrays:
                return name
        others = [name for name, array in self.arrays.items() if name not in (*_NAMES, *_BELONG, "lengths") and array.ndim > 1]
        if len(others) != 1:
            told = ", ".join(self.arrays) or "none"
            raise self.error("the arrays", f"no 'values' and no 'x' among them: {told}", _HINT)
        return others[0]

    def _laid_flat(self) -> tuple[np.ndarray, np.ndarray, tuple[int, int] | None]:
        """Return the values `[steps, feature]`, the lengths, and the shape `[n, time]` of padded arrays."""
        values = self.arrays[self.main]
        if values.dtype.kind not in "iufb" or values.ndim not in (1, 2, 3):
            raise self.error(f"array {self.main!r}", f"{values.dtype} of shape {values.shape}", _HINT)
        stated = self.arrays.get("lengths")
        if stated is not None and (stated.ndim != 1 or stated.dtype.kind not in "iu" or (stated.size and int(stated.min()) < 0)):
            raise self.error("array 'lengths'", f"{stated.dtype} of shape {stated.shape}", "Give one whole number a sequence, 0 or more.")
        lengths = None if stated is None else stated.astype(np.int64)
        total = None if lengths is None else sum(lengths.tolist())
        flat = values.ndim < 3 and (lengths is None or total == len(values))
        if flat:
            return (
                values.reshape(len(values), -1 if values.size else max(1, math.prod(values.shape[1:]))),
                self._or_one(lengths, values),
                None,
            )
        if values.ndim == 1 or (values.ndim == 2 and lengths is not None and len(lengths) != len(values)):
            arrived = f"lengths that add up to {total} steps, but {self.main!r} has shape {values.shape}"
            raise self.error("array 'lengths'", arrived, _HINT)
        count, time = values.shape[:2]
        lengths = np.full(count, time) if lengths is None else lengths
        if len(lengths) != count or (count and int(lengths.max()) > time):
            arrived = (
                f"{len(lengths)} of them, the longest {lengths.max() if len(lengths) else 0}, for {self.main!r} of shape {values.shape}"
            )
            raise self.error("array 'lengths'", arrived, _HINT)
        real = np.arange(time) < lengths[:, None]
        return values[real].reshape(int(real.sum()), -1 if real.any() else max(1, math.prod(values.shape[2:]))), lengths, (count, time)

    @staticmethod
    def _or_one(lengths: np.ndarray | None, values: np.ndarray) -> np.ndarray:
        return np.array([len(values)]) if lengths is None else lengths

    def features(self) -> dict[str, np.ndarray]:
        """Return the features by name."""
        width = self.values.shape[1]
        names = self._listed("feature_names", width) or tuple(f"feature_{place + 1}" for place in range(width))
        return {name: self.values[:, place] for place, name in enumerate(names)}

    def others(self) -> list[str]:
        """Return the names of the arrays that belong to sequences or steps."""
        return [name for name in self.arrays if name not in (self.main, "lengths", *_NAMES)]

    def columns(self, name: str) -> list[tuple[str, np.ndarray, bool]]:
        """Return an array as columns: the name of each, its values, and whether they are one a step."""
        array, n, steps = self.arrays[name], len(self.lengths), int(self.lengths.sum())
        names = {"targets": "class_names", "static": "static_names"}.get(name, "")
        labels = array.ndim == 2 and name == "targets" and array.shape[1] == len(self.arrays.get("class_names", ()))
        if self.padded is not None and array.shape[:2] == self.padded and not labels:
            array = array[np.arange(self.padded[1]) < self.lengths[:, None]]
        if array.ndim not in (1, 2) or len(array) not in (n, steps):
            arrived = f"a shape of {array.shape} for {n} sequences of {steps} steps"
            raise self.error(f"array {self._own(name)!r}", arrived, "Give one entry a sequence, or one a step.")
        per_step = len(array) == steps and (len(array) != n or name == "times")
        if array.ndim == 1:
            return [(self._own(name), self._labelled(array) if name == "targets" else array, per_step)]
        prefix = {"targets": "label", "static": "static"}.get(name, name)
        told = self._listed(names, array.shape[1]) or tuple(f"{prefix}_{place + 1}" for place in range(array.shape[1]))
        return [(each, array[:, place], per_step) for place, each in enumerate(told)]

    def _own(self, name: str) -> str:
        """Return the name that an array was given under: targets may be called `y`."""
        return self.targets if name == "targets" else name

    def _refuse_too_many(self, columns: list[str], options: Options) -> None:
        """Refuse several targets where the task has one, of which the first alone would be read."""
        if len(columns) == 1 or options.task == "multilabel" or (options.task is None and _may_be_labels(self.arrays["targets"])):
            return
        array, (count, steps) = self.arrays["targets"], self.padded or (len(self.lengths), int(self.lengths.sum()))
        axes = f"{count} sequences of {steps} steps" if self.padded else f"{count} sequences, {steps} steps in all"
        meant = "that are no labels of 0 and 1" if options.task is None else f"for the task {options.task!r}"
        arrived = f"{len(columns)} columns {meant}: a shape of {array.shape} for {axes}"
        hint = f"Give one number a sequence, [{count}], or one a step, [{f'{count}, ' if self.padded else ''}{steps}]."
        raise self.error(f"array {self.targets!r}", arrived, f"{hint} Several columns of 0 and 1 are the task 'multilabel'.")

    def _labelled(self, targets: np.ndarray) -> np.ndarray:
        """Return class numbers as the names behind them, where there are names."""
        names = self.arrays.get("class_names")
        if names is None or targets.dtype.kind not in "iu":
            return targets
        if targets.size and not (int(targets.min()) >= 0 and int(targets.max()) < names.size):
            arrived = f"class numbers from {targets.min()} to {targets.max()} for {names.size} class names"
            raise self.error(f"array {self.targets!r}", arrived, "Class numbers count from 0, one a name.")
        return np.asarray(names.astype(str).reshape(-1)[targets])

    def _listed(self, name: str, count: int) -> tuple[str, ...] | None:
        """Return an array of names, one a column and each different."""
        if name not in self.arrays:
            return None
        names = tuple(self.arrays[name].astype(str).reshape(-1).tolist())
        if len(names) != count or len(set(names)) != len(names):
            raise self.error(
                f"array {name!r}", f"{len(names)} names, {len(set(names))} different, for {count} columns", "Give each its own name."
            )
        return names

    def named(self, options: Options, table: Table, features: list[str]) -> Options:
        """Return the options with the usual names of arrays where none is given."""
        there = [name for name in _BELONG if name in table.names]
        usual: dict[str, Any] = {"key": "keys", "time": "times", "group": "groups", "weight": "weights"}
        found = {option: name for option, name in usual.items() if getattr(options, option) is None and name in there}
        columns = {name: [column for column, *_ in self.columns(name)] for name in ("targets", "static") if name in self.arrays}
        if not options.target and options.task == "next" and "targets" not in columns and len(features) == 1:
            found["target"] = tuple(features)
        if not options.target and "targets" in columns:
            found["target"] = tuple(columns["targets"])
            self._refuse_too_many(columns["targets"], options)
            if columns["targets"] != [self.targets] and options.task is None:
                found["task"] = "multilabel"
            elif options.class_names is None and "class_names" in self.arrays and options.task != "regress":
                found["class_names"] = tuple(self.arrays["class_names"].astype(str).reshape(-1).tolist())
        elif options.target == ("targets",):
            found["target"] = (self.targets,)
        if not options.static and "static" in columns:
            found["static"] = tuple(columns["static"])
        if options.features is None:
            taken = replace(options, **found).taken
            found["features"] = tuple(name for name in features if name not in taken)
        return replace(options, **found)


def _may_be_labels(array: np.ndarray) -> bool:
    """Whether numbers are 0, 1 or missing; of text its reader judges."""
    return array.dtype.kind not in "iuf" or bool((np.isnan(array) | (array == 0) | (array == 1)).all())
