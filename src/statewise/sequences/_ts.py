"""What does a `.ts` file hold? One labelled series a line, after a header of `@name value` lines.

Channels are separated by `:`, values by `,`, and the label comes last. Series may differ in length, never inside one series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from statewise.errors import DataError, OptionError, nearest
from statewise.sequences._labels import as_classes, in_natural_order
from statewise.sequences._ragged import Ragged
from statewise.sequences._sequences import Sequences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from statewise.sequences._options import Options


def read_ts(path: Path, *, asked: str, options: Options) -> Sequences:
    """Read a `.ts` file.

    Args:
        path: the file.
        asked: what the user wanted, for messages.
        options: the options of `read`; `class_names` are the classes to use, absent those of the header, or else the labels found;
            `features` the channels to use (`channel_1`, ...); `missing` and `unlabelled` say what `?` is.

    Returns:
        One sequence a line, its key the number of its series from 1.

    Raises:
        DataError: no header, a bad line, a missing or non-finite value, or a label that no class has; the line is named.
        OptionError: an option about columns.
    """
    _refuse_columns(path, options, asked)
    header, lines = _header_and_lines(path, asked)
    label = _label_stated(path, header, asked)
    series: list[np.ndarray] = []
    labels: list[tuple[str, str]] = []
    for number, text in lines:
        place = f"line {number} (series {len(series) + 1})"
        channels = text.split(":")
        if label is not None:
            labels.append((place, channels.pop().strip()))
        series.append(_series(channels, place, asked, may_miss=options.missing != "error"))
        if series[-1].shape[1] != series[0].shape[1]:
            arrived = f"{series[-1].shape[1]} channels, but the first series has {series[0].shape[1]}"
            raise DataError(asked=asked, where=place, arrived=arrived, hint="Give each series the same channels, and the label last.")
    if not series:
        raise DataError(asked=asked, where=f"file '{path}'", arrived="no series after @data", hint="Choose a file with one series a line.")
    targets, weights, class_names = _targets(labels, label, header, options, asked)
    inputs, feature_names, notes = _inputs(np.concatenate(series), [len(each) for each in series], options.features, asked)
    if weights is not None:
        notes.append(f"{int((weights == 0).sum())} of {len(series)} sequences have no target: they are fed to a model, and not scored")
    return Sequences(
        inputs=inputs,
        targets=targets,
        weights=weights,
        keys=[str(number) for number in range(1, len(series) + 1)],
        class_names=class_names,
        feature_names=feature_names,
        each=None if targets is None else "sequence",
        task=options.task if targets is not None else None,
        missing="error" if options.missing == "error" else "mean",
        source=str(path),
        notes=tuple(notes),
    )


def _refuse_columns(path: Path, options: Options, asked: str) -> None:
    """Refuse options that a `.ts` file has no use for."""
    named = ("key", "time", "target", "group", "weight", "baselines", "categorical", "static")
    option = next((name for name in named if getattr(options, name)), None)
    if option is not None:
        value = options.single if option == "target" else getattr(options, option)
        hint = "A .ts file has one series a line with its label last: leave the option out."
        raise OptionError(asked=asked, where=f"{option}={value!r}", arrived=f"'{path.name}' has no columns", hint=hint)
    if options.task not in (None, "classify", "regress") or options.each == "step":
        hint = "Write one row a step with one label each, as csv or parquet."
        where = f"task={options.task!r}" if options.each != "step" else "each='step'"
        raise OptionError(asked=asked, where=where, arrived=f"'{path.name}' has one label a sequence", hint=hint)


def _header_and_lines(path: Path, asked: str) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Return the `@name value` lines (names folded) and the lines after `@data` with their numbers; comments are left out."""
    header: dict[str, str] = {}
    lines = _numbered_lines(path, asked)
    for _, text in lines:
        name, _, value = text.partition(" ")
        if name.casefold() == "@data":
            return header, list(lines)
        header[name.removeprefix("@").casefold()] = value.strip()
    empty = path.stat().st_size == 0
    raise DataError(
        asked=asked,
        where=f"file '{path}'",
        arrived="it is empty" if empty else "no line '@data'",
        hint="A .ts file has lines '@name value', then '@data', then one series a line.",
    )


