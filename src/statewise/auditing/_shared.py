"""Which sequences of a part share a stretch of steps with the training part? By hashes of stretches, long enough to say something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from statewise.auditing._content import enough_bits, windows_of
from statewise.auditing._twins import twins_of
from statewise.sequences import are_dates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from statewise.auditing._content import Content
    from statewise.auditing._parts import Parts

_SIZES = (4, 8, 16, 32, 64, 128)
_FOLLOWED = 2_000
"""Shared stretches, one a sequence, that are followed to their ends at most."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What a part shares with the training part.

    Attributes:
        size: steps of a stretch.
        sequences: which sequences share one, equal sequences apart.
        num_followed: of codes, how many stretches were followed to their ends.
        num_from_end_to_end: how many of these begin where one of the two sequences begins, and end where one ends.
    """

    size: int
    sequences: NDArray[np.bool_]
    num_followed: int = 0
    num_from_end_to_end: int = 0


def shared_of(subject: Parts, name: str) -> Shared | str:
    """Return what a part shares with the training part, measured once; or why that cannot be told."""
    return subject.once(f"shared {name}", lambda: _shared(subject, name))


def _shared(subject: Parts, name: str) -> Shared | str:
    own, train = subject.content(name), subject.content("training")
    total = np.concatenate([[0.0], np.cumsum(subject.bits(name))])
    num_windows = 0
    for size in _SIZES:
        marks, begins = windows_of(own, size)
        known, known_begins = windows_of(train, size)
        num_windows += len(marks) * len(known)
        if not len(marks) or not len(known):
            continue
        # The first step may stand for any that is like it; what follows it is what the bits are counted of.
        telling = total[begins + size] - total[begins + 1] >= enough_bits(len(marks) * len(known))
        if telling.mean() < 0.5:
            continue
        known, first = np.unique(known, return_index=True)
        places = np.minimum(np.searchsorted(known, marks), len(known) - 1)
        there = telling & (known[places] == marks) & ~twins_of(subject, name).all[own.owners[begins]]
        there &= _of_one_time(subject, name, begins, known_begins[first[places]])
        sequences = np.zeros(len(own.marks), dtype=bool)
        sequences[own.owners[begins[there]]] = True
        if subject.is_measured or not sequences.any():
            return Shared(size=size, sequences=sequences)
        met = np.unique(own.owners[begins[there]], return_index=True)[1][:_FOLLOWED]
        whole = _end_to_end(own, train, begins[there][met], known_begins[first[places[there]]][met])
        return Shared(size=size, sequences=sequences, num_followed=len(met), num_from_end_to_end=int(whole.sum()))
    if not num_windows:
        return f"no two parts have sequences of {_SIZES[0]} steps or more"
    return f"too few different steps: stretches of {_SIZES[-1]} steps, or of all there are, may be equal by chance"


def _of_one_time(subject: Parts, name: str, own: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs of steps have one time, where times are dates; else all of them."""
    times = [subject.fresh(part).times for part in (name, "training")]
    if not all(isinstance(each, torch.Tensor) and are_dates(each) for each in times):
        return np.ones(len(own), dtype=bool)
    one, two = (np.asarray(each, dtype=np.float64) for each in times)
    return np.asarray(one[own] == two[other])


def _end_to_end(one: Content, two: Content, own: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs of equal steps lie in a stretch that reaches from a beginning to an end, of either sequence."""
    found = np.ones(len(own), dtype=bool)
    for step in (-1, 1):
        left, right = own.copy(), other.copy()
        at_end = np.zeros(len(own), dtype=bool)
        moving = np.ones(len(own), dtype=bool)
        while moving.any():
            at_end |= moving & (_is_last(one, left, step) | _is_last(two, right, step))
            moving &= ~at_end
            left[moving] += step
            right[moving] += step
            moving &= one.rows[left] == two.rows[right]
        found &= at_end
    return found


def _is_last(held: Content, steps: NDArray[np.int64], step: int) -> NDArray[np.bool_]:
    """Return which steps are the last of their sequence on the way."""
    owners = held.owners[steps]
    return np.asarray(steps == held.offsets[owners] if step < 0 else steps == held.offsets[owners + 1] - 1)
