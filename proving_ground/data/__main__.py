"""How weak a leak do the checks of data find, and how often do they see one where there is none?

Use `python -m proving_ground.data [--draws 40] [--clean-draws 200] [--processes 2] [--write]`; `--write` puts the tables
into `docs/data-checks.md`.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import torch

from proving_ground.data import CLEAN, PLANTED, alarms, found
from proving_ground.data.table import PAGE, Alarms, Curve, page_of, tables_of


def main() -> None:
    """Print the detection curves and the false alarms as tables."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground.data", description=__doc__)
    parser.add_argument("--draws", type=int, default=40, help="of each leak and strength (default: %(default)s)")
    parser.add_argument("--clean-draws", type=int, default=200, help="of each clean set (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="that share the work (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        curves = list(pool.map(partial(_curve, draws=options.draws), range(len(PLANTED))))
        clean = list(pool.map(partial(_alarms, draws=options.clean_draws), range(len(CLEAN))))
    sys.stdout.write(tables_of(curves, clean) + "\n")
    if options.write:
        PAGE.write_text(page_of(curves, clean), encoding="utf-8")


def _curve(number: int, *, draws: int) -> Curve:
    planted = PLANTED[number]
    shares = tuple((strength, found(planted, strength, draws)) for strength in planted.strengths)
    return Curve(code=planted.code, what=planted.what, draws=draws, shares=shares)


def _alarms(number: int, *, draws: int) -> Alarms:
    make = CLEAN[number]
    bad, judged = alarms(make, draws)
    what = " ".join((make.__doc__ or "").split())
    return Alarms(name=make.__name__, what=what, draws=draws, bad=dict(+bad), num_checks=sum(1 for count in judged.values() if count))


if __name__ == "__main__":
    main()
