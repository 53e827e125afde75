"""Does stateful training take the same memory, however long the streams are?"""

from __future__ import annotations

from benchmarks.contest import Contest, Contestant, Peer, Row
from benchmarks.peak import peak_in_child
from benchmarks.stateful import LANES, SIZE, WINDOW

SHORT = 5 * WINDOW
LONG = 30 * SHORT


def _contest(seed: int) -> Contest:
    del seed  # sizes alone matter

    def stateful(name: str, steps: int) -> Contestant:
        return Contestant(name=name, figure=peak_in_child("stateful", str(steps)))

    short = Peer(name="short", says=f"the same with {SHORT:,} steps a stream", variants=(stateful("short", SHORT),), rival=False)
    return Contest(ours=stateful("long", LONG), peers=(short,))


SAYS = (
    f"peak memory beyond the data, one pass of `fit` in windows, LSTM {SIZE}; {LANES} streams of {LONG:,} steps, "
    f"windows of {WINDOW} with carried state"
)
ROWS = (Row(name="memory", says=SAYS, contest=_contest, unit="B", is_drawn=False, warm_up=0, repeats=3),)
