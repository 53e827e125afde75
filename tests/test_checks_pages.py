"""Do the pages of the checks say what the checks say?"""

from __future__ import annotations

import re

import pytest

from docs.make_checks import FAMILIES, FOLDER, pages
from statewise.auditing import all_checks


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


def test_the_pages_are_what_the_checks_say(made: dict[str, str]) -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert there == made, "the pages of the checks are not what the checks say: write them anew with 'make docs'"


def test_every_check_has_a_page_and_a_row(made: dict[str, str]) -> None:
    codes = {each.code for each in all_checks()}
    assert set(made) == {f"{code}.md" for code in codes} | {"README.md"}
    assert set(re.findall(r"^\| \[(SW\d+)\]", made["README.md"], flags=re.MULTILINE)) == codes
    assert {code[2] for code in codes} <= set(FAMILIES)


def test_codes_are_told_apart_causes_are_checks_and_the_count_is_right() -> None:
    codes = [each.code for each in all_checks()]
    assert len(set(codes)) == len(codes)
    for each in all_checks():
        assert set(each.causes) <= set(codes) - {each.code}, each.code
    readme = (FOLDER.parents[1] / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\b(\d+) checks", readme)) == {str(len(codes))}


def test_every_need_of_a_row_is_told_below(made: dict[str, str]) -> None:
    rows, _, below = made["README.md"].partition("## Needs")
    needed = set(re.findall(r"`(\w+)`", "\n".join(line for line in rows.splitlines() if line.startswith("| [SW"))))
    assert needed
    assert all(f"| `{need}` |" in below for need in needed)


def test_every_part_of_a_page_says_something(made: dict[str, str]) -> None:
    for name, text in made.items():
        assert not re.search(r"\*\* *$", text, flags=re.MULTILINE), f"{name}: an empty part"
