"""SW303: is the last real step read?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._cures import with_weights_shuffled
from statewise.auditing._findings import bad
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


_SHUFFLES = 4
_TRIES = 24
"""Steps that take the place of a last one: a maximum over time passes each over in up to about half of the cases."""


@check("SW303", "last-step-not-read", needs=("repeatable", "values"), after=("SW306", "SW313", "SW204", "SW201"))
def last_step_not_read(subject: Subject) -> Found:
    """The last real step of a sequence changes an answer.

    How:
        The last real step of each sequence is replaced by others, the one before it among them, a dozen or two of them until an answer
        about it has changed, since a maximum over time may well pass a step over, and with the weights in other orders; then the one before
        it likewise. It must be unread in every sequence, or in the longest: a stride leaves out the last step of some lengths.
    Why:
        The newest step is the one that matters most, and it is the one that is missing.
    Mend:
        The last real step is lengths - 1; slices and ranges already leave out their end.
    """
    last, earlier = _moved(subject, 1), _moved(subject, 2)
    if not any(earlier):
        return Found(status="not_applicable", evidence="other steps before the last change nothing either")
    unread = {row for row, (own, control) in enumerate(zip(last, earlier, strict=True)) if own == 0.0 and control > 0.0}
    for shuffled in with_weights_shuffled(subject, _SHUFFLES) if unread else ():
        unread &= {row for row, own in enumerate(_moved(shuffled, 1)) if own == 0.0}
    lengths = subject.probe.lengths.tolist()
    longest = {row for row, length in enumerate(lengths) if length == max(lengths)}
    if unread and unread in (longest, {row for row in range(len(lengths)) if earlier[row] > 0.0}):
        row = min(unread)
        evidence = f"other last steps change nothing about sequence {row} of {lengths[row]} steps (others before it: {earlier[row]:.2g})"
        return bad(subject, evidence, value=0.0, control=earlier[row])
    if unread:
        odd = ", ".join(str(length) for length in sorted({lengths[row] for row in unread}))
        return Found(status="observed", evidence=f"of sequences of {odd} steps the last one is not read, of others it is, as with a stride")
    return Found(status="pass", evidence=f"another last step changes the answers by {min(last):.2g}", value=min(last), control=max(earlier))


def _moved(subject: Subject, back: int) -> list[float]:
    """Return by how much an answer about each sequence changes once the step so far from its end is another; 0 where none ever does."""
    probe, found = subject.probe, [0.0] * subject.probe.num_rows
    before = subject.ask(probe).outputs
    rows, at = torch.arange(probe.num_rows), probe.real_step(back)
    others = torch.cat([subject.donor.x, subject.filling, subject.whole.x, subject.other_whole.x]).flatten(0, 1)
    given = [subject.donor.x[rows, at], probe.x[rows, probe.real_step(back + 1)]]  # of the step before it is known that it is read
    for number in range(min(_TRIES, len(others) // probe.num_rows)):
        x = probe.x.clone()
        x[rows, at] = given[number] if number < len(given) else others[(number + rows * _TRIES) % len(others)]
        after = subject.ask(probe.with_x(x)).outputs
        for row in rows.tolist():
            effect = gap(subject.row(after, probe, row), subject.row(before, probe, row))
            if subject.is_real(effect, 0.0, size_of(before)):
                found[row] = max(found[row], effect)
        if all(found):
            break
    return found
