"""Does the proving ground's page say what its figures say, and do both say what comes out today?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.cases import all_correct, all_defects
from proving_ground.table import PAGE, page_of, read
from tests.auditing.apart import outcomes_of, told

if TYPE_CHECKING:
    from proving_ground.cases import Defect, Variant
    from tests.auditing.apart import Ask

KNOWN = {(each.code, each.name): each for each in read()}
DEFECTS = [(defect, variant) for defect in all_defects() for variant in defect.variants]


def test_the_page_is_made_of_the_figures_and_both_know_every_case() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(list(KNOWN.values())), "make proving-ground writes it anew"
    cases = {(defect.code, variant.name) for defect, variant in DEFECTS} | {("correct", case.name) for case in all_correct()}
    assert set(KNOWN) == cases


@pytest.mark.parametrize(("defect", "variant"), DEFECTS[5::17], ids=lambda each: getattr(each, "code", getattr(each, "name", "")))
def test_a_small_run_finds_what_the_figures_say(defect: Defect, variant: Variant, apart: Ask) -> None:
    figures = KNOWN[defect.code, variant.name]
    outcomes = apart(outcomes_of, defect.code, variant.name, "broken", 2)
    bad = {each.code for each in outcomes if each.status in {"fail", "warn"}}
    for share, codes in ((figures.found, bad), (figures.as_cause, {code for code, _ in told(outcomes)})):
        if share in {0, figures.draws}:
            assert (figures.code in codes) is bool(share), told(outcomes)
    twin = told(apart(outcomes_of, defect.code, variant.name, "mended", 2))
    assert {code for code, _ in twin} <= set(figures.accused), twin
