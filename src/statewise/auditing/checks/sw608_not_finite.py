"""SW608: do ordinary inputs give numbers?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._findings import bad
from statewise.auditing._subject import Failed

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject

_LONG = 8
"""How many times the probe is laid end to end, since some sums grow with the length."""


@check("SW608", "answers-not-finite", after=("SW306",))
def answers_not_finite(subject: Subject) -> Found:
    """Finite inputs of ordinary size give finite outputs.

    How:
        The probe is asked padded, as it is, with one step of zeros in each sequence, with sequences of one constant step, and laid end to
        end; all in float32.
    Why:
        One NaN in a batch makes the loss, and after one update every weight, NaN.
    Mend:
        Give logarithms, square roots and divisions a floor; subtract the largest value before exp.
    """
    whole = subject.whole
    tried = {
        "as it is": whole.x,
        "laid end to end": whole.end_to_end(_LONG).x,
        "of one constant step": whole.x[:, :1].expand_as(whole.x),
    }
    if whole.holds_numbers:
        zeros = whole.x.clone()
        zeros[:, 1] = 0.0
        tried["with a step of zeros"] = zeros
        tried["of zeros"] = torch.zeros_like(whole.x)
    probes = {name: replace(whole, x=x, lengths=torch.full((whole.num_rows,), x.shape[1])) for name, x in tried.items()}
    for name, probe in {**probes, "padded": subject.probe}.items():
        try:
            outputs = subject.real(subject.call(subject.fresh(torch.float32), probe, torch.float32, seed=subject.seed), probe)
        except Failed:
            if name == "laid end to end":  # a module may read so many steps and no more
                continue
            raise
        if not bool(outputs.isfinite().all()):
            share = float((~outputs.isfinite()).double().mean())
            return bad(subject, f"the probe {name} gives NaN or infinity in {share:.0%} of the outputs", value=share, where=name)
    return Found(status="pass", evidence="all outputs are numbers")
