"""SW502: how far back does a module remember?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._subject import gap, size_of

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
    whole, other = subject.whole, subject.other_whole
    x, donor = (torch.cat([each.x] * _REPEATS, 1) for each in (whole, other))
    time = int(x.shape[1])
    probe = replace(whole, x=x, lengths=torch.full((whole.num_rows,), time))

    def last(values: torch.Tensor) -> torch.Tensor:
        outputs = subject.ask(probe.with_x(values)).outputs
        return outputs[:, -1] if subject.contract.each == "step" else outputs

    before, effects = last(x), torch.zeros(whole.num_rows, time, dtype=torch.float64)
    for back in range(time):
        changed = x.clone()
        changed[:, time - 1 - back] = donor[:, time - 1 - back]
        after = last(changed)
        effects[:, back] = torch.tensor([gap(after[row], before[row]) for row in range(whole.num_rows)], dtype=torch.float64)
    if not subject.is_real(float(effects.max()), 0.0, size_of(before)):
        return Found(status="not_applicable", evidence="no step changes the last answer")
    heard = effects >= _SHARE * effects.amax(1, keepdim=True)
    horizons = [int(row.nonzero().max()) for row in heard]
    middle = sorted(horizons)[len(horizons) // 2]
    far = f"{middle} steps back (from {min(horizons)} to {max(horizons)} over {len(horizons)} sequences of {time} steps)"
    return Found(status="observed", evidence=f"a step changes the last answer noticeably up to {far}", value=float(middle))