def _numbered_lines(path: Path, asked: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither blank nor comments, with their numbers from 1; comments may be of another encoding."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and not line.startswith("#"):
                if "\ufffd" in line or "\0" in line:
                    where, arrived = f"file '{path}', line {number}", "bytes that are not UTF-8 text"
                    raise DataError(asked=asked, where=where, arrived=arrived, hint="Write the file as UTF-8.")
                yield number, line.strip()


def _label_stated(path: Path, header: dict[str, str], asked: str) -> str | None:
    """Return what ends each line: `"class"`, `"number"` or None; refuse what the format knows and this reader does not."""
    if header.get("timestamps", "false").casefold().startswith("true"):
        hint = "Write the series without time stamps, or as a csv file with one row a step."
        raise DataError(asked=asked, where=f"file '{path}', header", arrived="a time stamp with each value", hint=hint)
    if header.get("targetlabel", "false").casefold().startswith("true"):
        return "number"
    return "class" if header.get("classlabel", "true").casefold().startswith("true") else None


def _targets(
    labels: list[tuple[str, str]], label: str | None, header: dict[str, str], options: Options, asked: str
) -> tuple[Tensor | None, Tensor | None, Sequence[str] | None]:
    """Return the targets, their weights where some are missing, and the classes."""
    if label is None:
        return None, None, options.class_names
    texts = [text for _, text in labels]
    given = [text not in ("", "?") or options.unlabelled == "error" for text in texts]
    weights = None if all(given) else torch.tensor(given, dtype=torch.float32)
    if label == "number" or options.task == "regress":
        values = [_number(place, text, asked) if there else 0.0 for (place, text), there in zip(labels, given, strict=True)]
        return torch.tensor(values, dtype=torch.float32), weights, None
    names = options.class_names or tuple(header.get("classlabel", "").split()[1:]) or None
    _refuse_unknown_labels([each for each, there in zip(labels, given, strict=True) if there], names, asked)
    names = names or in_natural_order(text for text, there in zip(texts, given, strict=True) if there)
    if len(names) == 0:
        hint = "A file without any label is read for prediction: write '@classLabel false' and no label."
        raise DataError(asked=asked, where="the labels", arrived="none in any line", hint=hint)
    targets, _ = as_classes([text if there else names[0] for text, there in zip(texts, given, strict=True)], names)
    return targets, weights, names


def _number(place: str, text: str, asked: str) -> float:
    """Return a target that is a number."""
    if not _is_usable(text):
        raise DataError(
            asked=asked, where=f"{place}, target", arrived=f"{text!r}, which is no finite number", hint="Put a number after the last ':'."
        )
    return float(text)


def _series(channels: list[str], place: str, asked: str, *, may_miss: bool) -> np.ndarray:
    """Return one series `[time, channel]` as float32; where values may be missing, NaN for those that are."""
    if may_miss:
        channels = [
            ",".join(value if _is_usable(value) or not _is_missing(value) else "nan" for value in each.split(",")) for each in channels
        ]
    try:
        parsed = [np.array(channel.split(","), dtype=np.float64) for channel in channels]
        usable = all(bool(((np.abs(values) <= np.finfo(np.float32).max) | (np.isnan(values) & may_miss)).all()) for values in parsed)
    except ValueError:
        parsed, usable = [], False
    if not usable or not parsed:
        raise _bad_value(channels, place, asked)
    lengths = [len(values) for values in parsed]
    if len(set(lengths)) > 1:
        odd = next(number for number, length in enumerate(lengths) if length != lengths[0])
        raise DataError(
            asked=asked,
            where=f"{place}, channel_{odd + 1}",
            arrived=f"{lengths[odd]} values, but channel_1 has {lengths[0]}",
            hint="The channels of one series have the same number of steps.",
        )
    return np.stack(parsed, axis=1).astype(np.float32)


def _bad_value(channels: list[str], place: str, asked: str) -> DataError:
    """Return the error that names the first value of a series that is no finite number."""
    for number, channel in enumerate(channels, start=1):
        for step, text in enumerate(channel.split(","), start=1):
            if not _is_usable(text):
                what = "a missing value (?)" if text.strip() == "?" else f"{text.strip()!r}, which is no finite number"
                return DataError(
                    asked=asked,
                    where=f"{place}, channel_{number}, value {step}",
                    arrived=what,
                    hint="Fill or drop missing values before reading, or say missing='mean' (--missing); no value is made up here.",
                )
    return DataError(asked=asked, where=place, arrived="no channel before the label", hint="Write channel:channel:...:label.")


def _is_missing(text: str) -> bool:
    """Tell whether a text stands for no value."""
    return text.strip().casefold() in ("", "?", "nan", "na", "inf", "-inf")


def _is_usable(text: str) -> bool:
    """Tell whether a text is a number that float32 can hold."""
    try:
        return abs(float(text)) <= float(np.finfo(np.float32).max)
    except ValueError:
        return False


def _refuse_unknown_labels(labels: list[tuple[str, str]], names: Sequence[str] | None, asked: str) -> None:
    """Refuse an empty label, and one that is not among the names where there are names."""
    for place, label in labels:
        if not label or (names is not None and label not in names):
            raise DataError(
                asked=asked,
                where=f"{place}, label",
                arrived=f"{label!r}, which is none of the classes" if label else "no label after the last ':'",
                hint=nearest(label, names or ()) if label else "Put the class after the last channel.",
            )


def _inputs(
    values: np.ndarray, lengths: list[int], features: Mapping[str, Sequence[str]] | Sequence[str] | None, asked: str
) -> tuple[Ragged | dict[str, Ragged], list[str] | dict[str, list[str]], list[str]]:
    """Return the chosen channels as one input or several, their names, and a note where values are missing."""
    names = [f"channel_{number}" for number in range(1, values.shape[1] + 1)]

    def part(chosen: Sequence[str]) -> Ragged:
        missing = next((name for name in chosen if name not in names), None)
        if missing is not None:
            raise DataError(asked=asked, where=f"features, column {missing!r}", arrived="no such channel", hint=nearest(missing, names))
        columns = [names.index(name) for name in chosen]
        return Ragged(torch.from_numpy(np.ascontiguousarray(values[:, columns])), torch.tensor(lengths))

    missing = int(np.isnan(values).sum())
    notes = [f"{missing} of {values.size} values are missing and are read as the mean of the training part"] if missing else []
    if features is None:
        return part(names), names, notes
    if isinstance(features, dict):
        return {name: part(chosen) for name, chosen in features.items()}, {name: list(chosen) for name, chosen in features.items()}, notes
    return part(list(features)), list(features), notes
