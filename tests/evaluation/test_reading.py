"""Does a file of any framework become what it says, and is what cannot be used named with column, row and path?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from statewise.errors import DataError, OptionError, StatewiseError
from statewise.evaluation import Cost, Predictions, choose_threshold, compare, evaluate, read_predictions
from statewise.evaluation._columns import columns_in_memory
from statewise.evaluation._reading import _refuse_options


def from_csv(folder: Path, text: str, **options: Any) -> Predictions:
    path = folder / "p.csv"
    path.write_text(text)
    return read_predictions(path, **options)


def labels(predictions: Predictions) -> tuple[list[str], list[str]]:
    assert predictions.target is not None
    return predictions.target.tolist(), predictions.prediction.tolist()


@pytest.mark.parametrize("targets", [[1, 0, 1], [True, False, True], ["1", "0", "1"], [1.0, 0.0, 1.0], ["True", "FALSE", "true"]])
@pytest.mark.parametrize("answers", [[1, 1, 0], [True, True, False], ["1.0", "1", "0"], np.array([1.0, 1.0, 0.0], dtype=np.float32)])
def test_a_label_is_one_class_in_whatever_type_it_comes(targets: list[Any], answers: list[Any]) -> None:
    predictions = Predictions.from_columns({"target": targets, "prediction": answers})
    assert len(predictions.class_names) == 2
    assert predictions.actual is not None
    assert predictions.actual.tolist() == [1, 0, 1]
    assert predictions.predicted.tolist() == [1, 1, 0]


def test_a_score_becomes_a_prediction_at_the_threshold_and_a_note_says_so(tmp_path: Path) -> None:
    text = "target,score\nham,0.2\nspam,0.5\nham,0.9\n"
    assert labels(from_csv(tmp_path, text))[1] == ["ham", "spam", "spam"]
    strict = from_csv(tmp_path, text, threshold=0.8)
    assert labels(strict)[1] == ["ham", "ham", "spam"]
    assert any("probability of 'spam'" in note and "0.8" in note for note in strict.notes)


def test_a_score_is_of_the_positive_class_that_is_told(tmp_path: Path) -> None:
    told = from_csv(tmp_path, "target,score\nham,0.8\nspam,0.3\n", positive="ham")
    assert labels(told)[1] == ["ham", "spam"]
    assert (told.positive, told.score_class) == ("ham", "ham")


@pytest.mark.parametrize(
    ("label", "names", "options"),
    [
        ("0", ("0", "1"), {}),
        ("no", ("no", "yes"), {}),
        ("ok", ("fraud", "ok"), {"positive": "fraud"}),
        ("x", ("x", "y"), {"class_names": ["x", "y"]}),
    ],
)
def test_the_other_class_of_a_score_is_known_where_it_can_be(
    tmp_path: Path, label: str, names: tuple[str, ...], options: dict[str, Any]
) -> None:
    assert from_csv(tmp_path, f"target,score\n{label},0.1\n{label},0.2\n", **options).class_names == names


def test_probabilities_become_the_largest_and_classes_keep_natural_order(tmp_path: Path) -> None:
    found = from_csv(tmp_path, "target,p_10,p_9,p_b\n9,0.1,0.8,0.1\n10,0.2,0.3,0.5\n")
    assert found.class_names == ("9", "10", "b")
    assert labels(found) == (["9", "10"], ["9", "b"])
    assert found.probabilities is not None
    assert found.probabilities[0].tolist() == [0.8, 0.1, 0.1]
    assert any("largest p_" in note for note in found.notes)


def test_classes_keep_the_order_told_and_new_ones_follow(tmp_path: Path) -> None:
    assert from_csv(tmp_path, "target,prediction\nb,c\na,b\n", class_names=["c", "b"]).class_names == ("c", "b", "a")


def test_a_prediction_wins_over_probabilities_and_a_note_counts_where_they_part(tmp_path: Path) -> None:
    found = from_csv(tmp_path, "target,prediction,p_a,p_b\na,a,0.9,0.1\na,a,0.1,0.9\n")
    assert labels(found)[1] == ["a", "a"]
    assert any("in 1 of 2 rows" in note for note in found.notes)
    assert not from_csv(tmp_path, "target,prediction,p_a,p_b\na,a,0.9,0.1\nb,b,0.1,0.9\n").notes[1:]


def test_columns_that_only_begin_with_p_are_columns_to_slice_by(tmp_path: Path) -> None:
    found = from_csv(tmp_path, "target,prediction,p_value,country\na,b,0.1,de\nb,b,7,fr\n")
    assert list(found.more) == ["p_value", "country"]
    assert found.probabilities is None


@pytest.mark.parametrize(
    ("text", "task", "keys"),
    [
        ("target,prediction\n0,1\n1,1\n", "classify", ["1", "2"]),
        ("key,target,prediction\nb,0,1\na,1,1\n", "classify", ["b", "a"]),
        ("key,time,target,prediction\nb,5,0,1\na,5,1,1\n", "classify", ["b", "a"]),
        ("key,time,target,prediction\nb,5,0,1\nb,6,1,1\n", "tag", ["b", "b"]),
        ("key,step,target,prediction\nb,0,0,1\na,0,1,1\n", "tag", ["b", "a"]),
        ("step,target,prediction\n0,0,1\n1,1,1\n", "tag", ["0", "0"]),
    ],
)
def test_the_task_is_read_off_the_columns(tmp_path: Path, text: str, task: str, keys: list[str]) -> None:
    found = from_csv(tmp_path, text)
    assert (found.task, found.key.tolist()) == (task, keys)
    assert any("no column 'key'" in note for note in found.notes) == ("key" not in text)


def test_steps_without_a_step_column_can_be_told(tmp_path: Path) -> None:
    found = from_csv(tmp_path, "key,target,prediction\nb,0,1\nb,1,1\n", task="tag")
    assert (found.task, found.step) == ("tag", None)
    assert from_csv(tmp_path, "target,prediction\n0,1\n1,1\n", task="tag").key.tolist() == ["0", "0"]


def test_keys_of_any_type_are_text(tmp_path: Path) -> None:
    for values in ([7, 8], [7.0, 8.0], ["7", "8"], [7, "8"]):
        assert Predictions.from_columns({"key": values, "target": [0, 1], "prediction": [0, 1]}).key.tolist() == ["7", "8"]
    assert from_csv(tmp_path, "key,target,prediction\n007,0,1\n7,1,1\n").key.tolist() == ["007", "7"]


def test_optional_columns_are_kept_in_their_kinds(tmp_path: Path) -> None:
    text = "key,step,target,prediction,group,weight,amount,length,split,t\na,1,0,1,g,0.5,10,3,test,u\na,2.5,1,1,g,1,2e3,3,test,\n"
    found = from_csv(tmp_path, text)
    assert found.step is not None
    assert found.step.tolist() == [1.0, 2.5]
    assert [found.columns()[name].tolist() for name in ("weight", "amount", "length")] == [[0.5, 1.0], [10.0, 2000.0], [3.0, 3.0]]
    assert found.more["t"].tolist() == ["u", None]
    dated = from_csv(tmp_path, "key,step,target,prediction\na,2024-01-01,0,1\na,2024-01-02,1,1\n")
    assert dated.step is not None
    assert dated.step.tolist() == [0, 1]
    mixed = from_csv(tmp_path, "key,step,target,prediction\na,1,0,1\na,x,1,1\n")
    assert mixed.step is not None
    assert mixed.step.tolist() == [0, 1]


def test_parquet_and_jsonl_hold_types_and_give_the_same(tmp_path: Path) -> None:
    frame = pl.DataFrame({"key": [1, 2, 3], "target": [True, False, True], "score": [0.9, 0.2, 0.3], "group": ["a", "a", "b"]})
    frame.write_parquet(tmp_path / "p.parquet")
    frame.write_ndjson(tmp_path / "p.jsonl")
    for name in ("p.parquet", "p.jsonl"):
        found = read_predictions(tmp_path / name)
        assert labels(found) == (["true", "false", "true"], ["true", "false", "false"])
        assert found.key.tolist() == ["1", "2", "3"]


def test_a_name_that_a_line_of_jsonl_lacks_is_a_missing_value(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"target": 1, "score": 0.3, "x": 1}\n{"target": "0", "score": 1}\n')
    assert read_predictions(tmp_path / "p.jsonl").more["x"].tolist() == [1, None]


@pytest.mark.parametrize(
    ("text", "task", "options"),
    [
        ("target,prediction\n1.5,1\n2,1\n", "regress", {}),
        ("target,prediction\n7,7.5\n2,1\n", "regress", {}),
        ("target,prediction\n,7.5\n2.5,1\n", "regress", {}),
        ("target,prediction\n7,8\n2,1\n", "regress", {"task": "regress"}),
        ("target,prediction\n7,8\n2,1\n", "classify", {}),
        ("target,prediction,p_0.5,p_1.5\n0.5,0.5,1,0\n1.5,1.5,0,1\n", "classify", {}),
        ("target,prediction\n0.5,0.5\n1.5,1.5\n", "classify", {"task": "classify"}),
        ("step,ahead,target,prediction\n0,1,5,1\n0,2,5,1\n", "forecast", {}),
        ("target,prediction,nll\na,b,0.5\nb,b,0.5\n", "next", {}),
        ("target_a,target_b,p_a,p_b\n1,0,0.5,0.2\n", "multilabel", {}),
        ("target_a,prediction_a\ntrue,False\n", "multilabel", {}),
    ],
)
def test_the_other_tasks_are_read_off_the_columns_too(tmp_path: Path, text: str, task: str, options: dict[str, Any]) -> None:
    assert from_csv(tmp_path, text, **options).task == task


def test_labels_without_targets_are_read_and_refused_by_the_evaluation(tmp_path: Path) -> None:
    found = from_csv(tmp_path, "p_a,p_b\n0.5,0.2\n", task="multilabel")
    assert (found.class_names, found.actual) == (("a", "b"), None)
    with pytest.raises(DataError, match="no targets"):
        evaluate(found)


def test_without_a_known_target_there_is_no_baseline_either(tmp_path: Path) -> None:
    for text, task in (("target,prediction\n,1\n", "regress"), ("target,prediction,nll,weight\na,a,1,0\n", "next")):
        assert from_csv(tmp_path, text, task=task).baselines == {}
    forecast = from_csv(tmp_path, "step,ahead,target,prediction\n0,1,,1\n")
    assert (forecast.baselines, forecast.notes) == ({}, ("no column 'key': all rows are taken as the steps of one sequence",))


def test_words_beside_fractions_are_labels_of_which_one_is_odd(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no label of column 'target'"):
        from_csv(tmp_path, "target,prediction\nyes,0.7\nno,0.2\n")


def test_a_guessed_regression_says_why(tmp_path: Path) -> None:
    assert any("'target' holds fractions" in note for note in from_csv(tmp_path, "target,prediction\n1.5,1\n2,1\n").notes)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_answers_of_every_task_come_back_as_they_went(tmp_path: Path, suffix: str) -> None:
    key, step = np.array(["a", "a", "b"], dtype=object), np.array([0, 1, 0])
    numbers, truths = np.array([1.5, -2.0, 1e-9]), np.array([[1, 0], [0, 0], [1, 1]], dtype=bool)
    common: dict[str, Any] = {"key": key, "step": step, "weight": np.array([1.0, 0.0, 1.0]), "history": np.array([0, 1, 5])}
    values: dict[str, Any] = {"predicted": numbers, "actual": np.array([1.0, np.nan, 2.5]), "baselines": {"mean": numbers[::-1]}}
    made = [
        Predictions(task="regress", **common, **values),
        Predictions(task="forecast", ahead=np.array([1, 1, 2]), **common, **values),
        Predictions(
            task="next", class_names=("\n", "a", " "), predicted=np.array([0, 1, 2]), actual=np.array([2, 1, 0]), nll=np.abs(numbers),
            baselines={"unigram": np.ones(3)}, **common,
        ),
        Predictions(task="multilabel", class_names=("x", "y"), predicted=truths, actual=~truths, **common),
        Predictions(task="multilabel", class_names=("x", "y"), predicted=truths, actual=~truths, probabilities=truths * 0.9, **common),
    ]  # fmt: skip
    for each in made:
        back = read_predictions(each.save(tmp_path / f"p{suffix}"), task=each.task, class_names=each.class_names or None)
        assert (back.task, back.class_names) == (each.task, each.class_names)
        for name, column in each.columns().items():
            assert np.array_equal(back.columns()[name], column, equal_nan=column.dtype.kind == "f"), (each.task, name)
        assert np.array_equal(back.predicted, each.predicted)


def test_a_time_numbers_the_steps_of_each_sequence(tmp_path: Path) -> None:
    text = "key,time,ahead,target,prediction\na,2024-01-02,1,5,1\na,2024-01-01,1,6,1\nb,2024-01-02,1,7,1\nb,2024-01-09,1,8,1\n"
    found = from_csv(tmp_path, text)
    assert found.step is not None
    assert found.step.tolist() == [1, 0, 0, 1]
    assert np.array_equal(found.baselines["persistence"], [6.0, np.nan, np.nan, 7.0], equal_nan=True)
    assert any("in the order of column 'time'" in note for note in found.notes)


def test_a_threshold_decides_which_labels_are_given(tmp_path: Path) -> None:
    text = "target_a,target_b,p_a,p_b\n1,0,0.5,0.8\n"
    assert from_csv(tmp_path, text).predicted.tolist() == [[True, True]]
    assert from_csv(tmp_path, text, threshold=0.6).predicted.tolist() == [[False, True]]
    assert from_csv(tmp_path, text, class_names=["b", "a"]).probabilities.tolist() == [[0.8, 0.5]]  # type: ignore[union-attr]


BAD: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "an empty file": ("", {}, "p.csv", "empty"),
    "a header alone": ("target,score\n", {}, "p.csv", "no row"),
    "no target": ("targt,score\n1,0.5\n", {}, "column 'target'", "no such column"),
    "no answers": ("target,scoer\n1,0.5\n", {}, "columns", "'scoer'"),
    "a missing target": ("target,score\n1,0.5\n,0.5\n", {}, "column 'target', line 3", "missing"),
    "a missing key": ("key,target,score\na,1,0.5\n,0,0.5\n", {}, "column 'key', line 3", "missing"),
    "a missing group": ("group,target,score\na,1,0.5\n,0,0.5\n", {}, "column 'group', line 3", "missing"),
    "a NaN score": ("target,score\n1,0.5\n0,nan\n", {}, "column 'score', line 3", "nan"),
    "a missing score": ("target,score\n1,0.5\n0,\n", {}, "column 'score', line 3", "no value"),
    "a score in words": ("target,score\n1,0.5\n0,high\n", {}, "column 'score', line 3", "'high'"),
    "a score above 1": ("target,score\n1,0.5\n0,1.5\n", {}, "column 'score', line 3", "1.5"),
    "a negative probability": ("target,p_a,p_b\na,-0.5,1\nb,0,1\n", {}, "column 'p_a', line 2", "-0.5"),
    "a score of three classes": ("target,score\n1,0.5\n0,0.5\n2,0.1\n", {}, "column 'score'", "3 classes"),
    "a score of one class": ("target,score\nx,0.5\n", {}, "column 'score'", "one class only: 'x'"),
    "a class without p_": ("target,p_a,p_b\na,0.5,0.5\nc,0.5,0.5\n", {}, "column 'p_c'", "'c'"),
    "one p_ for two classes": ("target,p_a\na,0.5\nb,0.5\n", {}, "column 'p_b'", "'b'"),
    "probabilities called prediction": ("target,prediction\n1,0.7\n0,0.2\n", {}, "column 'prediction'", "0.7"),
    "a repeated key": ("key,target,prediction\na,1,0\nb,1,0\na,0,0\n", {}, "column 'key', line 4", "'a'"),
    "a repeated step": ("key,step,target,prediction\na,1,1,0\na,1,0,0\n", {}, "column 'step', line 3", "'a'"),
    "a sequence in two groups": ("key,step,target,prediction,group\na,1,1,0,x\na,2,0,0,y\n", {}, "column 'group', line 2", "'y'"),
    "a threshold above 1": ("target,score\n1,0.5\n0,0.1\n", {"threshold": 1.5}, "threshold", "1.5"),
    "values in words": ("target,prediction\n1.5,1\n2,high\n", {"task": "regress"}, "column 'prediction', line 3", "'high'"),
    "a missing value": ("target,prediction\n1.5,1\n2,\n", {"task": "regress"}, "column 'prediction', line 3", "no value"),
    "an infinite target": ("target,prediction\n1.5,1\ninf,1\n", {"task": "regress"}, "column 'target', line 3", "inf"),
    "no values": ("target,predicton\n1.5,1\n", {"task": "regress"}, "column 'prediction'", "no such column"),
    "a forecast of now": ("step,ahead,target,prediction\n0,0,1,1\n", {}, "column 'ahead', line 2", "0"),
    "a forecast without its step": ("ahead,target,prediction\n1,1,1\n", {}, "column 'step'", "no such column"),
    "a forecast of no step": ("step,ahead,target,prediction\n0,1,1,1\nnan,1,1,1\n", {}, "column 'step', line 3", "missing"),
    "a forecast of the same twice": ("step,ahead,target,prediction,key\n0,1,1,1,a\n0,1,1,1,a\n", {}, "column 'step', line 3", "'a'"),
    "a season of nothing": ("target,prediction\n1,1\n", {"season": 0}, "season", "0"),
    "a token without length": ("target,prediction,nll\na,a,1\nb,a,\n", {}, "column 'nll', line 3", "no value"),
    "no likeliest token": ("target,nll\na,1\nb,2\n", {}, "column 'prediction'", "no such column"),
    "labels without answers": ("target_a,q_a\n1,1\n", {}, "columns", "no answers"),
    "a label without p_": ("target_a,target_b,p_a\n1,1,0.5\n", {}, "column 'p_b'", "no such column"),
    "a truth that is none": ("target_a,p_a\n1,1\nyes,0.5\n", {}, "column 'target_a', line 3", "'yes'"),
    "a missing truth": ("target_a,p_a\n1,1\n,0.5\n", {}, "column 'target_a', line 3", "missing"),
    "a label above 1": ("target_a,p_a\n1,1.5\n", {}, "column 'p_a', line 2", "1.5"),
    "history before the start": ("target,prediction,history\n1,1,-1\n", {}, "column 'history', line 2", "-1"),
    "an unknown positive class": ("target,score\ncat,0.5\ndog,0.1\n", {"positive": "dgo"}, "positive", "'dgo'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_refused_by_place(tmp_path: Path, name: str) -> None:
    text, options, where, arrived = BAD[name]
    with pytest.raises(StatewiseError) as caught:
        from_csv(tmp_path, text, **options)
    assert isinstance(caught.value, DataError | OptionError)
    assert where in caught.value.where
    assert arrived in caught.value.arrived
    assert caught.value.asked
    assert caught.value.hint
    if isinstance(caught.value, DataError):
        assert "p.csv" in caught.value.where
    assert [each.name for each in tmp_path.iterdir()] == ["p.csv"]


def test_a_task_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError, match="Did you mean 'regress'"):
        _refuse_options(columns_in_memory({"target": [1], "prediction": [1]}, "here"), task="regres", threshold=0.5, season=None)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("no target", "'targt'"), ("no answers", "'scoer'"), ("an unknown positive class", "'dog'"), ("a class without p_", "'p_b'")],
)
def test_the_nearest_name_is_in_the_hint(tmp_path: Path, name: str, nearest: str) -> None:
    with pytest.raises(StatewiseError, match=f"Did you mean {nearest}"):
        from_csv(tmp_path, BAD[name][0], **BAD[name][1])


def test_a_truncated_parquet_file_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pl.DataFrame({"target": [0, 1], "score": [0.1, 0.2]}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    assert str(path) in caught.value.where


def test_a_damaged_line_of_jsonl_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"target": 1, "score": 0.5}\n{"target": 0, "sco')
    with pytest.raises(DataError, match="line 2") as caught:
        read_predictions(path)
    assert str(path) in caught.value.where
    path.write_bytes(b'\xff\n{"target": 1}\n')
    with pytest.raises(DataError, match="line 1"):
        read_predictions(path)
    path.write_text("\n")
    with pytest.raises(DataError, match="none"):
        read_predictions(path)


def test_a_file_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "preds.csv").write_text("target,score\n")
    with pytest.raises(DataError, match=r"Did you mean 'preds.csv'\?"):
        read_predictions(tmp_path / "pred.csv")
    with pytest.raises(DataError, match="no such file"):
        read_predictions(tmp_path / "no" / "pred.csv")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"\.xlsx"):
        read_predictions(tmp_path / "p.xlsx")


def test_columns_in_memory_must_be_of_one_length() -> None:
    with pytest.raises(DataError) as caught:
        Predictions.from_columns({"target": [0, 1], "score": [0.5]}, source="my arrays")
    assert caught.value.where == "column 'score' of my arrays"
    with pytest.raises(DataError, match="none"):
        Predictions.from_columns({"target": [], "score": []})


def test_more_labels_than_classes_can_be_is_taken_for_a_number() -> None:
    with pytest.raises(DataError, match="number to predict"):
        Predictions.from_columns({"target": list(range(1500)), "prediction": list(range(1500))})


def test_a_score_of_which_nobody_told_the_class_follows_the_class_that_is_looked_for() -> None:
    """The rarer class is taken for the positive one; told otherwise, the score is of that, wherever it is told."""
    random = np.random.default_rng(0)
    parts = []
    for share in (0.4, 0.6):
        ripe = random.random(400) < share
        score = 1 / (1 + np.exp(-random.normal(3.0 * ripe - 1.5, 1.0)))
        parts.append(Predictions.from_columns({"target": np.where(ripe, "ripe", "raw"), "score": score}))
    told = evaluate(replace(parts[1].looking_for("ripe"), positive="ripe"))
    assert told.metrics["roc_auc"].value > 0.9
    assert evaluate(parts[1], positive="ripe").metrics == told.metrics
    chosen = choose_threshold(parts[0], cost=Cost(miss=5, false_alarm=1))
    assert chosen.positive == "ripe"
    found = evaluate(parts[1], threshold=chosen)
    assert found.metrics["roc_auc"] == told.metrics["roc_auc"]
    assert found.metrics["recall"].value > 0.9
    compared = compare(parts[1], parts[1], positive="ripe").differences["roc_auc"]
    assert compared.a == told.metrics["roc_auc"].value


def test_a_step_that_stands_twice_is_refused_without_a_key_too() -> None:
    with pytest.raises(DataError, match="need a column 'key'"):
        Predictions.from_columns({"step": [0, 1, 1], "target": [0, 1, 1], "prediction": [0, 1, 1]})


def test_a_weight_below_0_is_refused() -> None:
    with pytest.raises(DataError, match="-1, which is below 0"):
        Predictions.from_columns({"target": [0, 1, 1], "prediction": [0, 1, 1], "weight": [1, -1, 1]})


@pytest.mark.parametrize("order", ["step", "time"])
def test_a_step_without_end_is_refused(order: str) -> None:
    with pytest.raises(DataError, match=f"column '{order}', row 2.*inf, which is no place among steps"):
        Predictions.from_columns({"key": ["a", "a"], order: [1.0, np.inf], "target": [0, 1], "prediction": [0, 1]})
