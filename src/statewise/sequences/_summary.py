"""What is in the data? Sizes, names, classes and notes, for the first lines of a run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import torch

from statewise.errors import DataError
from statewise.sequences._labels import told
from statewise.types import Each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from statewise.sequences._sequences import Sequences

_MANY = 12
"""No more names than this are listed."""
_FEW = 4
"""Up to this many classes are shown with their shares."""


class DataSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of sequences holds.

    Attributes:
        source: where the data came from.
        num_sequences: number of sequences.
        num_steps: number of steps of all sequences together.
        shortest: fewest steps of a sequence; None without sequences, as the next two.
        median: median number of steps.
        longest: most steps of a sequence.
        features: the features of each input of numbers by name, or by number where they have no names.
        categories: the categories of each categorical input.
        static: the features of whole sequences.
        each: whether there is a target a sequence or a step; None without targets.
        classes: how many scored targets each class has; of several labels at once, how many have each.
        values: of targets that are numbers, the least, the mean and the largest of those that are scored.
        num_unscored: targets of weight 0, which are fed to a model and not scored.
        several: whether a target is any number of the classes at once.
        num_groups: number of groups; None without groups.
        notes: one line for each thing that was accepted and should be known.
    """

    source: str
    num_sequences: int
    num_steps: int
    shortest: int | None
    median: float | None
    longest: int | None
    features: dict[str, tuple[str, ...]]
    categories: dict[str, tuple[str, ...]]
    static: tuple[str, ...]
    each: Each | None
    classes: dict[str, int]
    num_groups: int | None
    notes: tuple[str, ...]
    values: tuple[float, float, float] | None = None
    num_unscored: int = 0
    several: bool = False

    def lines(self) -> list[tuple[str, str]]:
        """Return what is shown: a title and a text for each line."""
        shown = [("data", self.source), ("sequences", f"{self.num_sequences:,}")]
        if self.median is not None:
            lengths = f"{self.shortest:,} to {self.longest:,} a sequence, median {self.median:g}"
            shown.append(("steps", f"{self.num_steps:,} ({lengths})"))
        shown += [("features" if name == "x" else f"input {name}", _listed(names)) for name, names in self.features.items()]
        shown += [(f"category {name}", _listed(names)) for name, names in self.categories.items()]
        if self.static:
            shown.append(("of a sequence", _listed(self.static)))
        if self.num_groups is not None:
            shown.append(("groups", f"{self.num_groups:,}"))
        return [*shown, *self._targets(), *(("note", note) for note in self.notes)]

    def _targets(self) -> list[tuple[str, str]]:
        """Return what is shown of the targets."""
        if self.each is None:
            return [("classes", "no targets")]
        shown = [("classes", _classes(self.classes, self.each))]
        if self.several:
            counts = ", ".join(f"{told(name)}: {count:,}" for name, count in list(self.classes.items())[:_MANY])
            more = ", ..." if len(self.classes) > _MANY else ""
            shown = [("labels", f"any of {len(self.classes)}, for each {self.each}; {counts}{more}")]
        if self.values is not None:
            low, mean, high = self.values
            shown = [("targets", f"numbers, one a {self.each}; {low:.4g} to {high:.4g}, mean {mean:.4g}")]
        if self.num_unscored:
            shown.append(("not scored", f"{self.num_unscored:,} targets of weight 0"))
        return shown

    def __str__(self) -> str:
        """Return the lines as plain text."""
        shown = self.lines()
        width = max(len(title) for title, _ in shown)
        return "\n".join(f"{title:<{width}}  {text}" for title, text in shown)

    def __rich__(self) -> Table:
        """Return a table for the terminal."""
        from statewise.sequences._terminal import lines_table

        return lines_table(self.lines())


def describe(data: Sequences) -> DataSummary:
    """Return what a set of sequences holds.

    Example:
        >>> from statewise.sequences import Ragged, Sequences
        >>> data = Sequences(inputs=Ragged(torch.zeros(4, 2), torch.tensor([1, 3])), targets=["no", "yes"])
        >>> print(describe(data))
        data       data in memory
        sequences  2
        steps      4 (1 to 3 a sequence, median 2)
        features   2: 1, 2
        classes    2, one a sequence; 1 of each: no, yes
    """
    lengths = data.lengths
    numbers = {name: part for name, part in data.parts.items() if name not in data.categories}
    features = {name: data.feature_names_of(name) or _numbered(part.values.shape[1:].numel()) for name, part in numbers.items()}
    static = () if data.static is None else data.static_names or _numbered(data.static.shape[1])
    return DataSummary(
        source=data.source,
        num_sequences=len(data),
        num_steps=data.num_steps,
        shortest=int(lengths.min()) if len(data) else None,
        median=float(lengths.double().quantile(0.5)) if len(data) else None,
        longest=int(lengths.max()) if len(data) else None,
        features={name: tuple(names) for name, names in features.items()},
        categories={name: tuple(data.categories[name]) for name in data.parts if name in data.categories},
        static=tuple(static),
        each=data.each if data.targets is not None else None,
        classes=class_counts(data),
        num_groups=None if data.groups is None else len(set(data.groups)),
        notes=data.notes,
        values=_span(data),
        num_unscored=0 if data.scored is None else int((~data.scored).sum()),
        several=data.holds == "labels",
    )


