"""SW107: does a module leave the states of others alone?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._cures import state_copied
from statewise.auditing._findings import bad
from statewise.auditing._subject import gap
from statewise.state import leaves, map_tensors

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW107", "state-changed-in-place", needs=("state_out",), after=("SW101",), cure=state_copied)
def state_changed_in_place(subject: Subject) -> Found:
    """A state that was given, or was handed out, is not changed by a later call.

    How:
        The state that goes in is compared with a copy after the call; the state that came out is compared with a copy after one more call.
    Why:
        Whoever keeps a state to go on from it later (a beam, a slot, a checkpoint) finds another one there.
    Mend:
        Make new tensors in each step instead of writing into the given ones, and return none that the module keeps.
    """
    whole = subject.whole
    module = subject.fresh()
    first = subject.ask(whole, module)
    handed_out = map_tensors(torch.clone, first.state)
    again = whole
    if subject.lacks("state_in") is None:
        again = replace(subject.other_whole.going_on(first.state), shares_state=True)
    tensors = dict(leaves(first.state))
    subject.ask(again, module)
    kept = dict(leaves(handed_out))
    written = [path or "the state" for path, leaf in tensors.items() if gap(kept[path], leaf) > 0.0]
    if written:
        return bad(subject, f"a later call wrote into {', '.join(written)}, handed out before", where=", ".join(written))
    exchanged = [path for path, leaf in leaves(first.state) if leaf is not tensors.get(path)]
    if exchanged:
        where = ", ".join(exchanged)
        return bad(subject, f"a later call put other tensors into {where} of a container that had been handed out", where=where)
    return Found(status="pass", evidence="a later call, which went on from the state, left it as it was")
