"""How much does the audit find, under the right name, and whom does it accuse wrongly?

Use `python -m proving_ground [--draws 20] [--correct-draws 200] [CODE ...]`.
"""

from __future__ import annotations

import argparse

import torch

from proving_ground.cases import all_correct, all_defects
from proving_ground.running import Tally, tally_correct, tally_defect


def main() -> None:
    """Print a line a case, and what they come to."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground", description=__doc__)
    parser.add_argument("codes", nargs="*", metavar="CODE", help="kinds of defects, or `correct`; without any all of both")
    parser.add_argument("--draws", type=int, default=20, help="of weights, sizes and data, for each defect (default: %(default)s)")
    parser.add_argument("--correct-draws", type=int, default=200, help="for each correct module (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = set(options.codes)
    defects: list[Tally] = []
    for defect in all_defects():
        if chosen and defect.code not in chosen:
            continue
        for variant in defect.variants:
            defects.append(tally_defect(defect, variant, options.draws))
            _print(defect.code, defects[-1])
    correct: list[Tally] = []
    for case in all_correct() if not chosen or "correct" in chosen else ():
        correct.append(tally_correct(case, options.correct_draws))
        _print("correct", correct[-1])
    draws = sum(each.draws for each in defects)
    if draws:
        found, cause = (sum(getattr(each, name) for each in defects) for name in ("found", "as_cause"))
        print(f"defects: found in {found} of {draws} draws ({found / draws:.1%}), as the cause in {cause} ({cause / draws:.1%})")
    accused, asked = sum(each.accused.total() for each in [*defects, *correct]), draws + sum(each.draws for each in correct)
    print(f"modules without a defect: {accused} findings in {asked} draws")


def _print(code: str, tally: Tally) -> None:
    counted = f"found {tally.found}/{tally.draws}, as the cause {tally.as_cause}" if code != "correct" else f"{tally.draws} draws"
    also = f"; also {dict(tally.others)}" if tally.others else ""
    accused = f"; wrongly accused: {dict(tally.accused)}" if tally.accused else ""
    print(f"{code} {tally.name}: {counted}{also}{accused}", flush=True)


if __name__ == "__main__":
    main()
