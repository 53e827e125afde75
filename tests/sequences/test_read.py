"""Do rows become the sequences that an independent reader finds, and is everything else refused by name?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from statewise.errors import OptionError
from statewise.sequences import read
from tests.sequences.reading import HEADER, numbers, read_text, refused, written


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
    data = read_text(tmp_path, HEADER + "a,2,1,0\na,1,2,0\nb,1,3,1\nb,1,4,1\n", ties="keep")
    assert data.parts["x"].values.flatten().tolist() == [2.0, 1.0, 3.0, 4.0]
    assert data.notes[0] == "the rows of 1 of 2 sequences were not in the order of 'time' and were sorted by it"
    assert data.notes[1].startswith("1 row has the same 'time' as the row before")


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
    text = "key,time,amount,label,kind\na,1,1,0,b\na,2,2,0,c\nb,1,3,1,3\nb,2,3,1,c\n"
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


def test_numbers_with_a_decimal_comma_are_told_beside_the_categories_that_they_become(tmp_path: Path) -> None:
    data = read_text(tmp_path, 'key,time,label,amount\na,1,0,"3,14"\na,2,0,"-0,5"\na,3,0,none\n')
    assert "column 'amount' holds no number and is read as 3 categories; most look like numbers with a decimal comma" in "".join(data.notes)
    assert "comma" not in "".join(read_text(tmp_path, "key,time,label,kind\na,1,0,b\na,2,0,a\n").notes)


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


def test_a_column_that_tells_parts_apart_is_no_feature_unless_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("key,x,split,y\na,1,train,0\na,2,train,0\nb,3,test,1\nb,4,test,1\n", encoding="utf-8")
    data = read(file, key="key", target="y")
    assert data.feature_names == ("x",)
    assert any("column 'split' tells parts apart and was left out" in note for note in data.notes)
    assert "split" in read(file, key="key", target="y", features=["x", "split"]).parts
