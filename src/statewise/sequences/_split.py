"""How are sequences cut into parts that can be trusted? Whole sequences or whole groups, in the shares asked, and repeatably.

Cutting streams by time is `_split_time`'s. The cut depends on the data, the options and the seed alone, never on a global random state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch

from statewise.errors import DataError, OptionError
from statewise.sequences._sequences import Sequences
from statewise.sequences._split_time import split_by_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

By: TypeAlias = Literal["sequence", "group"]
"""What is never split."""

_FEW_GROUPS = 2_000
"""Up to here several orders of the groups are tried; with more, any order is balanced."""
_TRIES = 16
_ROUNDING = 1e-9
"""A share of sequences that is whole but for this much counts as whole: 0.15 * 20 is 3.0000000000000004."""


def split(
    data: Sequences,
    *,
    by: By | Literal["time"] | None = None,
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    stratify: bool = True,
    embargo: float = 0.0,
    warm_up: int | None = None,
) -> tuple[Sequences, ...]:
    """Cut sequences into as many parts as there are fractions, such as training, validation and test.

    Sequences keep their order inside each part. With one target a sequence and `stratify`, every part has its share of every
    class, to within one sequence when cutting by sequence; groups are placed one by one, in several orders of which the most
    balanced is taken, and may miss the shares by more where they are large.

    Args:
        data: the sequences.
        by: what is never split: `"sequence"`, or `"group"` (person, engine, account); or `"time"`: a date cut through the sequences,
            before which is the first part; later parts are fed what came before, with the weight 0, so that their state is warm.
            Absent, the group where there are groups, else the sequence.
        fractions: the share of each part; positive, together 1. By time, of all steps.
        seed: another seed, another cut; a cut by time has no chance in it.
        stratify: whether to keep the shares of the classes.
        embargo: by time: how long after a cut nothing is scored, in the unit of the times (seconds for dates).
        warm_up: by time: how many steps before a cut are fed at most; None for all.

    Raises:
        OptionError: fractions, `by` or seed have a value that they cannot have.
        DataError: there are no groups or times to cut by, or a part would be empty.

    Example:
        >>> from statewise.sequences import Ragged
        >>> data = Sequences(inputs=Ragged(torch.zeros(20, 1), torch.full((10,), 2)), targets=["no"] * 5 + ["yes"] * 5)
        >>> [len(part) for part in split(data, fractions=(0.6, 0.2, 0.2))]
        [6, 2, 2]
    """
    asked = "split(data)"
    shares = _checked_fractions(fractions, asked)
    if by == "time":
        return split_by_time(data, shares, embargo=embargo, warm_up=warm_up, asked=asked)
    if embargo or warm_up is not None:
        arrived = f"embargo={embargo:g}, warm_up={warm_up}, beside by={by!r}"
        raise OptionError(asked=asked, where="by", arrived=arrived, hint="They belong to a cut by time: say by='time', or leave them out.")
    by = _checked_by(data, by, asked)
    part_of = _parts(data, by, shares, generator=_generator(seed, asked), stratify=stratify)
    sizes = np.bincount(part_of, minlength=len(shares))
    if not sizes.all():
        empty = int(np.flatnonzero(sizes == 0)[0])
        units = len(set(data.groups or ())) if by == "group" else len(data)
        raise DataError(
            asked=asked,
            where=f"part {empty + 1} of {len(shares)} (fraction {shares[empty]:g})",
            arrived=f"it would be empty: the data has {units} {by}s",
            hint="Give more data, a larger fraction, or fewer parts."
            if units >= len(shares)
            else "Give each part in a file of its own, or cut along the time: by='time' (--by time).",
        )
    noted = _with_leak_note(data, by)
    return tuple(noted.select(torch.from_numpy(part_of == part)) for part in range(len(shares)))


def folds(
    data: Sequences, *, by: By | None = None, n: int | Literal["each"] = 5, seed: int = 0, stratify: bool = True
) -> Iterator[tuple[Sequences, Sequences]]:
    """Yield `(train, test)` so that each sequence is in the test part of one fold.

    Args:
        data: the sequences.
        by: what is never split, as in `split`.
        n: the number of folds, or `"each"` to leave out one sequence (or one group) at a time.
        seed: another seed, other folds.
        stratify: whether to keep the shares of the classes, as in `split`.

    Raises:
        OptionError: `n`, `by` or seed have a value that they cannot have.
        DataError: there are no groups to cut by, or fewer units than folds.

    Example:
        >>> from statewise.sequences import Ragged
        >>> data = Sequences(inputs=Ragged(torch.zeros(6, 1), torch.ones(6, dtype=torch.int64)), groups="aabbcc")
        >>> [(len(train), sorted(set(test.groups))) for train, test in folds(data, by="group", n="each")]
        [(4, ['a']), (4, ['b']), (4, ['c'])]
    """
    asked = "folds(data)"
    by = _checked_by(data, by, asked)
    units = np.arange(len(data)) if by == "sequence" else _numbered(data.groups or ())
    num_units = int(units.max()) + 1 if len(units) else 0
    num_folds = num_units if n == "each" else _checked_number(n, asked)
    if num_units < max(num_folds, 2):
        arrived = f"{num_units} {by}s for {num_folds} folds"
        raise DataError(asked=asked, where="n", arrived=arrived, hint=f"Each fold needs a {by} of its own, and there must be two.")
    generator = _generator(seed, asked)
    shares = np.full(num_folds, 1 / num_folds)
    part_of = units if n == "each" else _parts(data, by, shares, generator=generator, stratify=stratify)
    noted = _with_leak_note(data, by)

    def pairs() -> Iterator[tuple[Sequences, Sequences]]:
        for fold in range(num_folds):
            is_test = torch.from_numpy(part_of == fold)
            yield noted.select(~is_test), noted.select(is_test)

    return pairs()


def _parts(data: Sequences, by: By, shares: np.ndarray, *, generator: np.random.Generator, stratify: bool) -> np.ndarray:
    """Return the part of each sequence: `[n]`."""
    if by == "group":
        groups = _numbered(data.groups or ())
        part_of_group = _place_groups(groups, _class_counts(data, stratify=stratify), shares, generator)
        return np.asarray(part_of_group[groups])
    classes = np.zeros(len(data), dtype=np.int64)
    if stratify and data.each == "sequence" and data.holds == "classes":
        classes = np.asarray(data.targets)
    if stratify and data.each == "sequence" and data.holds == "labels":
        classes = np.unique(np.asarray(data.targets), axis=0, return_inverse=True)[1].ravel()
    return _place_sequences(classes, shares, generator)


def _place_sequences(classes: np.ndarray, shares: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the part of each sequence so that no part is off by a whole sequence of any class.

    Largest remainder, class by class; what a part has lacked so far counts, so that the sizes of the parts come out right too.
    """
    part_of = np.zeros(len(classes), dtype=np.int64)
    lacking = np.zeros(len(shares))
    for label in np.unique(classes):
        members = generator.permutation(np.flatnonzero(classes == label))
        quota = len(members) * shares
        counts = np.floor(quota + _ROUNDING).astype(np.int64)
        lacking += quota - counts
        candidates = np.where(quota - counts > _ROUNDING, lacking, -np.inf)
        more = np.argsort(-candidates, kind="stable")[: len(members) - int(counts.sum())]
        counts[more] += 1
        lacking[more] -= 1
        part_of[members] = np.repeat(np.arange(len(shares)), counts)
    return _without_empty_parts(part_of, len(shares), generator)


