"""Does `statewise explain` tell what each check is, and does it help where a code is misspelt?"""

from __future__ import annotations

from typing import Any

import pytest

from statewise.auditing import all_checks


def test_alone_it_lists_every_check_in_a_line(statewise: Any) -> None:
    ended = statewise("explain")
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == [each.code for each in all_checks()]


@pytest.mark.parametrize("given", ["SW301", "sw301", "padding-reaches-answers"])
def test_a_check_is_told_by_code_or_name(statewise: Any, given: str) -> None:
    ended = statewise("explain", given)
    assert ended.code == 0
    for word in ("SW301 padding-reaches-answers", "Promise:", "How:", "Why:", "Mend:", "Needs:", "Seen in:", "two identical calls"):
        assert word in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines())


def test_every_check_has_a_page(statewise: Any) -> None:
    for each in all_checks():
        flat = " ".join(statewise("explain", each.code).out.split())
        assert each.promise in flat
        assert each.mend in flat


@pytest.mark.parametrize(("given", "says"), [("SW300", "SW301"), ("paddin-reaches-answers", "SW301"), ("zzz", "statewise explain")])
def test_an_unknown_code_is_told_the_nearest(statewise: Any, given: str, says: str) -> None:
    ended = statewise("explain", given)
    assert ended.code == 2
    assert says in ended.err
    assert all(fact in ended.err for fact in ("where", "arrived", "try"))
