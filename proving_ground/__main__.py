"""How much does the audit find, under the right name, and whom does it accuse wrongly?

Use `python -m proving_ground [--draws 20] [--correct-draws 200] [--wild-draws 5] [CODE ...]`, with `wild` for mistakes of public projects.
"""

from __future__ import annotations

import argparse

import torch

from proving_ground.cases import Wild, all_correct, all_defects, all_wild
from proving_ground.running import Tally, WildTally, tally_correct, tally_defect, tally_wild


def main() -> None:
    """Print a line a case, and what they come to."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground", description=__doc__)
    parser.add_argument("codes", nargs="*", metavar="CODE", help="kinds of defects, `correct` or `wild`; without any all of them")
    parser.add_argument("--draws", type=int, default=20, help="of weights, sizes and data, for each defect (default: %(default)s)")
    parser.add_argument("--correct-draws", type=int, default=200, help="for each correct module (default: %(default)s)")
    parser.add_argument("--wild-draws", type=int, default=5, help="for each mistake of a public project (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = set(options.codes)
    if not chosen or chosen - {"wild"}:
        _planted(chosen, options.draws, options.correct_draws)
    if not chosen or "wild" in chosen:
        _wild(options.wild_draws)


def _planted(chosen: set[str], defect_draws: int, correct_draws: int) -> None:
    """Print the planted defects that were chosen, the correct modules, and what both come to."""
    defects: list[Tally] = []
    for defect in all_defects():
        if chosen and defect.code not in chosen:
            continue
        for variant in defect.variants:
            defects.append(tally_defect(defect, variant, defect_draws))
            _print(defect.code, defects[-1])
    correct: list[Tally] = []
    for case in all_correct() if not chosen or "correct" in chosen else ():
        correct.append(tally_correct(case, correct_draws))
        _print("correct", correct[-1])
    draws = sum(each.draws for each in defects)
    if draws:
        found, cause = (sum(getattr(each, name) for each in defects) for name in ("found", "as_cause"))
        print(f"defects: found in {found} of {draws} draws ({found / draws:.1%}), as the cause in {cause} ({cause / draws:.1%})")
    accused, asked = sum(each.accused.total() for each in [*defects, *correct]), draws + sum(each.draws for each in correct)
    print(f"modules without a defect: {accused} findings in {asked} draws")


def _wild(draws: int) -> None:
    """Print the mistakes of public projects, and what they come to."""
    tallies: list[WildTally] = []
    for case in all_wild():
        tallies.append(tally_wild(case, draws))
        _print_wild(case, tallies[-1])
    always, exact = (sum(getattr(each, name) == draws for each in tallies) for name in ("found", "exact"))
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


def _print(code: str, tally: Tally) -> None:
    counted = f"found {tally.found}/{tally.draws}, as the cause {tally.as_cause}" if code != "correct" else f"{tally.draws} draws"
    also = f"; also {dict(tally.others)}" if tally.others else ""
    accused = f"; wrongly accused: {dict(tally.accused)}" if tally.accused else ""
    print(f"{code} {tally.name}: {counted}{also}{accused}", flush=True)


if __name__ == "__main__":
    main()
