"""SW314: is a sequence of one step answered with a number?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._findings import bad
from statewise.auditing._subject import Failed

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW314", "length-one-not-finite", needs=("lengths",), after=("SW608",))
def length_one_not_finite(subject: Subject) -> Found:
    """A sequence of one real step, beside longer ones, gives numbers.

    How:
        The shortest sequence of the probe is cut to one step.
    Why:
        One NaN in a batch makes the loss, and after one update every weight, NaN.
    Mend:
        A spread, a logarithm or a division over one step needs a floor; a softmax needs at least one step that is not masked.
    Seen in:
        pytorch/pytorch#64525
    """
    usual = subject.real(subject.ask(subject.probe), subject.probe)
    if not bool(usual.isfinite().all()):
        return Found(status="not_applicable", evidence="longer sequences give no numbers either (SW608)")
    lengths = subject.probe.lengths.clone()
    lengths[lengths.argmin()] = 1
    probe = replace(subject.probe, lengths=lengths)
    probe = probe.with_x(subject.whole.x).padded_with(torch.zeros_like(probe.x))
    try:
        outputs = subject.real(subject.ask(probe), probe)
    except Failed as problem:
        return bad(subject, f"a sequence of one step beside longer ones fails: {problem}")
    if not bool(outputs.isfinite().all()):
        return bad(subject, "a sequence of one step beside longer ones gives NaN or infinity")
    return Found(status="pass", evidence="a sequence of one step beside longer ones gives numbers")
