"""SW104: is the state that is given used, leaf by leaf?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._findings import bad
from statewise.auditing._subject import gap, size_of, state_gaps
from statewise.state import leaves, leaves_with_axes, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statewise.auditing._subject import Subject
    from statewise.types import State

_MOST_LAYERS = 8


@check("SW104", "given-state-ignored", needs=("repeatable", "state_in", "state_out", "one_way", "values"), after=("SW105",))
def given_state_ignored(subject: Subject) -> Found:
    """A state that is given changes the answer, each leaf of it.

    How:
        A window goes on from the state of its own past. One leaf of the state at a time is replaced by that of another past: an output, or
        another leaf of the state that comes back, must change.
    Why:
        What is not read is lost between windows: the module forgets there, silently.
    Mend:
        Hand the whole state on to the layers: both h and c of an LSTM, and every layer's.
    """
    whole, other = subject.whole, subject.other_whole
    cut = whole.time // 2
    rest = whole.steps(cut, whole.time)
    own, foreign = subject.ask(whole.steps(0, cut)).state, subject.ask(other.steps(0, cut)).state
    before = subject.ask(rest.going_on(own))
    control = gap(subject.ask(rest.going_on(foreign)).outputs, before.outputs)
    ignored, exchanged = [], 0
    for path, place, axis, index in _parts(subject, own):
        mine, theirs = [leaf for _, leaf in leaves(own)], [leaf for _, leaf in leaves(foreign)]
        leaf = theirs[place]
        if index is not None:
            leaf = mine[place].clone()
            leaf.select(axis, index).copy_(theirs[place].select(axis, index))
        if torch.equal(leaf, mine[place]):
            continue
        exchanged += 1
        after = subject.ask(rest.going_on(rebuild(own, [leaf if at == place else each for at, each in enumerate(mine)])))
        effect = max(gap(after.outputs, before.outputs), *state_gaps(after.state, before.state).values())
        if not subject.is_real(effect, 0.0, size_of(before.outputs)):
            ignored.append(path)
    if ignored:
        return bad(subject, f"another {', '.join(ignored)} changes nothing", value=0.0, control=control, where=", ".join(ignored))
    if not exchanged:
        return Found(status="not_applicable", evidence="the states of two pasts hold the same numbers, or whole ones alone")
    return Found(
        status="pass", evidence=f"each of {exchanged} parts of the state changes something (together: {control:.2g})", control=control
    )


def _parts(subject: Subject, state: State) -> Iterator[tuple[str, int, int, int | None]]:
    """Yield each floating leaf by path and place, or layer by layer where another axis than the batch's counts few."""
    for place, (path, leaf, batch) in enumerate(leaves_with_axes(state, subject.axes, asked="audit")):
        if not leaf.is_floating_point():
            continue
        name = path or "the state"
        if leaf.ndim == 3 and batch in {0, 1} and 1 < leaf.shape[1 - batch] <= _MOST_LAYERS:
            for index in range(leaf.shape[1 - batch]):
                yield f"{name}, layer {index}", place, 1 - batch, index
        else:
            yield name, place, 0, None
