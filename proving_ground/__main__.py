"""How much does the audit find, under the right name, and whom does it accuse wrongly?

Use `python -m proving_ground [--draws 20] [--correct-draws 200] [--wild-draws 5] [--write] [CODE ...]`, with `wild` for mistakes of public
projects and `blind` for cases of somebody who had not seen the checks; `--write` puts the figures into the docs.
"""

from __future__ import annotations

import argparse
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

import torch

from proving_ground.cases import Blind, Wild, all_blind, all_correct, all_defects, all_wild
from proving_ground.jobs import tallied, tallied_blind, tallied_wild
from proving_ground.table import summary_of, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proving_ground.running import BlindTally, Tally, WildTally

_CASES_A_PROCESS = 12
_APART = {"wild", "blind"}
"""Cases with sums of their own."""


def main() -> None:
    """Print a line a case, and what they come to."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground", description=__doc__)
    parser.add_argument("codes", nargs="*", metavar="CODE", help="kinds of defects, `correct`, `wild` or `blind`; without any all of them")
    parser.add_argument("--draws", type=int, default=20, help="of weights, sizes and data, for each defect (default: %(default)s)")
    parser.add_argument("--correct-draws", type=int, default=200, help="for each correct module (default: %(default)s)")
    parser.add_argument(
        "--wild-draws", type=int, default=5, help="for each mistake of a public project, and each blind case (default: %(default)s)"
    )
    parser.add_argument("--processes", type=int, default=2, help="that share the work (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write docs/proving-ground.md and figures.json, where all cases are run")
    options = parser.parse_args()
    chosen = set(options.codes)
    if options.write and chosen - _APART:
        parser.error("--write is for all cases")
    # torch keeps what it has traced for as long as a process lives: after some thousands of audits that is most of the memory.
    pool = get_context("spawn").Pool(options.processes, torch.set_num_threads, (1,), maxtasksperchild=_CASES_A_PROCESS)
    with pool:
        if not chosen or chosen - _APART:
            tallies = []
            for tally in pool.imap(tallied, _planted(chosen, options.draws, options.correct_draws)):
                tallies.append(tally)
                _print(tally)
            print("\n".join(summary_of(tallies)))
            if options.write:
                write(tallies)
        if not chosen or "wild" in chosen:
            _wild(list(pool.map(partial(tallied_wild, draws=options.wild_draws), range(len(all_wild())))))
        if not chosen or "blind" in chosen:
            _blind(list(pool.map(partial(tallied_blind, draws=options.wild_draws), range(len(all_blind())))))


def _planted(chosen: set[str], defect_draws: int, correct_draws: int) -> Iterator[tuple[str, int, int, int]]:
    """Yield each case that was chosen as its code, its place among those of the code, and draws: what can be sent to another process."""
    for number, defect in enumerate(all_defects()):
        if not chosen or defect.code in chosen:
            for place in range(len(defect.variants)):
                yield defect.code, number, place, defect_draws
    if not chosen or "correct" in chosen:
        for place in range(len(all_correct())):
            yield "correct", 0, place, correct_draws


def _wild(tallies: list[WildTally]) -> None:
    """Print the mistakes of public projects, and what they come to."""
    for case, tally in zip(all_wild(), tallies, strict=True):
        _print_wild(case, tally)
    always, exact = (sum(getattr(each, name) == each.draws for each in tallies) for name in ("found", "exact"))
    accused, low = sum(bool(each.accused) for each in tallies), sum(each.share < 0.8 for each in tallies)
    print(f"wild: {always} of {len(tallies)} mistakes found in every draw, {exact} of them under the exact code")
    print(f"mended modules: {accused} accused, {low} with under 80 % of the checks passed that their interface permits")


def _print_wild(case: Wild, tally: WildTally) -> None:
    how = "found" if tally.found == tally.draws else "MISSED" if not tally.found else "sometimes"
    under = ", ".join(f"{code} x{count}" for code, count in tally.codes.items()) or "nothing"
    print(f"{how} {case.case} {case.seen_in} {case.name}: {tally.found}/{tally.draws} as {' or '.join(case.codes)}; findings: {under}")
    print(f"    mended: {dict(tally.accused) or 'no findings'}; {tally.passed} of {tally.permitted} checks passed ({tally.share:.0%})")
    for other, count in tally.others.items():
        print(f"        {other} (x{count})")


def _blind(tallies: list[BlindTally]) -> None:
    """Print the cases of the blind round, and what they come to."""
    for case, tally in zip(all_blind(), tallies, strict=True):
        _print_blind(case, tally)
    cases = dict(zip(all_blind(), tallies, strict=True))
    broken, correct = ([tally for case, tally in cases.items() if (case.broken is None) == is_correct] for is_correct in (False, True))
    found, named, exact = (sum(getattr(each, name) == each.draws for each in broken) for name in ("found", "named", "exact"))
    print(f"blind: {found} of {len(broken)} mistakes found in every draw, {named} of them named rightly, {exact} under the exact code")
    twins, others = (sum(bool(each.accused) for each in group) for group in (broken, correct))
    errors = sum(each.errors.total() for each in tallies)
    print(f"accused: {twins} of {len(broken)} twins and {others} of {len(correct)} correct modules; {errors} errors")


def _print_blind(case: Blind, tally: BlindTally) -> None:
    accused = f"accused: {dict(tally.accused) or 'of nothing'}" + (f"; errors: {dict(tally.errors)}" if tally.errors else "")
    if case.broken is None:
        print(f"correct {case.name}: {accused}")
        return
    under = ", ".join(f"{code} x{count}" for code, count in tally.codes.items()) or "nothing"
    named = f"named {tally.named}/{tally.draws} as {' or '.join(case.codes)}, exactly {tally.exact}"
    print(f"{case.name}: found {tally.found}/{tally.draws}; {named}; findings: {under}")
    print(f"    twin {accused}")


def _print(tally: Tally) -> None:
    found = f"found {tally.found}/{tally.draws}, as the cause {tally.as_cause}"
    also = f"; also {dict(tally.others)}" if tally.others else ""
    accused = f"; wrongly accused: {dict(tally.accused)}" if tally.accused else ""
    errors = f"; errors: {dict(tally.errors)}" if tally.errors else ""
    print(f"{tally.code} {tally.name}: {found if tally.code != 'correct' else f'{tally.draws} draws'}{also}{accused}{errors}", flush=True)


if __name__ == "__main__":
    main()
