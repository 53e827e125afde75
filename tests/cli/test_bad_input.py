"""Does every bad input end with one message of four facts, exit code 2, no traceback, and nothing written?"""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from statewise.runs import RunFiles
from tests.cli.conftest import CLAIMS, QUICK, write_claims, write_ts

if TYPE_CHECKING:
    from collections.abc import Callable


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(statewise: Any, folder: Path, words: tuple[object, ...], *says: str) -> None:
    """Run a command that must be refused, and check the four facts and that no file has changed."""
    before = listing(folder)
    ended = statewise(*words)
    assert ended.code == 2, (ended.code, ended.out, ended.err)
    lines = ended.err.splitlines()
    assert lines[0].startswith("error: ")
    for name in ("  where ", "  arrived ", "  try "):
        assert any(line.startswith(name) for line in lines), ended.err
    assert "Traceback" not in ended.err
    flat = " ".join(ended.err.split())
    for text in says:
        assert text in flat, ended.err
    assert listing(folder) == before


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


FIT = ("fit", "--data", "claims.csv", *CLAIMS, *QUICK, "--out", "run")


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    return write_claims(tmp_path / "claims.csv")


def test_a_misspelt_column(statewise: Any, claims: Path) -> None:
    words = tuple("acount" if word == "account" else word for word in FIT)
    refused(statewise, claims.parent, words, "claims.csv", "'acount'", "'account'")


def test_a_column_that_is_not_there(statewise: Any, claims: Path) -> None:
    refused(statewise, claims.parent, (*FIT, "--features", "velocity"), "claims.csv", "'velocity'", "'amount'")


def test_an_empty_file(statewise: Any, claims: Path) -> None:
    claims.write_text("")
    refused(statewise, claims.parent, FIT, "claims.csv", "empty")


def test_a_file_with_a_header_alone(statewise: Any, claims: Path) -> None:
    edit(claims, lambda lines: lines[:1])
    refused(statewise, claims.parent, FIT, "claims.csv")


def test_a_file_that_is_not_there(statewise: Any, claims: Path) -> None:
    words = tuple("claim.csv" if word == "claims.csv" else word for word in FIT)
    refused(statewise, claims.parent, words, "claim.csv", "'claims.csv'")


def test_a_truncated_parquet(statewise: Any, tmp_path: Path) -> None:
    path = write_claims(tmp_path / "claims.parquet")
    path.write_bytes(path.read_bytes()[:-200])
    refused(statewise, tmp_path, tuple("claims.parquet" if word == "claims.csv" else word for word in FIT), "claims.parquet")


def test_nan_in_a_feature(statewise: Any, claims: Path) -> None:
    edit(claims, lambda lines: [*lines[:6], lines[6].replace(lines[6].split(",")[2], "NaN"), *lines[7:]])
    refused(statewise, claims.parent, FIT, "claims.csv", "'amount'", "7")


def test_text_in_a_number_column(statewise: Any, claims: Path) -> None:
    edit(claims, lambda lines: [*lines[:8], lines[8].replace(lines[8].split(",")[2], "much"), *lines[9:]])
    refused(statewise, claims.parent, FIT, "claims.csv", "'amount'", "'much'", "9")


def test_one_class_only(statewise: Any, claims: Path) -> None:
    pl.read_csv(claims).with_columns(label=pl.lit("fine")).write_csv(claims)
    refused(statewise, claims.parent, FIT, "claims.csv", "'fine'")


