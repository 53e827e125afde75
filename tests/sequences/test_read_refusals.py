"""Is every file, row, label and option that cannot be read refused by name, with nothing written?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from statewise.errors import DataError, MissingExtraError
from statewise.sequences import read
from tests.sequences.reading import HEADER, read_text, refused, written

BAD_ROWS = [
    ("a,1,1,0\nb,1,,1\n", "column 'amount', line 3: 1 of 2 values are missing, the first there. Fill them"),
    ("a,1,1,0\nb,1,nan,1\n", "column 'amount', line 3: 1 of 2 values that cannot be computed with, the first is nan. Drop or fill"),
    ("a,1,inf,0\nb,1,-inf,1\n", "column 'amount', line 2: 2 of 2 values that cannot be computed with, the first is inf"),
    ("a,1,1,0\nb,1,1e39,1\n", "column 'amount', line 3: 1 of 2 values that cannot be computed with, the first is 1e+39"),
    ("a,1,1,0\nb,1,oops,1\n", "column 'amount', line 3: the text 'oops' among numbers (1 of 2 values are text). Mend the value, or read"),
    ("a,1,,0\nb,1,,1\n", "column 'amount': no value in any row. Leave the column out"),
    ("a,1,1,0\nb,1,2,\n", "column 'label', line 3: 1 of 2 values are missing"),
    (",1,1,0\nb,1,2,1\n", "column 'key', line 2: 1 of 2 values are missing"),
    ("a,,1,0\nb,1,2,1\n", "column 'time', line 2: 1 of 2 values are missing"),
    ("a,nan,1,0\nb,1,2,1\n", "column 'time', line 2: the time nan. Drop or mend"),
    ("a,soon,1,0\nb,2024-01-01,2,1\n", "time, column 'time', line 2: 'soon', which is no date that can be read (1 of 2 values). Write"),
    (
        "a,1,1,0.25\nb,1,2,1\n",
        "target, column 'label', line 2: the number 0.25, which has a fraction, where a class is needed. To predict a number",
    ),
    ("a,1,1,0\n", "data.csv': one row only. Labelled sequences need more than one step"),
    ("", "column names (key, time, amount, label) and no row. Choose a file with one row a step"),
    ("a,1,1,0\nb,1,2,1,7\n", "data.csv', line 3: 5 values under 4 column names. Write the file as UTF-8"),
]


@pytest.mark.parametrize(("rows", "told"), BAD_ROWS)
def test_a_bad_row_is_refused_with_its_column_and_line(tmp_path: Path, rows: str, told: str) -> None:
    assert told in refused(written(tmp_path, HEADER + rows), key="key", time="time", target="label")


def test_a_label_changing_inside_a_sequence_is_refused_where_one_is_wanted(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "a,1,1,0\nb,1,1,0\nb,2,1,1\n")
    told = refused(path, key="key", time="time", target="label", task="classify")
    assert "column 'label', key 'b': it changes inside the sequence: 0 in line 3, 1 in line 4. One label a step is the task 'tag'" in told


def test_numbers_with_fractions_are_classes_when_the_caller_says_so(tmp_path: Path) -> None:
    assert read_text(tmp_path, HEADER + "a,1,1,0.25\nb,1,2,1\n", task="classify").class_names == ("0.25", "1")


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"key": None}, "key: none was named; the columns are 'key', 'time', 'amount', 'label'. Name the column"),
    ({"key": "kex"}, "key, column 'kex': no such column. Did you mean 'key'?"),
    ({"time": "tim"}, "time, column 'tim': no such column. Did you mean 'time'?"),
    ({"target": "labels"}, "target, column 'labels': no such column. Did you mean 'label'?"),
    ({"group": "person"}, "group, column 'person': no such column. There are: 'key', 'time', 'amount', 'label'"),
    ({"features": ["amout"]}, "features, column 'amout': no such column. Did you mean 'amount'?"),
    ({"features": "amout"}, "features, column 'amout': no such column"),
    ({"features": ["amount", "label"]}, "features, column 'label': it is the target. A model that reads its target"),
    ({"features": ["amount", "amount"]}, "features, column 'amount': it is read twice"),
    ({"features": []}, "features of input 'x': no column, of 'key', 'time', 'amount', 'label'. Give the file a column"),
    ({"features": {}}, "features of input 'x': no column"),
    (
        {"features": {"amount": ["time", "amount"]}, "categorical": ["amount"]},
        "features, column 'amount': it is read twice, or has the name",
    ),
    ({"categorical": ["amout"]}, "categorical, column 'amout': no such column. Did you mean 'amount'?"),
    ({"categorical": ["key"]}, "categorical, column 'key': it is no feature. Name it in features"),
    ({"static": ["ag"]}, "static, column 'ag': no such column"),
    ({"task": "regres"}, "task: 'regres'. Did you mean 'regress'?"),
]


@pytest.mark.parametrize(("options", "told"), BAD_OPTIONS)
def test_a_wrong_option_is_refused_with_the_nearest_name(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    path = written(tmp_path, HEADER + "a,1,1,0\na,2,1,0\nb,1,2,1\n")
    assert told in refused(path, **{"key": "key", "target": "label", **options})


def test_words_are_refused_where_numbers_must_be(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pl.DataFrame({"key": ["a", "b"], "when": [{"a": 1}, {"a": 2}], "day": [0, 1], "amount": [None, 1.0]}).with_columns(
        pl.col("day").cast(pl.Date)
    ).write_parquet(path)
    assert "column 'when': values of type Struct({'a': Int64}). Leave it out" in refused(path, key="key", features=["when"])
    assert "column 'day': values of type Date. Leave it out with features=[...], or name it as time" in refused(
        path, key="key", features=["day"]
    )
    assert "key, column 'when': values of type Struct({'a': Int64}). Name a column with one value a row" in refused(path, key="when")
    assert "column 'amount', row 1: 1 of 2 values are missing" in refused(path, key="key", features=["amount"])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.csv", b"", "it is empty. Choose a file with column names"),
        ("blank.csv", b"\n\n", "it is empty"),
        ("empty.parquet", b"", "it is empty"),
        ("empty.ts", b"", "it is empty. A .ts file has lines"),
        ("latin.csv", "key,amount\nk\xe4se,1\n".encode("latin-1"), "latin.csv', line 2: bytes that are not UTF-8 text"),
        ("twice.csv", b"key,amount,amount\na,1,1\n", "twice.csv', line 1: the column name 'amount' 2 times. Give each column"),
        ("quote.csv", b'key,amount\na,"1\nb,2\n', "quote.csv': no csv that can be read ("),
        ("text.parquet", b"key,amount\na,1\n" * 20, "no whole parquet file ("),
        ("notes.doc", b"key\n", "the suffix '.doc'. Files that can be read end in .csv, .tsv, .parquet"),
        ("notes", b"key\n", "no suffix. Files that can be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_path(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = refused(path) if name.endswith("ts") else refused(path, key="key")
    assert told in message
    assert str(path) in message


def test_a_parquet_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    pl.DataFrame({"key": ["a", "b"] * 500, "amount": range(1000)}).write_parquet(whole)
    for size in (100, whole.stat().st_size // 2, whole.stat().st_size - 1):
        cut.write_bytes(whole.read_bytes()[:size])
        assert "no whole parquet file" in refused(cut, key="key")


def test_a_path_that_is_not_there_is_refused_with_the_nearest_file(tmp_path: Path) -> None:
    written(tmp_path, HEADER, "claims.csv")
    assert f"claim.csv': no such file. In '{tmp_path}': Did you mean 'claims.csv'?" in refused(tmp_path / "claim.csv", key="key")
    assert f"there is no folder '{tmp_path / 'no'}'. The working folder is '{Path.cwd()}'" in refused(tmp_path / "no" / "claims.csv")
    (tmp_path / "none").mkdir()
    assert "none': no file in it that can be read. Files that can be read end in .csv" in refused(tmp_path / "none")
    shutil.copy(tmp_path / "claims.csv", tmp_path / "claims.parquet")
    assert "2 files of .csv and .parquet. Read several files of one format" in refused(tmp_path / "claims.*")


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, HEADER + "a,1,1,0\n")

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(DataError, match=r"data\.csv': Permission denied\. Choose a file that you may read"):
        read(path, key="key")


def test_a_missing_polars_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r"'polars': it is not installed\. Install it with: pip install 'statewise\[data\]'"):
        read(written(tmp_path, HEADER + "a,1,1,0\n"), key="key")


def test_a_folder_without_anything_to_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    told = refused(tmp_path / "claims.csv")
    assert told.endswith(f"no such file. No file in '{tmp_path}' is of a kind that is read.")
    written(tmp_path, HEADER, "claims.csv")
    assert refused(tmp_path / "clams.csv").endswith(f"no such file. In '{tmp_path}': Did you mean 'claims.csv'?")
