"""Does the same data become the same sequences, whatever it is kept in?"""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from statewise.sequences import FILE_NAME, FOLDER_NAME, Sequences, column_names, read
from statewise.sequences._loading import _LOADERS
from tests.sequences.reading import numbers, refused, refused_data, written

OPTIONS: dict[str, Any] = {"key": "key", "time": "time", "target": "label", "group": "who", "categorical": ["kind"], "static": ["age"]}


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    """Return a table of steps in which each key has at least one, in order."""
    lengths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    keys = np.repeat(np.arange(len(lengths)), lengths)
    return pl.DataFrame(
        {
            "key": [f"k{key}" for key in keys],
            "time": np.concatenate([np.arange(length, dtype=np.float64) for length in lengths]),
            "amount": generator.normal(size=len(keys)).astype(np.float32).astype(np.float64),
            "kind": generator.choice(["red", "green"], size=len(keys)),
            "label": [("no", "yes")[key % 2] for key in keys],
            "who": [f"w{key // 2}" for key in keys],
            "age": (keys + 20).astype(np.float64),
        }
    )


def in_lists(table: pl.DataFrame) -> pl.DataFrame:
    """Return the same table with a sequence a row."""
    each = pl.col("label", "who", "age").first()
    return table.group_by("key", maintain_order=True).agg(pl.col("time", "amount", "kind"), each)


def same(one: Sequences, other: Sequences) -> bool:
    """Tell whether two sets hold the same, but for where they come from."""
    assert one.parts.keys() == other.parts.keys()
    parts = all(torch.equal(part.values, other.parts[name].values) for name, part in one.parts.items())
    tensors = all(numbers(getattr(one, name)) == numbers(getattr(other, name)) for name in ("targets", "times", "static", "lengths"))
    names = ("keys", "groups", "class_names", "categories", "feature_names", "static_names", "each", "task")
    return parts and tensors and all(getattr(one, name) == getattr(other, name) for name in names)


