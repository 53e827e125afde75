"""Does each check of data find a planted leak from its weakest strength that matters, and nothing in sets that are clean?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from proving_ground.data import CLEAN, PLANTED, Planted, alarms, found
from proving_ground.data.running import audited
from proving_ground.data.table import Alarms, Curve, page_of
from statewise.auditing import checks_of
from tests._unchecked import unchecked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proving_ground.data.making import Case


@pytest.fixture(autouse=True)
def _without_checks_of_types() -> Iterator[None]:
    with unchecked():
        yield


def test_a_leak_is_planted_for_each_check() -> None:
    assert {each.code for each in PLANTED} == {each.code for each in checks_of("data")}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda each: f"{each.code}-{each.what.replace(' ', '-')[:40]}")
def test_the_curve_rises_from_the_weakest_leak_to_certainty(planted: Planted) -> None:
    shares = [found(planted, strength, draws=2) for strength in planted.strengths]
    assert shares[-1] == 1.0, shares
    assert shares == sorted(shares), shares


@pytest.mark.parametrize("code", ["SW701", "SW702", "SW703", "SW704", "SW705", "SW709", "SW711", "SW712", "SW716"])
def test_one_of_two_hundred_is_enough(code: str) -> None:
    one = [each for each in PLANTED if each.code == code and each.strengths[0] == 1]
    assert one
    assert all(found(each, 1, draws=2) == 1.0 for each in one)


@pytest.mark.parametrize("make", CLEAN, ids=lambda make: make.__name__)
def test_nothing_is_found_in_a_clean_set(make: Callable[[np.random.Generator], Case]) -> None:
    bad, judged = alarms(make, draws=3)
    assert not +bad
    assert sum(1 for count in judged.values() if count) >= 3


def test_each_check_judges_some_clean_set() -> None:
    judged = set()
    for make in CLEAN:
        judged |= {each.code for each in audited(make(np.random.default_rng(0))).outcomes if each.status in {"pass", "observed"}}
    assert judged == {each.code for each in checks_of("data")}


def test_the_page_holds_each_curve_and_each_alarm() -> None:
    curve = Curve(code="SW701", what="copies", draws=4, shares=((1, 0.5), (2, 1.0)))
    page = page_of([curve], [Alarms(name="still", what="Nothing moves.", draws=4, bad={"SW702": 1}, num_checks=7)])
    assert "| [SW701](checks/SW701.md) | copies | 1: 50%, 2: 100% |" in page
    assert "1 findings and errors in 4 audits of 1 clean sets." in page
    assert "| `still` | Nothing moves. | 4 | SW702: 1 | 7 |" in page
