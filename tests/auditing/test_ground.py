"""Does each check find what it is for in the proving ground, and is no correct module accused? One draw of a few."""

from __future__ import annotations

import pytest
import torch

from proving_ground.cases import Correct, Defect, Sizes, all_correct, all_defects
from proving_ground.running import audited
from statewise.auditing import audit, checks_of
from statewise.contracts import Contract

DEFECTS, CORRECT = all_defects(), all_correct()
TOLD = {"dead ReLU after a GRU"}
"""What may be bad luck of a few units: it is told."""


def test_every_kind_of_defect_has_a_check_and_three_architectures() -> None:
    codes = {each.code for each in checks_of("module")}
    assert {defect.code for defect in DEFECTS} <= codes
    assert all(len(defect.variants) >= 3 for defect in DEFECTS)
    assert len(CORRECT) >= 30


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda each: each.code)
def test_a_defect_is_found_as_the_cause_and_its_twin_is_not_accused(defect: Defect) -> None:
    variant = next(each for each in defect.variants if each.name not in TOLD)
    broken, mended = (audited(variant, build, 1, fast=True) for build in (variant.broken, variant.mended))
    assert defect.code in {each.code for each in broken.findings}, [(each.code, each.evidence) for each in broken.findings]
    assert not mended.findings, [(each.code, each.evidence) for each in mended.findings]
    assert mended.ok


@pytest.mark.parametrize("case", CORRECT[::5], ids=lambda case: case.name)
def test_a_correct_module_is_not_accused(case: Correct) -> None:
    found = audited(case, case.build, 2, fast=True)
    assert not found.findings, [(each.code, each.evidence) for each in found.findings]
    assert found.ok, [(each.code, each.evidence) for each in found.outcomes if each.status == "error"]


@pytest.mark.parametrize("case", [each for each in CORRECT[3::12] if each.call is None], ids=lambda case: case.name)
def test_what_nobody_declares_is_found_out_and_no_correct_module_is_accused(case: Correct) -> None:
    undeclared = Correct(name=case.name, build=case.build, contract=Contract(), reads=case.reads)
    found = audited(undeclared, case.build, 1, fast=True)
    said = {name: getattr(case.contract, name) for name in ("takes", "batch_first", "mask", "each")}
    assert {name: getattr(found.contract, name) for name in said} == said
    assert not found.findings, [(each.code, each.evidence) for each in found.findings]


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
