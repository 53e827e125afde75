"""Does the proving ground's page say what its figures say, and do both say what comes out today?"""

from __future__ import annotations

import pytest

from proving_ground.cases import Defect, Variant, all_correct, all_defects
from proving_ground.running import audited
from proving_ground.table import PAGE, page_of, read

KNOWN = {(each.code, each.name): each for each in read()}
DEFECTS = [(defect, variant) for defect in all_defects() for variant in defect.variants]


def test_the_page_is_made_of_the_figures_and_both_know_every_case() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(list(KNOWN.values())), "make proving-ground writes it anew"
    cases = {(defect.code, variant.name) for defect, variant in DEFECTS} | {("correct", case.name) for case in all_correct()}
    assert set(KNOWN) == cases


@pytest.mark.parametrize(("defect", "variant"), DEFECTS[5::17], ids=lambda each: getattr(each, "code", getattr(each, "name", "")))
def test_a_small_run_finds_what_the_figures_say(defect: Defect, variant: Variant) -> None:
    figures = KNOWN[defect.code, variant.name]
    found = audited(variant, variant.broken, 2, fast=True)
    bad = {each.code for each in found.outcomes if each.status in {"fail", "warn"}}
    causes = {each.code for each in found.findings}
    for share, codes in ((figures.found, bad), (figures.as_cause, causes)):
        if share in {0, figures.draws}:
            assert (figures.code in codes) is bool(share), str(found)
    twin = audited(variant, variant.mended, 2, fast=True)
    assert {each.code for each in twin.findings} <= set(figures.accused), str(twin)
