"""SW313: is the padding expected on the side on which it is?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from statewise.auditing._alone import alone_of, apart_from_alone
from statewise.auditing._check import Found, check
from statewise.auditing._cures import without_padding
from statewise.auditing._findings import bad
from statewise.auditing._subject import size_of

if TYPE_CHECKING:
    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Subject


@check("SW313", "padding-on-the-other-side", needs=("repeatable", "lengths", "padding"), cure=without_padding)
def padding_on_the_other_side(subject: Subject) -> Found:
    """Sequences padded as the contract says are answered as they are alone.

    How:
        Each sequence is asked alone, without padding. Where the batch, padded as the contract says, answers otherwise, but padded on the
        other side the same, the module expects the other side.
    Why:
        Every sequence that is shorter than the longest is read wrongly.
    Mend:
        Pad on the side on which the module reads, or read from the lengths.
    Seen in:
        pytorch/translate#308, huggingface/peft#2986
    """
    probe = subject.probe
    here, there = (max(apart_from_alone(subject, each)) for each in (probe, _other_side(probe)))
    size = max(map(size_of, alone_of(subject)))
    if not subject.is_real(here, 0.0, size):
        return Found(status="pass", evidence="padded sequences are answered as they are alone", value=here)
    if subject.is_real(there, 0.0, size):
        return Found(status="pass", evidence="padding on neither side is answered as without (SW301, SW302)", value=here, control=there)
    other = "left" if probe.side == "right" else "right"
    return bad(
        subject, f"padded on the {probe.side} the answers change by {here:.2g}, on the {other} by nothing", value=here, control=there
    )


def _other_side(probe: Probe) -> Probe:
    x = torch.zeros_like(probe.x)
    moved = replace(probe, x=x, side="left" if probe.side == "right" else "right")
    x[moved.valid] = probe.x[probe.valid]
    return moved
