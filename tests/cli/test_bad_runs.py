"""Does a run survive what happens to it: another version, other data, a full disk, a process that is killed?"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from statewise.runs import RunFiles
from tests.cli.conftest import CLAIMS, QUICK, write_claims, write_ts
from tests.cli.test_bad_input import listing, refused

if TYPE_CHECKING:
    from collections.abc import Callable

FIT = ("fit", "rnn", "--data", "claims.csv", *CLAIMS, *QUICK, "--out", "run")
AGAIN = (*FIT, "--resume")
READERS = (
    ("judge", "run"),
    ("report", "run"),
    ("trace", "run"),
    ("evaluate", "run", "--data", "claims.csv"),
    ("predict", "run", "--data", "claims.csv", "--out", "p.csv"),
    AGAIN,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train one run for all tests of this file; each works on a copy."""
    from statewise.cli import main

    folder = tmp_path_factory.mktemp("made")
    write_claims(folder / "claims.csv")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(FIT) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> RunFiles:
    copytree(made, tmp_path, dirs_exist_ok=True)
    return RunFiles(tmp_path / "run")


def with_schema(path: Path, schema: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": schema}))


@pytest.mark.parametrize("words", READERS, ids=lambda words: words[0])
@pytest.mark.parametrize("schema", [99, None])
def test_a_run_of_another_version(statewise: Any, tmp_path: Path, run: RunFiles, words: tuple[str, ...], schema: int | None) -> None:
    with_schema(run.config, schema)
    refused(statewise, tmp_path, words, "config.json", f"schema {schema!r}, this version reads 1")


@pytest.mark.parametrize(
    ("part", "words"), [("evaluation", ("evaluate", "run")), ("evaluation", ("judge", "run")), ("provenance", ("judge", "run"))]
)
def test_a_part_of_another_version(statewise: Any, tmp_path: Path, run: RunFiles, part: str, words: tuple[str, ...]) -> None:
    path = getattr(run, part)
    with_schema(path, 99)
    refused(statewise, tmp_path, words, path.name, "schema 99", "Use the version that wrote it")


@pytest.mark.parametrize("words", [("judge", "run"), ("report", "run"), AGAIN, ("trace", "--history", "run/history.jsonl")])
def test_a_history_of_a_newer_version(statewise: Any, tmp_path: Path, run: RunFiles, words: tuple[str, ...]) -> None:
    lines = run.history.read_text()
    run.history.write_text(lines + '{"record":"dream","epoch":1}\n')
    refused(statewise, tmp_path, words, "history.jsonl", f"line {lines.count(chr(10)) + 1}", "'dream'", "Use the version that wrote it")


def test_a_newer_field_in_a_known_record_is_passed_over(statewise: Any, run: RunFiles) -> None:
    run.history.write_text(run.history.read_text().replace('"record":"epoch"', '"record":"epoch","dream":1'))
    assert statewise("judge", "run").code in (0, 1, 3)


def raised(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("amount") + 1)


def relabelled(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(label=pl.when(pl.col("account") == "a0").then(pl.lit("fraud")).otherwise("label"))


def shortened(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("account") != "a5")


@pytest.mark.parametrize("change", [raised, relabelled, shortened])
def test_a_run_whose_data_have_changed_is_not_resumed(
    statewise: Any, tmp_path: Path, run: RunFiles, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    assert run.config.is_file()
    before = pl.read_csv(tmp_path / "claims.csv")
    after = change(before)
    assert not after.equals(before)
    after.write_csv(tmp_path / "claims.csv")
    refused(statewise, tmp_path, AGAIN, "its data are not the same", "--out")


@pytest.mark.parametrize("text", ["nmae = 'x'", "[bogus]\na = 1", "[limits]\naccurcy = 0.9", "[limits]\naccuracy = 'high'", "= 1", ""])
@pytest.mark.parametrize("words", [("judge", "run"), ("fit", *FIT[1:-1], "other")], ids=["judge", "fit"])
def test_a_policy_that_says_nothing_known(statewise: Any, tmp_path: Path, run: RunFiles, words: tuple[str, ...], text: str) -> None:
    assert run.config.is_file()
    (tmp_path / "p.toml").write_text(text + "\n")
    refused(statewise, tmp_path, (*words, "--policy", "p.toml"), "p.toml")


# A full disk


def full_after(monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """Let the disk have room for so many files, counted as each is written to its end."""
    done = 0

    def full(_: int) -> None:
        nonlocal done
        done += 1
        if done > writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "run", "--data", "claims.csv", "--out", "p.csv"),
        ("predict", "run", "--data", "claims.csv", "--out", "p.parquet"),
        ("predict", "run", "--data", "claims.csv", "--out", "deep/p.jsonl"),
        ("report", "run"),
        ("report", "run", "--out", "r.html"),
        ("trace", "run", "--out", "t.html"),
        ("judge", "run"),
        ("evaluate", "run", "--out", "e.json"),
        ("data", "convert", "claims.csv", "c.parquet", *CLAIMS),
    ],
    ids=lambda words: "-".join(words[::-2]).replace("/", "-"),
)
def test_a_full_disk_leaves_every_file_as_it_was(
    statewise: Any, tmp_path: Path, run: RunFiles, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    assert run.config.is_file()
    full_after(monkeypatch, 0)
    refused(statewise, tmp_path, words, "No space left on device")


@pytest.mark.parametrize("writes", [0, 1, 2, 3, 4, 6, 9])
def test_a_training_on_a_full_disk_goes_on_when_there_is_room(
    statewise: Any, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Every file is whole or absent, and the weights come to be those of a training that was never stopped."""
    (tmp_path / "claims.csv").write_bytes((made / "claims.csv").read_bytes())
    with monkeypatch.context() as while_full:
        full_after(while_full, writes)
        ended = statewise(*FIT)
    assert ended.code == 2, ended.err
    assert "No space left on device" in ended.err
    assert "Traceback" not in ended.err
    assert not [name for name in listing(tmp_path) if name.endswith(".part")]
    began = (RunFiles(tmp_path / "run").checkpoints / "last.safetensors").is_file()
    again = statewise(*(AGAIN if began else (*FIT[:-1], "new")))
    assert again.code == 0, again.err
    weights = RunFiles(tmp_path / ("run" if began else "new")).weights
    assert weights.read_bytes() == RunFiles(made / "run").weights.read_bytes()


def test_a_history_that_finds_no_room_is_told(statewise: Any, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "claims.csv").write_bytes((made / "claims.csv").read_bytes())
    real = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if mode == "ab":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return real(self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    ended = statewise(*FIT)
    assert ended.code == 2
    assert "history.jsonl" in ended.err
    assert "--resume" in ended.err


def test_what_the_operating_system_says_of_a_path_is_no_crash_of_ours(statewise: Any, tmp_path: Path, run: RunFiles) -> None:
    assert run.config.is_file()
    long = "x" * 300
    for words in (
        ("judge", long),
        ("evaluate", long),
        ("report", long),
        ("trace", long),
        (*FIT[:-1], long),
        ("judge", "run", "--out", f"{long}.json"),
    ):
        refused(statewise, tmp_path, words, "File name too long")
    refused(statewise, tmp_path, ("evaluate", "run", "--out", f"{long}.json"), "File name too long")


# A killed process

OFTEN = """
import sys
from statewise.cli import main
from statewise.training import _pace
_pace._SECONDS_BETWEEN = 0.0
sys.exit(main())
"""


def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_happened(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "a.ts")
    words = ("fit", "rnn", "--data", "a.ts", "--epochs", "8", "--hidden-size", "4", "--patience", "0")
    child = subprocess.Popen(
        [sys.executable, "-c", OFTEN, *words, "--out", "run"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    files = RunFiles(tmp_path / "run")
    kept = files.checkpoints / "last.safetensors"
    try:
        for _ in range(3000):
            if (kept.is_file() and files.history.read_text().count('"record":"epoch"') > 1) or child.poll() is not None:
                break
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        code = child.wait()
    assert code == -signal.SIGKILL, "it was to be killed in the middle"
    assert not files.verdict.exists()
    refused(statewise, tmp_path, ("predict", "run", "--data", "a.ts", "--out", "p.csv"), "--resume")
    assert statewise(*words, "--out", "run", "--resume").code == 0
    assert statewise(*words, "--out", "whole").code == 0
    assert files.weights.read_bytes() == RunFiles(tmp_path / "whole").weights.read_bytes()
    assert not [name for name in listing(tmp_path) if name.endswith(".part")]
