"""SW108: does a row's state reach its own row alone?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._cures import rows_apart
from statewise.auditing._findings import must_not_matter
from statewise.auditing._subject import gap, size_of
from statewise.state import scatter, select

if TYPE_CHECKING:
    from torch import Tensor

    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Subject


@check("SW108", "state-rows-mixed", needs=("repeatable", "state"), after=("SW201", "SW202", "SW204", "SW107"), cure=rows_apart)
def state_rows_mixed(subject: Subject) -> Found:
    """The state of a sequence reaches that sequence alone.

    How:
        A window goes on from the states of its own past; the state of one sequence at a time is replaced by another. The answers about the
        others must stay. Of a module that keeps its state inside, one sequence of the call before is replaced.
    Why:
        One customer's past flows into the answers about another.
    Mend:
        Keep the state as the layer wants it, [layers, batch, hidden] also with batch_first=True; change the order of axes with transpose,
        never with view; bring the state into the order of the sequences wherever those are sorted.
    Seen in:
        pytorch/pytorch#7890, pytorch/pytorch#19675
    """
    whole = subject.whole
    if subject.contract.stateful:
        return _kept_inside(subject)
    cut = whole.time // 2
    # Lengths in no order, where there are some: a module that sorts them must sort the state with them.
    rest = subject.probe
    own, foreign = subject.ask(whole.steps(0, cut)).state, subject.ask(subject.other_whole.steps(0, cut)).state
    before = subject.ask(rest.going_on(own)).outputs
    worst, control = 0.0, 0.0
    for row in range(whole.num_rows):
        mixed = scatter(own, [row], select(foreign, [row], subject.axes), subject.axes)
        after = subject.ask(rest.going_on(mixed)).outputs
        others = [each for each in range(whole.num_rows) if each != row]
        worst = max(worst, gap(after[others], before[others]))
        control = max(control, gap(after[row], before[row]))
    return must_not_matter(
        subject, worst, control=max(control, worst), size=size_of(before), did="another state of one sequence", by="it, on any sequence,",
        what="the answers about others",
    )  # fmt: skip


def _kept_inside(subject: Subject) -> Found:
    """Replace one sequence at a time in a first call, and look at the answers about the others in a second."""
    whole, other = subject.whole, subject.other_whole

    def second(first: Probe) -> Tensor:
        module = subject.fresh()
        subject.ask(first, module)
        return subject.ask(whole, module).outputs

    before = second(whole)
    worst, control = 0.0, 0.0
    for row in range(whole.num_rows):
        x = whole.x.clone()
        x[row] = other.x[row]
        after = second(whole.with_x(x))
        others = [each for each in range(whole.num_rows) if each != row]
        worst = max(worst, gap(after[others], before[others]))
        control = max(control, gap(after[row], before[row]))
    return must_not_matter(
        subject, worst, control=max(control, worst), size=size_of(before), did="another past of one sequence", by="it, on any sequence,",
        what="the answers about others",
    )  # fmt: skip
