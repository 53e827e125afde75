"""Is what a command reads, and what a run is made of, safe from --out, while an earlier output may be written again?"""

from __future__ import annotations

import os
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from statewise.cli._fit_options import SplitOptions
from tests.cli.conftest import CLAIMS, QUICK, write_claims
from tests.cli.test_bad_input import refused


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train one run for all tests of this file; each works on a copy."""
    from statewise.cli import main

    folder = tmp_path_factory.mktemp("made")
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_claims(folder / "claims.csv")
        assert main(("fit", "rnn", "--data", "claims.csv", *CLAIMS, *QUICK, "--out", "run")) == 0
        assert main(("predict", "run", "--data", "claims.csv", "--out", "mine.parquet")) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "sets").mkdir()
    write_claims(tmp_path / "sets" / "one.csv")
    (tmp_path / "link.csv").symlink_to("claims.csv")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "run", "--data", "claims.csv", "--out", "claims.csv"),
        ("predict", "run", "--data", "claims.csv", "--out", "./sets/../claims.csv"),
        ("predict", "run", "--data", "link.csv", "--out", "claims.csv"),
        ("predict", "run", "--data", "claims.csv", "--out", "link.csv"),
        ("predict", "run", "--data", "*.csv", "--out", "claims.csv"),
        ("predict", "run", "--data", "**/*.csv", "--out", "sets/one.csv"),
        ("predict", "run", "--data", "sets", "--out", "sets/one.csv"),
        ("data", "convert", "claims.csv", "claims.csv", *CLAIMS, "--force"),
        ("data", "convert", "sets/*.csv", "sets/one.csv", *CLAIMS, "--force"),
    ],
)
def test_what_is_read_is_not_written_over(statewise: Any, folder: Path, words: tuple[str, ...]) -> None:
    refused(statewise, folder, words, "which this command reads")


@pytest.mark.parametrize(
    ("words", "suffix"),
    [
        (("evaluate", "mine.parquet", "--out", "mine.parquet"), ".json"),
        (("evaluate", "run", "--data", "claims.csv", "--out", "claims.csv"), ".json"),
        (("evaluate", "--tp", "1", "--fn", "2", "--fp", "3", "--tn", "4", "--out", "claims.csv"), ".json"),
        (("judge", "mine.parquet", "--out", "mine.parquet"), ".json"),
        (("judge", "run", "--out", "claims.csv"), ".json"),
        (("report", "run", "--out", "claims.csv"), ".html"),
        (("trace", "run", "--out", "claims.csv"), ".html"),
        (("trace", "run", "--out", "run/model.safetensors"), ".html"),
        (("trace", "--demo", "--out", "claims.csv"), ".html"),
        (("predict", "run", "--data", "claims.csv", "--out", "run/config.json"), ".parquet"),
    ],
)
def test_a_name_that_does_not_fit_is_refused(statewise: Any, folder: Path, words: tuple[str, ...], suffix: str) -> None:
    refused(statewise, folder, words, "--out", suffix)


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "run", "--out", "run/config.json"),
        ("evaluate", "mine.parquet", "--out", "run/evaluation.json"),
        ("judge", "run", "--out", "run/provenance.json"),
        ("trace", "run", "--out", "run/report.html"),
        ("predict", "run", "--data", "claims.csv", "--out", "run/predictions.parquet"),
    ],
)
def test_a_part_of_a_run_is_not_written_over(statewise: Any, folder: Path, words: tuple[str, ...]) -> None:
    refused(statewise, folder, words, "a part of the run 'run'")


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "run", "--data", "claims.csv", "--out", "p.csv"),
        ("evaluate", "mine.parquet", "--out", "e.json"),
        ("report", "run", "--out", "run/report.html"),
        ("trace", "run", "--data", "sets", "--out", "sets/t.html"),
    ],
)
def test_an_earlier_output_is_written_again(statewise: Any, folder: Path, words: tuple[str, ...]) -> None:
    assert folder.is_dir()
    assert [statewise(*words).code for _ in range(2)] == [0, 0]


# Which sequence a trace is of


def test_a_sequence_that_a_run_does_not_keep_needs_its_file(statewise: Any, folder: Path) -> None:
    refused(statewise, folder, ("trace", "run", "--sequence", "a9999"), "--sequence", "'a9999'", "--data FILE")


def test_the_title_says_which_sequence_is_shown(statewise: Any, folder: Path) -> None:
    assert folder.is_dir()
    ended = statewise("trace", "run", "--data", "claims.csv", "--sequence", "a7")
    assert "sequence a7" in " ".join(ended.out.split("FROM SEQUENCE")[0].split())
    title = " ".join(statewise("trace", "run").out.split("FROM SEQUENCE")[0].split())
    kept = title.rpartition("sequence ")[2]
    assert statewise("trace", "run", "--sequence", kept).code == 0


@pytest.mark.parametrize(
    "words", [("--demo", "--sequence", "a1"), ("--demo", "--data", "claims.csv"), ("--history", "run/history.jsonl", "--sequence", "a1")]
)
def test_options_that_mean_nothing_for_what_is_traced(statewise: Any, folder: Path, words: tuple[str, ...]) -> None:
    refused(statewise, folder, ("trace", *words), "means nothing")


# Repeats in one file


def test_a_file_of_repeats_is_split_and_told_and_a_test_file_that_is_known_is_refused(statewise: Any, tmp_path: Path) -> None:
    lines = ["key,step,word,label"]
    lines += [f"s{number},{step},{'ab'[number % 2]},{['no', 'yes'][number % 2]}" for number in range(60) for step in range(3)]
    (tmp_path / "words.csv").write_text("\n".join(lines) + "\n")
    columns = ("--key", "key", "--time", "step", "--target", "label", "--categorical", "word", *QUICK)
    ended = statewise("fit", "rnn", "--data", "words.csv", *columns, "--out", "run")
    assert ended.code == 0, ended.err
    assert "9 of 9 test sequences also occur in training, number by number: repeats in the data" in ended.err
    refused(
        statewise, tmp_path, ("fit", "rnn", "--train", "words.csv", "--test", "words.csv", *columns, "--out", "other"), "trained on too"
    )


def test_what_was_trained_on_is_told_when_it_is_scored_again(statewise: Any, folder: Path) -> None:
    whole = statewise("evaluate", "run", "--data", "claims.csv")
    text = " ".join(whole.out.split())
    assert "of 60 sequences were trained on" in text
    num_seen = int(text.split(" of 60 sequences were trained on")[0].rpartition(" ")[2])
    assert 45 <= num_seen < 60, "all but the test part"
    write_claims(folder / "new.csv", seed=5)
    assert "were trained on" not in statewise("evaluate", "run", "--data", "new.csv").out


def test_a_damaged_list_of_what_was_seen_is_told(statewise: Any, folder: Path) -> None:
    (folder / "run" / "seen.json").write_text('{"schema":1,')
    refused(statewise, folder, ("evaluate", "run", "--data", "claims.csv"), "seen.json", "damaged")


# Before anything is read


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gruu", "--out", "new"), "Did you mean 'gru'?"),
        (("gru", "--lr", "-1", "--out", "new"), "lr"),
        (("gru", "--out", "run"), "it is not empty"),
        (("gru", "--out", "claims.csv"), "it is a file"),
        (("gru", "--task", "forecast", "--target", "amount", "--out", "new"), "--horizon 24"),
        (("models.py:make", "--hidden-size", "3", "--out", "new"), "--hidden-size"),
    ],
)
def test_what_needs_no_data_is_told_before_they_are_read(statewise: Any, folder: Path, words: tuple[str, ...], says: str) -> None:
    refused(statewise, folder, ("fit", *words, "--data", "no-such-file.csv"), says)


@pytest.mark.parametrize("given", ["6h", "0.25d", "360 min", "21600"])
def test_an_embargo_may_have_a_unit(given: str) -> None:
    assert SplitOptions(embargo=given)._embargo() == 21600


def test_an_embargo_of_no_known_unit_is_refused(statewise: Any, folder: Path) -> None:
    columns = [word for word in CLAIMS if word not in ("--group", "owner")]
    words = ("fit", "rnn", "--data", "claims.csv", *columns, "--by", "time", "--embargo", "6 moons", "--out", "new")
    refused(statewise, folder, words, "--embargo", "'6 moons'")
