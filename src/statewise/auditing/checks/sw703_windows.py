"""SW703: do sequences of two parts share a stretch of steps, as windows do that overlap?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._shared import Shared, shared_of
from statewise.auditing._twins import share_told

if TYPE_CHECKING:
    from statewise.auditing._outcome import Status
    from statewise.auditing._parts import Parts


def _without_shared(subject: Parts) -> Parts | None:
    """Return the parts with every sequence that shares a stretch with the training part taken out of the later ones."""
    found = {name: shared_of(subject, name) for name in subject.others}
    return subject.without({name: np.asarray(each.sequences) for name, each in found.items() if isinstance(each, Shared)})


@check("SW703", "shared-windows", needs=("other_part",), after=("SW704", "SW705"), cure=_without_shared)
def shared_windows(subject: Parts) -> Found:
    """No stretch of steps of a later part stands in the training part.

    How:
        Stretches of 4, 8, 16, 32, 64 or 128 steps are compared by hashes: the shortest of which most carry so many bits that chance would
        make an equal one once in a million pairs. Whole sequences that are equal are left to SW701, and where steps have dates, equal
        stretches of different dates are left out. Sequences of codes, which share phrases by habit, must share stretches that
        reach from an end to an end, as windows cut from one stream do, and hardly any others.
    Why:
        Windows that overlap were cut first and shared out after: most steps that are scored were trained on.
    Mend:
        Cut the streams into parts first, and the parts into windows after; or keep all windows of a stream together: group= that stream.
    Seen in:
        tongdaxu/EEG#1, Y-debug-sys/Diffusion-TS#67, fchest/EEG-AAD#7
    """
    found = {name: shared_of(subject, name) for name in subject.others}
    there = {name: each for name, each in found.items() if isinstance(each, Shared)}
    if not there:
        return Found(status="not_applicable", evidence=str(next(iter(found.values()))))
    outcomes = [_judged(each, name, is_measured=subject.is_measured) for name, each in there.items()]
    return min(outcomes, key=lambda each: (("fail", "observed", "pass").index(each.status), -(each.value or 0.0)))


def _judged(shared: Shared, name: str, *, is_measured: bool) -> Found:
    number, of = int(shared.sequences.sum()), len(shared.sequences)
    told = f"{share_told(number, of, name)} share a stretch of {shared.size} steps or more with the training part"
    if not number:
        return Found(status="pass", evidence=told, value=0.0, where=name)
    if is_measured:
        return Found(status="fail", evidence=told, value=number / of, where=name)
    ends = f"; {shared.num_from_end_to_end:,} of {shared.num_followed:,} that were followed reach from an end to an end"
    is_cut = shared.num_from_end_to_end > 9 * (shared.num_followed - shared.num_from_end_to_end)
    status: Status = "fail" if is_cut else "observed"
    return Found(status=status, evidence=told + ends + ("" if is_cut else ": phrases, not windows"), value=number / of, where=name)
