"""SW105: is the state that comes back the one after the last step?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._findings import bad
from statewise.auditing._layers import handed_on_wrongly
from statewise.auditing._subject import gap, size_of, state_gaps
from statewise.auditing._windows import cut_after
from statewise.state import leaves

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW105", "returned-state-stale", needs=("repeatable", "state_out"), after=("SW108", "SW107"))
def returned_state_stale(subject: Subject) -> Found:
    """The state that comes back is the one after the last step.

    How:
        The last step of sequences of several lengths is replaced: each leaf of the state that depends on earlier steps must change, unless
        windows that go on from it equal the whole. Then a
        second window goes on from the state: where it differs from the whole, each recurrent layer of torch's must have begun it with what
        it ended the first with.
    Why:
        The next window goes on from a wrong past.
    Mend:
        Return the state that the last call of the layer gave, not the one that went in or that of the step before.
    """
    moved: set[str] = set()
    alive: set[str] = set()
    output = 0.0
    for length in range(2, subject.whole.time + 1):  # some units move at some steps alone
        whole, other = subject.whole.steps(0, length), subject.other_whole.steps(0, length)
        last, earlier = whole.x.clone(), whole.x.clone()
        last[:, -1] = other.x[:, -1]
        earlier[:, :-1] = other.x[:, :-1]
        before, after_last, after_earlier = (subject.ask(whole.with_x(x)) for x in (whole.x, last, earlier))
        output = max(output, gap(after_last.outputs, before.outputs))
        for path, effect in state_gaps(before.state, after_last.state).items():
            moved |= {path} if subject.is_real(effect, 0.0, 1.0) else set()
        for path, effect in state_gaps(before.state, after_earlier.state).items():
            alive |= {path} if subject.is_real(effect, 0.0, 1.0) else set()
    floating = [path for path, leaf in leaves(subject.ask(subject.whole).state) if leaf.is_floating_point()]
    if not floating:
        return Found(status="not_applicable", evidence="the state holds whole numbers alone")
    stale = [path or "the state" for path in floating if path in alive and path not in moved]
    # What goes in again may rightly hold older steps, as the last inputs of a convolution do.
    if stale and (subject.lacks("state_in") is not None or subject.lacks("one_way") is not None or _windows_differ(subject)):
        return bad(subject, f"another last step never changes {', '.join(stale)}, an earlier one does", where=", ".join(stale))
    if not moved and not alive:
        if subject.is_real(output, 0.0, 1.0):
            return bad(subject, f"no step changes the state that comes back; the outputs change by {output:.2g}", control=output)
        return Found(status="not_applicable", evidence="no step changes outputs or state")
    if _windows_differ(subject) and (elsewhere := handed_on_wrongly(subject)) is not None:
        return bad(subject, f"{elsewhere} begins a second window with another state than it ended the first with", where=elsewhere)
    return Found(status="pass", evidence="the last step changes every leaf of the state that any step changes")


def _windows_differ(subject: Subject) -> bool:
    """Whether sequences cut in the middle, the state carried, give something else than whole."""
    if subject.lacks("state_in") is not None or subject.lacks("one_way") is not None:
        return False
    cut = cut_after(subject, subject.whole.time // 2, subject.ask(subject.whole).outputs)
    return subject.is_real(gap(cut.carried, cut.whole), 0.0, size_of(cut.whole))
