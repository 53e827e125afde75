"""SW103: do windows with the state carried equal the whole?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._findings import must_not_matter
from statewise.auditing._subject import gap, size_of
from statewise.auditing._windows import cut_after

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check(
    "SW103",
    "windows-differ-from-the-whole",
    needs=("repeatable", "state_in", "state_out", "one_way"),
    after=("SW104", "SW105", "SW107", "SW108", "SW202", "SW116", "SW115"),
)
def windows_differ_from_the_whole(subject: Subject) -> Found:
    """Sequences in two windows, the state carried from the first into the second, give what they give whole.

    How:
        Sequences of one length are cut after every step in turn; the outputs of the second window are laid beside those of the whole.
    Why:
        Long streams are trained and served in windows: at every join the module forgets, or remembers what never was.
    Mend:
        Whatever a later step depends on belongs in the state: a position, the last inputs of a convolution, a running mean.
    Seen in:
        openvinotoolkit/openvino#735, espnet/espnet#982
    """
    whole = subject.whole
    wanted = subject.ask(whole).outputs
    worst, control, where = 0.0, 0.0, None
    for step in range(1, whole.time):
        cut = cut_after(subject, step, wanted)
        control = max(control, gap(cut.anew, cut.whole))
        apart = gap(cut.carried, cut.whole)
        if apart > worst:
            worst, where = apart, f"cut after step {step}"
    return must_not_matter(
        subject, worst, control=control, size=size_of(wanted),
        did=f"a {where or 'cut'}", by="a second window that begins anew, which", where=where,
    )  # fmt: skip
