"""SW101: does a call depend on the calls before it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._cures import begun_anew
from statewise.auditing._findings import must_not_matter, observed
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW101", "state-kept-between-calls", needs=("repeatable", "stateless"), after=("SW603", "SW607"), cure=begun_anew)
def state_kept_between_calls(subject: Subject) -> Found:
    """What a module says about some sequences does not depend on what it was asked before.

    How:
        A copy is asked about other sequences first, then about the probe; another copy is asked about the probe alone.
    Why:
        State of one request, user or batch flows into the next: figures depend on the order of the data, and users see each other's past.
    Mend:
        Take the state as an argument and return it, or begin each call from the initial state. If the module is meant to go on where
        it stopped, say Contract(stateful=True, reset="...").
    Seen in:
        soumith/cudnn.torch#348, isaac-sim/IsaacLab#3837
    """
    alone = subject.real(subject.ask(subject.probe), subject.probe)
    used = subject.fresh()
    other = subject.real(subject.ask(subject.donor, used), subject.donor)
    after = subject.real(subject.ask(subject.probe, used), subject.probe)
    found = must_not_matter(
        subject, gap(after, alone), control=gap(other, alone), size=size_of(alone),
        did="asking about other sequences before", by="asking about other sequences",
    )  # fmt: skip
    # Who has a way to clear its state means to keep one, unless the contract says stateful=False.
    return observed(found) if subject.contract.stateful is None and subject.contract.reset is not None else found