def test_another_number_of_features_at_evaluation(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    statewise("fit", "rnn", "--data", "A.ts", *QUICK, "--out", "run")
    edit(write_ts(tmp_path / "B.ts"), lambda lines: [line if line.startswith("@") else f"{line.split(':')[0]}:{line}" for line in lines])
    refused(statewise, tmp_path, ("evaluate", "run", "--data", "B.ts"), "B.ts", "3 features a step", "reads 2")
    pl.DataFrame({"channel_1": [1.0, 2.0], "key": ["a", "a"], "target": ["c0", "c0"]}).write_csv(tmp_path / "C.csv")
    words = ("evaluate", "run", "--data", "C.csv", "--key", "key", "--target", "target")
    refused(statewise, tmp_path, words, "C.csv", "'channel_2'", "'channel_1'")


def test_a_label_that_training_never_saw(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    statewise("fit", "rnn", "--data", "A.ts", *QUICK, "--out", "run")
    write_ts(tmp_path / "B.ts", classes=4)
    refused(statewise, tmp_path, ("evaluate", "run", "--data", "B.ts"), "B.ts", "'c3'")


def test_a_folder_that_cannot_be_written(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    (tmp_path / "taken").write_text("a file where a folder is wanted")
    refused(statewise, tmp_path, ("fit", "rnn", "--data", "A.ts", *QUICK, "--out", "taken/run"), "taken/run", "--out")


def test_a_folder_that_is_not_empty(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    refused(statewise, tmp_path, ("fit", "rnn", "--data", "A.ts", *QUICK, "--out", "."), "not empty", "--resume")


@pytest.mark.parametrize("cut", [0, 20, 5000])
def test_a_damaged_checkpoint(statewise: Any, tmp_path: Path, cut: int) -> None:
    write_ts(tmp_path / "A.ts")
    words = ("fit", "rnn", "--data", "A.ts", *QUICK, "--out", "run")
    statewise(*words)
    path = RunFiles(tmp_path / "run").checkpoints / "last.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    refused(statewise, tmp_path, (*words, "--resume"), "last.safetensors", "damaged")


def test_damaged_weights(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    statewise("fit", "rnn", "--data", "A.ts", *QUICK, "--out", "run")
    path = RunFiles(tmp_path / "run").weights
    path.write_bytes(path.read_bytes()[:-1])
    refused(statewise, tmp_path, ("predict", "run", "--data", "A.ts", "--out", "p.csv"), "model.safetensors", "damaged")


@pytest.mark.parametrize(
    ("package", "extra", "words"),
    [
        ("polars", "data", FIT),
        ("torchmetrics", "metrics", ("evaluate", "p.csv")),
        ("jinja2", "report", ("report", "run")),
    ],
)
def test_a_missing_extra(
    statewise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, extra: str, words: tuple[str, ...]
) -> None:
    write_ts(tmp_path / "A.ts")
    write_claims(tmp_path / "claims.csv")
    (tmp_path / "p.csv").write_text("key,target,prediction\na,yes,no\nb,no,no\n")
    statewise("fit", "rnn", "--data", "A.ts", *QUICK, "--out", "run")
    if words == FIT:
        words = (*FIT[:-1], "other")
    load: Any = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == package:
            raise ImportError(f"No module named {name!r}")
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    refused(statewise, tmp_path, words, package, f"pip install 'statewise[{extra}]'")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("fot",), "'fit'"),
        (("fit",), "--data FILE"),
        (("fit", "lstn", "--data", "A.ts"), "'lstn'"),
        (("fit", "--data", "A.ts", "--epochs", "many"), "many"),
        (("fit", "--data", "A.ts", "--epochs", "0"), "epochs"),
        (("fit", "--data", "A.ts", "--epoch", "3"), "--epoch"),
        (("fit", "--data", "A.ts", "--train", "A.ts"), "both"),
        (("fit", "--data", "A.ts", "--test", "A.ts"), "--train"),
        (("judge",), "the target"),
        (("judge", "nowhere"), "no such file or folder"),
        (("judge", "--tp", "1"), "--fn"),
        (("judge", "A.ts", "--tp", "1", "--fn", "1", "--fp", "1", "--tn", "1"), "both"),
        (("judge", "--tp", "1", "--fn", "-1", "--fp", "1", "--tn", "1"), "fn"),
        (("judge", "--tp", "1", "--fn", "1", "--fp", "1", "--tn", "1", "--policy", "defalt"), "default"),
        (("evaluate", "A.ts"), "A.ts"),
        (("evaluate", "."), "config.json"),
        (("predict", "nowhere", "--data", "A.ts", "--out", "p.csv"), "nowhere"),
        (("predict", "nowhere", "--data", "A.ts", "--out", "p.doc"), "p.doc"),
        (("trace",), "--demo"),
        (("trace", "--demo", "--history", "h.csv"), "--demo"),
        (("trace", "--history", "h.csv"), "h.csv"),
        (("trace", "A.ts"), "A.ts"),
        (("trace", "models.py:make"), "models.py"),
        (("report", "A.ts"), "A.ts"),
        (("fit", "models.py:make", "--data", "A.ts", "--dropout", "0.5"), "--dropout"),
        (("evaluate", "A.ts", "--data", "A.ts"), "--data"),
        (("evaluate", "A.ts", "--key", "k"), "--key"),
        (("doctor", "--output-format", "pdf"), "pdf"),
    ],
)
def test_wrong_usage(statewise: Any, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    write_ts(tmp_path / "A.ts")
    refused(statewise, tmp_path, words, says)


def test_a_test_part_that_was_trained_on(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    refused(statewise, tmp_path, ("fit", "rnn", "--train", "A.ts", "--test", "A.ts", *QUICK, "--out", "run"), "A.ts", "trained on too")


def test_counts_that_are_none(statewise: Any, tmp_path: Path) -> None:
    rest = ("--fn", "1", "--fp", "1", "--tn", "1")
    refused(statewise, tmp_path, ("evaluate", "--tp", "1.5", *rest), "1.5", "whole number")
    refused(statewise, tmp_path, ("judge", "--tp", "9" * 20, *rest), "tp", "at most")


def test_the_runs_own_training_part_is_scored_with_a_note(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    write_ts(tmp_path / "V.ts", seed=2)
    statewise("fit", "rnn", "--train", "A.ts", "--valid", "V.ts", *QUICK, "--out", "run")
    ended = statewise("evaluate", "run", "--data", "A.ts")
    assert "own train part" in " ".join(ended.out.split())
    assert not RunFiles(tmp_path / "run").evaluation.exists()


@pytest.mark.parametrize(
    "words",
    [
        *(
            (*FIT, option, value)
            for option, value in (("--window", "1.5"), ("--lanes", "3.9"), ("--seed", "0.5"), ("--num-layers", "1.55e1"))
        ),
        ("predict", "run", "--steps", "2.5"),
        ("judge", "claims.csv", "--season", "nan"),
        ("data", "convert", "claims.csv", "out.csv", "--max-steps", "2.5"),
    ],
)
def test_a_fraction_for_a_whole_number(statewise: Any, claims: Path, words: tuple[str, ...]) -> None:
    refused(statewise, claims.parent, words, f"where {words[-2]} arrived {words[-1]} try Give a whole number.")


def test_a_fraction_for_a_whole_number_among_the_options_of_a_project(statewise: Any, claims: Path) -> None:
    project = claims.parent / "pyproject.toml"
    project.write_text("[tool.statewise.fit]\nepochs = 2.5\n")
    refused(statewise, claims.parent, (*FIT[:3], *CLAIMS, "--out", "run"), "--epochs", "2.5", "Give a whole number.")
    project.write_text("[tool.statewise.fit]\nnum-layers = 1.0\n")
    assert statewise(*FIT).code == 0
