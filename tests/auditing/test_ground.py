"""Does each check find what it is for in the proving ground, and is no correct module accused? One draw of a few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from proving_ground.cases import Sizes, all_correct, all_defects
from statewise.auditing import all_checks, audit
from tests.auditing.apart import outcomes_of, told, undeclared

if TYPE_CHECKING:
    from proving_ground.cases import Correct, Defect
    from tests.auditing.apart import Ask

DEFECTS, CORRECT = all_defects(), all_correct()
OBSERVED = {"SW604"}
"""What no contract forbids: it is told, and never held against a module."""
TOLD = {"dead ReLU after a GRU"}
"""What may be bad luck of a few units: it is told."""


def test_every_kind_of_defect_has_a_check_and_three_architectures() -> None:
    codes = {each.code for each in all_checks()}
    assert {defect.code for defect in DEFECTS} <= codes
    assert all(len(defect.variants) >= 3 for defect in DEFECTS)
    assert len(CORRECT) >= 30


@pytest.mark.parametrize("defect", [each for each in DEFECTS if each.code not in OBSERVED], ids=lambda each: each.code)
def test_a_defect_is_found_as_the_cause_and_its_twin_is_not_accused(defect: Defect, apart: Ask) -> None:
    name = next(each.name for each in defect.variants if each.name not in TOLD)
    broken = told(apart(outcomes_of, defect.code, name, "broken", 1))
    assert defect.code in {code for code, _ in broken}, broken
    assert not told(apart(outcomes_of, defect.code, name, "mended", 1))


@pytest.mark.parametrize("case", CORRECT[::5], ids=lambda case: case.name)
def test_a_correct_module_is_not_accused(case: Correct, apart: Ask) -> None:
    assert not told(apart(outcomes_of, "Correct", case.name, "build", 2))


@pytest.mark.parametrize("case", [each for each in CORRECT[3::12] if each.call is None], ids=lambda case: case.name)
def test_what_nobody_declares_is_found_out_and_no_correct_module_is_accused(case: Correct, apart: Ask) -> None:
    found, outcomes = apart(undeclared, case.name, 1)
    assert found == {name: getattr(case.contract, name) for name in found}
    assert not told(outcomes)


def test_a_module_is_left_as_it_was() -> None:
    case = next(each for each in CORRECT if each.contract.stateful)
    torch.manual_seed(0)
    kept = case.build(Sizes())
    before = {name: value.clone() for name, value in kept.state_dict().items()}
    modes, attributes = [part.training for part in kept.modules()], [set(vars(part)) for part in kept.modules()]
    drawn = torch.get_rng_state()
    audit(kept, contract=case.contract, call=case.call)
    assert all(torch.equal(value, before[name]) for name, value in kept.state_dict().items())
    assert ([part.training for part in kept.modules()], [set(vars(part)) for part in kept.modules()]) == (modes, attributes)
    assert torch.equal(torch.get_rng_state(), drawn)
