"""How far can the intervals and the verdict be trusted?

Use `python -m simulations [--draws 2000] [--ready-draws 1000] [--processes 2] [--write]`; `--write` puts the figures into the docs.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from simulations.coverage import SIZES, Tally, simulate
from simulations.readiness import Ready, cases, simulate_ready
from simulations.streams import COEFFICIENTS, STEPS, simulate_stream
from simulations.table import Figures, summary_of, write
from simulations.worlds import WORLDS

if TYPE_CHECKING:
    from concurrent.futures import Future


def main() -> None:
    """Print a line a figure, and what they come to."""
    parser = argparse.ArgumentParser(prog="python -m simulations", description=__doc__)
    parser.add_argument("--draws", type=int, default=2000, help="of data, for each world and number of units (default: %(default)s)")
    parser.add_argument("--ready-draws", type=int, default=1000, help="of models to judge (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="that share the work (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write docs/intervals.md and figures.json")
    options = parser.parse_args()
    figures = run(options.draws, options.ready_draws, options.processes)
    print("\n".join(summary_of(figures)))
    if options.write:
        write(figures)


def run(draws: int, ready_draws: int, processes: int) -> Figures:
    """Return all figures, the longest work being begun first."""
    with ProcessPoolExecutor(processes) as pool:
        coverage = {(place, units): pool.submit(simulate, place, units, draws) for units in reversed(SIZES) for place in range(len(WORLDS))}
        streams = [pool.submit(simulate_stream, each, steps, draws) for each in COEFFICIENTS for steps in STEPS]
        ready = [pool.submit(simulate_ready, *case, ready_draws) for case in cases()]
        tallies = [_told(coverage[place, units]) for place in range(len(WORLDS)) for units in SIZES]
        return Figures(
            coverage=[each for tally in tallies for each in tally],
            streams=[each for future in streams for each in _told(future)],
            ready=[_judged(future) for future in ready],
        )


def _told(future: Future[list[Tally]]) -> list[Tally]:
    tallies = future.result()
    for each in tallies:
        none = f", {each.none} without an interval" if each.none else ""
        print(f"{each.world}, {each.units} units, {each.metric}: {each.share:.1%} held{none}, design effect {each.effect:.1f}", flush=True)
    return tallies


def _judged(future: Future[Ready]) -> Ready:
    ready = future.result()
    print(f"{ready.metric} {ready.true} of {ready.units} units, {ready.rows}: {ready.ready} of {ready.draws} ready", flush=True)
    return ready


if __name__ == "__main__":
    main()