def _span(data: Sequences) -> tuple[float, float, float] | None:
    """Return the least, the mean and the largest of the scored targets that are numbers; zeros where none is scored."""
    if data.holds != "values":
        return None
    values = _scored(data).double()
    return (float(values.min()), float(values.mean()), float(values.max())) if len(values) else (0.0, 0.0, 0.0)


def _scored(data: Sequences) -> torch.Tensor:
    """Return the targets that are scored."""
    assert isinstance(data.targets, torch.Tensor)
    assert data.scored is not None
    return data.targets[data.scored].cpu()


def class_counts(data: Sequences) -> dict[str, int]:
    """Return how many scored targets each class has, in the order of the class numbers; without classes, nothing.

    Of several labels at once it is how many targets have each.

    Example:
        >>> from statewise.sequences import Ragged, Sequences
        >>> class_counts(Sequences(inputs=Ragged(torch.zeros(2, 1), torch.tensor([1, 1])), targets=["b", "b"], class_names=["a", "b"]))
        {'a': 0, 'b': 2}
    """
    if data.holds not in ("classes", "labels"):
        return {}
    scored = _scored(data)
    counts = (scored.sum(0) if data.holds == "labels" else torch.bincount(scored, minlength=data.num_classes or 0)).tolist()
    names = data.class_names if data.class_names is not None else [str(number) for number in range(len(counts))]
    return dict(zip(names, counts, strict=True))


def fingerprints(data: Sequences) -> list[bytes]:
    """Return a hash of the inputs of each sequence: equal for sequences that are the same number by number.

    Example:
        >>> from statewise.sequences import Ragged, Sequences
        >>> one, other, again = fingerprints(Sequences(inputs=Ragged(torch.tensor([[1.0], [2.0], [1.0]]), torch.tensor([1, 1, 1]))))
        >>> one == again, one == other
        (True, False)
    """
    digests = [hashlib.sha256() for _ in range(len(data))]
    for name, part in data.parts.items():
        for digest, steps in zip(digests, part.to_list(), strict=True):
            digest.update(f"{name} {steps.dtype} {tuple(steps.shape)}".encode())
            digest.update(steps.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return [digest.digest() for digest in digests]


def require_two_classes(data: Sequences, asked: str) -> None:
    """Refuse data from which nothing can be learnt: targets that are all the same, or fewer sequences than classes.

    Args:
        data: the sequences.
        asked: what the user wanted, for the message.

    Raises:
        DataError: there are no targets, all of them are of one class or one number, or some class can have no sequence.
    """
    where = f"targets of {data.source}"
    if data.targets is None or not len(_scored(data)):
        hint = "Name the column of labels when reading, with target='...' (--target)."
        if data.targets is not None and len(data.targets):
            arrived, hint = "none that is scored: all have the weight 0", "Give some a weight above 0, or leave out weight= (--weight)."
        else:
            arrived = "there are none"
        raise DataError(asked=asked, where=where, arrived=arrived, hint=hint)
    if data.holds == "values":
        low, _, high = _span(data) or (0.0, 0.0, 0.0)
        if low == high:
            hint = "There is nothing to learn from a number that never changes: check the target column."
            raise DataError(asked=asked, where=where, arrived=f"only the number {low:g}", hint=hint)
        return
    counts = class_counts(data)
    present = [name for name, count in counts.items() if count]
    if len(present) < 2 and data.holds == "classes":
        arrived = f"only the class {present[0]!r}, {counts[present[0]]} times"
        hint = "Telling classes apart needs at least two: check the target column and how the data was cut."
        raise DataError(asked=asked, where=where, arrived=arrived, hint=hint)
    if data.holds == "classes" and data.each == "sequence" and len(data) < len(counts):
        hint = "Each class needs sequences to learn from: check the key and the target column, and how the data was cut."
        raise DataError(asked=asked, where=where, arrived=f"{len(data)} sequences for {len(counts)} classes", hint=hint)


def _numbered(size: int) -> tuple[str, ...]:
    """Return names for features that have none: their numbers, from 1."""
    return tuple(str(number) for number in range(1, size + 1))


def _listed(names: Sequence[str]) -> str:
    """Return how many names there are, and the first of them."""
    more = ", ..." if len(names) > _MANY else ""
    return f"{len(names)}: {', '.join(map(told, names[:_MANY]))}{more}" if names else "none"


def _classes(classes: dict[str, int], each: Each) -> str:
    """Return the classes with their counts: of many the most frequent, of few with their shares."""
    head = f"{len(classes)}, one a {each}; "
    total, many = sum(classes.values()), len(classes) > _MANY
    names = sorted(classes, key=lambda name: -classes[name])[:_MANY] if many else list(classes)
    if not names:
        return head + "none"
    if len(set(classes.values())) == 1:
        return f"{head}{classes[names[0]]:,} of each: {', '.join(map(told, names))}{', ...' if many else ''}"
    shares = {name: f" ({classes[name] / max(total, 1):.1%})" if len(classes) <= _FEW else "" for name in names}
    most = "most often " if many else ""
    return head + most + ", ".join(f"{told(name)}: {classes[name]:,}{shares[name]}" for name in names) + (", ..." if many else "")
