"""Are the figures of four known counts had from counts and from every kind of file, and is nothing counted that is not known?"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle  # type: ignore[import-untyped]

from statewise.errors import DataError, MissingExtraError, OptionError, RunError
from statewise.evaluation import Cost, Counts, Evaluation, EventRules, Predictions, evaluate, read_predictions
from statewise.models import build
from statewise.runs import History, Run, RunConfig, RunFiles
from statewise.sequences import Ragged, Sequences
from statewise.training import fit

EXAMPLE = Counts(tp=50, fn=10, fp=5, tn=35)
MIRRORED = Counts(tp=35, fn=5, fp=10, tn=50)


def rows_of(counts: Counts) -> dict[str, list[object]]:
    cells = [(1, 1, counts.tp), (1, 0, counts.fn), (0, 1, counts.fp), (0, 0, counts.tn)]
    return {
        "target": [actual for actual, _, times in cells for _ in range(times)],
        "prediction": [predicted for _, predicted, times in cells for _ in range(times)],
    }


def printed(evaluation: Evaluation) -> dict[str, float]:
    """Return the figures of the first table, by the first word of each row."""
    return {found[1]: float(found[2]) for found in re.finditer(r"^(\w+)[^\n]*? (\d\.\d{3}) +\d\.\d{3} to", str(evaluation), re.MULTILINE)}


def evaluations_of(counts: Counts, folder: Path) -> list[Evaluation]:
    predictions = Predictions.from_columns(rows_of(counts))
    files = [predictions.save(folder / f"p.{suffix}") for suffix in ("csv", "parquet", "jsonl")]
    return [evaluate(counts), *(evaluate(read_predictions(file)) for file in files)]


def test_m5_from_counts_and_from_every_kind_of_file(tmp_path: Path) -> None:
    for evaluation in evaluations_of(EXAMPLE, tmp_path):
        figures = printed(evaluation)
        assert [round(figures[name], 2) for name in ("precision", "recall", "accuracy", "f1")] == [0.91, 0.83, 0.85, 0.87]
        assert evaluation.confusion.counts == [[35, 5], [10, 50]]
        assert "rows: actual, columns: predicted" in str(evaluation)


def test_m5_read_with_the_other_class_as_positive(tmp_path: Path) -> None:
    for evaluation in evaluations_of(MIRRORED, tmp_path):
        figures = printed(evaluation)
        assert [figures[name] for name in ("precision", "recall", "accuracy")] == [0.778, 0.875, 0.85]
        assert evaluation.confusion.counts == [[50, 10], [5, 35]]
    same_rows = Predictions.from_columns(rows_of(EXAMPLE))
    assert printed(evaluate(same_rows, positive="0"))["precision"] == 0.778
    assert "1 (positive)" in str(evaluate(same_rows))
    assert "0 (positive)" in str(evaluate(same_rows, positive="0"))


def test_m12_high_accuracy_and_12_of_100_positives(tmp_path: Path) -> None:
    for evaluation in evaluations_of(Counts(tp=12, fn=88, fp=112, tn=9788), tmp_path):
        assert evaluation.metrics["accuracy"].value == pytest.approx(0.98)
        assert evaluation.metrics["recall"].value == pytest.approx(0.12)
        assert (evaluation.majority_accuracy, evaluation.num_missed, evaluation.num_positives) == (0.99, 88, 100)
        text = " ".join(str(evaluation).split())
        assert "88 of 100 positives were missed (recall 12.0 %)" in text
        assert f"always answering '{evaluation.majority_class}' has accuracy 99.0 %, this 98.0 %" in text


def test_the_positives_of_four_counts_can_be_named() -> None:
    assert evaluate(EXAMPLE, positive="fraud").confusion.class_names == ("not fraud", "fraud")
    assert evaluate(EXAMPLE).confusion.class_names == ("negative", "positive")
    assert evaluate(EXAMPLE, positive="negative").confusion.class_names == ("positive", "negative")
    assert (evaluate(EXAMPLE).unit, evaluate(EXAMPLE).num_sequences, evaluate(EXAMPLE).num_units) == ("count", None, 100)


@pytest.mark.parametrize(("bad", "where"), [({"tp": -1}, "tp"), ({"tp": 0, "fn": 0, "fp": 0, "tn": 0}, "all four")])
def test_counts_that_cannot_be_are_refused(bad: dict[str, int], where: str) -> None:
    with pytest.raises(OptionError) as caught:
        Counts(**{"tp": 1, "fn": 1, "fp": 1, "tn": 1, **bad})
    assert (caught.value.asked, caught.value.where) == ("evaluate four counts", where)
    assert caught.value.arrived in ("-1", "0")
    assert caught.value.hint


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(2, 60), st.integers(0, 10**6))
def test_figures_and_counts_equal_scikit_learns(classes: int, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    actual, predicted = random.integers(0, classes, (2, rows))
    names = [str(number) for number in range(classes)]
    found = evaluate(
        Predictions.from_columns({"target": actual, "prediction": predicted}, class_names=tuple(names)),
        positive="1" if classes == 2 else None,
    )
    assert found.confusion.counts == oracle.confusion_matrix(actual, predicted, labels=range(classes)).tolist()
    assert found.metrics["accuracy"].value == pytest.approx(oracle.accuracy_score(actual, predicted))
    kind = {"average": "binary"} if classes == 2 else {"average": "macro", "labels": np.unique(actual)}
    assert np.nan_to_num(found.metrics["f1"].value) == pytest.approx(oracle.f1_score(actual, predicted, zero_division=0, **kind))
    assert found.support == {name: int((actual == number).sum()) for number, name in enumerate(names)}
    assert found.majority_accuracy == pytest.approx(np.bincount(actual).max() / rows)
    assert found.chance == 1 / classes


def tagged(**more: object) -> Predictions:
    keys = [key for key in "abcdef" for _ in range(4)]
    random = np.random.default_rng(0)
    columns = {"key": keys, "step": list(range(4)) * 6, "target": random.integers(0, 3, 24), "prediction": random.integers(0, 3, 24)}
    return Predictions.from_columns({**columns, **more})


def test_steps_are_counted_and_sequences_or_groups_are_the_units() -> None:
    alone, grouped = evaluate(tagged()), evaluate(tagged(group=["x"] * 8 + ["y"] * 8 + ["z"] * 8))
    assert (alone.task, alone.unit, alone.num_units, alone.num_scored, alone.num_sequences) == ("tag", "sequence", 6, 24, 6)
    assert (grouped.unit, grouped.num_units, grouped.num_sequences) == ("group", 3, 6)
    assert alone.metrics["accuracy"].units == 6
    assert grouped.metrics["accuracy"].units == 3
    assert alone.average == "macro"
    assert (alone.positive, alone.num_positives, alone.prevalence, alone.num_missed) == (None, None, None, None)


def test_labels_of_one_long_stream_are_scored_over_blocks_of_its_steps() -> None:
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 600)
    wrong = np.repeat(random.random(30) < 0.2, 20)
    found = evaluate(Predictions.from_columns({"step": range(600), "target": target, "prediction": np.where(wrong, 1 - target, target)}))
    assert (found.unit, found.metrics["accuracy"].value) == ("block", 1 - wrong.mean())
    assert 8 <= found.num_units <= 60
    assert any("600" not in note and f"{found.num_units} blocks of" in note for note in found.notes)
    accuracy = found.metrics["accuracy"]
    assert accuracy.low is not None
    assert accuracy.low < 1 - wrong.mean() - 2 * (wrong.std() / 600**0.5)
    assert "blocks" in str(found).splitlines()[0]


def test_classes_that_are_named_in_two_ways_are_noted() -> None:
    says = "are the same classes named in two ways?"
    other = evaluate(Predictions.from_columns({"target": [1, 0, 1, 0], "prediction": ["yes", "no", "yes", "no"]}))
    assert any(says in note for note in other.notes)
    wrong = evaluate(Predictions.from_columns({"target": [1, 0, 1, 0], "prediction": [0, 1, 0, 1]}))
    assert not any(says in note for note in wrong.notes)


def test_what_should_be_known_is_noted() -> None:
    columns = {"target": ["a", "a", "b"], "prediction": ["a", "a", "a"], "weight": [1, 2, 3], "split": ["train", "test", "test"]}
    notes = "\n".join(evaluate(Predictions.from_columns(columns, class_names=("a", "b", "c"))).notes)
    assert "no column 'key'" in notes
    assert "never among the targets: 'c'" in notes
    assert "never predicted: 'b'; precision is undefined there, counted as 0 in the macro average" in notes
    assert "2 parts (test, train)" in notes
    assert "'weight' is not used" in notes
    many = Predictions.from_columns({"target": ["x", "y"], "prediction": ["x", "y"]}, class_names=tuple("abcdefghijxy"))
    assert "and 2 others" in "\n".join(evaluate(many).notes)


def test_the_positive_class_that_was_chosen_is_noted_with_the_reason() -> None:
    columns = {"key": list("abc"), "target": ["ham", "ham", "spam"], "prediction": ["ham", "spam", "spam"]}
    rarer = evaluate(Predictions.from_columns(columns))
    assert rarer.positive == "spam"
    assert rarer.notes == (
        "the positive class is 'spam', the rarer of the two among the targets; another is chosen with positive= (--positive)",
    )
    assert evaluate(Predictions.from_columns(columns), positive="ham").notes == ()
    assert evaluate(Predictions.from_columns(columns, positive="ham")).positive == "ham"


@pytest.mark.parametrize(
    ("predictions", "where", "arrived"),
    [
        (
            Predictions(task="classify", class_names=("a", "b"), key=np.array(["k"]), predicted=np.array([1])),
            "column 'target'",
            "no targets",
        ),
        (
            Predictions(task="classify", class_names=("a", "b"), key=np.array([]), predicted=np.array([]), actual=np.array([])),
            "the rows",
            "none",
        ),
        (Predictions.from_columns({"target": ["a"], "prediction": ["a"]}, source="here"), "here", "one class only: 'a'"),
    ],
)
def test_what_cannot_be_scored_is_refused(predictions: Predictions, where: str, arrived: str) -> None:
    with pytest.raises(DataError) as caught:
        evaluate(predictions)
    assert caught.value.asked == "evaluate"
    assert where in caught.value.where
    assert arrived in caught.value.arrived
    assert caught.value.hint


def test_a_positive_class_of_several_is_refused() -> None:
    with pytest.raises(OptionError, match="3 classes"):
        evaluate(tagged(), positive="1")
    with pytest.raises(OptionError, match="Did you mean '1'"):
        evaluate(Predictions.from_columns(rows_of(EXAMPLE)), positive="11")


def test_a_missing_torchmetrics_is_named_and_four_counts_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.classification", None)
    with pytest.raises(MissingExtraError, match=r"statewise\[metrics\]"):
        evaluate(tagged())
    assert evaluate(EXAMPLE).metrics["accuracy"].value == 0.85


def run_in(directory: Path | None, **config: object) -> Run:
    known = {"model_name": "Model", "task": "classify", "class_names": ("cat", "dog"), **config}
    return Run(config=RunConfig(**known), history=History(), directory=directory)  # type: ignore[arg-type]


def test_a_run_is_evaluated_on_the_predictions_in_its_directory(tmp_path: Path) -> None:
    columns = {"key": list("abcd"), "target": ["dog", "cat", "cat", "cat"], "prediction": ["dog", "cat", "dog", "cat"]}
    Predictions.from_columns(columns).save(RunFiles(tmp_path).predictions)
    found = evaluate(run_in(tmp_path))
    assert (found.positive, found.metrics["accuracy"].value) == ("dog", 0.75)
    assert evaluate(run_in(tmp_path, positive="cat")).positive == "cat"
    assert evaluate(run_in(tmp_path, positive="cat"), positive="dog").positive == "dog"
    assert evaluate(run_in(tmp_path, class_names=("emu", "dog", "cat"))).confusion.class_names == ("emu", "dog", "cat")


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_without_predictions_asks_for_data(tmp_path: Path, kept: bool) -> None:  # noqa: FBT001
    with pytest.raises(RunError) as caught:
        evaluate(run_in(tmp_path if kept else None))
    assert caught.value.where == "the run's predictions"
    assert ("predictions.parquet" in caught.value.arrived) == kept
    assert "--data" in caught.value.hint


def test_a_model_and_data_are_predicted_and_evaluated() -> None:
    lengths = torch.tensor([2, 3, 1, 4])
    data = Sequences(inputs=Ragged(torch.randn(10, 2), lengths), targets=["no", "yes", "no", "yes"], keys=list("abcd"))
    model = build("gru", task="classify", input_size=2, class_names=["no", "yes"])
    found = evaluate(model, data)
    assert (found.num_scored, found.positive, found.task) == (4, "yes", "classify")
    with pytest.raises(OptionError, match="without data"):
        evaluate(model)


def sequences_of(task: str, first: int, last: int) -> Sequences:
    """Return some of 36 sequences of 12 steps."""
    generator = torch.Generator().manual_seed(0)
    steps, lengths = torch.randn(36, 12, 2, generator=generator), torch.full((36,), 12)
    inputs, more = {"": Ragged(steps.reshape(-1, 2), lengths)}, dict[str, Any]()
    if task == "next":
        tokens = torch.randint(0, 3, (36 * 12,), generator=generator)
        inputs, targets = {"token": Ragged(tokens, lengths)}, tokens
        more = {"class_names": ["a", " ", "\n"], "categories": {"token": ["a", " ", "\n"]}}
    elif task == "forecast":
        targets, more = steps[..., 0].cumsum(1).reshape(-1), {"season": 4, "weights": (torch.arange(36 * 12) % 12 > 1).float()}
    elif task == "regress":
        targets = steps.mean((1, 2))
    else:
        targets, more = steps.sum(1) > 0, {"class_names": ["p", "q"]}
    data = Sequences(inputs=inputs if task == "next" else inputs[""], targets=targets, keys=[f"k{n}" for n in range(36)], task=task, **more)  # type: ignore[arg-type]
    return data.select(list(range(first, last)))


@pytest.mark.parametrize("task", ["regress", "forecast", "next", "multilabel"])
def test_a_run_of_any_task_is_evaluated_again_from_its_directory_to_the_same_figures(tmp_path: Path, task: str) -> None:
    train, valid, test = (sequences_of(task, *ends) for ends in ((0, 12), (12, 20), (20, 36)))
    options: dict[str, int] = {"horizon": 3} if task == "forecast" else {}
    run = fit(build("gru", task=task, data=train, hidden_size=4, **options), train, valid, epochs=1, directory=tmp_path / "run")  # type: ignore[arg-type]
    first, again = evaluate(run, test), evaluate(run)
    assert (again.metrics, again.baselines, again.by_ahead) == (first.metrics, first.baselines, first.by_ahead)
    assert (again.per_class, again.label_counts, again.points, again.num_units) == (
        first.per_class, first.label_counts, first.points, first.num_units,
    )  # fmt: skip
    naive = {"regress": ["mean"], "forecast": ["persistence", "seasonal"], "next": ["unigram"], "multilabel": []}[task]
    assert sorted(first.baselines) == naive
    assert first.num_units == 16
    assert ("history" in "".join(first.notes)) == (task == "forecast")


@pytest.mark.parametrize("more", [{"by": "length"}, {"events": EventRules()}, {"threshold": 0.4}, {"cost": Cost(miss=2, false_alarm=1)}])
def test_what_four_counts_have_no_use_for_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(more))}: beside four counts"):
        evaluate(Counts(tp=1, fn=2, fp=3, tn=4), **more)


def test_data_beside_answers_and_a_positive_of_three_classes_are_refused() -> None:
    columns = {"target": ["a", "b", "c"], "prediction": ["a", "b", "b"]}
    some = Sequences(inputs=Ragged(torch.zeros(2, 1), torch.tensor([1, 1])))
    with pytest.raises(OptionError, match="beside predictions"):
        evaluate(Predictions.from_columns(columns), some)
    with pytest.raises(OptionError, match="there are 3 classes"):
        Predictions.from_columns(columns, positive="a")
