"""How good is a model on people whom it has never seen? The same recipe on the same windows, cut at random and cut by person.

The recordings of a watch are cut into windows of two seconds. Windows of one recording resemble each other, and so do those of one
person: a random cut puts some of them on both sides, and its figure says how well known people are recognised again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch

from statewise.datasets import get
from statewise.evaluation import compare
from statewise.models import build
from statewise.sequences import Ragged, Sequences
from statewise.training import CrossValidation, cross_validate

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from statewise.evaluation import Comparison

NAME = "watch"
CHANNELS = ("ax", "ay", "az", "wx", "wy", "wz")


_SAYS = {
    "worse": "new people are answered worse",
    "better": "new people are answered better",
    "open": "whether new people are answered worse cannot be told",
    "undefined": "undefined",
}


@dataclass(frozen=True, kw_only=True)
class Size:
    """How the windows are cut and the model trained.

    Attributes:
        window: steps of the recording in a window; those that are left over at its end are not used.
        stride: how many steps apart windows begin; less than a window, and neighbours share steps, as is usual for such data.
        mean_of: so many steps are read as their mean.
        hidden_size: of each of the two directions.
        epochs: passes over the training part; no validation part chooses among them.
    """

    window: int
    stride: int
    mean_of: int
    hidden_size: int
    epochs: int


FULL = Size(window=100, stride=50, mean_of=4, hidden_size=64, epochs=30)
PART = Size(window=10, stride=10, mean_of=1, hidden_size=32, epochs=12)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What came out: both cross-validations, and the second held against the first on the same windows."""

    at_random: CrossValidation
    by_person: CrossValidation
    fall: Comparison


def windows_of(table: pl.DataFrame, size: Size) -> Sequences:
    """Return the windows of all recordings.

    Args:
        table: a row a step: `recording`, `step`, the six channels, `exercise` and `subject`.
        size: how they are cut.
    """
    steps = size.window // size.mean_of
    parts, keys, targets, groups = [], [], [], []
    for (recording,), rows in table.sort("recording", "step").group_by("recording", maintain_order=True):
        values = rows.select(CHANNELS).to_numpy().astype(np.float32)
        for begin in range(0, len(rows) - size.window + 1, size.stride):
            parts.append(values[begin : begin + size.window].reshape(steps, size.mean_of, len(CHANNELS)).mean(axis=1))
            keys.append(f"{recording}, from step {begin}")
            targets.append(rows["exercise"][0])
            groups.append(str(rows["subject"][0]))
    return Sequences(
        inputs=Ragged(torch.from_numpy(np.concatenate(parts)), torch.full((len(parts),), steps)),
        targets=targets,
        keys=keys,
        groups=groups,
        feature_names=list(CHANNELS),
        source="windows of shoulder-watch",
    )


def cross_validated(data: Sequences, size: Size) -> Told:
    """Return the same recipe cross-validated in five random folds of windows, and leaving out one person at a time."""
    assert data.class_names is not None

    def make() -> nn.Module:
        return build(
            "gru",
            task="classify",
            input_size=len(CHANNELS),
            hidden_size=size.hidden_size,
            class_names=data.class_names,
            bidirectional=True,
            readout="mean",
            dropout=0.3,
        )

    options = {"epochs": size.epochs, "lr": 0.006, "batch_steps": 64 * size.window // size.mean_of}
    at_random = cross_validate(make, data, by="sequence", n=5, valid=0, options=options, callbacks=[_tell])
    by_person = cross_validate(make, data, by="group", n="each", valid=0, options=options, callbacks=[_tell])
    return Told(at_random=at_random, by_person=by_person, fall=compare(at_random.predictions, by_person.predictions))


def tell_watch(data: Path, folder: Path, *, part: bool) -> list[str]:
    """Return what came out, a line each; the out-of-fold answers stay in the folder.

    Args:
        data: the folder with the data of the stories.
        folder: where the answers go.
        part: the small part of the tests, five steps a second.
    """
    if part:
        table = pl.read_parquet(data / "shoulder_recordings_part.parquet")
    else:
        table = pl.read_parquet(get("shoulder-watch")).rename({"key": "recording", "target": "exercise", "group": "subject"})
    told = cross_validated(windows_of(table, PART if part else FULL), PART if part else FULL)
    out = folder / NAME
    told.at_random.predictions.save(out / "at-random.parquet")
    told.by_person.predictions.save(out / "by-person.parquet")
    print(f"\n{told.at_random}\n\n{told.by_person}\n\n{told.fall}\n", flush=True)
    return lines_of(told)


def lines_of(told: Told) -> list[str]:
    """Return both figures, the fall, and which of the two to believe."""
    fall = told.fall.differences["accuracy"]
    first, second = (each.evaluation.metrics["accuracy"] for each in (told.at_random, told.by_person))
    people = told.by_person.evaluation.num_units
    worst = told.by_person.worst
    return [
        f"{NAME}: which exercise is it, on people never seen? {told.fall.num_shared:,} windows of {people} people",
        f"    windows cut at random: accuracy {first}",
        f"    one person left out at a time: accuracy {second}; the worst is person {worst.name}, {worst.value:.3f}",
        f"    difference on the same windows: {fall.difference}, over {people} people: {_SAYS[fall.answer]}",
        f"    each person apart: {_apart(told, people)}",
        "    believe the figure by person: the question is new people, and the random cut has each of them in training",
    ]


def _apart(told: Told, people: int) -> str:
    """Return how many people are answered worse when they were never seen, and between which ends their accuracy changes."""
    random, new = (
        pl.DataFrame({"person": each.group, "right": each.predicted == each.actual}).group_by("person").mean().sort("person")["right"]
        for each in (told.at_random.predictions, told.by_person.predictions)
    )
    change = (new - random).to_numpy()
    return f"{(change < 0).sum()} of {people} are answered worse when new, by {change.min():+.3f} to {change.max():+.3f}"


def _tell(fold: object) -> None:
    print(fold, flush=True)
