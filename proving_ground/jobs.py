"""What is one piece of the work that processes share? A case by its place, which can be sent to a process that starts from nothing."""

from __future__ import annotations

from proving_ground.cases import all_blind, all_correct, all_defects, all_wild
from proving_ground.running import BlindTally, Tally, WildTally, tally_blind, tally_correct, tally_defect, tally_wild


def tallied(job: tuple[str, int, int, int]) -> Tally:
    """Return what came out for a defect or a correct module: its code, its place among those of the code, and draws."""
    code, number, place, draws = job
    if code == "correct":
        return tally_correct(all_correct()[place], draws)
    defect = all_defects()[number]
    return tally_defect(defect, defect.variants[place], draws)


def tallied_wild(place: int, draws: int) -> WildTally:
    """Return what came out for a mistake of a public project."""
    return tally_wild(all_wild()[place], draws)


def tallied_blind(place: int, draws: int) -> BlindTally:
    """Return what came out for a case of the blind round."""
    return tally_blind(all_blind()[place], draws)
