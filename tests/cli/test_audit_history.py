"""Does `statewise audit --history` answer with its exit code, from a csv as from a run's own file?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SOUND = "loss,accuracy\n1.2,.35\n.9,.5\n.7,.65\n.5,.75\n.4,.82\n"
OVERFITS = "loss,val_loss\n1,1\n.8,.8\n.6,.7\n.4,.68\n.3,.75\n.2,.9\n.1,1.1\n.05,1.2\n"
SHORT = "loss\n1\n.5\n"
SURE = "loss,val_loss,val_accuracy\n" + "".join(f"{1 / (at + 1)},{0.6 + 0.05 * max(at - 4, 0)},{0.7 + 0.01 * at}\n" for at in range(12))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "history.csv"


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        (SOUND, (), 0),
        (OVERFITS, (), 1),
        (OVERFITS, ("--ignore", "SW906"), 0),
        (OVERFITS, ("--select", "SW901"), 0),
        (SHORT, (), 3),
        (SURE, (), 0),
        (SURE, ("--fail-on", "warn"), 1),
    ],
)
def test_the_exit_code_is_the_answer(statewise: Any, file: Path, text: str, words: tuple[str, ...], code: int) -> None:
    file.write_text(text)
    ended = statewise("audit", "--history", "history.csv", *words)
    assert ended.code == code, ended.out + ended.err
    assert "audit of history.csv" in ended.out


def test_json_holds_every_outcome_and_out_writes_the_same(statewise: Any, file: Path) -> None:
    file.write_text(OVERFITS)
    ended = statewise("audit", "--history", "history.csv", "--output-format", "json", "--out", "found.json")
    document = json.loads(ended.out)
    assert ended.code == 1
    assert document["examines"] == "history"
    assert {each["code"] for each in document["outcomes"] if each["status"] == "fail"} == {"SW906"}
    assert json.loads(Path("found.json").read_text()) == document


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("runs/x",), "the target"),
        (("--fast",), "--fast"),
        (("--seed", "3"), "--seed"),
        (("--timeout", "5"), "--timeout"),
        (("--weights", "a.pt"), "--weights"),
        (("--key", "account"), "--key"),
        (("--select", "SW301"), "--select"),
        (("--out", "a.txt"), "--out"),
    ],
)
def test_what_means_nothing_beside_a_history_is_refused(statewise: Any, file: Path, words: tuple[str, ...], where: str) -> None:
    file.write_text(SOUND)
    ended = statewise("audit", *words, "--history", "history.csv")
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert where in ended.err


def test_a_file_that_is_not_there_is_told(statewise: Any, file: Path) -> None:
    ended = statewise("audit", "--history", "history.csv")
    assert (ended.code, "no such file" in ended.err) == (2, True)
