"""SW502: how far back does a module remember?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from statewise.auditing._check import Found, check
from statewise.auditing._subject import Failed, gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject

_REPEATS = 4
_SHARE = 0.1
"""Of the largest effect that a step has: what has less is no longer remembered."""


@check("SW502", "memory-horizon", needs=("repeatable", "one_way"))
def memory_horizon(subject: Subject) -> Found:
    """A module remembers as far back as its task needs; how far, only its user can judge.

    How:
        Sequences are laid end to end, and one step at a time is replaced, from the last one back. The horizon of a sequence is the number
        of steps back at which another step still changes the last answer by a tenth of the most that any does. Told are the median
        over the sequences, and the least and the most.
    Why:
        With fewer steps than the horizon a window cuts memory off; what the task needs from further back is not learned.
    Mend:
        Longer windows with the state carried, an LSTM or GRU instead of a plain RNN, a forget gate that begins open.
    Seen in:
        OverLordGoldDragon/see-rnn
    """
    try:
        effects = _effects(subject)
    except Failed as problem:
        return Found(status="not_applicable", evidence=f"longer sequences fail: {problem}")
    if effects is None:
        return Found(status="not_applicable", evidence="no step changes the last answer")
    rows, time = effects.shape
    heard = effects >= _SHARE * effects.amax(1, keepdim=True)
    horizons = [int(row.nonzero().max()) for row in heard]
    middle = sorted(horizons)[len(horizons) // 2]
    far = f"{middle} steps back (from {min(horizons)} to {max(horizons)} over {rows} sequences of {time} steps)"
    return Found(status="observed", evidence=f"a step changes the last answer noticeably up to {far}", value=float(middle))


def _effects(subject: Subject) -> Tensor | None:
    """Return by how much another step changes the last answer, `[rows, steps back]`; None where none does.

    All changes of a sequence are asked in one batch, beside the sequence as it is.
    """
    x, donor = (each.end_to_end(_REPEATS).x for each in (subject.whole, subject.other_whole))
    time, found = int(x.shape[1]), []
    for row in range(len(x)):
        changed = x[row].expand(time + 1, *x.shape[1:]).clone()
        for back in range(time):
            changed[back, time - 1 - back] = donor[row, time - 1 - back]
        like = subject.whole.rows([row] * (time + 1))
        outputs = subject.ask(replace(like, x=changed, lengths=torch.full((time + 1,), time))).outputs
        last = outputs[:, -1] if subject.contract.each == "step" else outputs
        if not subject.is_real(max(gap(each, last[-1]) for each in last), 0.0, size_of(last)):
            return None
        found.append(torch.tensor([gap(each, last[-1]) for each in last[:-1]], dtype=torch.float64))
    return torch.stack(found)
