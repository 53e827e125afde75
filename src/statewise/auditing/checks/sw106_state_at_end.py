"""SW106: is the state of a short row the one at its own end?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._findings import must_not_matter
from statewise.auditing._states import gap_of_rows, rows_are_alike
from statewise.auditing._subject import size_of
from statewise.state import leaves

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check(
    "SW106",
    "state-after-padding",
    needs=("repeatable", "lengths", "state_out", "padding"),
    after=("SW301", "SW304", "SW201", "SW202", "SW204"),
)
def state_after_padding(subject: Subject) -> Found:
    """The state of a sequence that is padded is the one at its own end.

    How:
        Each sequence of the batch is asked alone, without padding; its state must be its row of the batch's state.
    Why:
        A short sequence goes on from what the padding made of its state.
    Mend:
        Pack the sequences, or gather the state at lengths - 1. statewise.unroll returns each state at its true end.
    """
    probe = subject.probe
    together = subject.ask(probe).state
    worst, control, size = 0.0, 0.0, 0.0
    for row in range(probe.num_rows):
        alone = subject.ask(probe.alone(row)).state
        if not rows_are_alike(subject, together, alone):
            return Found(status="not_applicable", evidence="the state is larger for longer sequences")
        worst = max(worst, gap_of_rows(subject, together, row, alone, 0))
        control = max(control, gap_of_rows(subject, together, (row + 1) % probe.num_rows, alone, 0))
        size = max(size, *(size_of(leaf) for _, leaf in leaves(alone)))
    return must_not_matter(
        subject,
        worst,
        control=control,
        size=size,
        did="being padded in a batch",
        by="being another sequence",
        what="the state",
    )
