"""Is imperfect data refused, or used as the options say, with a note that tells how much of it there was?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.sequences import Sequences, fit_statistics, read
from tests.sequences.reading import HEADER, numbers, read_text, refused, refused_data, written

if TYPE_CHECKING:
    from pathlib import Path

HOLES = "key,time,amount,load,kind,label\na,1,1,5,x,0\na,2,,NA,,0\nb,1,inf,7,y,1\nb,2,3,?,x,1\n"


def lines(data: Sequences, name: str = "x") -> list[list[float | None]]:
    """Return the numbers of an input, None for those that are missing."""
    return [[None if math.isnan(value) else value for value in row] for row in data.parts[name].values.tolist()]


def test_missing_numbers_are_refused_with_what_to_say_instead(tmp_path: Path) -> None:
    told = refused(written(tmp_path, HOLES), key="key", time="time", target="label")
    assert "column 'amount', line 3: 1 of 4 values are missing, the first there. Fill them" in told
    assert "Or read them as missing with missing='mean' or 'indicator' (--missing)." in told
    told = refused(tmp_path / "data.csv", key="key", time="time", target="label", features=["kind"])
    assert "column 'kind', line 3: 1 of 4 values are missing" in told
    assert "Or read them as unknown with missing='mean' (--missing)." in told


def test_missing_numbers_are_left_for_the_model_to_fill_and_counted(tmp_path: Path) -> None:
    data = read_text(tmp_path, HOLES, missing="mean")
    assert lines(data) == [[1, 5], [None, None], [None, 7], [3, None]]
    assert (data.missing, data.parts["kind"].values.tolist()) == ("mean", [0, -1, 1, 0])
    assert "column 'amount': 2 of 4 values are missing and are read as the mean of the training part" in data.notes
    assert "column 'load': 2 of 4 values are missing and are read as the mean of the training part" in data.notes
    assert "column 'kind': 1 of 4 values are missing and are read as unknown" in data.notes
    assert fit_statistics(data).inputs["x"].mean == (2.0, 6.0)
    assert read_text(tmp_path, HEADER + "a,1,1,0\nb,1,2,1\n").missing == "error"


def test_indicators_say_where_a_number_was_missing(tmp_path: Path) -> None:
    data = read_text(tmp_path, HOLES, missing="indicator", categorical=["load"])
    assert data.feature_names == {"x": ("amount", "amount_missing")}
    assert lines(data) == [[1, 0], [None, 1], [None, 1], [3, 0]]
    several = read_text(tmp_path, HOLES, missing="indicator", features={"p": ["load"], "q": ["amount"]})
    assert several.feature_names == {"p": ("load", "load_missing"), "q": ("amount", "amount_missing")}
    assert lines(several, "p") == [[5, 0], [None, 1], [7, 0], [None, 1]]


def test_a_later_file_has_the_indicators_of_the_training_file(tmp_path: Path) -> None:
    whole = HEADER + "a,1,1,0\nb,1,2,1\n"
    later = read_text(tmp_path, whole, missing="indicator", features=["amount", "amount_missing"])
    assert (later.feature_names, lines(later)) == (("amount", "amount_missing"), [[1, 0], [2, 0]])
    without = read_text(tmp_path, HOLES, missing="indicator", features=["amount", "load", "load_missing"])
    assert without.feature_names == ("amount", "load", "load_missing")
    path = written(tmp_path, "@classLabel false\n@data\n1,?:3,4\n", "a.ts")
    assert lines(read(path, missing="indicator")) == [[1, 3, 0], [None, 4, 1]]
    assert lines(read(path, missing="indicator", features=["channel_2", "channel_2_missing"])) == [[3, 0], [4, 0]]


def test_a_column_that_is_made_must_not_have_the_name_of_another() -> None:
    table = {"k": [1, 1], "t": [1, 2], "x": [1, None], "x_missing": [0, 1], "t_gap": [1, 2]}
    told = "the new feature 'x_missing': a column of that name is read too. Rename that column"
    assert told in refused_data(table, key="k", time="t", missing="indicator")
    assert "the new feature 't_gap'" in refused_data(table, key="k", time="t", missing="mean", time_gaps=True)


def test_a_column_without_any_number_is_wholly_missing_where_that_is_allowed() -> None:
    for empty in ([None, None], ["", "NA"], [float("nan"), None]):
        data = read({"k": ["a", "b"], "x": [1, 2], "y": empty}, key="k", missing="mean")
        assert lines(data) == [[1, None], [2, None]]


def test_marks_of_missing_numbers_are_words_among_words(tmp_path: Path) -> None:
    data = read_text(tmp_path, "key,time,amount,label\na,1,1,na\nb,1,2,yes\n")
    assert data.class_names == ("na", "yes")
    told = refused(written(tmp_path, "key,time,amount,label\na,1,1,1\nb,1,2,NA\n"), key="key", target="label")
    assert "column 'label', line 3: 1 of 2 values are missing" in told
    assert "with unlabelled='skip' (--unlabelled)" in told


def test_static_features_are_never_missing(tmp_path: Path) -> None:
    told = refused(written(tmp_path, HOLES), key="key", static=["amount"], missing="mean")
    assert "column 'amount', line 3: 1 of 4 values are missing" in told


def test_steps_without_a_target_are_fed_and_not_scored(tmp_path: Path) -> None:
    text = "key,time,amount,label,y\na,1,1,no,1\na,2,2,,\nb,1,3,yes,nan\nb,2,4,no,2\n"
    data = read_text(tmp_path, text, unlabelled="skip", features=["amount"])
    assert (data.each, data.class_names, numbers(data.weights)) == ("step", ("no", "yes"), [1, 0, 1, 1])
    assert "1 of 4 steps have no usable target: they are fed to a model, and not scored" in data.notes
    values = read_text(tmp_path, text, target="y", task="regress", unlabelled="skip", features=["amount"])
    assert (values.each, repr(numbers(values.targets)), numbers(values.weights)) == ("step", "[1.0, nan, nan, 2.0]", [1, 0, 0, 1])
    weighed = read_text(tmp_path, text, target="y", task="forecast", unlabelled="skip", weight="amount", missing="mean", features=["y"])
    assert numbers(weighed.weights) == [1, 0, 0, 4]


def test_one_label_somewhere_in_a_sequence_is_the_label_of_the_sequence(tmp_path: Path) -> None:
    text = HEADER + "a,1,1,\na,2,2,yes\nb,1,3,no\nb,2,4,no\nc,1,5,\n"
    data = read_text(tmp_path, text, task="classify", unlabelled="skip")
    assert (numbers(data.targets), numbers(data.weights)) == ([1, 0, 0], [1, 1, 0])
    assert "1 of 3 sequences have no usable target: they are fed to a model, and not scored" in data.notes
    path = written(tmp_path, HEADER + "a,1,1,no\na,2,2,\na,3,2,yes\nb,1,3,no\n")
    told = refused(path, key="key", target="label", task="classify", unlabelled="skip")
    assert "column 'label', key 'a': it changes inside the sequence: no in line 2, yes in line 4" in told
    path = written(tmp_path, HEADER + "a,1,1,\nb,1,3,\n")
    assert "target, column 'label': no value in any row. Name another" in refused(path, key="key", target="label", unlabelled="skip")
    later = read(path, key="key", target="label", unlabelled="skip", class_names=["no", "yes"], time="time")
    assert numbers(later.weights) == [0, 0]


def test_two_steps_at_one_time_are_refused_unless_their_order_is_that_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "a,2,1,0\nb,2,5,1\na,1,2,0\na,2,3,0\n")
    told = refused(path, key="key", time="time", target="label")
    assert "time, column 'time', line 5: the same time as line 2 in the same sequence (1 such rows). Drop repeated rows" in told
    assert "ties='keep' (--ties keep)" in told
    data = read(path, key="key", time="time", target="label", ties="keep")
    assert data.parts["x"].values.flatten().tolist() == [2, 1, 3, 5]
    assert "1 row has the same 'time' as the row before in their sequence; these kept the file's order" in data.notes


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[str, list[float]]]:
    """Return keys with increasing times."""
    keys = draw(st.lists(st.sampled_from(["a", "b", "a#1", "a##1"]), min_size=1, max_size=4, unique=True))
    steps = st.lists(st.integers(1, 9), min_size=0 if len(keys) > 1 else 1, max_size=7)
    return [(key, np.cumsum(draw(steps), dtype=float).tolist()) for key in keys]


@given(sequences=streams(), size=st.integers(1, 4), gap=st.sampled_from([None, 4.0, 6.5]), grouped=st.booleans())
def test_sequences_are_cut_as_a_loop_cuts_them(
    sequences: list[tuple[str, list[float]]], size: int, gap: float | None, *, grouped: bool
) -> None:
    if not any(times for _, times in sequences):
        return
    table = pl.DataFrame(
        {"k": [key for key, _ in sequences], "t": [times for _, times in sequences], "g": [f"g{key}" for key, _ in sequences], "y": "n"},
        schema={"k": pl.String, "t": pl.List(pl.Float64), "g": pl.String, "y": pl.String},
    ).with_columns(x=pl.col("t"))
    data = read(
        table, key="k", time="t", target="y", group="g" if grouped else None, max_steps=size, max_gap=gap, time_gaps=True, features=["x"]
    )
    pieces: list[tuple[str, list[float], list[float]]] = []
    for key, times in sequences:
        runs: list[list[tuple[float, float]]] = [[]]
        for place, time in enumerate(times):
            since = time - times[place - 1] if place else 0.0
            if gap is not None and since > gap:
                runs.append([(time, 0.0)])
            else:
                runs[-1].append((time, since))
        cut = [run[start : start + size] for run in runs for start in range(0, max(1, len(run)), size)]
        pieces += [(key, [time for time, _ in piece], [since for _, since in piece]) for piece in cut]
    assert [part.tolist() for part in data.parts["x"]] == [
        [list(step) for step in zip(times, gaps, strict=True)] for _, times, gaps in pieces
    ]
    assert data.feature_names == ("x", "t_gap")
    assert data.groups == tuple(f"g{key}" if grouped else key for key, *_ in pieces)
    assert len(set(data.keys or ())) == len(pieces)
    assert all(name == key or name.startswith(f"{key}#") for name, (key, *_) in zip(data.keys or (), pieces, strict=True))
    assert numbers(data.targets) == [0] * len(pieces)


def test_pieces_have_what_belongs_to_their_sequence(tmp_path: Path) -> None:
    text = "key,time,amount,label,age,w\n" + "".join(f"a,{step},{step},no,30,2\n" for step in range(5)) + "b,0,9,yes,40,1\n"
    data = read_text(tmp_path, text, static=["age"], weight="w", max_steps=2)
    assert (data.keys, data.groups) == (("a#1", "a#2", "a#3", "b"), ("a", "a", "a", "b"))
    assert (numbers(data.targets), numbers(data.weights), numbers(data.static)) == ([0, 0, 0, 1], [2, 2, 2, 1], [[30], [30], [30], [40]])
    assert numbers(data.times) == [0, 1, 2, 3, 4, 0]
    assert "sequences of more than 2 steps were cut: 4 pieces; each has the target of its sequence" in data.notes
    uncut = read_text(tmp_path, text, max_steps=5, static=["age"], weight="w")
    assert (uncut.keys, uncut.groups, uncut.notes[-1].startswith("one target")) == (("a", "b"), ("a", "b"), True)


def test_a_hole_in_time_may_be_told_in_words() -> None:
    table = pl.DataFrame({"k": "a", "t": ["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:31"], "kind": ["u", "v", "u"]})
    data = read(table, key="k", time="t", max_gap="90min", time_gaps=True)
    assert (data.keys, data.lengths.tolist(), data.parts["x"].values.flatten().tolist()) == (("a#1", "a#2"), [2, 1], [0, 3600, 0])
    assert "1 sequences begin at a hole in time of more than 90min" in data.notes
    assert "2 sequences begin at a hole in time of more than 90" in read(table, key="k", time="t", max_gap=90).notes
    assert read(table, key="k", time="t", max_gap="1.6 h").lengths.tolist() == [3]
    again = read(table, key="k", time="t", time_gaps=True, features=["kind", "t_gap"])
    assert (list(again.parts), again.feature_names) == (["kind", "x"], {"x": ("t_gap",)})


def test_a_very_long_sequence_among_short_ones_is_read_and_told() -> None:
    steps = 1_000_000
    keys = np.concatenate([np.repeat(np.arange(20), 10), np.full(steps, 99)])
    table = pl.DataFrame({"k": keys, "t": np.arange(len(keys)), "x": np.ones(len(keys), np.float32)})
    data = read(table, key="k", time="t")
    assert data.lengths.tolist() == [10] * 20 + [steps]
    assert "the longest sequence has 1,000,000 steps, the median 10; max_steps=N (--max-steps) cuts long ones" in data.notes[0]
    cut = read(table, key="k", time="t", max_steps=1000)
    assert (len(cut), int(cut.lengths.max())) == (1020, 1000)
    assert torch.equal(cut.parts["x"].values, data.parts["x"].values)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (["0000-01-01", "2024-01-01"], "time, column 't', row 1: '0000-01-01', which is no date that can be read (1 of 2 values)"),
        (["9999999-01-01", "2024-01-01"], "'9999999-01-01', which is no date that can be read"),
        (["2024-02-30", "2024-01-01"], "'2024-02-30', which is no date that can be read"),
        ([1.0, 1e300], "column 't', row 2: the time 1e+300. Drop or mend these rows"),
        ([1.0, math.inf], "column 't', row 2: the time inf"),
        (
            pl.Series([0, 9_999_999], dtype=pl.Int32).cast(pl.Date),
            "column 't', row 2: 1 of 2 values that are no date, the first 8.64e+11 seconds",
        ),
        (pl.Series([-(10**17), 0]).cast(pl.Datetime("us")), "column 't', row 1: 1 of 2 values that are no date, the first -1e+11 seconds"),
        ([True, False], "time, column 't': values of type Boolean. Name a column of numbers or of dates"),
    ],
)
def test_absurd_dates_are_refused(times: Any, told: str) -> None:
    assert told in refused_data(pl.DataFrame({"k": [1, 1], "t": times, "x": [1, 2]}), key="k", time="t")
    if not isinstance(times, list):
        assert "values that are no date" in refused_data(pl.DataFrame({"k": times, "x": [1, 2]}), key="k")


def test_far_dates_and_lengths_of_time_are_read() -> None:
    far = pl.Series(["1500-01-01", "9999-12-31"]).str.to_date()
    assert numbers(read({"k": [1, 1], "t": far, "x": [1, 2]}, key="k", time="t").times) == [-14831769600, 253402214400]
    long = pl.Series([0, 10**15]).cast(pl.Duration("ms"))
    assert numbers(read({"k": [1, 1], "t": long, "x": [1, 2]}, key="k", time="t").times) == [0, 1e12]
    day = pl.Series([0, 10**9]).cast(pl.Time)
    assert numbers(read({"k": [1, 1], "t": day, "x": [1, 2]}, key="k", time="t").times) == [0, 1]


@pytest.mark.parametrize("keys", [[1.5, 2.0, 3.0], ["0.25", "1", "2"]])
def test_a_key_that_is_a_measured_number_is_refused(keys: list[Any]) -> None:
    told = refused_data({"k": keys, "x": [1, 2, 3]}, key="k")
    assert f"key, column 'k', row 1: the number {keys[0]}, which has a fraction, where the name of a sequence is needed" in told
    assert "key, column 'k', row 1" in refused_data({"k": keys, "x": [[1], [2], [3]]}, key="k")
    assert read({"k": [f"s{key}" for key in keys], "x": [1, 2, 3]}, key="k").keys == tuple(f"s{key}" for key in keys)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.ts", "a.txt"])
def test_text_of_another_encoding_is_refused(tmp_path: Path, encoding: str, name: str) -> None:
    text = {"a.csv": "key,amount\nkäse,1\nb,2\n", "a.jsonl": '{"key": "käse"}\n', "a.ts": "@data\n1,2:käse\n", "a.txt": "käse"}[name]
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    options = {"a.ts": {}, "a.txt": {"task": "next"}}.get(name, {"key": "key"})
    assert str(path) in refused(path, **options)


def test_columns_of_mixed_types_are_refused(tmp_path: Path) -> None:
    told = refused(written(tmp_path, '{"key": "a", "x": 1}\n{"key": "b", "x": "oops"}\n', "a.jsonl"), key="key")
    assert "column 'x', line 2: the text 'oops' among numbers (1 of 2 values are text). Mend the value" in told
    assert "the text 'oops' among numbers" in refused_data({"key": ["a", "b"], "x": [1, "oops"]}, key="key")
