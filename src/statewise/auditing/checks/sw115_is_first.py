"""SW115 to SW119: does a flag begin a sequence anew, there, then, and wholly?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._findings import bad, must_matter, must_not_matter
from statewise.auditing._subject import Failed, gap, size_of
from statewise.state import map_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Subject

_NEEDS = ("repeatable", "is_first")


@dataclass(frozen=True, kw_only=True)
class Reset:
    """What a flag in the middle of one row does, beside what it should do.

    Attributes:
        place: the step of the flag.
        plain: outputs without the flag, `[rows, steps, out]`.
        flagged: with it, in the first row alone.
        wanted: of the first row from the flag on: those of a sequence that begins there.
    """

    place: int
    plain: Tensor
    flagged: Tensor
    wanted: Tensor

    @property
    def control(self) -> float:
        """What a right reset changes."""
        return gap(self.wanted, self.plain[0, self.place :])


@check("SW115", "is-first-ignored", needs=(*_NEEDS, "steps"), after=("SW117",))
def is_first_ignored(subject: Subject) -> Found:
    """A flag changes what comes after it.

    How:
        One flag is set in the middle of one of several sequences; some output must change.
    Why:
        The state of one episode flows into the next, in each lane of every batch.
    Mend:
        Where is_first is true, select the initial state: statewise.reset(state, is_first, initial).
    Seen in:
        isaac-sim/IsaacLab#3837
    """
    found = _reset_of(subject)
    return must_matter(
        subject, gap(found.flagged, found.plain), control=found.control, size=size_of(found.plain), did="a flag", by="beginning anew there"
    )


@check("SW116", "reset-at-another-step", needs=(*_NEEDS, "steps"), after=("SW115", "SW117"))
def reset_at_another_step(subject: Subject) -> Found:
    """A sequence begins anew at the step that is flagged, not one later or earlier.

    How:
        One flag is set in the middle of one sequence. Its outputs from there on must be those of a sequence that begins there.
    Why:
        The first step of each episode is read with the state of the last one, or its last step without its own.
    Mend:
        Reset before the step is read, where is_first says so; done marks the step before. See statewise.is_first_from_done.
    Seen in:
        instadeepai/Mava#1006
    """
    found = _reset_of(subject)
    apart = gap(found.flagged[0, found.place :], found.wanted)
    one_way = subject.lacks("one_way") is None  # where later steps are read too, what is before a flag ends there
    before = gap(found.flagged[0, : found.place], found.plain[0, : found.place]) if one_way else 0.0
    return must_not_matter(
        subject, max(apart, before), control=found.control, size=size_of(found.plain), did="beginning by a flag and not alone",
        by="beginning anew there", where=f"step {found.place}",
    )  # fmt: skip


@check("SW117", "reset-of-other-rows", needs=(*_NEEDS, "steps"), after=("SW201",))
def reset_of_other_rows(subject: Subject) -> Found:
    """A flag in one sequence leaves the others alone.

    How:
        One flag is set in the middle of one of several sequences; the outputs of the others must stay.
    Why:
        Each episode that ends wipes the memory of all that run beside it.
    Mend:
        Select row by row: torch.where(is_first[:, None], initial, state), not `if is_first.any()`.
    """
    found = _reset_of(subject)
    others = gap(found.flagged[1:], found.plain[1:])
    own = gap(found.flagged[0, found.place :], found.plain[0, found.place :])
    if not subject.is_real(own, 0.0, size_of(found.plain)) and subject.is_real(found.control, 0.0, size_of(found.plain)):
        everywhere = torch.zeros(subject.whole.x.shape[:2], dtype=torch.bool)
        everywhere[:, 0] = everywhere[:, found.place] = True
        all_flagged = subject.ask(replace(subject.whole, is_first=everywhere)).outputs
        if subject.is_real(gap(all_flagged[0, found.place :], found.plain[0, found.place :]), 0.0, size_of(found.plain)):
            return bad(subject, "a flag in one sequence changes nothing; only flags in all of them do")
    return must_not_matter(
        subject, others, control=found.control, size=size_of(found.plain), did="a flag in one sequence", by="beginning anew there",
        what="the outputs of others",
    )  # fmt: skip


@check("SW119", "first-step-not-begun-anew", needs=(*_NEEDS, "state_in", "state_out"), after=("SW115", "SW116"))
def first_step_not_begun_anew(subject: Subject) -> Found:
    """A flag at the first step of a window begins anew, whatever state the window was given.

    How:
        A window with a flag at the first step of every row is asked with two different states; the outputs must be the same.
    Why:
        An episode that begins where a window does goes on from the last one: as often as windows are short.
    Mend:
        Select the initial state before the first step too; a loop over the places of flags must not leave out place 0.
    """
    whole, other = subject.whole, subject.other_whole
    flags = torch.zeros(whole.x.shape[:2], dtype=torch.bool)
    none = flags.clone()
    flags[:, 0] = True
    states = [subject.ask(each).state for each in (whole, other)]
    flagged, plain = ([subject.ask(replace(whole, state=state, is_first=marks)).outputs for state in states] for marks in (flags, none))
    return must_not_matter(
        subject, gap(*flagged), control=gap(*plain), size=size_of(plain[0]), did="another state before a flag at the first step",
        by="it, without a flag,",
    )  # fmt: skip


@check("SW118", "reset-by-multiplication", needs=_NEEDS, after=("SW115", "SW116", "SW117", "SW119"))
def reset_by_multiplication(subject: Subject) -> Found:
    """Nothing of the old state survives a reset, not even NaN.

    How:
        A window begins with a flag in every row, from a state of NaN; its outputs must be numbers. Without flags they must not be, or
        nothing is known.
    Why:
        0 times NaN is NaN: one overflow spoils a lane for ever. The gradient too flows on through the product.
    Mend:
        Select, do not multiply: torch.where(is_first[:, None], initial, state).
    """
    whole = subject.whole
    flags = torch.zeros(whole.x.shape[:2], dtype=torch.bool)
    flags[:, 0] = True
    if subject.lacks("state_in") or subject.lacks("state_out"):
        return _after_spoilt_steps(subject)
    state = subject.ask(whole).state
    spoilt = map_tensors(lambda leaf: torch.full_like(leaf, torch.nan) if leaf.is_floating_point() else leaf, state)
    right = subject.ask(replace(whole, state=state, is_first=flags)).outputs
    if _stays_finite(subject, replace(whole, state=spoilt, is_first=torch.zeros_like(flags))):
        return Found(status="not_applicable", evidence="a state of NaN leaves numbers without any flag too")
    try:
        outputs = subject.ask(replace(whole, state=spoilt, is_first=flags)).outputs
    except Failed as problem:
        return Found(status="warn", evidence=f"a state of NaN makes the module fail, though a flag in every row begins anew: {problem}")
    if not bool(right.isfinite().all()):
        return Found(status="not_applicable", evidence="no numbers come from a sound state either")
    if not bool(outputs.isfinite().all()):
        return Found(status="warn", evidence="a state of NaN survives a reset in every row")
    return Found(status="pass", evidence="a reset in every row leaves nothing of a state of NaN", value=gap(outputs, right))


def _stays_finite(subject: Subject, probe: Probe, place: int = 0) -> bool:
    """Whether all outputs from a step on are numbers."""
    try:
        return bool(subject.ask(probe).outputs[:, place:].isfinite().all())
    except Failed:
        return False


def _after_spoilt_steps(subject: Subject) -> Found:
    """Put NaN into the steps before a flag: what comes from there on must be numbers."""
    if subject.lacks("numbers") or subject.lacks("steps"):
        return Found(status="not_applicable", evidence="no state goes in, and the steps hold no NaN")
    whole = subject.whole
    place = whole.time // 2
    flags = torch.zeros(whole.x.shape[:2], dtype=torch.bool)
    flags[:, 0] = flags[:, place] = True
    x = whole.x.clone()
    x[:, :place] = torch.nan
    unflagged = flags.clone()
    unflagged[:, place] = False
    if _stays_finite(subject, replace(whole, x=x, is_first=unflagged), place):
        return Found(status="not_applicable", evidence="NaN in earlier steps leaves later numbers without a flag too")
    right, outputs = (subject.ask(replace(whole, x=each, is_first=flags)).outputs[:, place:] for each in (whole.x, x))
    if not bool(right.isfinite().all()):
        return Found(status="not_applicable", evidence="no numbers come from sound steps either")
    if not bool(outputs.isfinite().all()):
        return Found(status="warn", evidence="NaN in the steps before a reset in every row survives it")
    return Found(status="pass", evidence="a reset in every row leaves nothing of NaN in the steps before", value=gap(outputs, right))


def _reset_of(subject: Subject) -> Reset:
    return subject.once("reset", lambda: _measured(subject))


def _measured(subject: Subject) -> Reset:
    whole = subject.whole
    place = whole.time // 2
    flags = torch.zeros(whole.x.shape[:2], dtype=torch.bool)
    flags[:, 0] = True
    one = flags.clone()
    one[0, place] = True
    plain, flagged = (subject.ask(replace(whole, is_first=each)).outputs for each in (flags, one))
    wanted = subject.ask(replace(whole.steps(place, whole.time), is_first=flags[:, : whole.time - place])).outputs[0]
    return Reset(place=place, plain=plain, flagged=flagged, wanted=wanted)
