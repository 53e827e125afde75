"""SW303: is the last real step read?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._findings import must_matter
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW303", "last-step-not-read", needs=("repeatable",), after=("SW306", "SW505", "SW308", "SW313"))
def last_step_not_read(subject: Subject) -> Found:
    """The last real step of a sequence changes an answer.

    How:
        The last real step of each sequence is replaced by another, then the one before it.
    Why:
        The newest step is the one that matters most, and it is the one that is missing.
    Mend:
        The last real step is lengths - 1; slices and ranges already leave out their end.
    """
    probe = subject.probe
    before = subject.real(subject.ask(probe), probe)
    rows, effects = torch.arange(probe.num_rows), []
    for back in (1, 2):
        x, at = probe.x.clone(), probe.real_step(back)
        x[rows, at] = subject.donor.x[rows, at]
        effects.append(_effect(subject, x, before))
    return must_matter(
        subject, effects[0], control=effects[1], size=size_of(before), did="another last real step", by="another step before it"
    )


def _effect(subject: Subject, x: torch.Tensor, before: torch.Tensor) -> float:
    """Return the smallest effect on any sequence that has one: each must read its last step."""
    after = subject.real(subject.ask(subject.probe.with_x(x)), subject.probe)
    if subject.contract.each == "sequence":
        return min(gap(one, other) for one, other in zip(after, before, strict=True))
    return gap(after, before)
