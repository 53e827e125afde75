"""Do predictions come back from each kind of file as they went, and are columns that do not fit refused?"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statewise.errors import DataError, MissingExtraError, OptionError, RunError, ShapeError
from statewise.evaluation import Predictions, read_predictions

SUFFIXES = (".parquet", ".csv", ".jsonl")


def binary(**more: object) -> Predictions:
    columns = {"key": ["a", "b", "c"], "target": ["ham", "spam", "spam"], "score": [0.25, 0.75, 0.5], **more}
    return Predictions.from_columns(columns, positive="spam", source="memory")


def several() -> Predictions:
    return Predictions(
        task="tag",
        class_names=("1", "2", "x"),
        key=np.array(["a", "a", "b"]),
        predicted=np.array([0, 1, 2]),
        actual=np.array([0, 2, 2]),
        step=np.array([0, 1, 0]),
        probabilities=np.array([[0.75, 0.25, 0.0], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]]),
        group=np.array(["g", "g", "h"]),
        split=np.array(["test"] * 3),
        length=np.array([2, 2, 1]),
        amount=np.array([1.5, 2.0, -3.0]),
        weight=np.array([1.0, 1.0, 0.5]),
        more={"country": np.array(["de", "fr", None], dtype=object)},
    )


def same(first: Predictions, second: Predictions) -> None:
    assert first.task == second.task
    assert first.class_names == second.class_names
    names = list(first.columns())
    assert list(second.columns()) == names
    for name in names:
        assert first.columns()[name].tolist() == second.columns()[name].tolist(), name


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kept", [binary(), binary(more=[1, 2, 3]), several()])
def test_predictions_come_back_as_they_went(tmp_path: Path, suffix: str, kept: Predictions) -> None:
    path = kept.save(tmp_path / f"p{suffix}")
    back = read_predictions(path)
    if suffix == ".csv":  # further columns of a csv file stay text
        assert [str(value) for value in kept.more.get("more", ())] == list(back.more.get("more", ()))
        for predictions in (kept, back):
            object.__setattr__(predictions, "more", {})
    same(kept, back)
    assert back.score_class == kept.score_class
    assert back.source == f"'{path}'"


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text(min_size=1), st.floats(0, 1)), min_size=2, max_size=9, unique_by=lambda each: each[0]))
def test_every_key_and_score_survives_a_jsonl_file(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float]]) -> None:
    columns = {"key": [key for key, _ in rows], "target": [0, 1] + [1] * (len(rows) - 2), "score": [score for _, score in rows]}
    kept = Predictions.from_columns(columns)
    same(kept, read_predictions(kept.save(tmp_path_factory.mktemp("p") / "p.jsonl")))


@pytest.mark.parametrize("predicted", [(0, 1), (0, 0), (1, 1)])
@pytest.mark.parametrize("score_class", ["cat", "dog"])
def test_what_a_score_means_survives_a_file_without_being_told(tmp_path: Path, predicted: tuple[int, int], score_class: str) -> None:
    chances = np.where(np.array(predicted) == ("cat", "dog").index(score_class), 0.9, 0.2)
    kept = Predictions(
        task="classify",
        class_names=("cat", "dog"),
        key=np.array(["a", "b"]),
        predicted=np.array(predicted),
        actual=np.array([0, 1]),
        score=chances,
        score_class=score_class,
    )
    assert read_predictions(kept.save(tmp_path / "p.csv")).score_class == score_class


def test_labels_and_units_are_those_of_the_rows() -> None:
    predictions = several()
    assert predictions.prediction.tolist() == ["1", "2", "x"]
    assert predictions.target is not None
    assert predictions.target.tolist() == ["1", "x", "x"]
    assert predictions.unit == "group"
    assert predictions.unit_numbers().tolist() == [0, 0, 1]
    assert repr(predictions) == "Predictions(tag, 3 rows, 3 classes, with targets, from predictions in memory)"
    assert len(predictions) == 3


def test_predictions_need_no_targets(tmp_path: Path) -> None:
    bare = Predictions(task="classify", class_names=("a", "b"), key=np.array(["k"]), predicted=np.array([1]))
    assert bare.target is None
    assert bare.unit == "sequence"
    assert "no targets" in repr(bare)
    assert bare.save(tmp_path / "p.csv").read_text() == "key,prediction\nk,b\n"


def test_without_a_word_the_score_is_of_the_last_class() -> None:
    made = Predictions(task="classify", class_names=("a", "b"), key=np.array(["k"]), predicted=np.array([1]), score=np.array([0.7]))
    assert made.score_class == "b"


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ShapeError) as caught:
        Predictions(task="classify", class_names=("a", "b"), key=np.array(["k", "l"]), predicted=np.array([1]))
    assert (caught.value.asked, caught.value.where) == ("Predictions(...)", "key")
    assert "2 rows" in caught.value.arrived


@pytest.mark.parametrize("number", [-1, 2])
def test_a_class_number_without_a_name_is_refused(number: int) -> None:
    with pytest.raises(DataError) as caught:
        Predictions(task="classify", class_names=("a", "b"), key=np.array(["k"]), predicted=np.array([number]))
    assert caught.value.where == "predicted"
    assert str(number) in caught.value.arrived


def test_another_suffix_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        binary().save(tmp_path / "p.parket")
    assert (caught.value.asked, caught.value.hint) == ("save predictions", "Did you mean '.parquet'?")
    assert "p.parket" in caught.value.where
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError):
        binary().save(tmp_path / "file" / "p.jsonl")


def test_a_missing_polars_is_named_with_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError) as caught:
        binary().save(tmp_path / "p.csv")
    assert "statewise[data]" in caught.value.hint
    (tmp_path / "q.csv").write_text("target,score\n1,0.5\n")
    with pytest.raises(MissingExtraError):
        read_predictions(tmp_path / "q.csv")
    assert binary().save(tmp_path / "p.jsonl").is_file()


def test_each_task_keeps_its_answers_under_the_names_of_a_file() -> None:
    key, both = np.array(["a", "a"]), np.array([0, 1])
    forecast = Predictions(
        task="forecast",
        key=key,
        step=np.array([0, 0]),
        ahead=np.array([1, 2]),
        predicted=np.array([1.5, 2.5]),
        actual=np.array([1.0, np.nan]),
        baselines={"persistence": np.array([0.5, 0.5])},
        history=np.array([0, 0]),
    )
    assert list(forecast.columns()) == ["key", "step", "ahead", "target", "prediction", "baseline_persistence", "history"]
    assert forecast.prediction.tolist() == [1.5, 2.5]
    nll = np.array([0.7, 0.1])
    letters = Predictions(task="next", class_names=("x", "y"), key=key, predicted=both, actual=both, nll=nll, baselines={"unigram": nll})
    assert list(letters.columns()) == ["key", "target", "prediction", "nll", "baseline_unigram"]
    given, right = np.array([[1, 0], [0, 0]]), np.array([[1, 1], [0, 0]])
    labels = Predictions(
        task="multilabel", class_names=("x", "y"), key=key, predicted=given, actual=right, probabilities=np.array([[0.5, 0.2]] * 2)
    )
    assert list(labels.columns()) == ["key", "target_x", "target_y", "prediction_x", "prediction_y", "p_x", "p_y"]
    assert labels.columns()["target_y"].tolist() == [True, False]


def test_label_answers_of_another_width_and_baselines_of_another_length_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"predicted: the shape \(1, 3\) for 2 class names"):
        Predictions(task="multilabel", class_names=("x", "y"), key=np.array(["a"]), predicted=np.array([[1, 0, 1]]))
    with pytest.raises(ShapeError, match=r"baselines\['mean'\]: 2 rows, while predicted has 1"):
        Predictions(task="regress", key=np.array(["a"]), predicted=np.array([0.5]), baselines={"mean": np.array([1.0, 2.0])})


def test_a_score_of_rows_that_are_all_called_positive_keeps_its_meaning(tmp_path: Path) -> None:
    columns = {"target": [0, 1, 0, 1], "score": [0.1, 0.3, 0.2, 0.4]}
    called = Predictions.from_columns(columns, positive="1").at(0.01)
    assert called.predicted.tolist() == [1, 1, 1, 1]
    assert read_predictions(called.save(tmp_path / "p.csv"), positive="1").score_class == "1"


@pytest.mark.parametrize("wrong", [np.full((2, 2), np.nan), np.full((2, 3), 1 / 3), np.full(2, 0.5)])
def test_probabilities_that_are_none_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="probabilities"):
        Predictions(task="classify", class_names=("a", "b"), key=np.array(["x", "y"]), predicted=np.array([0, 1]), probabilities=wrong)
