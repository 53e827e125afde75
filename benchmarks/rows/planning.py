"""What share of a training step goes into the plan, which depends on the lengths alone?"""

from __future__ import annotations

from functools import partial

from benchmarks.contest import Contest, Contestant, Peer, Row, timed
from benchmarks.peers.sequences import ours_without_state
from benchmarks.plans import described, plan_all
from benchmarks.rows.sequences import LENGTHS, Case, make_work


def _contest(lengths: str, seed: int) -> Contest:
    work = make_work(Case(core="lstm", lengths=lengths), seed)
    step = Contestant(name="step", figure=timed(partial(work.run, ours_without_state)))
    return Contest(
        ours=Contestant(name="plan", figure=timed(partial(plan_all, work.module, work.lengths))),
        peers=(Peer(name="step", says="the whole step, planning included", variants=(step,), rival=False),),
        notes=described(work.module, work.lengths, gradient=True),
    )


ROWS = tuple(
    Row(
        name=f"planning-{lengths}",
        says=f"the plan alone, and beside it the whole step of lstm-{lengths}; {LENGTHS[lengths].says}",
        contest=partial(_contest, lengths),
    )
    for lengths in ("64", "512", "short")
)
