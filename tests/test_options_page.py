"""Does the options page say what the code says?"""

from __future__ import annotations

import re

import pytest

import statewise
from docs.make_options import PAGE, page
from statewise.cli import COMMANDS


@pytest.fixture(scope="module")
def made() -> str:
    return page()


def test_the_options_page_is_what_the_code_says(made: str) -> None:
    hint = "the options page is not what the code says: write it anew with 'make docs'"
    assert PAGE.read_text(encoding="utf-8") == made, hint


def test_it_has_every_command(made: str) -> None:
    told = re.findall(r"^### statewise (\S+)", made, flags=re.MULTILINE)
    assert set(told) == {command.name for command in COMMANDS}


def test_it_has_every_public_function_and_class(made: str) -> None:
    told = set(re.findall(r"^### sw\.(\w+)$", made, flags=re.MULTILINE))
    assert told == {name for name in statewise.__all__ if callable(getattr(statewise, name))}


def test_every_option_and_argument_has_a_meaning(made: str) -> None:
    rows = re.findall(r"^\| (`.*?`) \|(.*)\|$", made, flags=re.MULTILINE)
    assert len(rows) > 200
    assert [name for name, rest in rows if len(rest.rpartition("|")[2].strip(" .")) < 4] == []


def test_no_remark_is_taken_for_a_tag(made: str) -> None:
    assert re.findall(r"(?:^|[^`\w\"])<(?!!--)\w+>(?!`)", re.sub(r"`[^`]*`", "", made)) == []
