"""SW401: does a module that is promised causal see the future?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._findings import must_not_matter, observed
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW401", "future-seen", needs=("repeatable", "may_be_causal", "steps"), after=("SW202", "SW301", "SW201"))
def future_seen(subject: Subject) -> Found:
    """No output depends on a later step.

    How:
        In sequences of one length the steps from the second on are replaced one after another; the outputs before must stay. Told is how
        far ahead an output sees.
    Why:
        Offline figures are too good: live, the later steps are not there yet.
    Mend:
        Use one direction, pad convolutions on the left alone, mask attention with a triangle, and normalise over the features of a step.
    Seen in:
        mostafaalishahi/eICU_Benchmark#1, espnet/espnet#982
    """
    whole, other = subject.whole, subject.other_whole
    before = subject.ask(whole).outputs
    worst, ahead, control = 0.0, 0, 0.0
    for step in range(1, whole.time):
        x = whole.x.clone()
        x[:, step] = other.x[:, step]
        after = subject.ask(whole.with_x(x)).outputs
        control = max(control, gap(after[:, step:], before[:, step:]))
        for earlier in range(step):
            effect = gap(after[:, earlier], before[:, earlier])
            if subject.is_real(effect, control, size_of(before)) and step - earlier > ahead:
                worst, ahead = max(worst, effect), step - earlier
    found = must_not_matter(
        subject, worst, control=control, size=size_of(before),
        did="a later step",
        by="a step",
        what=f"outputs up to {ahead} step{'' if ahead == 1 else 's'} before it",
        where=f"{ahead} step{'s' * (ahead > 1)} ahead" if ahead else None,
    )  # fmt: skip
    return found if subject.contract.causal else observed(found)