WRITERS: dict[str, Any] = {
    "a.csv": lambda table, path: table.write_csv(path),
    "b.tsv": lambda table, path: table.write_csv(path, separator="\t"),
    "c.csv": lambda table, path: table.write_csv(path, separator=";"),
    "d.csv.gz": lambda table, path: path.write_bytes(gzip.compress(table.write_csv().encode())),
    "e.csv.xz": lambda table, path: path.write_bytes(lzma.compress(table.write_csv().encode())),
    "f.jsonl.bz2": lambda table, path: path.write_bytes(bz2.compress(table.write_ndjson().encode())),
    "g.jsonl": lambda table, path: table.write_ndjson(path),
    "h.ndjson": lambda table, path: in_lists(table).write_ndjson(path),
    "i.parquet": lambda table, path: table.write_parquet(path),
    "j.parquet": lambda table, path: in_lists(table).write_parquet(path),
    "k.arrow": lambda table, path: table.write_ipc(path),
    "l.arrow": lambda table, path: table.write_ipc_stream(path),
    "m.feather": lambda table, path: in_lists(table).write_ipc(path),
    "n.ipc": lambda table, path: table.with_columns(pl.col("kind", "who").cast(pl.Categorical)).write_ipc(path),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@settings(max_examples=12)
@given(table=tables())
def test_every_format_gives_the_same_sequences(folder: Path, table: pl.DataFrame) -> None:
    wanted = read(table, **OPTIONS)
    for name, write in WRITERS.items():
        write(table, folder / name)
        assert same(read(folder / name, **OPTIONS), wanted), name


@settings(max_examples=12)
@given(table=tables())
def test_every_frame_in_memory_gives_the_same_sequences(table: pl.DataFrame) -> None:
    wanted = read(table, **OPTIONS)
    frame = pd.DataFrame(table.to_dict(as_series=False))
    structured = np.array([tuple(row) for row in table.rows()], dtype=[(name, _dtype(table[name])) for name in table.columns])
    frames = {
        "lazy": table.lazy(),
        "pandas": frame,
        "pandas of categories": frame.astype({"kind": "category", "who": "string", "amount": "Float64"}),
        "pandas with an index": frame.set_index(["key", "time"]),
        "dict of lists": table.to_dict(as_series=False),
        "dict of arrays": {name: table[name].to_numpy() for name in table.columns},
        "dict of tensors": {**table.to_dict(as_series=False), "amount": torch.tensor(table["amount"].to_list())},
        "arrow": pa.table(table.to_dict(as_series=False)),
        "structured array": structured,
        "frame of lists": in_lists(table),
    }
    for name, each in frames.items():
        assert same(read(each, **OPTIONS), wanted), name


def _dtype(column: pl.Series) -> Any:
    return "U8" if column.dtype == pl.String else np.float64


def test_pandas_dates_and_gaps_are_read_as_dates_and_gaps() -> None:
    times = pd.to_datetime(["2024-01-01 00:00", "2024-01-01 01:00"])
    frame = pd.DataFrame({"key": ["a", "a"], "x": pd.array([1.5, None], dtype="Float64")})
    for zone, shift in (("UTC", 0), ("Asia/Tokyo", -9 * 3600)):
        data = read(frame.assign(when=times.tz_localize(zone)), key="key", time="when", missing="mean")
        assert numbers(data.times) == [1704067200 + shift, 1704070800 + shift]
        assert data.parts["x"].values.isnan().flatten().tolist() == [False, True]
    assert "1 of 2 values are missing" in refused_data(frame, key="key")


def test_arrow_and_numpy_dates_are_times() -> None:
    when = np.array(["2024-01-01T00:00", "2024-01-01T01:00"], dtype="datetime64[m]")
    for data in (read({"key": ["a", "a"], "t": when, "x": [1, 2]}, key="key", time="t"), read({"values": np.ones((2, 1)), "times": when})):
        assert numbers(data.times) == [1704067200, 1704070800]


def test_an_array_of_two_axes_is_one_sequence_whose_columns_the_features_name() -> None:
    array = np.arange(12.0).reshape(4, 3)
    data = read(array, features=["a", "b", "c"], time="a", target="c", task="regress")
    assert (data.keys, data.feature_names, data.parts["x"].values.tolist()) == (("1",), ("b",), [[1.0], [4.0], [7.0], [10.0]])
    assert numbers(data.targets) == [2.0, 5.0, 8.0, 11.0]
    assert read(array[:, 0]).feature_names == ("feature_1",)


def test_lists_inside_lists_are_the_features_of_a_step(tmp_path: Path) -> None:
    lines = '{"id": 1, "x": [[1, 2], [3, 4]], "y": "a"}\n{"id": 2, "x": [], "y": "b"}\n{"id": 3, "x": [[5, 6.5]], "y": "a"}\n'
    data = read(written(tmp_path, lines, "a.jsonl"), key="id", target="y")
    assert (data.feature_names, data.lengths.tolist(), data.parts["x"].values.tolist()) == (
        ("x_1", "x_2"),
        [2, 0, 1],
        [[1, 2], [3, 4], [5, 6.5]],
    )
    assert (numbers(data.targets), data.keys) == ([0, 1, 0], ("1", "2", "3"))
    assert "1 of 3 sequences have no steps: no loss and no prediction comes of them" in data.notes
    chosen = read(tmp_path / "a.jsonl", key="id", target="y", features=["x_2"])
    assert chosen.parts["x"].values.flatten().tolist() == [2, 4, 6.5]
    fixed = pl.DataFrame({"x": [[[1.0, 2.0]], [[3.0, 4.0]]]}, schema={"x": pl.Array(pl.Array(pl.Float32, 2), 1)})
    assert read(fixed).parts["x"].values.tolist() == [[1, 2], [3, 4]]


BAD_LINES = [
    ('{"k": 1, "x": [1, 2], "y": [1]}\n', "column 'y', line 1: a list of 1 values, but 'x' has one of 2. The lists of a row"),
    ('{"k": 1, "x": [[1], [2, 3]]}\n', "column 'x', line 1, step 2: a step of 2 numbers, but the first has 1"),
    ('{"k": 1, "x": [1]}\n{"k": 2, "x": 1}\n', "line 2, 'x': a single value where other lines have a list"),
    ('{"k": 1, "x": {"a": 1}}\n', "line 1, 'x': an object inside the object"),
    ('{"k": 1, "x": [{"a": 1}]}\n', "line 1, 'x': an object inside a list"),
    ('{"k": 1, "x": [["a"]]}\n', "line 1, 'x': a list inside a list that holds other than numbers"),
    ('{"k": 1, "x": [1, [2]]}\n', "line 1, 'x': lists and single values in one list"),
    ('{"k": 1, "x": [1], "k": 2}\n', "line 1: the name 'k' 2 times"),
    ('{"k": 1, "x": [1]}\n{"k": 1, "x": [2]}\n', "key, column 'k', line 2: the key '1' a second time. A row is a whole sequence here"),
    ('{"k": 1, "x": [[]]}\n{"k": 2, "x": []}\n', "features of input 'x': no column"),
    ('{"k": 1, "x": 1}\n[1, 2]\n', "line 2: a list, no JSON object. Write one object a line"),
    ('{"k": 1, "x": 1}\n{"k": 2,\n', "line 2: no JSON object ("),
    ("\n", "a.jsonl': it is empty"),
]


@pytest.mark.parametrize(("lines", "told"), BAD_LINES)
def test_a_bad_line_of_json_is_refused_with_its_number(tmp_path: Path, lines: str, told: str) -> None:
    assert told in refused(written(tmp_path, lines, "a.jsonl"), key="k")


def test_what_other_programs_write_as_json_is_read(tmp_path: Path) -> None:
    lines = '\ufeff{"k": "a", "x": NaN, "n": 1, "w": 1}\n{"k": "a", "x": 2, "n": 1' + "0" * 26 + ', "w": "b"}\n'
    lines += '{"k": "b", "x": 3, "n": 4}\n\n'
    data = read(written(tmp_path, lines, "a.jsonl"), key="k", missing="mean", categorical=["w"])
    assert data.parts["x"].values[:, 1].tolist() == [1.0, pytest.approx(1e26), 4.0]
    assert data.parts["x"].values[:, 0].isnan().tolist() == [True, False, False]
    assert data.parts["w"].values.tolist() == [0, 1, -1]


@pytest.mark.parametrize("content", ["{}".encode("utf-16"), b'{"k": "\xff"}'])
def test_json_of_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert "a.jsonl', line 1: bytes that are not UTF-8 text (" in refused(path, key="k")


def test_files_of_a_folder_and_of_folders_in_it_are_found(tmp_path: Path) -> None:
    for name, amount in (("walk/ann", 1), ("walk/bob", 2), ("run/ann", 3)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        written(tmp_path, f"t,amount\n1,{amount}\n2,{amount}\n", f"{name}.csv")
    written(tmp_path / "walk", "about these files", "README.md")
    written(tmp_path / "walk", "about these files", "notes.txt")
    written(tmp_path / "walk", "t,amount\n1,9\n", ".hidden.csv")
    one = read(tmp_path / "walk", key=FILE_NAME, time="t")
    assert (one.keys, one.parts["x"].values.flatten().tolist()) == (("ann", "bob"), [1, 1, 2, 2])
    every = read(tmp_path / "**" / "*.csv", key="<file>", time="t", target=FOLDER_NAME, group="<folder>")
    assert (every.keys, every.groups) == (("run/ann", "walk/ann", "walk/bob"), ("run", "walk", "walk"))
    assert (every.class_names, numbers(every.targets)) == (("run", "walk"), [0, 1, 1])
    streams = read(tmp_path / "walk", time="t", target="amount", task="forecast")
    assert streams.keys == ("ann", "bob")
    assert "the data lies in memory, in no file" in refused_data({"x": [1]}, key=FILE_NAME)
    assert "'**x" in refused(tmp_path / "**x" / "a.csv").replace(str(tmp_path) + "/", "'")


def test_two_files_of_one_name_in_one_folder_have_their_whole_names_as_keys(tmp_path: Path) -> None:
    written(tmp_path, "t,amount\n1,1\n", "a.csv")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"t,amount\n1,2\n"))
    assert read(tmp_path, key=FILE_NAME).keys == (str(tmp_path / "a.csv"), str(tmp_path / "a.csv.gz"))


