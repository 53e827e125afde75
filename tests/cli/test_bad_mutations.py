"""Does a damaged file never crash a command? A few here; `python -m tests.cli.fuzz` tries as many as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.fuzz import Attempt, attempts, is_fault

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_commands_read_damaged_files_or_refuse_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = list(attempts(15, 0, tmp_path))
    assert [attempt for attempt in done if is_fault(attempt)] == []
    assert {attempt.outcome for attempt in done} >= {0, 2}


def test_a_crash_a_hang_and_an_error_without_its_facts_are_faults() -> None:
    for outcome, told in ((70, "crash"), ("PanicException", ""), (130, ""), (2, "error: no")):
        assert is_fault(Attempt(0, ("fit",), outcome, told))
    assert not is_fault(Attempt(0, ("fit",), 2, "error: fit\n  where    a\n  arrived  b\n  try      c\n"))
