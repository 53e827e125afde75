"""SW102: does a reset reset?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from statewise.auditing._check import Found, check
from statewise.auditing._findings import must_not_matter
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW102", "reset-leaves-state", needs=("repeatable", "reset"))
def reset_leaves_state(subject: Subject) -> Found:
    """After a reset a module is as it was at the beginning.

    How:
        A copy is asked about other sequences and reset, and then asked about the probe; a fresh copy is asked about the probe alone.
        Both in eval mode, and once more after a call in training mode.
    Why:
        What is left over flows into the next stream: the first answers about it depend on the last stream.
    Mend:
        Clear every part of the state in the reset, an LSTM's c as well as its h, whatever the mode.
    Seen in:
        isaac-sim/IsaacLab#3837, openai/baselines#340
    """
    fresh = subject.real(subject.ask(subject.probe), subject.probe)
    found = Found(status="pass", evidence="")
    for training in (False, True):
        used = subject.fresh().train(training)
        subject.ask(subject.donor, used)
        subject.reset(used)
        _restore_statistics(subject, used)
        after = subject.real(subject.ask(subject.probe, used.eval()), subject.probe)
        unreset = subject.fresh()
        subject.ask(subject.donor, unreset)
        without = subject.real(subject.ask(subject.probe, unreset), subject.probe)
        found = must_not_matter(
            subject, gap(after, fresh), control=gap(without, fresh), size=size_of(fresh),
            did=f"a call in {'training' if training else 'eval'} mode, before a reset,", by="such a call without a reset",
        )  # fmt: skip
        if found.status != "pass":
            return found
    return found


def _restore_statistics(subject: Subject, used: nn.Module) -> None:
    """Bring the running statistics of normalisations back, which a call in training mode rightly moves and no reset need clear."""
    for part, fresh in zip(used.modules(), subject.fresh().modules(), strict=True):
        if isinstance(part, nn.modules.batchnorm._NormBase):  # noqa: SLF001  # torch has no public name for all of them
            part.load_state_dict(fresh.state_dict())
