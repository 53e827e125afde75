"""Is what is shown readable at 80 columns without colour, complete, and safe against labels that look like markup?"""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from statewise.evaluation import Counts, Evaluation, Predictions, evaluate
from statewise.evaluation._part_sections import part_tables
from statewise.evaluation._terminal import percent


def of_classes(num_classes: int, *, name: str = "class {}") -> Evaluation:
    random = np.random.default_rng(0)
    actual = np.arange(20 * num_classes) % num_classes
    predicted = np.where(random.random(len(actual)) < 0.8, actual, random.integers(0, num_classes, len(actual)))
    names = np.array([name.format(number) for number in range(num_classes)], dtype=object)
    return evaluate(Predictions.from_columns({"target": names[actual], "prediction": names[predicted]}))


def on_console(evaluation: Evaluation, width: int) -> str:
    buffer = io.StringIO()
    Console(file=buffer, width=width).print(evaluation)
    return buffer.getvalue()


@pytest.mark.parametrize("num_classes", [2, 3, 9, 30])
def test_nothing_is_wider_than_80_columns_or_cut_off(num_classes: int) -> None:
    text = str(of_classes(num_classes))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "\x1b" not in text


def test_the_console_shows_what_str_says() -> None:
    evaluation = of_classes(3)
    assert [line.rstrip() for line in on_console(evaluation, 80).splitlines()] == str(evaluation).splitlines()


def test_every_metric_has_a_row_and_every_method_a_line() -> None:
    text = " ".join(str(evaluate(Counts(tp=50, fn=10, fp=5, tn=35))).split())
    for title in ("accuracy", "balanced accuracy", "precision of 'positive'", "negative predictive value of 'positive'"):
        assert title in text
    assert "Clopper-Pearson" in text
    assert "macro recall" in str(of_classes(3))


def test_figures_of_a_small_sample_are_named() -> None:
    text = " ".join(str(evaluate(Counts(tp=50, fn=10, fp=5, tn=935))).split())
    assert "small sample precision, recall, f1: fewer than 200 cases; what the whole interval allows may be true" in text
    assert "small sample" not in str(evaluate(Counts(tp=500, fn=100, fp=50, tn=350)))


def test_the_worst_class_is_marked() -> None:
    evaluation = of_classes(4)
    marked = [line for line in str(evaluation).splitlines() if line.endswith("worst")]
    assert len(marked) == 1
    assert evaluation.worst_class is not None
    assert marked[0].startswith(evaluation.worst_class)


def test_no_class_is_the_worst_where_all_are_alike() -> None:
    same = Predictions.from_columns({"target": ["a", "b", "c"] * 4, "prediction": ["a", "b", "c"] * 2 + ["b", "c", "a"] * 2})
    evaluation = evaluate(same)
    assert evaluation.worst_class is None
    assert "worst" not in str(evaluation)
    labels = {"target_a": [1, 0], "target_b": [0, 1], "prediction_a": [1, 0], "prediction_b": [0, 1]}
    assert "worst" not in str(evaluate(Predictions.from_columns(labels)))


def test_the_model_stands_beside_a_baseline_with_its_errors_on_the_same_rows() -> None:
    columns = {"target": [1.5, 2.0, 3.0, 4.0], "prediction": [1.5, 2.5, 3.25, 9.0], "baseline_old": [2.0, 3.0, 5.0, None]}
    evaluation = evaluate(Predictions.from_columns(columns | {"baseline_mean": [2.0] * 4}, task="regress"))
    old = evaluation.baselines["old"]
    assert old.skill.value == pytest.approx(1 - old.model["mse"] / old.figures["mse"])
    assert evaluation.baselines["mean"].model == {}
    shown = [" ".join(line.split()) for line in str(evaluation).splitlines()]
    row = next(number for number, line in enumerate(shown) if line.startswith("old"))
    assert shown[row + 1] == "this, on these rows 0.1042 0.3227 0.2500"
    assert sum("on these rows" in line for line in shown) == 1
    only = str(evaluate(Predictions.from_columns(columns, task="regress")))
    assert "old has an RMSE of 1.323, this 0.3227 on the same 3 of 4 rows" in " ".join(only.split())


def test_a_matrix_that_is_too_wide_becomes_its_most_frequent_confusions() -> None:
    assert "Most frequent confusions" in str(of_classes(30))
    assert "15 classes with the lowest f1, of 30" in str(of_classes(30))
    assert "Confusion matrix" in on_console(of_classes(9, name="{}"), 80)
    assert "Confusion matrix" not in on_console(of_classes(9, name="{}"), 30)


