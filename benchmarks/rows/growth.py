"""How do time and memory of a training step grow with length and batch? In units of one real step, beside packed and padded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from benchmarks.contest import Contest, Contestant, Figure, Peer, Row, timed
from benchmarks.peak import peak_in_child
from benchmarks.plans import described
from benchmarks.sized import SAYS, SIZE, SIZES, WAYS, Axis, sized_work

if TYPE_CHECKING:
    from benchmarks.rows.sequences import Work


def _contest(axis: Axis, size: int, *, memory: bool, seed: int) -> Contest:
    del seed  # the sizes are what changes
    work = sized_work(axis, size)
    steps = len(work.values)

    def contestant(name: str) -> Contestant:
        whole = peak_in_child("sized", name, axis, str(size)) if memory else timed(partial(work.run, WAYS[name]))
        return Contestant(name=name, figure=_per_step(whole, steps), answer=None if memory else partial(_answer, work, name))

    others = [name for name in WAYS if name != "ours"]
    return Contest(
        ours=contestant("ours"),
        peers=tuple(Peer(name=name, says=f"{name}, converted by index", variants=(contestant(name),)) for name in others),
        notes=described(work.module, work.lengths, gradient=True),
    )


def _answer(work: Work, name: str) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in work.run(WAYS[name])]


def _per_step(whole: Figure, steps: int) -> Figure:
    return lambda: whole() / steps


def _row(axis: Axis, size: int, *, memory: bool) -> Row:
    what = "peak memory" if memory else "time"
    return Row(
        name=f"growth-{'memory' if memory else 'time'}-{axis}-{size}",
        says=f"{what} a real step of training an nn.LSTM {SIZE} to {SIZE}; {SAYS[axis].format(size)}",
        contest=lambda seed: _contest(axis, size, memory=memory, seed=seed),
        unit="B" if memory else "s",
        is_drawn=False,
        warm_up=0 if memory else 1,
        repeats=3 if memory or size >= 10_000 else 15,
        tolerance=1e-3,
    )


ROWS = tuple(_row(axis, size, memory=memory) for memory in (False, True) for axis, sizes in SIZES.items() for size in sizes)
