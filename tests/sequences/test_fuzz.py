"""Are damaged files read or refused, never anything else? A small share of what `python -m tests.sequences.fuzz` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.sequences import read
from tests.sequences import fuzz

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_damaged_file_is_read_or_refused_in_four_facts(tmp_path: Path) -> None:
    made = list(fuzz.attempts(170, 1, tmp_path))
    assert [attempt for attempt in made if attempt.outcome not in {"sequences", "refused"}] == []
    assert {attempt.outcome for attempt in made} == {"sequences", "refused"}


def test_the_files_are_good_before_they_are_damaged(tmp_path: Path) -> None:
    for good in fuzz.good_files():
        path = tmp_path / f"good{good.suffix}"
        path.write_bytes(good.content)
        assert len(read(path, **good.options)) > 0


def test_the_fuzzer_sees_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slip(*_: object, **__: object) -> None:
        raise KeyError("a slip of ours")

    monkeypatch.setattr(fuzz, "read", slip)
    assert {attempt.outcome for attempt in fuzz.attempts(3, 1, tmp_path)} == {"KeyError"}
    assert fuzz.main(3) == 1


def test_the_same_seed_makes_the_same_files(tmp_path: Path) -> None:
    one, again = ([vars(attempt) for attempt in fuzz.attempts(34, 5, tmp_path)] for _ in range(2))
    assert one == again
