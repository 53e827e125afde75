"""SW203: is one sequence, or one step, as good as several?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found, check
from statewise.auditing._cures import never_one
from statewise.auditing._findings import bad, must_not_matter
from statewise.auditing._subject import Failed, gap, size_of

if TYPE_CHECKING:
    from torch import Tensor

    from statewise.auditing._subject import Subject


def _first_steps(subject: Subject, together: Tensor) -> Tensor | None:
    """Return the answers about the first step of each sequence, asked about beside more steps; None where nothing tells them."""
    if subject.contract.each == "step" and subject.contract.causal:
        return together[:, :1]
    if subject.lacks("lengths") is not None:
        return None
    whole = subject.whole
    lengths = torch.ones_like(whole.lengths)
    lengths[-1] = whole.time
    probe = replace(whole, lengths=lengths, x=whole.x if whole.side == "right" else whole.x.roll(-1, 1))
    outputs = subject.ask(probe.padded_with(torch.zeros_like(whole.x))).outputs[:-1]
    real = outputs if subject.contract.each == "sequence" else outputs[:, :1] if whole.side == "right" else outputs[:, -1:]
    alone = subject.ask(whole.steps(0, 1)).outputs[-1:]
    return torch.cat([real, alone])


@check(
    "SW203",
    "size-one-differs",
    needs=("repeatable",),
    after=("SW201", "SW202", "SW204", "SW301", "SW302", "SW304", "SW305", "SW306", "SW313"),
    cure=never_one,
    after_where={"one step": ("SW314", "SW608", "SW401")},
)
def size_one_differs(subject: Subject) -> Found:
    """A batch of one sequence, and sequences of one step, are answered like any others.

    How:
        Each sequence is asked alone and beside others, all of one length; then a batch of sequences of a single step is asked.
    Why:
        Service asks about one sequence at a time, and streams begin with one step: there the module fails, or answers otherwise than in
        training.
    Mend:
        Name the axis, squeeze(-1), or index it away; a spread over one step is 0 and must not be divided by.
    """
    whole = subject.whole
    together = subject.ask(whole)
    worst, control = 0.0, 0.0
    for row in range(whole.num_rows):
        try:
            alone = subject.ask(whole.rows([row])).outputs
        except Failed as problem:
            return bad(subject, f"a batch of one sequence fails: {problem}", where="one sequence")
        worst = max(worst, gap(alone, together.outputs[row : row + 1]))
        control = max(control, gap(together.outputs[row], together.outputs[row - 1]))
    try:
        one_step = subject.ask(whole.steps(0, 1)).outputs
    except Failed as problem:
        return bad(subject, f"sequences of one step fail: {problem}", where="one step")
    if not bool(one_step.isfinite().all()) and bool(together.outputs.isfinite().all()):
        return bad(subject, "sequences of one step give NaN or infinity", where="one step")
    expected = _first_steps(subject, together.outputs)
    if expected is not None and subject.is_real(gap(one_step, expected), control, size_of(expected)):
        return bad(
            subject,
            f"sequences of one step are answered otherwise than beside longer ones ({gap(one_step, expected):.2g})",
            where="one step",
        )
    return must_not_matter(
        subject, worst, control=control, size=size_of(together.outputs), did="being alone in the batch", by="being another sequence"
    )
