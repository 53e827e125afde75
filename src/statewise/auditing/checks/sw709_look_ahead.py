"""SW709: do the features of a step know of later steps?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from statewise.auditing._check import Found, check
from statewise.auditing._parts import columns_of, moments_of, names_of
from statewise.errors import StatewiseError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from statewise.auditing._parts import Parts
    from statewise.sequences import Sequences

_SEQUENCES = 64
_CUTS = (0.25, 0.5, 0.75)
_ROUNDING = 1e-5
"""Of a feature's spread: differences up to this are those of sums in another order."""


@check("SW709", "features-look-ahead", needs=("made_features", "measures"))
def features_look_ahead(subject: Parts) -> Found:
    """The features of a step are the same where the sequence ends there.

    How:
        The features of up to 64 training sequences are made twice from the whole sequences, which must give the same, and then from their
        first quarter, half and three quarters. What is made of the steps before the cut must not change.
    Why:
        Means over the whole sequence, centred windows, filling backwards and smoothing in both directions tell what is yet to come. Live it
        is not there.
    Mend:
        Compute each step's features from that step and those before it: rolling windows that end there, filling forwards.
    """
    assert subject.make_features is not None
    assert subject.raw is not None
    long = torch.nonzero(subject.raw.lengths >= 2)[:, 0][:_SEQUENCES]
    if not len(long):
        return Found(status="not_applicable", evidence="no sequence has two steps")
    raw = subject.raw.select(long)
    whole, again = subject.make_features(raw), subject.make_features(raw)
    before = columns_of(whole)
    if not np.array_equal(before, columns_of(again), equal_nan=True):
        return Found(status="not_applicable", evidence="made twice from the same, the features differ: they are drawn")
    gaps = [gap for share in _CUTS if (gap := _gap(subject.make_features, raw, before, share)) is not None]
    if not gaps:
        return Found(status="not_applicable", evidence="make_features returns other steps than it is given, or refuses shorter sequences")
    gap = np.max(gaps, axis=0)
    worst, names = int(gap.argmax()), names_of(whole)
    number = int((gap > _ROUNDING).sum())
    if not number:
        return Found(status="pass", evidence="cut sequences have the same features as whole ones", value=float(gap[worst]), limit=_ROUNDING)
    told = ", ".join(names[place] for place in np.argsort(-gap)[: min(number, 3)])
    evidence = f"{number} of {len(names)} features change where later steps are cut off ({told}), by up to {gap[worst]:.2g} of their spread"
    return Found(status="fail", evidence=evidence, value=float(gap[worst]), limit=_ROUNDING, where=names[worst])


def _gap(make: Any, raw: Sequences, before: NDArray[np.float64], share: float) -> NDArray[np.float64] | None:
    """Return by how much each feature changes, in spreads, where sequences are cut; None where that cannot be asked."""
    first = next(iter(raw.parts.values()))
    kept = first.positions < torch.ceil(raw.lengths * share).clamp(min=1).long()[first.rows]
    try:
        after = columns_of(make(raw.select_steps(kept)))
    except (StatewiseError, ValueError, RuntimeError, IndexError):
        return None
    whole = before[kept.numpy()] if len(before) == raw.num_steps else before[:0]
    if not len(whole) or whole.shape != after.shape:
        return None
    _, spread = moments_of(before)
    differ = np.abs(whole - after) / np.where(spread > 0, spread, 1.0)
    differ = np.where(np.isnan(whole) & np.isnan(after), 0.0, np.where(np.isnan(differ), 1.0, differ))
    return np.asarray(differ.max(axis=0))
