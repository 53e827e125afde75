"""How long does `statewise --help` keep its reader waiting, beside an interpreter that does nothing?"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.contest import Contest, Contestant, Peer, Row, timed


def _start(*arguments: str) -> Contestant:
    return Contestant(
        name=" ".join(arguments), figure=timed(partial(subprocess.run, [sys.executable, *arguments], check=True, capture_output=True))
    )


def _contest(seed: int) -> Contest:
    del seed  # there is nothing to draw
    nothing = Peer(name="python", says="an interpreter that does nothing", variants=(_start("-c", "pass"),), rival=False)
    return Contest(ours=_start("-m", "statewise", "--help"), peers=(nothing,))


ROWS = (Row(name="help", says="statewise --help, from start to end", contest=_contest, is_drawn=False, warm_up=1),)
