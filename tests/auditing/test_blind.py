"""Are the mistakes of the blind round found under their names, and is what has none left alone? One draw of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.cases import all_blind
from statewise.auditing import all_checks
from tests.auditing.apart import outcomes_of, told

if TYPE_CHECKING:
    from proving_ground.cases import Blind
    from tests.auditing.apart import Ask

BLIND = all_blind()
BROKEN = [case for case in BLIND if case.broken is not None]
DRAW = 1
ACCUSED = {"rollout policy": "SW118 warns: it resets by multiplication, which its author does not hold to be a mistake"}


def test_cases_name_checks_that_there_are_and_what_is_known_of_them_names_cases() -> None:
    names = {case.name for case in BLIND}
    assert len(names) == len(BLIND) == 30
    assert len(BROKEN) == 20
    assert {code for case in BLIND for code in case.codes} <= {each.code for each in all_checks()}
    assert all(bool(case.codes) == bool(case.says) == (case.broken is not None) for case in BLIND)
    assert set(ACCUSED) <= names


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_a_mistake_of_the_blind_round_is_found_under_its_name(case: Blind, apart: Ask) -> None:
    found = told(apart(outcomes_of, "Blind", case.name, "broken", DRAW))
    assert {code for code, _ in found} & set(case.codes), found


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.xfail(strict=True, reason=ACCUSED[case.name])] if case.name in ACCUSED else [])
        for case in BLIND
    ],
)
def test_a_module_of_the_blind_round_without_a_mistake_is_not_accused(case: Blind, apart: Ask) -> None:
    assert not told(apart(outcomes_of, "Blind", case.name, "mended", DRAW))
