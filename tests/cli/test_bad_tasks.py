"""Is a task that the data or the options cannot have told before anything is trained?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.cli.conftest import write_claims
from tests.cli.test_bad_input import refused

LITTLE = ("--epochs", "1", "--hidden-size", "4", "--out", "run")
IN_ORDER = ("--key", "account", "--time", "day")
FEATURES = ("--features", "amount", "--features", "age")
CLASSIFY = (*IN_ORDER, *FEATURES, "--target", "label")
FORECAST = (*IN_ORDER, *FEATURES, "--target", "amount", "--task", "forecast")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a table of accounts and texts of several lengths."""
    frame = pl.read_csv(write_claims(tmp_path / "claims.csv"))
    numbers = pl.int_range(pl.len())
    frame.with_columns(two=numbers % 2, three=numbers % 3).write_csv(tmp_path / "claims.csv")
    for name, text in {"none": "", "one": "a", "two": "ab", "same": "a" * 500, "text": "to be or not " * 40}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (FORECAST, "horizon=24"),
        ((*FORECAST, "--horizon", "0"), "from 1 up"),
        ((*FORECAST, "--horizon", "5"), "the longest sequence of claims.csv has 5 steps"),
        ((*FORECAST, "--horizon", "1000000000"), "less than 5 steps"),
        ((*FORECAST, "--horizon", "1", "--known", "day"), "'day'"),
        ((*FORECAST, "--horizon", "1", "--known", "wind"), "'wind'"),
        ((*FORECAST, "--horizon", "1", "--season", "0"), "season"),
        ((*FORECAST, "--horizon", "1", "--bidirectional"), "read backwards"),
        ((*CLASSIFY, "--horizon", "3"), "horizon"),
        ((*CLASSIFY, "--known", "age"), "'forecast'"),
        ((*CLASSIFY, "--max-steps", "0"), "max_steps"),
    ],
)
def test_a_forecast_that_cannot_be_made(statewise: Any, folder: Path, options: tuple[str, ...], says: str) -> None:
    refused(statewise, folder, ("fit", "rnn", "--data", "claims.csv", *options, *LITTLE), says)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (("--target", "two", "three", "--task", "multilabel"), "'three', line 4 arrived the value '2'"),
        (("--target", "label", "shop", "--task", "multilabel"), "0 and 1"),
        (("--target", "two", "--task", "multilabel"), "leave task='multilabel'"),
        (("--target", "label", "--task", "regress"), "words"),
        (("--target", "amount", "--task", "classify"), "it is the target"),
    ],
)
def test_targets_of_another_task(statewise: Any, folder: Path, columns: tuple[str, ...], says: str) -> None:
    refused(statewise, folder, ("fit", "rnn", "--data", "claims.csv", *IN_ORDER, *FEATURES, *columns, *LITTLE), says)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none", "at least two characters"),
        ("one", "a file of its own"),
        ("two", "a file of its own"),
        ("same", "a file of its own"),
        ("text", "a file of its own"),
    ],
)
def test_one_text_alone_has_no_parts(statewise: Any, folder: Path, name: str, says: str) -> None:
    refused(statewise, folder, ("fit", "rnn", "--data", f"{name}.txt", "--task", "next", *LITTLE), says)


def test_a_single_character_has_no_next_one(statewise: Any, folder: Path) -> None:
    words = ("fit", "rnn", "--train", "one.txt", "--valid", "text.txt", "--task", "next", *LITTLE)
    refused(statewise, folder, words, "one.txt")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--key", "account", *FEATURES, "--target", "label", "--by", "time"), "--time"),
        ((*CLASSIFY, "--embargo", "2"), "by='time'"),
        ((*CLASSIFY, "--warm-up", "2"), "by='time'"),
        ((*CLASSIFY, "--by", "time", "--embargo", "-2"), "0 or more"),
        ((*CLASSIFY, "--by", "time", "--embargo", "nan"), "0 or more"),
        ((*CLASSIFY, "--by", "group"), "--group"),
        ((*CLASSIFY, "--by", "day"), "day"),
        ((*CLASSIFY, "--seed", "-1"), "seed"),
        ((*CLASSIFY, "--seed", "9" * 30), "seed"),
        ((*CLASSIFY, "--positive", "fruad"), "Did you mean 'fraud'?"),
        ((*IN_ORDER, *FEATURES, "--target", "two", "--task", "regress", "--positive", "1"), "--positive"),
        ((*CLASSIFY, "--lr", "nan"), "lr"),
        ((*CLASSIFY, "--device", "abacus"), "device"),
        ((*CLASSIFY, "--hidden-size", "4000000000"), "memory"),
    ],
)
def test_a_cut_or_an_option_that_cannot_be(statewise: Any, folder: Path, options: tuple[str, ...], says: str) -> None:
    words = ("fit", "rnn", "--data", "claims.csv", "--epochs", "1", "--out", "run", *options)
    refused(statewise, folder, words if "--hidden-size" in options else (*words, "--hidden-size", "4"), says)


def test_a_train_and_a_valid_part_need_a_seed_that_can_be_too(statewise: Any, folder: Path) -> None:
    words = ("fit", "rnn", "--train", "claims.csv", "--valid", "claims.csv", *CLASSIFY, *LITTLE, "--seed", "9" * 30)
    refused(statewise, folder, words, "seed")


def test_words_are_refused_as_values_to_forecast(statewise: Any, folder: Path) -> None:
    words = (*IN_ORDER, *FEATURES, "--target", "label", "--task", "forecast", "--horizon", "1")
    refused(statewise, folder, ("fit", "rnn", "--data", "claims.csv", *words, *LITTLE), "words")


def test_a_text_to_go_on_with_needs_a_run_of_next(statewise: Any, folder: Path) -> None:
    assert statewise("fit", "rnn", "--data", "claims.csv", *CLASSIFY, *LITTLE).code == 0
    refused(statewise, folder, ("predict", "run", "--prompt", "to be"), "'classify'", "next token")
    refused(statewise, folder, ("predict", "run", "--prompt", "to be", "--data", "claims.csv"), "--data")
    refused(statewise, folder, ("predict", "run"), "--prompt")


def test_a_text_that_training_never_saw_is_told_before_anything_is_printed(statewise: Any, folder: Path) -> None:
    words = ("fit", "rnn", "--train", "text.txt", "--valid", "text.txt", "--task", "next", *LITTLE)
    assert statewise(*words).code == 0
    for options in (("--prompt", "to", "--temperature", "-1"), ("--prompt", "to", "--steps", "-1"), ("--prompt", "")):
        refused(statewise, folder, ("predict", "run", *options))
    ended = statewise("predict", "run", "--prompt", "to be", "--steps", "7", "--seed", "1")
    assert ended.code == 0
    assert len(ended.out.rstrip("\n")) == len("to be") + 7