def _without_empty_parts(part_of: np.ndarray, num_parts: int, generator: np.random.Generator) -> np.ndarray:
    """Give each empty part a sequence of the largest, where there are enough: a share of less than one still is one."""
    for part in range(num_parts if len(part_of) >= num_parts else 0):
        sizes = np.bincount(part_of, minlength=num_parts)
        if not sizes[part]:
            part_of[generator.choice(np.flatnonzero(part_of == sizes.argmax()))] = part
    return part_of


def _place_groups(groups: np.ndarray, counts: np.ndarray, shares: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the part of each group.

    Args:
        groups: the group of each sequence, `[n]`.
        counts: what each sequence holds of each class, `[n, classes]`.
        shares: the share of each part.
        generator: gives the orders in which the groups are placed.
    """
    num_groups = int(groups.max()) + 1 if len(groups) else 0
    content = np.zeros((num_groups, counts.shape[1] + 1))
    np.add.at(content, groups, np.column_stack([counts, np.ones(len(groups))]))
    content /= np.maximum(content.sum(axis=0), 1)
    content[:, -1] *= np.sqrt(max(counts.shape[1], 1))  # the number of sequences weighs as much as all classes together
    wanted = shares[:, None] * content.sum(axis=0)
    tries = _TRIES if num_groups <= _FEW_GROUPS else 1
    placed = [_place_in_order(generator.permutation(num_groups), content, wanted) for _ in range(tries)]
    return min(placed, key=lambda part_of: _imbalance(part_of, content, wanted))


def _place_in_order(order: np.ndarray, content: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the part of each group when each, in order, goes where it brings the content nearest to what is wanted."""
    part_of = np.zeros(len(order), dtype=np.int64)
    excess, is_empty = -wanted, np.ones(len(wanted), dtype=bool)
    for number, group in enumerate(order):
        cost = excess @ content[group]  # the squared distance changes by twice this, and a term that no part changes
        if len(order) - number <= is_empty.sum():
            cost = np.where(is_empty, cost, np.inf)
        part = int(np.argmin(cost))
        part_of[group] = part
        excess[part] += content[group]
        is_empty[part] = False
    return part_of


def _imbalance(part_of: np.ndarray, content: np.ndarray, wanted: np.ndarray) -> float:
    """Return the squared distance between what the parts hold and what is wanted."""
    held = np.zeros_like(wanted)
    np.add.at(held, part_of, content)
    return float(((held - wanted) ** 2).sum())


def _class_counts(data: Sequences, *, stratify: bool) -> np.ndarray:
    """Return what each sequence holds of each class, in sequences or in steps: `[n, classes]`; without classes, no column."""
    if not stratify or data.holds in (None, "values"):
        return np.zeros((len(data), 0))
    rows = np.arange(len(data)) if data.each == "sequence" else np.asarray(next(iter(data.parts.values())).rows)
    counts = np.zeros((len(data), data.num_classes or 0))
    if data.holds == "labels":
        np.add.at(counts, rows, np.asarray(data.targets, dtype=np.float64))
        return counts
    np.add.at(counts, (rows, np.asarray(data.targets)), 1)
    return counts


def _numbered(groups: Sequence[str]) -> np.ndarray:
    """Return the number of each sequence's group, in the order of first appearance."""
    place = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([place[group] for group in groups], dtype=np.int64)


def _with_leak_note(data: Sequences, by: By) -> Sequences:
    """Return the data with a note when groups exist and may end up on both sides of the cut."""
    if by == "group" or data.groups is None:
        return data
    return data.with_notes("cut by sequence although there are groups: the same group may be in several parts")


def _checked_fractions(fractions: Sequence[float], asked: str) -> np.ndarray:
    """Return the fractions, which are positive and together 1."""
    shares = np.asarray(fractions, dtype=np.float64)
    if shares.ndim != 1 or len(shares) < 2 or not (shares > 0).all() or not abs(shares.sum() - 1) < 1e-6:
        hint = "Give one positive fraction a part, together 1, such as (0.7, 0.15, 0.15)."
        raise OptionError(asked=asked, where="fractions", arrived=str(fractions), hint=hint)
    return shares


def _checked_by(data: Sequences, by: str | None, asked: str) -> By:
    """Return what is never split; groups must exist to be it."""
    if by is None:
        return "sequence" if data.groups is None else "group"
    if by == "group" and data.groups is None:
        hint = "Name the column of groups when reading, with group='...' (--group), or cut by='sequence'."
        raise DataError(asked=asked, where="by='group'", arrived=f"{data.source} has no groups", hint=hint)
    if by == "group":
        return "group"
    if by != "sequence":
        raise OptionError(asked=asked, where="by", arrived=repr(by), hint="Give 'sequence', 'group', or (split) 'time'.")
    return "sequence"


def _checked_number(n: Any, asked: str) -> int:
    """Return the number of folds."""
    if not isinstance(n, int) or isinstance(n, bool) or n < 2:
        raise OptionError(asked=asked, where="n", arrived=repr(n), hint="Give a whole number of at least 2, or 'each'.")
    return n


def _generator(seed: int, asked: str) -> np.random.Generator:
    """Return a random generator of one's own."""
    if not 0 <= seed < 2**63:
        raise OptionError(asked=asked, where="seed", arrived=str(seed), hint="Give a whole number of 0 or more, below 2 to the 63.")
    return np.random.default_rng(seed)
