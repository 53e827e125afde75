"""What is in the data? Sizes, names, classes and notes, for the first lines of a run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import torch

from statewise.errors import DataError
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
        classes: how many targets each class has.
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
        shown.append(("classes", _classes(self.classes, self.each) if self.each else "no targets"))
        return shown + [("note", note) for note in self.notes]

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
    )


def class_counts(data: Sequences) -> dict[str, int]:
    """Return how many targets each class has, in the order of the class numbers; without targets, nothing.

    Example:
        >>> from statewise.sequences import Ragged, Sequences
        >>> class_counts(Sequences(inputs=Ragged(torch.zeros(2, 1), torch.tensor([1, 1])), targets=["b", "b"], class_names=["a", "b"]))
        {'a': 0, 'b': 2}
    """
    if not isinstance(data.targets, torch.Tensor):
        return {}
    counts = torch.bincount(data.targets.cpu(), minlength=data.num_classes or 0).tolist()
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
    """Refuse data from which no classes can be learnt.

    Args:
        data: the sequences.
        asked: what the user wanted, for the message.

    Raises:
        DataError: there are no targets, or all of them are of one class.
    """
    counts = class_counts(data)
    present = [name for name, count in counts.items() if count]
    if not counts:
        hint = "Name the column of labels when reading, with target='...' (--target)."
        raise DataError(asked=asked, where=f"targets of {data.source}", arrived="there are none", hint=hint)
    if len(present) < 2:
        arrived = f"only the class {present[0]!r}, {counts[present[0]]} times" if present else "no target at all"
        hint = "Telling classes apart needs at least two: check the target column and how the data was cut."
        raise DataError(asked=asked, where=f"targets of {data.source}", arrived=arrived, hint=hint)


def _numbered(size: int) -> tuple[str, ...]:
    """Return names for features that have none: their numbers, from 1."""
    return tuple(str(number) for number in range(1, size + 1))


def _listed(names: Sequence[str]) -> str:
    """Return how many names there are, and the first of them."""
    more = ", ..." if len(names) > _MANY else ""
    return f"{len(names)}: {', '.join(names[:_MANY])}{more}" if names else "none"


def _classes(classes: dict[str, int], each: Each) -> str:
    """Return the classes with their counts, the first ones where there are many, and their shares where they are few."""
    head = f"{len(classes)}, one a {each}; "
    total, more = sum(classes.values()), ", ..." if len(classes) > _MANY else ""
    names = list(classes)[:_MANY]
    if len(set(classes.values())) == 1:
        return f"{head}{classes[names[0]]:,} of each: {', '.join(names)}{more}"
    shares = {name: f" ({classes[name] / max(total, 1):.1%})" if len(classes) <= _FEW else "" for name in names}
    return head + ", ".join(f"{name}: {classes[name]:,}{shares[name]}" for name in names) + more
