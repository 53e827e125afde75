"""Are the mistakes of the blind round found under their names, and is what has none left alone? One draw of each."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest
import torch

from proving_ground.cases import all_blind
from proving_ground.running import audited
from statewise.auditing import all_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proving_ground.cases import Blind, Build
    from statewise.auditing import Audit

BLIND = all_blind()
BROKEN = [case for case in BLIND if case.broken is not None]
DRAW = 1
ACCUSED = {"rollout policy": "SW118 warns: it resets by multiplication, which its author does not hold to be a mistake"}


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[[Blind, Build], Audit]]:
    """An audit in a process without the checks of types and shapes at each call, which take four times as long as the audit."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield lambda case, build: pool.submit(audited, case, build, DRAW, fast=True).result()


def test_cases_name_checks_that_there_are_and_what_is_known_of_them_names_cases() -> None:
    names = {case.name for case in BLIND}
    assert len(names) == len(BLIND) == 30
    assert len(BROKEN) == 20
    assert {code for case in BLIND for code in case.codes} <= {each.code for each in all_checks()}
    assert all(bool(case.codes) == bool(case.says) == (case.broken is not None) for case in BLIND)
    assert set(ACCUSED) <= names


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_a_mistake_of_the_blind_round_is_found_under_its_name(case: Blind, ask: Callable[[Blind, Build], Audit]) -> None:
    assert case.broken is not None
    found = ask(case, case.broken)
    assert {each.code for each in found.findings} & set(case.codes), [(each.code, each.evidence) for each in found.findings]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.xfail(strict=True, reason=ACCUSED[case.name])] if case.name in ACCUSED else [])
        for case in BLIND
    ],
)
def test_a_module_of_the_blind_round_without_a_mistake_is_not_accused(case: Blind, ask: Callable[[Blind, Build], Audit]) -> None:
    bad = [each for each in ask(case, case.mended).outcomes if each.is_finding or each.status == "error"]
    assert not bad, [(each.code, each.evidence) for each in bad]
