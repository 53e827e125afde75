"""SW308: is a real step of zeros taken for padding?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._findings import must_not_matter
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject

_ALMOST = 1e-7


@check("SW308", "zeros-taken-for-padding", needs=("repeatable", "numbers"), after=("SW608",))
def zeros_taken_for_padding(subject: Subject) -> Found:
    """A real step whose values are all zero is read as any other.

    How:
        The last real step of each sequence is set to zeros, and to values just above and below; all must give almost the same, or have
        a jump at zero from either side.
    Why:
        A measured zero (a standstill, a payment of nothing, a scaled mean) shortens the sequence, or hides a step.
    Mend:
        Take the lengths or the mask from the data, where padding is made, not from the values.
    """
    probe = subject.probe
    before = subject.real(subject.ask(probe), probe)
    rows, at = torch.arange(probe.num_rows), probe.real_step(1)
    given = []
    for value in (0.0, _ALMOST, -_ALMOST):
        x = probe.x.clone()
        x[rows, at] = value
        given.append(subject.real(subject.ask(probe.with_x(x)), probe))
    zero, above, below = given
    # What has a jump of its own at zero, as a sign or a direction has, is no mask made of values.
    jump, control = min(gap(zero, above), gap(zero, below)), gap(above, before)
    if subject.is_real(gap(above, below), jump, size_of(before)) and gap(above, below) > 0.1 * jump > 0.0:
        return Found(status="pass", evidence="values just above zero and just below are as far apart as zero is from both", value=jump)
    # What is smooth moves by about the change itself; ten thousand times as much still passes.
    return must_not_matter(
        subject, max(0.0, jump - 1e4 * _ALMOST * max(control, size_of(before))), control=control, size=size_of(before),
        did="making a last step of almost zeros exactly zero", by="another last step",
    )  # fmt: skip
