"""What does a `.ts` file hold? One labelled series a line, after a header of `@name value` lines.

Channels are separated by `:`, values by `,`, and the label comes last. Series may differ in length, never inside one series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from statewise.errors import DataError, nearest
from statewise.sequences._labels import as_classes
from statewise.sequences._ragged import Ragged
from statewise.sequences._sequences import Sequences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def read_ts(
    path: Path, *, asked: str, class_names: Sequence[str] | None = None, features: Mapping[str, Sequence[str]] | Sequence[str] | None = None
) -> Sequences:
    """Read a `.ts` file.

    Args:
        path: the file.
        asked: what the user wanted, for messages.
        class_names: the classes to use, such as those of the training file; absent, those of the header, or else the labels found.
        features: the channels to use (`channel_1`, ...), or a dict of them by input; absent, all.

    Returns:
        One sequence a line, its key the number of its series from 1.

    Raises:
        DataError: no header, a bad line, a missing or non-finite value, or a label that no class has; the line is named.
    """
    header, lines = _header_and_lines(path, asked)
    labelled = _labels_stated(path, header, asked)
    series: list[np.ndarray] = []
    labels: list[tuple[str, str]] = []
    for number, text in lines:
        place = f"line {number} (series {len(series) + 1})"
        channels = text.split(":")
        if labelled:
            labels.append((place, channels.pop().strip()))
        series.append(_series(channels, place, asked))
        if series[-1].shape[1] != series[0].shape[1]:
            arrived = f"{series[-1].shape[1]} channels, but the first series has {series[0].shape[1]}"
            raise DataError(asked=asked, where=place, arrived=arrived, hint="Give each series the same channels, and the label last.")
    if not series:
        raise DataError(asked=asked, where=f"file '{path}'", arrived="no series after @data", hint="Choose a file with one series a line.")
    names = class_names if class_names is not None else header.get("classlabel", "").split()[1:] or None
    _refuse_unknown_labels(labels, names, asked)
    targets, numbered_names = as_classes([label for _, label in labels], names) if labelled else (None, class_names)
    values = np.concatenate(series)
    inputs, feature_names = _inputs(values, [len(each) for each in series], features, asked)
    return Sequences(
        inputs=inputs,
        targets=targets,
        keys=[str(number) for number in range(1, len(series) + 1)],
        class_names=numbered_names,
        feature_names=feature_names,
        each="sequence" if labelled else None,
        source=str(path),
    )


def _header_and_lines(path: Path, asked: str) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Return the `@name value` lines (names folded) and the lines after `@data` with their numbers; comments are left out."""
    header: dict[str, str] = {}
    lines = _numbered_lines(path)
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


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither blank nor comments, with their numbers from 1."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and not line.startswith("#"):
                yield number, line.strip()


def _labels_stated(path: Path, header: dict[str, str], asked: str) -> bool:
    """Tell whether a class label ends each line; refuse what the format knows and this reader does not."""
    for tag, told in {"targetlabel": "targets that are numbers, not classes", "timestamps": "a time stamp with each value"}.items():
        if header.get(tag, "false").casefold().startswith("true"):
            hint = "Write the series with class labels and without time stamps, or as a csv file with one row a step."
            raise DataError(asked=asked, where=f"file '{path}', header", arrived=told, hint=hint)
    return header.get("classlabel", "true").casefold().startswith("true")


def _series(channels: list[str], place: str, asked: str) -> np.ndarray:
    """Return one series `[time, channel]` as float32."""
    try:
        parsed = [np.array(channel.split(","), dtype=np.float64) for channel in channels]
        usable = all(bool((np.abs(values) <= np.finfo(np.float32).max).all()) for values in parsed)
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
                    hint="Fill or drop missing values before reading; no value is made up here.",
                )
    return DataError(asked=asked, where=place, arrived="no channel before the label", hint="Write channel:channel:...:label.")


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
) -> tuple[Ragged | dict[str, Ragged], list[str] | dict[str, list[str]]]:
    """Return the chosen channels as one input or several, and their names."""
    names = [f"channel_{number}" for number in range(1, values.shape[1] + 1)]

    def part(chosen: Sequence[str]) -> Ragged:
        missing = next((name for name in chosen if name not in names), None)
        if missing is not None:
            raise DataError(asked=asked, where=f"features, column {missing!r}", arrived="no such channel", hint=nearest(missing, names))
        columns = [names.index(name) for name in chosen]
        return Ragged(torch.from_numpy(np.ascontiguousarray(values[:, columns])), torch.tensor(lengths))

    if features is None:
        return part(names), names
    if isinstance(features, dict):
        return {name: part(chosen) for name, chosen in features.items()}, {name: list(chosen) for name, chosen in features.items()}
    return part(list(features)), list(features)
