"""Do rows become the sequences that an independent reader finds, and is everything else refused by name?"""

from __future__ import annotations

import inspect
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from statewise.errors import DataError, MissingExtraError, OptionError, StatewiseError
from statewise.sequences import Sequences, read

HEADER = "key,time,amount,label\n"


def written(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read_text(folder: Path, text: str, **options: Any) -> Sequences:
    return read(written(folder, text), **{"key": "key", "time": "time", "target": "label", **options})


def numbers(values: Any) -> list[Any]:
    """Return a tensor of the data as a list."""
    assert isinstance(values, torch.Tensor)
    listed: list[Any] = values.tolist()
    return listed


def refused(path: Path | str, **options: Any) -> str:
    """Return the message of the error, which states four facts, and leaves the folder as it was."""
    folder = Path(path).parent
    before = sorted(folder.iterdir()) if folder.is_dir() else []
    with pytest.raises(StatewiseError) as error:
        inspect.unwrap(read)(path, **options)  # as users call it, without the run-time types of the tests
    problem = error.value
    assert problem.asked == f"read {path}"
    assert all((problem.where, problem.arrived, problem.hint))
    assert problem.exit_code == 2
    assert (sorted(folder.iterdir()) if folder.is_dir() else []) == before
    return str(problem)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Return long-form rows of several keys in any order, with different times inside a key."""
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    rows = [(f"k{key}", key % 2, step) for key, length in enumerate(lengths) for step in range(length)]
    rows = draw(st.permutations(rows))
    table = pd.DataFrame(rows, columns=["key", "label", "time"])
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    table["amount"] = generator.normal(size=len(table)).astype(np.float32)
    table["kind"] = generator.choice(["red", "green", "7"], size=len(table))
    table["tag"] = generator.choice(["in", "out"], size=len(table))
    return table if len(table) > 1 else pd.concat([table, table.assign(time=9)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frames")


@settings(max_examples=50)
@given(table=frames(), suffix=st.sampled_from(["csv", "parquet"]), tags=st.booleans())
def test_rows_become_the_sequences_that_pandas_finds(folder: Path, table: pd.DataFrame, suffix: str, *, tags: bool) -> None:
    path = folder / f"data.{suffix}"
    if suffix == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    options: dict[str, Any] = {"target": "tag", "task": "tag"} if tags else {"target": "label", "task": "classify"}
    data = read(path, key="key", time="time", features=["amount", "kind"], categorical=["kind"], **options)

    groups = {str(key): rows.sort_values("time", kind="stable") for key, rows in table.groupby("key", sort=False)}
    assert data.keys == tuple(groups)
    assert data.lengths.tolist() == [len(rows) for rows in groups.values()]
    assert isinstance(data.times, torch.Tensor)
    for row, rows in enumerate(groups.values()):
        assert data.parts["x"][row][:, 0].tolist() == rows["amount"].tolist()
        assert [data.categories["kind"][code] for code in data.parts["kind"][row].tolist()] == rows["kind"].tolist()
    whole = pd.concat(groups.values())
    assert data.times.tolist() == whole["time"].tolist()
    wanted = whole["tag"].tolist() if tags else [str(rows["label"].iloc[0]) for rows in groups.values()]
    assert [(data.class_names or ())[number] for number in numbers(data.targets)] == wanted
    assert data.each == ("step" if tags else "sequence")


@settings(max_examples=25)
@given(table=frames(), seed=st.integers(0, 2**16))
def test_the_order_of_rows_in_the_file_does_not_matter_when_times_are_given(folder: Path, table: pd.DataFrame, seed: int) -> None:
    options: dict[str, Any] = {"key": "key", "time": "time", "target": "label", "categorical": ["kind"]}
    table.to_csv(folder / "a.csv", index=False)
    table.sample(frac=1, random_state=seed).to_csv(folder / "b.csv", index=False)
    one, other = read(folder / "a.csv", **options), read(folder / "b.csv", **options)
    assert sorted(one.keys or ()) == sorted(other.keys or ())
    other = other.select([(other.keys or ()).index(key) for key in one.keys or ()])
    for name, part in one.parts.items():
        assert torch.equal(part.values, other.parts[name].values)
    assert numbers(one.targets) == numbers(other.targets)
    assert (one.categories, one.class_names) == (other.categories, other.class_names)


def test_without_a_time_the_order_of_the_file_is_kept(tmp_path: Path) -> None:
    data = read_text(tmp_path, HEADER + "b,9,1,0\na,1,2,1\nb,1,3,0\n", time=None)
    assert data.keys == ("b", "a")
    assert data.feature_names == ("time", "amount")
    assert data.parts["x"].values.tolist() == [[9.0, 1.0], [1.0, 3.0], [1.0, 2.0]]
    assert data.times is None


def test_unsorted_and_equal_times_are_noted(tmp_path: Path) -> None:
    data = read_text(tmp_path, HEADER + "a,2,1,0\na,1,2,0\nb,1,3,1\nb,1,4,1\n")
    assert data.parts["x"].values.flatten().tolist() == [2.0, 1.0, 3.0, 4.0]
    assert data.notes[0] == "the rows of 1 of 2 sequences were not in the order of 'time' and were sorted by it"
    assert data.notes[1].startswith("1 rows have the same 'time' as the row before")


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (["3", "1.5"], [1.5, 3.0]),
        (["1970-01-02", "1970-01-01"], [0.0, 86400.0]),
        (["1970-01-01T00:01:00", "1970-01-01 00:00:30.25"], [30.25, 60.0]),
        (["1970-01-01T02:00:00+02:00", "1970-01-01T00:00:05Z"], [0.0, 5.0]),
        (["1970-01-01 00:02", "1970-01-01"], [0.0, 120.0]),
    ],
)
def test_times_are_numbers_or_dates(tmp_path: Path, times: list[str], seconds: list[float]) -> None:
    data = read_text(tmp_path, HEADER + "".join(f"a,{time},1,0\n" for time in times))
    assert numbers(data.times) == seconds


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (pl.Series([2, 1]).cast(pl.Date), [86400.0, 172800.0]),
        (pl.Series([1500, 0]).cast(pl.Datetime("ms")), [0.0, 1.5]),
        (pl.Series([1500, 0]).cast(pl.Datetime("ns", "Asia/Tokyo")), [0.0, 1.5e-6]),
        (pl.Series([1500, 0]).cast(pl.Duration("ms")), [0.0, 1.5]),
        (pl.Series([4, 3], dtype=pl.UInt8), [3.0, 4.0]),
    ],
)
def test_typed_times_become_seconds(tmp_path: Path, times: pl.Series, seconds: list[float]) -> None:
    path = tmp_path / "data.parquet"
    pl.DataFrame({"key": ["a", "a"], "time": times, "amount": [1, 2], "label": [True, True]}).write_parquet(path)
    data = read(path, key="key", time="time", target="label")
    assert numbers(data.times) == pytest.approx(seconds)
    assert data.parts["x"].values.flatten().tolist() == [2.0, 1.0]
    assert data.class_names == ("true",)


def test_the_target_belongs_to_sequences_unless_it_changes_inside_one(tmp_path: Path) -> None:
    constant = read_text(tmp_path, HEADER + "a,1,1,9\na,2,1,9\nb,1,1,10\n")
    assert (constant.each, constant.class_names, numbers(constant.targets)) == ("sequence", ("9", "10"), [0, 1])
    assert constant.notes == ("one target a sequence was read from 'label': it is the same in every step of each sequence",)
    changing = read_text(tmp_path, HEADER + "a,1,1,9\na,2,1,10\nb,1,1,10\n")
    assert (changing.each, numbers(changing.targets)) == ("step", [0, 1, 1])
    assert changing.notes == ("one target a step was read from 'label': it changes inside a sequence",)
    forced = read_text(tmp_path, HEADER + "a,1,1,9\na,2,1,9\nb,1,1,10\n", task="tag")
    assert (forced.each, numbers(forced.targets), forced.notes) == ("step", [0, 0, 1], ())


def test_without_a_target_there_are_no_targets(tmp_path: Path) -> None:
    data = read_text(tmp_path, "key,time,amount\na,1,1\n", target=None, class_names=["no", "yes"])
    assert (data.targets, data.each, data.class_names, len(data)) == (None, None, ("no", "yes"), 1)


def test_labels_are_the_same_from_csv_and_parquet(tmp_path: Path) -> None:
    table = pl.DataFrame({"key": [1.0, 2.0], "time": [0, 0], "amount": [1.5, 2.5], "label": [1.0, 0.0]})
    table.write_parquet(tmp_path / "data.parquet")
    data = read(tmp_path / "data.parquet", key="key", time="time", target="label")
    assert (data.keys, data.class_names) == (("1", "2"), ("0", "1"))


def test_the_classes_of_the_training_file_can_be_used(tmp_path: Path) -> None:
    text = HEADER + "a,1,1,yes\nb,1,1,yes\n"
    data = read_text(tmp_path, text, class_names=["yes", "no"])
    assert (numbers(data.targets), data.class_names) == ([0, 0], ("yes", "no"))
    told = refused(tmp_path / "data.csv", key="key", target="label", class_names=["yess", "no"])
    assert "column 'label', line 2: the label 'yes', which is none of the classes. Did you mean 'yess'?" in told
    with pytest.raises(OptionError, match=r"'yes' twice\. Give each name once"):
        read_text(tmp_path, text, class_names=["yes", "yes"])


def test_columns_without_a_number_are_categories(tmp_path: Path) -> None:
    text = "key,time,amount,label,kind,nan\na,1,1,0,b,nan\na,2,2,0,a,red\nb,1,3,1,10,blue\nb,2,3,1,9,blue\n"
    data = read_text(tmp_path, text, categorical="kind")
    assert data.categories == {"kind": ["9", "10", "a", "b"], "nan": ["blue", "nan", "red"]}
    assert data.parts["kind"].values.tolist() == [3, 2, 1, 0]
    assert data.parts["kind"].values.dtype == torch.int64
    assert data.feature_names == {"x": ("amount",)}
    assert "column 'nan' holds no number and is read as 3 categories" in data.notes


def test_categories_of_the_training_file_are_used_and_others_become_unknown(tmp_path: Path) -> None:
    text = "key,time,amount,label,kind\na,1,1,0,b\na,2,2,0,c\nb,1,3,1,3\nb,1,3,1,c\n"
    data = read_text(tmp_path, text, categories={"kind": ["b", "a"]})
    assert data.parts["kind"].values.tolist() == [0, -1, -1, -1]
    assert data.categories == {"kind": ["b", "a"]}
    assert "column 'kind': 3 rows have a category that is not known ('c', '3') and are read as unknown" in data.notes


def test_true_and_false_are_categories_in_both_formats(tmp_path: Path) -> None:
    pl.DataFrame({"key": ["a", "b"], "night": [True, False]}).write_parquet(tmp_path / "data.parquet")
    data = read(tmp_path / "data.parquet", key="key")
    assert data.categories == read(written(tmp_path, "key,night\na,true\nb,false\n"), key="key").categories == {"night": ["false", "true"]}


def test_words_alone_make_no_input_of_numbers(tmp_path: Path) -> None:
    data = read_text(tmp_path, "key,time,label,kind\na,1,0,b\na,2,0,a\n")
    assert list(data.parts) == ["kind"]


def test_several_inputs_have_their_own_names(tmp_path: Path) -> None:
    text = "key,time,u,v,w,kind,label\na,1,1,2,3,m,0\na,2,4,5,6,n,0\n"
    data = read_text(tmp_path, text, features={"left": ["v", "kind"], "right": ["w", "u"]})
    assert data.parts["left"].values.tolist() == [[2.0], [5.0]]
    assert data.parts["right"].values.tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert data.parts["kind"].values.tolist() == [0, 1]
    assert data.feature_names == {"left": ("v",), "right": ("w", "u")}
    chosen = read_text(tmp_path, text, features=["w"])
    assert (list(chosen.parts), chosen.feature_names) == (["x"], ("w",))


def test_static_columns_are_features_of_whole_sequences(tmp_path: Path) -> None:
    text = "key,time,amount,label,age,sex\nb,1,1,0,30,m\na,1,2,1,40,f\nb,2,3,0,30,m\n"
    data = read_text(tmp_path, text, static=["age", "sex"])
    assert (data.static_names, numbers(data.static)) == (["age", "sex=f", "sex=m"], [[30.0, 0.0, 1.0], [40.0, 1.0, 0.0]])
    assert data.feature_names == ("amount",)
    again = read_text(tmp_path, text, static=["age", "sex"], static_names=["age", "sex=d", "sex=m"])
    assert numbers(again.static) == [[30.0, 0.0, 1.0], [40.0, 0.0, 0.0]]
    assert "column 'sex': 1 rows have a category that is not known ('f') and are read as unknown" in again.notes
    told = refused(tmp_path / "data.csv", key="key", target="label", static=["sex", "age"], static_names=["age", "sex=f", "sex=m"])
    assert "static: sex=f, sex=m, age instead of age, sex=f, sex=m. Name the static columns of the training file" in told
    as_words = read_text(tmp_path, text, static=["age"], categorical=["age"], features=["amount"])
    assert as_words.static_names == ["age=30", "age=40"]


@pytest.mark.parametrize("static", ["age", "sex"])
def test_a_static_column_that_changes_inside_a_sequence_is_refused(tmp_path: Path, static: str) -> None:
    path = written(tmp_path, "key,time,amount,label,age,sex\nb,1,1,0,30,m\na,1,2,1,40,f\nb,2,3,0,31,f\n")
    told = refused(path, key="key", target="label", static=[static])
    assert f"column '{static}', key 'b': it changes inside the sequence:" in told
    assert "in line 2" in told
    assert "in line 4. What changes from step to step is a feature" in told


def test_groups_belong_to_sequences(tmp_path: Path) -> None:
    text = "key,time,amount,label,who\nb,1,1,0,x\na,1,2,1,y\nb,2,3,0,x\n"
    assert read_text(tmp_path, text, group="who").groups == ("x", "y")
    told = refused(written(tmp_path, text.replace("b,2,3,0,x", "b,2,3,0,z")), key="key", target="label", group="who")
    assert "column 'who', key 'b': it changes inside the sequence: x in line 2, z in line 4. A sequence belongs to one group" in told


def test_several_files_are_read_as_one(tmp_path: Path) -> None:
    written(tmp_path, HEADER + "a,1,1,0\nb,1,2,1\n", "one.csv")
    written(tmp_path, HEADER + "b,2,3,1\nc,1,4,0\n", "two.csv")
    data = read(tmp_path / "*.csv", key="key", time="time", target="label")
    assert (data.keys, data.lengths.tolist()) == (("a", "b", "c"), [1, 2, 1])
    written(tmp_path, HEADER + "b,2,3,1\nc,1,oops,0\n", "two.csv")
    assert f"column 'amount', line 3 of '{tmp_path / 'two.csv'}': the text 'oops'" in refused(tmp_path / "*.csv", key="key")
    written(tmp_path, "key,time,amount,labl\nb,2,3,1\n", "two.csv")
    assert f"file '{tmp_path / 'two.csv'}': a column 'labl' that" in refused(tmp_path / "*.csv", key="key")
    written(tmp_path, "key,time,amount\nb,2,3\n", "two.csv")
    assert "its columns are key, time, amount" in refused(tmp_path / "*.csv", key="key")


def test_a_pattern_in_the_working_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, HEADER + "a,1,1,0\nb,1,2,1\n", "one.csv")
    assert len(read("on*.csv", key="key", target="label")) == 2


def test_blank_lines_are_skipped_and_lines_still_counted_right(tmp_path: Path) -> None:
    data = read_text(tmp_path, HEADER + "\na,1,1,0\n\nb,1,2,1\n\n")
    assert len(data) == 2
    assert "3 blank lines were skipped" in data.notes
    path = written(tmp_path, 'key,time,amount,label\n\n"a\nb",1,1,0\n\nb,1,x,1\n')
    assert "column 'amount', line 6: the text 'x' among numbers (1 of 2 values are text)" in refused(path, key="key")


def test_row_numbers_that_pandas_writes_are_no_feature(tmp_path: Path) -> None:
    table = pd.DataFrame({"key": ["a", "b"], "amount": [1.0, 2.0], "label": [0, 1]})
    table.to_csv(tmp_path / "data.csv")
    data = read(tmp_path / "data.csv", key="key", target="label")
    assert data.feature_names == ("amount",)
    assert "column '' holds row numbers and was left out" in data.notes


def test_a_file_of_another_encoding_mark_and_suffix_in_capitals_is_read(tmp_path: Path) -> None:
    path = tmp_path / "DATA.CSV"
    path.write_bytes("\ufeffkey,amount,label\r\na, 1 ,0\r\nb,2,1\r\n".encode())
    assert read(path, key="key", target="label").parts["x"].values.flatten().tolist() == [1.0, 2.0]


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
    ("a,1,1,0.25\nb,1,2,1\n", "target, column 'label', line 2: the number 0.25, which has a fraction, where a class is needed. Name"),
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
    ({"task": "regress"}, "task: 'regress'. The tasks that a file is read for are 'classify' and 'tag'"),
]


@pytest.mark.parametrize(("options", "told"), BAD_OPTIONS)
def test_a_wrong_option_is_refused_with_the_nearest_name(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    path = written(tmp_path, HEADER + "a,1,1,0\na,2,1,0\nb,1,2,1\n")
    assert told in refused(path, **{"key": "key", "target": "label", **options})


def test_words_are_refused_where_numbers_must_be(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pl.DataFrame({"key": ["a", "b"], "when": [[1], [2]], "day": [0, 1], "amount": [None, 1.0]}).with_columns(
        pl.col("day").cast(pl.Date)
    ).write_parquet(path)
    assert "column 'when': values of type List(Int64). Leave it out" in refused(path, key="key", features=["when"])
    assert "column 'day': values of type Date. Leave it out with features=[...], or name it as time" in refused(
        path, key="key", features=["day"]
    )
    assert "key, column 'when': values of type List(Int64). Name a column with one value a row" in refused(path, key="when")
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
        ("text.parquet", b"key,amount\na,1\n" * 20, "no whole parquet file (parquet: File out of specification"),
        ("notes.txt", b"key\n", "the suffix '.txt'. Files that can be read end in .csv, .parquet, .ts"),
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
    assert "it is a folder. Name a file in it" in refused(tmp_path)
    shutil.copy(tmp_path / "claims.csv", tmp_path / "claims.parquet")
    assert "2 files of .csv and .parquet. Read several csv or several parquet files" in refused(tmp_path / "claims.*")


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