def test_the_names_of_columns_can_be_asked_for(tmp_path: Path) -> None:
    written(tmp_path, "k,x\n1,2\n", "a.csv")
    assert column_names(tmp_path / "*.csv", asked="look") == ["k", "x"]
    np.savez(tmp_path / "a.npz", values=np.ones(3), targets=np.ones(3))
    assert column_names(tmp_path / "a.npz", asked="look") == ["values", "targets"]
    assert column_names(written(tmp_path, "no zip", "b.npz"), asked="look") is None
    assert column_names(written(tmp_path, "@data", "a.ts"), asked="look") is None


def test_a_number_too_large_for_any_type_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, '{"k": 1, "x": 1' + "0" * 400 + "}\n", "a.jsonl")
    assert "column 'x', line 1: 1 of 1 values that cannot be computed with, the first is inf" in refused(path, key="k")


def test_a_missing_pyarrow_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl.DataFrame({"k": [1], "x": [1]}).write_parquet(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "'pyarrow': it is not installed. Install it with: pip install 'statewise[data]'" in refused(tmp_path / "a.parquet", key="k")


def test_a_panic_of_the_library_is_told_as_a_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(*_: object) -> None:
        raise pl.exceptions.PanicException("out of range")

    monkeypatch.setitem(_LOADERS, "csv", panic)
    assert "values that cannot be read (out of range). It may be damaged" in refused(written(tmp_path, "k,x\n1,1\n"), key="k")


def test_files_whose_columns_do_not_go_together_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"k": ["a"], "x": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"k": ["b"], "x": [["1"]]}).write_parquet(tmp_path / "b.parquet")
    told = refused(tmp_path / "*.parquet", key="k")
    assert f"file '{tmp_path / 'b.parquet'}', column 'x': values of type List(String), but Int64 in" in told


