"""How does a text become a sequence of characters, each to be predicted from those before it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from statewise.errors import DataError, OptionError
from statewise.sequences._compressed import content_of
from statewise.sequences._labels import in_natural_order
from statewise.sequences._loading import file_names
from statewise.sequences._ragged import Ragged
from statewise.sequences._sequences import Sequences
from statewise.sequences._target_columns import tokens_as_classes
from statewise.sequences._targets import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from statewise.sequences._options import Options

INPUT = "character"
"""What the input is called."""


def read_characters(files: Sequence[Path], options: Options, *, asked: str, source: str) -> Sequences:
    """Return one sequence of characters a file, its key the name of the file.

    Args:
        files: texts in UTF-8.
        options: `class_names` are the characters of the training file; any other one is read as unknown.
        asked: what the user wanted, for messages.
        source: where the data came from.

    Raises:
        DataError: a file that is empty or no UTF-8 text.
        OptionError: an option about columns, or no task that says what to do with a text.
    """
    _refuse_options(files, options, asked)
    points = [np.frombuffer(_text(file, asked).encode("utf-32-le"), dtype=np.uint32) for file in files]
    whole = np.concatenate(points)
    there, places = np.unique(whole, return_inverse=True)
    names = options.class_names or (*in_natural_order(map(chr, there.tolist())), UNKNOWN)
    tokens = [name for name in names if name != UNKNOWN]
    number = {name: code for code, name in enumerate(tokens)}
    codes = np.array([number.get(chr(point), -1) for point in there.tolist()], dtype=np.int64)[places]
    targets, there_is_one, notes = tokens_as_classes(codes, names)
    return Sequences(
        inputs={INPUT: Ragged(torch.from_numpy(codes), torch.tensor([len(each) for each in points]))},
        targets=torch.from_numpy(targets),
        weights=None if there_is_one.all() else torch.from_numpy(there_is_one.astype(np.float32)),
        keys=file_names(files),
        class_names=names,
        categories={INPUT: tokens},
        each="step",
        task="next",
        source=source,
        notes=tuple(notes),
    )


def _refuse_options(files: Sequence[Path], options: Options, asked: str) -> None:
    where = f"file '{files[0]}'"
    if options.task != "next":
        hint = "Say task='next' (--task next) to read its characters, each predicted from those before it."
        raise OptionError(asked=asked, where=where, arrived="a text, and no task that a text is for", hint=hint)
    named = ("key", "time", "target", "group", "weight", "categorical", "static", "features")
    odd = next((name for name in named if getattr(options, name) not in (None, (), (INPUT,))), None)
    if odd is not None:
        arrived = f"{odd}={getattr(options, odd)!r}"
        raise OptionError(asked=asked, where=where, arrived=arrived, hint="A text has no columns: leave the option out.")


def _text(file: Path, asked: str) -> str:
    """Return what a text file holds."""
    try:
        text = content_of(file, asked).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        arrived = f"bytes that are not UTF-8 text ({problem.reason} at byte {problem.start})"
        raise DataError(asked=asked, where=f"file '{file}'", arrived=arrived, hint="Write the file as UTF-8.") from problem
    if not text:
        raise DataError(asked=asked, where=f"file '{file}'", arrived="it is empty", hint="Choose a text with at least two characters.")
    return text.replace("\r\n", "\n")
