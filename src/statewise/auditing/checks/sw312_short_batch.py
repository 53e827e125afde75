"""SW312: is a batch answered whole whose longest sequence is shorter than its padding?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._cures import without_padding
from statewise.auditing._findings import bad
from statewise.auditing._subject import Failed, gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW312", "short-batch-cut", needs=("repeatable", "lengths", "steps"), after=("SW301",), cure=without_padding)
def short_batch_cut(subject: Subject) -> Found:
    """There is an output for each step of the padded input, also where all sequences are shorter.

    How:
        Two more steps of padding are appended to every sequence; the outputs must have as many steps as the inputs.
    Why:
        Outputs no longer lie beside their targets: the loss fails on some batches, or pairs the wrong steps.
    Mend:
        pad_packed_sequence(..., total_length=x.size(1)).
    Seen in:
        pytorch/pytorch#65890, pytorch/pytorch#1591
    """
    more = subject.probe.padded(2)
    try:
        shape = subject.ask(more).shape
    except Failed as problem:
        # Loud, and whoever pads to the longest sequence of each batch never meets it.
        return Found(status="warn", evidence=f"a batch whose longest sequence is shorter than its padding fails: {problem}")
    if more.time not in shape[:2]:
        return bad(subject, f"outputs of shape {shape} for {more.time} steps, of which the longest sequence has {int(more.lengths.max())}")
    before, after = subject.ask(subject.probe).outputs, subject.ask(more).outputs
    probe, size = subject.probe, size_of(before)
    moved = [
        by for by in (1, 2)
        if not subject.is_real(gap(after.roll(-by, 1)[:, : probe.time][probe.valid], before[probe.valid]), 0.0, size)
    ]  # fmt: skip
    if moved and subject.is_real(gap(after[more.valid], before[probe.valid]), 0.0, size):
        return bad(subject, f"the outputs of such a batch come {moved[0]} steps late", value=float(moved[0]))
    return Found(status="pass", evidence=f"outputs of shape {shape} for {more.time} steps")
