"""SW715: are there enough independent things to score on?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check

if TYPE_CHECKING:
    from statewise.auditing._outcome import Status
    from statewise.auditing._parts import Parts

_ENOUGH = 50
"""As the verdict has it."""
_POSITIVES, _HARDLY_ANY = 30, 5


@check("SW715", "too-few-units", needs=("other_part",))
def too_few_units(subject: Parts) -> Found:
    """The last part holds enough independent groups or sequences for its figures to mean something.

    How:
        Groups are counted, without groups sequences; of one class of two, the sequences of the rarer. One group of several sequences,
        and fewer than five of the rarer class, are warnings. Fewer than 50 groups or 30 of the rarer class are told, and so is a single
        stream, whose blocks of steps are what intervals rest on.
    Why:
        A thousand windows of one person are one person: the figure holds for that one, and the next may be far from it.
    Mend:
        Give the last part more groups, or score every group once with folds(n="each").
    """
    name = subject.last
    data = subject.fresh(name)
    number, what = len(set(data.units)), "group" if data.groups is not None else "sequence"
    told = f"the {name} part has {number:,} {what}{'' if number == 1 else 's'}"
    if data.groups is not None:
        told = f"{told} of {len(data):,} sequences"
    found = Found(status="pass", evidence=told, value=float(number), limit=float(_ENOUGH), where=name)
    if number == 1 and len(data) > 1:
        return Found(status="warn", evidence=f"{told}: figures are about that one", value=1.0, limit=float(_ENOUGH), where=name)
    rare = _rarer(subject, name)
    if rare is not None and rare[1] < _POSITIVES:
        told = f"{told}; {rare[1]} of class {rare[0]!r}"
        status: Status = "warn" if rare[1] < _HARDLY_ANY else "observed"
        return Found(status=status, evidence=told, value=float(rare[1]), limit=float(_POSITIVES), where=name)
    if number < _ENOUGH:
        how = "intervals rest on blocks of its steps" if number == 1 else "a verdict asks for 50"
        return Found(status="observed", evidence=f"{told}; {how}", value=float(number), limit=float(_ENOUGH), where=name)
    return found


def _rarer(subject: Parts, name: str) -> tuple[str, int] | None:
    """Return the rarer of two classes of whole sequences, and how many have it."""
    data = subject.fresh(name)
    if data.each != "sequence" or data.holds != "classes" or subject.train.num_classes != 2:
        return None
    counts = np.bincount(np.asarray(data.targets), minlength=2)
    rarer = int(counts.argmin())
    return (data.class_names[rarer] if data.class_names is not None else str(rarer)), int(counts[rarer])
