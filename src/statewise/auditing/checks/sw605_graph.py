"""SW605: is the answer the same with a graph and without?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._findings import must_not_matter
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW605", "answers-differ-with-a-graph", needs=("repeatable",), after=("SW306", "SW608"))
def answers_differ_with_a_graph(subject: Subject) -> Found:
    """The same question gets the same answer whether gradients are recorded or not.

    How:
        The probe is asked under no_grad and with a graph, both in eval mode.
    Why:
        What is trained is not what is evaluated and served: torch's attention takes another path without a graph, on which a mask may be
        read otherwise.
    Mend:
        Give masks as bool tensors, and branch on self.training alone, never on whether gradients are enabled.
    Seen in:
        pytorch/pytorch#92554
    """
    without = subject.real(subject.ask(subject.probe), subject.probe)
    recorded = subject.real(subject.ask(subject.probe, gradient=True), subject.probe).detach()
    other = subject.real(subject.ask(subject.donor), subject.donor)
    return must_not_matter(
        subject,
        gap(recorded, without),
        control=gap(other, without),
        size=size_of(without),
        did="recording a graph",
        by="being asked about others",
    )
