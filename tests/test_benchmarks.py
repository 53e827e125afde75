"""Does the benchmark measure in turn, and does a broken floor end it with 1?"""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Literal

import pytest

from benchmarks.row import Measured, Row, measure
from benchmarks.run import HERE, find_rows, main, run

if TYPE_CHECKING:
    from pathlib import Path


def row(*figures: float, better: Literal["lower", "higher"] = "lower") -> Row:
    """Return a row that measures `figures`, one after another, after one that is thrown away."""
    taken = iter([99.0, *figures])
    return Row(name="x", says="", unit="s", ours=lambda: next(taken), peer=lambda: 2.0, peer_says="", better=better, repeats=len(figures))


def test_a_floor_holds_until_the_worse_quartile_misses_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = (1.0, 2.0, 3.0, 4.0, 5.0)
    assert run([row(*figures)], {"x": {"at_most": 4.0}}, tmp_path / "a.json") == 0
    assert run([row(*figures)], {"x": {"at_most": 3.9}}, tmp_path / "a.json") == 1
    assert run([row(*figures, better="higher")], {"x": {"at_least": 2.0}}, tmp_path / "a.json") == 0
    assert run([row(*figures, better="higher")], {"x": {"at_least": 2.1}}, tmp_path / "a.json") == 1
    shown = capsys.readouterr()
    assert shown.out.count("BROKEN") == 2
    assert shown.err == "broken: x\nbroken: x\n"


def test_the_file_holds_every_figure_and_what_the_table_says(tmp_path: Path) -> None:
    run([row(1.0, 2.0, 3.0)], {}, tmp_path / "new" / "a.json")
    document = json.loads((tmp_path / "new" / "a.json").read_text(encoding="utf-8"))
    (record,) = document["rows"]
    assert document["schema"] == 1
    assert (record["median"], record["ratio"], record["ours_all"], record["peer_all"]) == (2.0, 1.0, [1.0, 2.0, 3.0], [2.0] * 3)
    assert (record["floor"], record["broken"]) == ({}, False)


def test_ours_and_the_peer_are_measured_in_turn_after_a_warm_up() -> None:
    calls: list[str] = []

    def figure(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    taken = measure(
        Row(name="x", says="", unit="s", ours=lambda: figure("ours"), peer=lambda: figure("peer"), peer_says="", repeats=3, warm_up=1), {}
    )
    assert calls == ["ours", "peer"] * 4
    assert isinstance(taken, Measured)
    assert (taken.ours, taken.peer) == ([3.0, 5.0, 7.0], [4.0, 6.0, 8.0])


def test_every_row_has_a_name_of_its_own_and_every_floor_a_row() -> None:
    names = [each.name for each in find_rows()]
    floors = tomllib.loads((HERE / "floors.toml").read_text(encoding="utf-8"))
    assert len(set(names)) == len(names)
    assert set(floors) <= set(names)
    assert all(set(floor) <= {"at_most", "at_least"} and floor for floor in floors.values())


def test_a_row_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["hlep"])
    assert ended.value.code == 2
    assert "no row is called 'hlep'; there are: help" in capsys.readouterr().err


def test_the_row_of_the_command_line_measures_a_real_start() -> None:
    (shown,) = [each for each in find_rows() if each.name == "help"]
    assert shown.repeats >= 15
    assert shown.ours() > 0
    assert shown.peer() > 0