def test_a_text_is_a_sequence_of_characters(tmp_path: Path) -> None:
    path = tmp_path / "play.txt"
    path.write_bytes("\ufeffab\r\nba ".encode())
    data = read(path, task="next")
    assert (data.keys, data.task, data.class_names) == (("play",), "next", ("\n", " ", "a", "b", "<unknown>"))
    assert "".join((data.class_names or ())[code] for code in numbers(data.targets)) == "ab\nba "
    assert torch.equal(data.parts["character"].values, torch.tensor(numbers(data.targets)))
    written(tmp_path, "bZ", "more.txt")
    later = read(tmp_path / "more.txt", task="next", class_names=data.class_names, categories=data.categories, features=["character"])
    assert (later.parts["character"].values.tolist(), numbers(later.targets), later.weights) == ([3, -1], [3, 4], None)
    assert later.notes == ("1 of 2 tokens are not known and are read as unknown",)
    closed = read(tmp_path / "more.txt", task="next", class_names=["a", "b"])
    assert (numbers(closed.weights), closed.notes) == ([1.0, 0.0], ("1 of 2 tokens are not known and are not scored",))
    assert read(tmp_path, task="next").keys == ("more", "play")
    assert "play.txt': a text, and no task that a text is for. Say task='next'" in refused(path)
    assert "key='k'. A text has no columns" in refused(path, task="next", key="k")
    path.write_bytes(b"\xff\xfea")
    assert "bytes that are not UTF-8 text (invalid start byte at byte 0)" in refused(path, task="next")
    path.write_bytes(b"")
    assert "it is empty" in refused(path, task="next")


@pytest.mark.parametrize(
    ("data", "options", "told"),
    [
        (3, {}, "the data: an int. Give a path, a polars or pandas frame"),
        ({"x": [1], "y": [1, 2]}, {"key": "x"}, "columns that cannot be read together ("),
        ({}, {"key": "k"}, "no column and no row. Give one row a step"),
        (pl.DataFrame({"k": []}), {"key": "k"}, "column names (k) and no row"),
        (np.array(["a"]), {}, "an array of <U1 with shape (1,). Give numbers [steps, feature]"),
        (np.ones((2, 2)), {"features": ["a"]}, "features: 1 names for 2 columns. Name each column of the array"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), {"key": "a"}, "the frame: the column name 'a' twice"),
        (pl.DataFrame({"k": [1, 2], "x": [1, 2]}), {}, "key: none was named; the columns are 'k', 'x'"),
        (pl.DataFrame({"k": [1], "x": [1]}), {"key": "k", "target": "x"}, "the data in memory: one row only"),
        (pl.DataFrame({"k": [1], "x": [[[["a"]]]]}), {"key": "k"}, "column 'x': lists of List(List(String))"),
    ],
)
def test_data_in_memory_that_cannot_be_read_is_refused(data: Any, options: dict[str, Any], told: str) -> None:
    assert told in refused_data(data, **options)
