"""Is each task's target read as what it is: a class, a number, several labels, the series itself?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.sequences import UNKNOWN, describe, fit_statistics, read, require_two_classes
from tests.sequences.reading import HEADER, numbers, read_text, refused, refused_data, written

if TYPE_CHECKING:
    from pathlib import Path

STEPS = pl.DataFrame({"k": ["a", "a", "b"], "t": [1, 2, 1], "x": [1.0, 2.0, 3.0], "y": [0.5, 0.5, 2.0]})


def test_a_number_is_one_a_sequence_where_it_never_changes_inside_one() -> None:
    data = read(STEPS, key="k", time="t", target="y", task="regress")
    assert (data.task, data.each, numbers(data.targets), data.holds) == ("regress", "sequence", [0.5, 2.0], "values")
    assert isinstance(data.targets, torch.Tensor)
    assert data.targets.dtype == torch.float32
    assert "one target a sequence was read from 'y': it is the same in every step of each sequence" in data.notes
    changing = read(STEPS, key="k", target="x", features=["t"], task="regress")
    assert (changing.each, numbers(changing.targets)) == ("step", [1.0, 2.0, 3.0])
    assert "one target a step was read from 'x': it changes inside a sequence" in changing.notes
    forced = read(STEPS, key="k", target="y", task="regress", each="step")
    assert (forced.each, numbers(forced.targets), forced.notes) == ("step", [0.5, 0.5, 2.0], ())


def test_a_number_that_changes_is_refused_where_one_a_sequence_is_wanted() -> None:
    told = refused_data(STEPS, key="k", target="x", features=["t"], task="regress", each="sequence")
    assert "column 'x', key 'a': it changes inside the sequence: 1.0 in row 1, 2.0 in row 2. Say each='step' (--each step)" in told


def test_columns_of_naive_answers_are_read_beside_the_target_and_by_no_model() -> None:
    table = STEPS.with_columns(now=pl.Series([None, 7.0, 8.0]), rule=pl.Series([0.25, 0.25, None]))
    steps = read(table, key="k", time="t", target="x", task="regress", baselines=["now", "rule"])
    assert steps.feature_names == ("y",)
    assert np.array_equal(numbers(steps.baselines["now"]), [np.nan, 7.0, 8.0], equal_nan=True)
    whole = read(table.drop("now"), key="k", time="t", target="y", task="regress", baselines="rule")
    assert (whole.each, whole.feature_names) == ("sequence", ("x",))
    assert np.array_equal(numbers(whole.baselines["rule"]), [0.25, np.nan], equal_nan=True)
    lists = pl.DataFrame({"k": ["a", "b"], "x": [[1.0, 2.0], [3.0]], "y": [0.5, 1.5], "rule": [9.0, 8.0]})
    assert numbers(read(lists, key="k", target="y", task="regress", baselines=["rule"]).baselines["rule"]) == [9.0, 8.0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"target": "y", "baselines": ["x"]}, "column 'x', key 'a': it changes inside the sequence: 1.0 in row 1, 2.0 in row 2. With one"),
        ({"target": "x", "baselines": ["noww"]}, "baselines, column 'noww': no such column"),
        ({"target": "x", "baselines": ["word"]}, "baselines, column 'word': words. A baseline holds numbers, as the target does"),
        ({"target": "x", "baselines": ["y"], "task": None}, "baselines: y and no task. They hold what could"),
        ({"target": "x", "baselines": ["x"]}, "baselines: a column twice, or the target itself"),
        ({"target": "x", "baselines": ["y", "y"]}, "baselines: a column twice"),
        ({"target": "y", "baselines": ["x"], "task": "classify"}, "baselines: x for the task 'classify'. They hold what could be"),
        ({"baselines": ["x"]}, "baselines: columns, but no target"),
    ],
)
def test_naive_answers_that_cannot_be_held_against_a_model_are_refused(options: dict[str, Any], told: str) -> None:
    table = STEPS.with_columns(word=pl.Series(["p", "q", "r"]))
    assert told in refused_data(table, **{"key": "k", "time": "t", "task": "regress", **options})


def test_words_are_refused_where_numbers_are_predicted(tmp_path: Path) -> None:
    told = refused(written(tmp_path, HEADER + "a,1,1,low\na,2,1,high\n"), key="key", target="label", task="regress")
    assert "target, column 'label': words, where the task 'regress' needs numbers" in told


def test_a_target_in_the_row_of_a_sequence_belongs_to_it() -> None:
    table = pl.DataFrame({"k": ["a", "b"], "x": [[1.0, 2.0], []], "y": [0.5, 1.5], "z": [[1, 1], []], "w": [1.0, 3.0], "g": ["p", "q"]})
    options: dict[str, Any] = {"key": "k", "features": ["x"], "group": "g", "weight": "w", "static": ["w"]}
    data = read(table, target="y", task="regress", **options)
    assert (data.each, numbers(data.targets), numbers(data.weights), data.groups) == ("sequence", [0.5, 1.5], [1.0, 3.0], ("p", "q"))
    assert "one target a sequence was read from 'y': it is given for whole sequences" in data.notes
    spread = read(table, target="y", task="regress", each="step", **options)
    assert (numbers(spread.targets), numbers(spread.weights)) == ([0.5, 0.5], [1.0, 1.0])
    listed = read(table, target="z", **options)
    assert (listed.each, numbers(listed.targets)) == ("step", [0, 0])
    assert "one target a step was read from 'z': it is not given for whole sequences" in listed.notes
    whole = read(table, target="z", task="classify", **{**options, "weight": None})
    assert (numbers(whole.targets), numbers(whole.weights)) == ([0, 0], [1.0, 0.0])
    told = refused_data(table, key="k", features=["x"], static=["z"])
    assert "column 'z', key 'b': the sequence has no step to read it from" in told


def test_a_forecast_reads_the_series_that_it_predicts(tmp_path: Path) -> None:
    table = STEPS.with_columns(pl.Series("wind", ["n", "s", "n"]))
    data = read(table, key="k", time="t", target="y", task="forecast", known=["x"])
    assert (data.task, data.each, numbers(data.targets)) == ("forecast", "step", [0.5, 0.5, 2.0])
    assert (data.feature_names, data.known) == ({"x": ("x", "y")}, ("x",))
    assert read(table, key="k", target="y", task="forecast", features=["x"]).feature_names == ("x",)
    assert read(table, key="k", task="forecast", features=["x"]).targets is None
    assert "known, column 'wind': it is no feature that holds numbers" in refused_data(
        table, key="k", target="y", task="forecast", known=["wind"]
    )
    path = written(tmp_path, "t,y\n1,3\n2,4\n", "stream.csv")
    stream = read(path, target="y", task="forecast")
    assert (stream.keys, stream.lengths.tolist(), stream.feature_names) == (("stream",), [2], ("t", "y"))
    assert "target: none, for the task 'forecast'. Name the column of the series" in refused(path, task="forecast")


@pytest.mark.parametrize(
    ("every", "steps", "season", "told"),
    [
        ("1h", 60, 24, "a step is 1 hour"),
        ("1d", 20, 7, "a step is 1 day"),
        ("1m", 3000, 1440, "a step is 1 minute"),
        ("15m", 200, 96, "a step is 15 minutes"),
        ("1w", 120, 52, "a step is 7 days"),
        ("1mo", 30, 12, "a step is 31 days"),
        ("1q", 9, 4, "a step is 91.5 days"),
        ("1h", 40, None, ""),
        ("7h", 400, None, ""),
        ("2d", 400, None, ""),
    ],
)
def test_the_season_is_read_off_steady_dates(every: str, steps: int, season: int | None, told: str) -> None:
    begin = pl.datetime(2020, 1, 1)
    times = pl.select(t=pl.datetime_range(begin, begin.dt.offset_by(f"{steps * 100}d"), every)).head(steps)
    table = times.with_columns(y=pl.int_range(pl.len()))
    data = read(table.with_columns(k=1), key="k", time="t", target="y", task="forecast")
    assert data.season == season
    assert told in " ".join(data.notes)
    assert bool(data.notes) == (season is not None)
    assert read(table, time="t", target="y", task="forecast", season=3).season == 3


def test_no_season_is_read_off_numbers_or_uneven_dates() -> None:
    plain = pl.DataFrame({"t": range(0, 3600 * 100, 3600), "y": range(100)})
    assert read(plain, time="t", target="y", task="forecast").season is None
    uneven = pl.DataFrame({"t": [1, 2, 4, 8, 16, 32], "y": range(6)}).with_columns(pl.from_epoch("t", "d"))
    assert read(uneven, time="t", target="y", task="forecast").season is None


def test_the_next_token_is_input_and_target_at_once() -> None:
    table = pl.DataFrame({"k": ["a", "a", "b"], "token": [10, 9, 10], "x": [1.0, 2.0, 3.0]})
    data = read(table, key="k", target="token", task="next")
    assert (data.class_names, numbers(data.targets), data.categories) == (("9", "10", UNKNOWN), [1, 0, 1], {"token": ["9", "10"]})
    assert (data.parts["token"].values.tolist(), data.feature_names) == ([1, 0, 1], {"x": ("x",)})
    later = read(table.with_columns(token=pl.lit(7)), key="k", target="token", task="next", class_names=data.class_names)
    assert (later.parts["token"].values.tolist(), numbers(later.targets)) == ([-1, -1, -1], [2, 2, 2])
    assert "3 of 3 tokens are not known and are read as unknown" in later.notes
    assert "features, column 'token': the token is no feature" in refused_data(table, key="k", target="token", task="next", features=["x"])
    assert "target: none, for the task 'next'" in refused_data(table, key="k", task="next", features=["x"])


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()), min_size=2, max_size=8))
def test_several_labels_are_columns_of_yes_and_no(rows: list[tuple[str, bool, bool]]) -> None:
    table = pl.DataFrame(rows, schema=["k", "p", "q"], orient="row").with_columns(x=1.0)
    as_words = table.with_columns(pl.col("p").cast(pl.Int8), pl.when("q").then(pl.lit("True")).otherwise(pl.lit("false")).alias("q"))
    data = [read(each, key="k", target=["p", "q"], each="step") for each in (table, as_words)]
    wanted = [[p, q] for key in dict.fromkeys(key for key, *_ in rows) for other, p, q in rows if other == key]
    for each in data:
        assert (each.task, each.holds, each.class_names, numbers(each.targets)) == ("multilabel", "labels", ("p", "q"), wanted)
    inferred = read(table, key="k", target=["p", "q"])
    constant = all(len({(p, q) for other, p, q in rows if other == key}) == 1 for key, *_ in rows)
    assert inferred.each == ("sequence" if constant else "step")


def test_labels_come_in_the_order_of_the_training_file(tmp_path: Path) -> None:
    path = written(tmp_path, "k,x,p,q\na,1,1,0\na,2,1,0\nb,2,0,\n")
    options: dict[str, Any] = {"key": "k", "target": ["p", "q"], "unlabelled": "skip"}
    data = read(path, class_names=["q", "p"], **options)
    assert (data.class_names, numbers(data.targets), numbers(data.weights)) == (("q", "p"), [[False, True], [False, False]], [1.0, 0.0])
    assert "target: p, q instead of p, r. Name the label columns of the training file" in refused(path, class_names=["p", "r"], **options)
    told = refused(path, key="k", target=["p", "x"], features=["p"], missing="mean")
    assert "features, column 'p': it is the target" in told
    told = refused(path, key="k", target=["p", "x"], features=["q"], missing="mean")
    assert "target, column 'x', line 3: the value '2'. Write 0 and 1" in told
    changing = written(tmp_path, "k,x,p,q\na,1,1,0\na,2,1,1\n", "b.csv")
    told = refused(changing, key="k", target=["p", "q"], each="sequence")
    assert "column 'p', key 'a': it changes inside the sequence: p=1, q=0 in line 2, p=1, q=1 in line 3" in told


def test_weights_belong_to_targets(tmp_path: Path) -> None:
    text = "key,time,amount,label,w\na,1,1,0,2\na,2,2,0,2\nb,1,3,1,0\n"
    data = read_text(tmp_path, text, weight="w")
    assert (numbers(data.weights), data.feature_names) == ([2.0, 0.0], ("amount",))
    assert numbers(read_text(tmp_path, text, weight="w", task="tag").weights) == [2.0, 2.0, 0.0]
    assert ("not scored", "1 targets of weight 0") in describe(data).lines()
    path = tmp_path / "data.csv"
    written(tmp_path, text.replace("a,2,2,0,2", "a,2,2,0,3"))
    told = refused(path, key="key", target="label", weight="w")
    assert "column 'w', key 'a': it changes inside the sequence: 2.0 in line 2, 3.0 in line 3. With one target a sequence" in told
    written(tmp_path, text.replace("b,1,3,1,0", "b,1,3,1,-1"))
    assert "weight, column 'w', line 4: 1 of 3 weights below 0, the first is -1" in refused(path, key="key", target="label", weight="w")
    written(tmp_path, text.replace("b,1,3,1,0", "b,1,3,1,nan"))
    assert "column 'w', line 4: 1 of 3 values that cannot be computed with" in refused(path, key="key", target="label", weight="w")
    assert read(path, key="key", weight="label", features=["amount"]).weights is None


def test_numbers_in_a_series_file_can_be_predicted(tmp_path: Path) -> None:
    path = written(tmp_path, "@targetLabel true\n@data\n1,2:0.5\n3:?\n", "a.ts")
    data = read(path, unlabelled="skip")
    assert (data.task, numbers(data.targets), numbers(data.weights)) == ("regress", [0.5, 0.0], [1.0, 0.0])
    classes = written(tmp_path, "@classLabel true 1 2\n@data\n1,2:1\n3:2\n", "b.ts")
    assert numbers(read(classes, task="regress").targets) == [1.0, 2.0]
    skipped = read(written(tmp_path, "@data\n1,2:b\n3:?\n4:a\n", "c.ts"), unlabelled="skip", missing="mean")
    assert (skipped.class_names, numbers(skipped.targets), numbers(skipped.weights)) == (("a", "b"), [1, 0, 0], [1.0, 0.0, 1.0])
    assert "the labels: none in any line" in refused(written(tmp_path, "@data\n1,2:?\n", "d.ts"), unlabelled="skip")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"target": ["p", "q"], "task": "classify"}, "target: 2 columns for the task 'classify'. Several columns of 0 and 1"),
        ({"target": ["p", "p"]}, "target: the same column twice"),
        ({"known": ["x"]}, "known: an option of the task 'forecast', but the task is None"),
        ({"season": 3, "task": "tag"}, "season: an option of the task 'forecast', but the task is 'tag'"),
        ({"season": 0, "task": "forecast"}, "season: 0. Give a whole number of steps"),
        ({"max_steps": 1.5}, "max_steps: 1.5. Give a whole number of steps"),
        ({"each": "step", "task": "classify"}, "each: 'step' for the task 'classify'. That task has one target a sequence"),
        ({"each": "step", "task": "regress"}, "each: 'step', but no target"),
        ({"each": "row"}, "each: 'row'. There are: 'sequence', 'step'"),
        ({"missing": "meen"}, "missing: 'meen'. Did you mean 'mean'?"),
        ({"unlabelled": True}, "unlabelled: True. There are: 'error', 'skip'"),
        ({"ties": "kep"}, "ties: 'kep'. Did you mean 'keep'?"),
        ({"max_gap": "90 minutes or so"}, "max_gap: '90 minutes or so'. Give a number above 0"),
        ({"max_gap": "3 years"}, "max_gap: '3 years'"),
        ({"max_gap": -1}, "max_gap: -1"),
        ({"max_gap": "1.2.3h"}, "max_gap: '1.2.3h'"),
        ({"max_gap": 2.0}, "max_gap: the sequences have no times. Name the column of times"),
        ({"time_gaps": True}, "time_gaps: the sequences have no times"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], told: str) -> None:
    assert told in refused_data({"k": [1, 1], "x": [1, 2], "p": [0, 1], "q": [0, 1]}, key="k", **options)


def test_the_summary_tells_what_is_predicted() -> None:
    values = read(STEPS, key="k", target="x", task="regress")
    assert ("targets", "numbers, one a step; 1 to 3, mean 2") in describe(values).lines()
    labels = read({"k": [1, 1], "x": [1, 2], "p": [0, 1], "q": [1, 1]}, key="k", target=["p", "q"])
    assert ("labels", "any of 2, for each step; p: 1, q: 2") in describe(labels).lines()
    nothing = read({"k": [1, 1], "x": [1, 2], "y": [None, None]}, key="k", target="y", task="regress", unlabelled="skip", class_names=["-"])
    assert ("targets", "numbers, one a sequence; 0 to 0, mean 0") in describe(nothing).lines()


@pytest.mark.parametrize(
    ("columns", "options", "told"),
    [
        ({"y": [2.0, 2.0, 2.0]}, {"task": "regress"}, "only the number 2. There is nothing to learn from a number that never changes"),
        ({"y": ["a", "a", "b"]}, {"class_names": ["a", "b", "c"]}, "2 sequences for 3 classes. Each class needs sequences to learn from"),
        ({"y": ["a", "a", None]}, {"unlabelled": "skip"}, "only the class 'a', 1 times"),
    ],
)
def test_targets_from_which_nothing_can_be_learnt_are_refused(columns: dict[str, Any], options: dict[str, Any], told: str) -> None:
    data = read({"k": [1, 1, 2], "x": [1, 2, 3], **columns}, key="k", target="y", **options)
    with pytest.raises(ValueError, match="targets of data in memory") as error:
        require_two_classes(data, "fit")
    assert told in str(error.value)


def test_numbers_and_labels_from_which_something_can_be_learnt_are_accepted() -> None:
    require_two_classes(read(STEPS, key="k", target="y", task="regress"), "fit")
    require_two_classes(read({"k": [1, 2], "x": [1, 2], "p": [0, 1], "q": [0, 0]}, key="k", target=["p", "q"]), "fit")
    assert np.isfinite(fit_statistics(read(STEPS, key="k", target="y", task="regress")).inputs["x"].mean).all()


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(2, 60), st.integers(0, 1000))
def test_digits_that_float32_keeps_are_no_reason_to_refuse(shift: float, scale: float, num_steps: int, seed: int) -> None:
    column = np.random.default_rng(seed).normal(size=num_steps) * max(scale, abs(shift) / 100) + shift
    data = read({"y": column, "x": column}, target="y", features=["x"], task="forecast")
    assert isinstance(data.targets, torch.Tensor)
    np.testing.assert_array_equal(data.targets.numpy(), column.astype(np.float32))
    assert not data.notes


def test_targets_that_float32_cannot_tell_apart_are_refused_with_what_to_subtract() -> None:
    target = [1.7e9 + 1, 1.7e9 + 2, 1.7e9 + 1, 1.7e9 + 2]
    columns: dict[str, Any] = {"k": ["a", "a", "b", "b"], "x": [1.0, 2.0, 3.0, 4.0], "y": target}
    told = refused_data(columns, key="k", target="y", task="regress")
    assert "target, column 'y': numbers with a standard deviation of 0.5, which float32 changes by up to 2" in told
    assert "Subtract a constant such as 1700000001 first." in told
    columns["y"] = [value - 1700000001 for value in target]
    assert read(columns, key="k", target="y", task="regress").each == "step"
    tiny = {"k": ["a", "b"], "x": [1.0, 2.0], "y": [1e-50, 2e-50]}
    assert "Multiply the numbers, by 1e30 for instance, first." in refused_data(tiny, key="k", target="y", task="regress")


def test_whether_a_target_changes_is_decided_before_it_is_rounded() -> None:
    columns = {"k": ["a", "a", "b", "b"], "x": [1.0, 2.0, 3.0, 4.0], "y": [1e9, 1e9 + 1, 0.0, 0.0]}
    assert read(columns, key="k", target="y", task="regress").each == "step"


def test_features_that_float32_cannot_tell_apart_are_noted() -> None:
    columns = {"k": ["a", "a", "b", "b"], "x": [2.0**40 + number for number in range(1, 5)], "w": [7, 7, 7, 7], "y": [0, 0, 1, 1]}
    notes = read(columns, key="k", target="y", features=["x", "w"]).notes
    told = "column 'x' holds numbers with a standard deviation of 1.12, which float32 changes by up to 4"
    assert [note for note in notes if "float32" in note] == [f"{told}: subtract a constant such as 1099511627777 first"]
    columns |= {"s": [1.7e9, 1.7e9, 1.7e9 + 1, 1.7e9 + 1]}
    assert any("column 's' holds" in note for note in read(columns, key="k", target="y", features=["w"], static=["s"]).notes)