def of_other_tasks() -> dict[str, Evaluation]:
    random = np.random.default_rng(0)
    step, ahead = np.repeat(np.arange(300), 40), np.tile(np.arange(1, 41), 300)
    series = np.cumsum(random.normal(size=400))
    actual = series[step + ahead]
    noise = random.normal(size=len(actual))
    forecast = {"step": step, "ahead": ahead, "target": actual, "prediction": actual + noise}
    tokens = {"key": np.arange(300) // 30, "target": ["a", "b", "[red]"] * 100, "prediction": ["b"] * 300, "nll": random.random(300)}
    truth = random.random((60, 20)) < 0.4
    labels = {f"target_[b]<b>{n}": truth[:, n] for n in range(20)} | {f"p_[b]<b>{n}": random.random(60) for n in range(20)}
    return {
        "regress": evaluate(Predictions.from_columns({"target": series[:60], "prediction": series[1:61]})),
        "forecast": evaluate(Predictions.from_columns(forecast, season=24)),
        "next": evaluate(Predictions.from_columns(tokens, task="next")),
        "multilabel": evaluate(Predictions.from_columns(labels)),
    }


@pytest.mark.parametrize("task", ["regress", "forecast", "next", "multilabel"])
def test_the_other_tasks_fit_80_columns_and_show_what_they_are_held_against(task: str) -> None:
    evaluation = of_other_tasks()[task]
    text = str(evaluation)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "Confusion" not in text
    shown = {
        "regress": ("RMSE", "skill against mean", "Against naive methods", "mean has an RMSE of"),
        "forecast": ("1 sequence", "(judged)", "15 of 40 horizons", "it rests on one of the sequences"),
        "next": ("bits a token", "perplexity", "unigram has 1.585 bits a token", "always answering"),
        "multilabel": (
            "subset accuracy",
            "macro f1",
            "15 labels with the lowest f1, of 20",
            "chance of balanced accuracy 50.0 %",
            "[b]<b>",
        ),
    }[task]
    for words in shown:
        assert words in " ".join(text.split()), words
    assert "<b>1" not in evaluation._repr_html_()
    assert ("Against naive methods" in evaluation._repr_html_()) == (task != "multilabel")
    assert repr(evaluation).startswith(f"Evaluation({task}, ")
    assert ("skill" in repr(evaluation)) == (task != "multilabel")


def test_without_a_baseline_the_tables_say_that_none_is_known() -> None:
    rows = np.arange(40)
    made = Predictions(
        task="forecast", key=np.array(["a"] * 40), step=rows // 2, ahead=rows % 2 + 1, predicted=rows * 1.0, actual=rows + 0.5
    )
    text = " ".join(str(evaluate(made)).split())
    assert "none is known" in text
    assert "unknown none" in text
    assert "Against naive methods" not in text
    late = np.where(rows % 2, np.nan, rows + 1.0)
    partly = evaluate(
        Predictions(
            **{name: getattr(made, name) for name in ("task", "key", "step", "ahead", "predicted", "actual")}, baselines={"odd": late}
        )
    )
    assert "0.5000 unknown" in " ".join(str(partly).split())


def test_labels_are_never_read_as_markup() -> None:
    evaluation = of_classes(2, name="[red]<b>{}")
    assert "[red]<b>1" in str(evaluation)
    assert "<b>1" not in evaluation._repr_html_()
    assert "&lt;b&gt;1" in evaluation._repr_html_()


def test_a_long_label_is_shortened_in_tables() -> None:
    text = str(of_classes(2, name="a" * 40 + "{}"))
    assert "Confusion matrix" in text
    assert {"a" * 10 + "..." + "a" * 6 + number for number in "01"} <= set(text.split())


def test_an_undefined_figure_says_so_and_a_missing_interval_too() -> None:
    text = str(evaluate(Counts(tp=0, fn=5, fp=0, tn=95)))
    assert "undefined" in text
    assert "undefined: 0 of 0" in text
    assert "nan" not in text


def test_steps_sequences_and_groups_are_counted_in_the_first_line() -> None:
    columns = {"key": list("aabb"), "step": [0, 1, 0, 1], "group": list("xxyy"), "target": [0, 1, 0, 1], "prediction": [0, 1, 1, 1]}
    first = " ".join(str(evaluate(Predictions.from_columns(columns))).split("metric")[0].split())
    assert first.endswith("4 steps, 2 sequences, 2 groups, 2 classes")


def test_the_repr_is_one_plain_line() -> None:
    assert repr(evaluate(Counts(tp=50, fn=10, fp=5, tn=35))).startswith("Evaluation(classify, 100 scored, accuracy 0.850 (")


def test_a_share_is_never_rounded_to_none_or_all() -> None:
    assert [percent(share) for share in (0.0, 0.0001, 0.5, 0.9999, 1.0)] == ["0.0 %", "<0.1 %", "50.0 %", ">99.9 %", "100.0 %"]


def test_of_many_groups_those_are_shown_that_are_surest_to_be_bad() -> None:
    random = np.random.default_rng(0)
    group = np.concatenate([np.repeat(np.arange(40), 3), np.full(400, 99)])
    target = random.integers(0, 2, len(group))
    wrong = np.where(group == 99, random.random(len(group)) < 0.3, random.random(len(group)) < 0.05)
    found = evaluate(Predictions.from_columns({"group": group, "target": target, "prediction": np.where(wrong, 1 - target, target)}))
    rows = next(table for table in part_tables(found) if table.title.startswith("By group")).rows
    assert rows[0][0] == "99", "three wrong of three may be chance, 30 % of 400 is none"
