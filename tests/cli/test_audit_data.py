"""Does `statewise audit --train A --test B` look at the data, answer with its exit code, and refuse what belongs to modules?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from statewise.auditing import read_audit
from tests.cli.conftest import CLAIMS, QUICK, write_claims

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """Write claims of 60 accounts, two of each owner, as one file, and cut them by owner and across owners."""
    table = pl.read_csv(write_claims(tmp_path / "claims.csv"))
    number = pl.col("account").str.slice(1).cast(pl.Int64)
    table.filter(number < 40).write_csv(tmp_path / "a.csv")
    table.filter(number >= 40).write_csv(tmp_path / "b.csv")
    table.filter(number % 2 == 0).write_csv(tmp_path / "even.csv")
    table.filter(number % 2 == 1).write_csv(tmp_path / "odd.csv")
    return tmp_path


def test_parts_that_share_owners_end_with_1_and_apart_with_0(statewise: Any, claims: Path) -> None:
    apart = statewise("audit", "--train", "a.csv", "--test", "b.csv", *CLAIMS)
    assert apart.code == 0, apart.out + apart.err
    assert "audit of a.csv: sound" in apart.out
    assert "Training part 40 sequences" in apart.out
    shared = statewise("audit", "--train", "even.csv", "--test", "odd.csv", "--out", "data.json", *CLAIMS)
    assert shared.code == 1, shared.out + shared.err
    assert "SW704" in shared.out
    found = read_audit(claims / "data.json")
    assert found.examines == "data"
    assert [each.code for each in found.findings] == ["SW704"]


def test_json_holds_every_check_and_select_and_ignore_choose(statewise: Any, claims: Path) -> None:
    ended = statewise("audit", "--train", "even.csv", "--test", "odd.csv", "--ignore", "SW704", "--output-format", "json", *CLAIMS)
    assert ended.code == 0, ended.err
    outcomes = {each["code"]: each["status"] for each in json.loads(ended.out)["outcomes"]}
    assert outcomes["SW704"] == "skipped"
    assert len(outcomes) == 16
    nothing = statewise("audit", "--train", "a.csv", "--test", "b.csv", "--select", "SW709", *CLAIMS)
    assert nothing.code == 3
    assert "no check could be judged" in nothing.out


def test_a_warning_counts_where_it_is_asked_to(statewise: Any, claims: Path) -> None:
    words = ("audit", "--train", "a.csv", "--test", "b.csv", "--valid", "b.csv", "--select", "SW716", *CLAIMS)
    assert statewise(*words).code == 1
    one = pl.read_csv("b.csv").filter(pl.col("owner") == "o25")
    one.write_csv("one.csv")
    few = ("audit", "--train", "a.csv", "--test", "one.csv", "--select", "SW715", *CLAIMS)
    assert statewise(*few).code == 0
    assert statewise(*few, "--fail-on", "warn").code == 1


def test_the_statistics_of_a_run_are_held_against_its_data(statewise: Any, claims: Path) -> None:
    assert statewise("fit", "gru", "--train", "a.csv", "--valid", "b.csv", "--out", "run", *CLAIMS, *QUICK).code == 0
    before = (claims / "run" / "audit.json").read_bytes()
    ended = statewise("audit", "run", "--train", "a.csv", "--test", "b.csv", "--output-format", "json")
    assert ended.code == 0, ended.out + ended.err
    outcomes = {each["code"]: each for each in json.loads(ended.out)["outcomes"]}
    assert outcomes["SW706"]["status"] == "pass"
    assert (claims / "run" / "audit.json").read_bytes() == before
    kept = claims / "run" / "data_audit.json"
    assert "kept in the run, for its verdict" in ended.err
    assert read_audit(kept).examines == "data"
    kept.unlink()
    assert "not kept in the run: only some" in statewise("audit", "run", "--train", "a.csv", "--test", "b.csv", "--select", "SW706").err
    assert "other data than it was trained on" in statewise("audit", "run", "--train", "b.csv", "--test", "a.csv").err
    assert not kept.exists()


def test_a_score_says_whether_length_reaches_it(statewise: Any, claims: Path) -> None:
    words = ("audit", "--train", "a.csv", "--test", "b.csv", "--select", "SW710", *CLAIMS)
    assert statewise(*words, "--score", "0.9").code == 0
    refused = statewise(*words, "--score", "90")
    assert refused.code == 2
    assert "score" in refused.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--test", "b.csv"), "--train"),
        (("--score", "0.5"), "--train"),
        (("--train", "a.csv", "--fast"), "--fast"),
        (("--train", "a.csv", "--data", "b.csv"), "--data"),
        (("--train", "a.csv", "--timeout", "5"), "--timeout"),
        (("--train", "a.csv", "--weights", "w.pt"), "--weights"),
        (("--train", "a.csv", "--max-steps", "5"), "--max-steps"),
        (("a.csv", "--train", "a.csv"), "name a run directory"),
        (("nowhere", "--train", "a.csv"), "no such file or folder"),
        (("--train", "a.csv", "--select", "SW301"), "--select"),
        (("--train", "nowhere.csv"), "nowhere.csv"),
        (("--train", "a.csv", "--out", "a.csv"), "End the name with .json"),
    ],
)
def test_what_does_not_go_together_is_refused(statewise: Any, claims: Path, words: tuple[str, ...], says: str) -> None:
    ended = statewise("audit", *words, *CLAIMS)
    assert ended.code == 2, ended.out
    assert says in ended.err
    assert all(fact in ended.err for fact in ("where", "arrived", "try"))
