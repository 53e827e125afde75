"""SW710: does the length of a sequence give its label away?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._chance import LIMIT, at_least
from statewise.auditing._check import Found, check

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from statewise.auditing._outcome import Status
    from statewise.auditing._parts import Parts

_FEW = 20
"""Sequences of the last part without which the share that is met says nothing."""
_MUCH = 0.5
"""Of the way from always naming one class to naming all right: from here on length alone is a warning."""


@check("SW710", "length-tells-label", needs=("other_part", "labels"))
def length_tells_label(subject: Parts) -> Found:
    """What a model reaches is not what the lengths alone would reach.

    How:
        Each sequence of the last part is given the most frequent class among the 15 training sequences whose lengths are nearest (more,
        where more have the same). Where all have one length, what counts is the steps before the last ones that are all
        alike: padding. A class that is met more often than the most frequent one, at p below 1e-6, is told; it fails where the
        accuracy that a model reaches is known (run=, score=) and is not above it, and is a warning where length goes half the way to
        perfect and no score is known.
    Why:
        The model may count steps: of recordings that are cut otherwise, or padded, it knows nothing.
    Mend:
        Cut or crop all classes alike, and look at the figures by length (evaluate).
    """
    name = subject.last
    (known, is_known), (others_known, is_asked) = subject.targets("training"), subject.targets(name)
    labels, asked = known[is_known].astype(np.int64), others_known[is_asked].astype(np.int64)
    lengths, others = _lengths(subject, "training")[is_known], _lengths(subject, name)[is_asked]
    if len(asked) < _FEW or len(labels) < _FEW or len(np.unique(labels)) < 2:
        return Found(status="not_applicable", evidence=f"{len(asked)} sequences of the {name} part, {len(np.unique(labels))} classes")
    if len(np.unique(lengths)) < 2:
        return Found(status="pass", evidence="all training sequences have one length and no padding", value=0.0)
    met = int((_by_length(lengths, labels, others) == asked).sum())
    usual = int(np.bincount(labels).argmax())
    chance = max(float((asked == usual).mean()), float(np.bincount(asked).max()) / len(asked))
    reached, p = met / len(asked), at_least(met, len(asked), chance)
    evidence = f"length alone names {reached:.3f} of the {name} part right, always naming one class {chance:.3f} (p = {p:.1g})"
    if p >= LIMIT:
        return Found(status="pass", evidence=evidence, value=reached, control=chance)
    if subject.score is not None:
        status: Status = "fail" if subject.score <= reached else "observed"
        evidence = f"{evidence}; the model {subject.score:.3f}"
        return Found(status=status, evidence=evidence, value=reached, control=chance, limit=subject.score)
    status = "warn" if reached - chance >= _MUCH * (1 - chance) else "observed"
    return Found(status=status, evidence=f"{evidence}; what a model reaches is not known (run=, score=)", value=reached, control=chance)


def _lengths(subject: Parts, name: str) -> NDArray[np.int64]:
    """Return the length of each sequence; where all are alike, without the steps at its end that are like the last one."""
    held = subject.content(name)
    train = subject.content("training").lengths
    if len(np.unique(train)) > 1 or not len(held.rows):
        return held.lengths
    changes = np.concatenate([[True], held.rows[1:] != held.rows[:-1]])
    changes[held.offsets[:-1]] = True
    last_change = np.maximum.accumulate(np.where(changes, np.arange(len(changes)), 0))[held.offsets[1:] - 1]
    alike = held.offsets[1:] - last_change  # of steps at the end; 1 where nothing is padded
    return np.asarray(np.where(alike > 1, held.lengths - alike, held.lengths))


def _by_length(lengths: NDArray[np.int64], labels: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the most frequent class among the training sequences of nearest length."""
    number = 15
    order = np.argsort(lengths, kind="stable")
    there, names = lengths[order], labels[order]
    counts = np.zeros((len(there) + 1, int(labels.max()) + 1), dtype=np.int64)
    counts[np.arange(1, len(there) + 1), names] = 1
    counts = counts.cumsum(axis=0)
    found = {}
    for length in np.unique(asked).tolist():
        reach = np.sort(np.abs(there - length))[min(number, len(there)) - 1]
        low, high = np.searchsorted(there, length - reach, "left"), np.searchsorted(there, length + reach, "right")
        found[length] = int((counts[high] - counts[low]).argmax())
    return np.array([found[length] for length in asked.tolist()], dtype=np.int64)
