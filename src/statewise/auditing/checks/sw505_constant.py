"""SW505: does the input reach the output at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._findings import bad
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW505", "input-ignored", needs=("repeatable",), after=("SW306", "SW608"))
def input_ignored(subject: Subject) -> Found:
    """Other inputs give other outputs.

    How:
        Every step of the probe is replaced by steps of other sequences.
    Why:
        The module says the same about everything. It passes most tests of invariance, and can learn no more than the mean.
    Mend:
        Follow the input from layer to layer with statewise.trace: a unit is dead, or another variable is read.
    """
    one, other = (subject.real(subject.ask(probe), probe) for probe in (subject.probe, subject.donor))
    effect = gap(one, other)
    if subject.is_real(effect, 0.0, size_of(one)):
        return Found(status="pass", evidence=f"other inputs change the outputs by {effect:.2g}", value=effect)
    return bad(subject, f"other inputs change nothing ({effect:.2g})", value=effect)
