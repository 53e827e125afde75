"""SW712: do equal sequences have equal targets?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._content import enough_bits

if TYPE_CHECKING:
    from statewise.auditing._parts import Parts


@check("SW712", "conflicting-labels", needs=("one_target",))
def conflicting_labels(subject: Parts) -> Found:
    """Equal sequences have equal targets.

    How:
        Sequences of all parts that are equal step by step are put together, where their targets count. Classes that differ set a
        ceiling: of each such set no model gets more right than the most frequent class has. Numbers that differ set a floor under the
        error. It is a warning where the sequences carry so many bits that they cannot be equal by chance, and are told where they are
        short or coarse.
    Why:
        Either a label is wrong, or what would tell the two apart is not among the inputs: no training helps.
    Mend:
        Look at the sequences that are named, mend the labels, or add the feature that tells them apart.
    Seen in:
        pytorch/pytorch#2032
    """
    names = [name for name, part in subject.all.items() if part.holds == subject.train.holds and part.each == "sequence"]
    marks = np.concatenate([subject.content(name).marks for name in names])
    told = [subject.targets(name) for name in names]
    is_known = np.concatenate([known for _, known in told])
    if not is_known.any():
        return Found(status="not_applicable", evidence="no sequence has a target that counts")
    marks, targets = marks[is_known], np.concatenate([each for each, _ in told])[is_known].astype(np.float64)
    keys = [f"{key} ({name})" for name in names for key in subject.fresh(name).keys or ()]
    keys = [keys[place] for place in np.flatnonzero(is_known)]
    _, first, sets, counts = np.unique(marks, return_index=True, return_inverse=True, return_counts=True)
    if counts.max() == 1:
        return Found(status="pass", evidence=f"all {len(marks):,} sequences are different", value=0.0)
    low, high = np.full(len(counts), np.inf), np.full(len(counts), -np.inf)
    np.minimum.at(low, sets, targets)
    np.maximum.at(high, sets, targets)
    is_torn = low < high
    if not is_torn.any():
        return Found(status="pass", evidence=f"{int((counts > 1).sum()):,} sequences occur more than once, each with one target", value=0.0)
    bits = np.concatenate([subject.sequence_bits(name) for name in names])[is_known]
    telling = is_torn & (bits[first] >= enough_bits(len(marks) ** 2 / 2))
    shown = np.flatnonzero(telling if telling.any() else is_torn)[0]
    example = ", ".join(keys[place] for place in np.flatnonzero(sets == shown)[:2])
    value, ceiling = _limit(sets, targets, is_values=subject.train.holds == "values")
    torn, long = int(is_torn.sum()), int(telling.sum())
    evidence = f"{torn:,} sets of equal sequences have different targets, {long:,} of them too long to be equal by chance"
    return Found(
        status="warn" if telling.any() else "observed", evidence=f"{evidence}; {ceiling}; such as {example}", value=value,
        limit=0.0, where=keys[first[shown]],
    )  # fmt: skip


def _limit(sets: np.ndarray, targets: np.ndarray, *, is_values: bool) -> tuple[float, str]:
    """Return the least share that is wrong, or the least squared error, and what that means in words."""
    if is_values:
        counts = np.bincount(sets)
        mean = np.bincount(sets, weights=targets) / counts
        error = float(np.mean((targets - mean[sets]) ** 2))
        return error, f"no model has a mean squared error below {error:.3g}"
    _, places, counts = np.unique(np.stack([sets, targets]), axis=1, return_inverse=True, return_counts=True)
    most = np.zeros(int(sets.max()) + 1)
    np.maximum.at(most, sets, counts[places.ravel()])
    share = 1 - float(most.sum()) / len(sets)
    return share, f"no model has an accuracy above {1 - share:.4f}"
