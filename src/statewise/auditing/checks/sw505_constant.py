"""SW505: does the input reach the output at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._cures import with_weights_shuffled
from statewise.auditing._findings import bad
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject

_SHUFFLES = 100


@check("SW505", "input-ignored", needs=("repeatable", "values"), after=("SW306", "SW608"))
def input_ignored(subject: Subject) -> Found:
    """Other inputs give other outputs.

    How:
        Every step of the probe is replaced by steps of other sequences. Where that changes nothing the numbers of each weight are put into
        up to 100 other orders, under other signs: where some of them react and some do not, a module of few units is out of luck with
        its weights, which is told and not held against it.
    Why:
        The module says the same about everything. It passes most tests of invariance, and can learn no more than the mean.
    Mend:
        Follow the input from layer to layer with statewise.trace: a unit is dead, or another variable is read.
    """
    effect, size = _effect(subject)
    if subject.is_real(effect, 0.0, size):
        return Found(status="pass", evidence=f"other inputs change the outputs by {effect:.2g}", value=effect)
    evidence = f"other inputs change nothing ({effect:.2g})"
    reacts: set[bool] = set()
    for other in with_weights_shuffled(subject, _SHUFFLES):
        reacts.add(other.is_real(_effect(other)[0], 0.0, size))
        if len(reacts) == 2:
            return Found(
                status="observed",
                evidence=f"{evidence}, as with some other orders and signs of the weights, and not with others",
                value=effect,
            )
    return bad(subject, evidence, value=effect)


def _effect(subject: Subject) -> tuple[float, float]:
    """Return by how much other inputs change the answers, and the largest answer."""
    one, other = (subject.real(subject.ask(probe), probe) for probe in (subject.probe, subject.donor))
    return gap(one, other), size_of(one)
