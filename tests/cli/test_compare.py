"""Does `statewise compare` say which of two is better, from files and runs, and end with the code that its answer has?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from tests.cli.conftest import CLAIMS, write_claims

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """One file with scores, and one with the labels of a better model, shuffled and without three rows."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 300)
    key = [f"k{row}" for row in range(300)]
    score = np.clip(0.5 + 0.15 * (2 * target - 1) + 0.25 * rng.normal(size=300), 0, 1)
    good = np.where(rng.random(300) < 0.02, 1 - target, target)
    a, b = tmp_path / "a.csv", tmp_path / "b.parquet"
    pl.DataFrame({"key": key, "target": target, "score": score}).write_csv(a)
    pl.DataFrame({"key": key, "target": target, "prediction": good}).tail(297).sample(fraction=1.0, shuffle=True, seed=1).write_parquet(b)
    return a, b


def test_two_files_of_other_kinds(statewise: Any, files: tuple[Path, Path], tmp_path: Path) -> None:
    ended = statewise("compare", *files, "--out", tmp_path / "c.json")
    assert ended.code == 0, ended.err
    for line in ("297 rows that both answered", "left out: 3 of A", "accuracy", "B is better", "only A has probabilities"):
        assert line in ended.out
    document = json.loads((tmp_path / "c.json").read_text())
    assert (document["schema"], document["num_shared"], document["a"]["num_only"]) == (1, 297, 3)
    assert json.loads(statewise("compare", *files, "--output-format", "json").out) == document


def test_the_exit_code_is_the_answer_to_worse_by(statewise: Any, files: tuple[Path, Path]) -> None:
    a, b = files
    assert statewise("compare", a, b, "--worse-by", "accuracy=0.01").code == 0
    worse = statewise("compare", b, a, "--worse-by", "accuracy=0.01", "recall=0.5")
    assert worse.code == 1
    assert "than 0.01 in accuracy: yes (B is " in worse.out
    gap = 0.0
    for line in worse.out.splitlines():
        if line.startswith("accuracy"):
            gap = -float(line.split()[3])
    assert statewise("compare", b, a, "--worse-by", f"accuracy={gap}").code == 3


def test_a_threshold_for_each_side(statewise: Any, files: tuple[Path, Path]) -> None:
    a, _ = files
    ended = statewise("compare", a, a, "--threshold", "0.5", "0.9", "--output-format", "json")
    assert ended.code == 0, ended.err
    recall = json.loads(ended.out)["differences"]["recall"]
    assert recall["b"] < recall["a"]
    same = json.loads(statewise("compare", a, a, "--threshold", "0.9", "--output-format", "json").out)
    assert same["num_alike"] == same["num_shared"]
    assert statewise("compare", a, a, "--positive", "0").out.count("of '0'") >= 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--worse-by", "accuracy"), "METRIC=MARGIN"),
        (("--worse-by", "accuracy=much"), "METRIC=MARGIN"),
        (("--worse-by", "acuracy=0.1"), "Did you mean 'accuracy'"),
        (("--threshold", "0.1", "0.2", "0.3"), "3 numbers"),
        (("--target", "x"), "--target"),
        (("--data", "a.csv"), "--data"),
    ],
)
def test_what_means_nothing_is_refused(statewise: Any, files: tuple[Path, Path], words: tuple[str, ...], says: str) -> None:
    ended = statewise("compare", *files, *words)
    assert ended.code == 2
    assert says in " ".join(ended.err.split())


def test_one_target_is_too_few(statewise: Any, files: tuple[Path, Path]) -> None:
    ended = statewise("compare", files[0])
    assert ended.code == 2
    assert "two of them" in " ".join(ended.err.split())


def test_runs_by_their_own_predictions_on_data_and_beside_a_file(statewise: Any, tmp_path: Path) -> None:
    claims = write_claims(tmp_path / "claims.csv", n=80)
    for name, more in (("good", ("--epochs", "12", "--lr", "0.02")), ("poor", ("--epochs", "1", "--lr", "0.0001"))):
        made = statewise("fit", "gru", "--data", claims, *CLAIMS, "--hidden-size", "4", *more, "--out", tmp_path / name)
        assert made.code == 0, made.err
    own = statewise("compare", "poor", "good", "--worse-by", "accuracy=0.2")
    assert own.code in (0, 3), own.err
    assert "rows that both answered" in own.out
    later = write_claims(tmp_path / "later.csv", n=200, seed=5)
    on_data = statewise("compare", "poor", "good", "--data", later)
    assert on_data.code == 0, on_data.err
    assert "200 rows that both answered in 100 groups" in on_data.out
    beside = statewise("compare", "poor", "good/predictions.parquet")
    assert beside.code == 0, beside.err
    assert statewise("compare", "poor", "good", "--threshold", "0.4").code == 2
    assert statewise("compare", "poor", "good", "--season", "4").code == 2
