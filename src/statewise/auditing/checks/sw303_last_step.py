"""SW303: is the last real step read?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from statewise.auditing._check import Found, check
from statewise.auditing._findings import bad
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


_TRIES = 24
"""Steps that take the place of a last one: a maximum over time passes each over in up to about half of the cases."""


@check("SW303", "last-step-not-read", needs=("repeatable",), after=("SW306", "SW505", "SW308", "SW313", "SW204", "SW201", "SW504"))
def last_step_not_read(subject: Subject) -> Found:
    """The last real step of a sequence changes an answer.

    How:
        The last real step of each sequence is replaced by others, up to 24 of them until an answer about it has changed, since a maximum
        over time may well pass a step over; then the one before it likewise.
    Why:
        The newest step is the one that matters most, and it is the one that is missing.
    Mend:
        The last real step is lengths - 1; slices and ranges already leave out their end.
    """
    before = subject.ask(subject.probe).outputs
    last, earlier = _moved(subject, before, 1), _moved(subject, before, 2)
    still = [row for row, (own, control) in enumerate(zip(last, earlier, strict=True)) if own == 0.0 and control > 0.0]
    effect, control = min(last), max(earlier)
    if still:
        evidence = f"other last steps change nothing about sequence {still[0]} (other steps before it: {earlier[still[0]]:.2g})"
        return bad(subject, evidence, value=0.0, control=earlier[still[0]])
    if control == 0.0:
        return Found(status="not_applicable", evidence="other steps before the last change nothing either")
    return Found(status="pass", evidence=f"another last step changes the answers by {effect:.2g}", value=effect, control=control)


def _moved(subject: Subject, before: Tensor, back: int) -> list[float]:
    """Return by how much an answer about each sequence changes once the step so far from its end is another; 0 where none ever does."""
    probe, found = subject.probe, [0.0] * subject.probe.num_rows
    rows, at = torch.arange(probe.num_rows), probe.real_step(back)
    others = torch.cat([subject.donor.x, subject.filling]).flatten(0, 1)
    for number in range(min(_TRIES, len(others) // probe.num_rows)):
        x = probe.x.clone()
        x[rows, at] = subject.donor.x[rows, at] if number == 0 else others[(number + rows * _TRIES) % len(others)]
        after = subject.ask(probe.with_x(x)).outputs
        for row in rows.tolist():
            own = slice(None) if subject.contract.each == "sequence" else probe.valid[row]
            effect = gap(after[row][own], before[row][own])
            if subject.is_real(effect, 0.0, size_of(before)):
                found[row] = max(found[row], effect)
        if all(found):
            break
    return found
