"""Does a report of values, next tokens or labels show their errors, charts and tables in place of a confusion matrix?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from statewise.evaluation import Evaluation, Points, Predictions, evaluate, write_evaluation
from statewise.reporting import report, save_picture
from statewise.reporting._answer import answer_of, judged_metrics, tiles_of
from statewise.reporting._drawing import chart_spec
from statewise.reporting._palette import PICTURE
from statewise.reporting._score_charts import metric_chart
from statewise.reporting._score_sections import sections_of
from statewise.reporting._score_value_charts import ahead_chart, value_chart
from statewise.runs import Run, RunFiles, encode_records, write_document
from statewise.verdicts import judge
from tests.reporting._made import HOSTILE, Page, make_config, make_history, make_run, read_page
from tests.verdicts.evidence import of_forecast, of_labels, of_tokens

BEFORE, AFTER = ["verdict", "why", "data", "training", "metrics"], ["inside", "audit", "provenance"]

COUNTS = {"few": ((20, 1), (1, 18)), "many": ((460, 20), (10, 290))}


def of_values(rows: int = 80) -> Evaluation:
    random = np.random.default_rng(0)
    actual = random.normal(size=rows) * 40 + 100
    return evaluate(Predictions.from_columns({"target": actual, "prediction": actual + 10 * random.normal(size=rows)}))


EVALUATIONS: dict[str, Evaluation] = {
    "regress": of_values(),
    "forecast": of_forecast(advantage=0.4),
    "next": of_tokens(better=0.5),
    "multilabel": of_labels(right=0.95),
}


def run_of(directory: Path, task: str, evaluation: Evaluation | None, names: tuple[str, ...] = ()) -> Run:
    files = RunFiles(directory)
    directory.mkdir(parents=True, exist_ok=True)
    config, history = make_config(names, task=task), make_history(5)
    write_document(files.config, config)
    files.history.write_bytes(encode_records(history.records))
    run = Run(config=config, history=history, directory=directory)
    if evaluation is not None:
        run.evaluation = evaluation
        write_evaluation(evaluation, files.evaluation)
    return run


def page_of(directory: Path, task: str, evaluation: Evaluation | None, names: tuple[str, ...] = ()) -> Page:
    return read_page(report(run_of(directory, task, evaluation, names)))


@pytest.mark.parametrize(
    ("task", "names", "sections", "charts"),
    [
        ("regress", (), ["baselines", "values"], {"metrics", "values"}),
        ("forecast", (), ["baselines", "values", "ahead", "parts"], {"metrics", "values", "ahead"}),
        ("next", ("a", "b", "c", "d"), ["baselines", "parts"], {"metrics"}),
        ("multilabel", ("0", "1", "2"), ["labels", "parts"], {"metrics"}),
    ],
)
def test_each_task_has_its_own_sections_and_charts(
    tmp_path: Path, task: str, names: tuple[str, ...], sections: list[str], charts: set[str]
) -> None:
    page = page_of(tmp_path, task, EVALUATIONS[task], names)
    assert page.order == [*BEFORE, *sections, *AFTER]
    assert not page.problems
    assert charts == set(page.specs()) - {"loss", "accuracy", "gradients"}
    links = [value for _, name, value in page.attributes if name == "href" and value.startswith("#")]
    assert set(links) >= {f"#{each}" for each in page.order}
    assert "Task: " + task in page.text["data"]
    told = {"regress": "", "forecast": "", "next": "4 tokens", "multilabel": "3 labels"}[task]
    assert told in page.text["data"]
    assert "class" not in page.text["data"]


def test_figures_are_those_of_the_evaluation_to_the_last_digit_and_written_in_their_own_size(tmp_path: Path) -> None:
    evaluation = EVALUATIONS["regress"]
    page = page_of(tmp_path, "regress", evaluation)
    for each in evaluation.metrics.values():
        assert each.value in page.figures["metrics"]
        assert each.written in page.text["metrics"]
        assert each.interval is not None
    assert "RMSE" in page.text["verdict"]
    assert evaluation.metrics["rmse"].written in page.text["verdict"]
    assert "mean has an RMSE of" in page.text["metrics"]
    assert "the intervals rest on 80 sequences" in page.text["metrics"]


def test_a_forecast_tells_naive_methods_and_horizons(tmp_path: Path) -> None:
    page = page_of(tmp_path, "forecast", EVALUATIONS["forecast"])
    assert "persistence" in page.text["baselines"]
    for ahead, figures in EVALUATIONS["forecast"].by_ahead.items():
        assert f" {ahead} {figures['rmse'].written} {figures['baseline_rmse'].written} " in page.text["ahead"]
    assert "blocks of steps" in page.text["metrics"]
    assert "Those 1 and 2 steps ahead" in page.text["values"]


@pytest.mark.parametrize("task", ["regress", "next", "multilabel"])
def test_a_run_without_an_evaluation_has_no_empty_confusion_matrix_unless_it_tells_classes_apart(tmp_path: Path, task: str) -> None:
    page = page_of(tmp_path, task, None, ("a", "b"))
    assert page.order == [*BEFORE, *AFTER]
    assert "No test data has been scored" in page.text["metrics"]


def test_hostile_names_of_labels_are_shown_and_never_run(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    truth = random.random((60, len(HOSTILE))) < 0.4
    made = Predictions(
        task="multilabel", class_names=HOSTILE, key=np.arange(60).astype(str), predicted=truth, actual=truth, source=HOSTILE[0]
    )
    page = page_of(tmp_path, "multilabel", evaluate(made), HOSTILE)
    assert not page.problems
    assert "alert(1)" in page.text["labels"]
    assert len(page.scripts) == len(page.specs()) + 1


def test_many_labels_are_listed_worst_first_and_labels_that_never_occur_break_nothing(tmp_path: Path) -> None:
    many = of_labels(right=0.9, rows=60, shares=tuple(np.linspace(0.0, 0.6, 30)))
    (section,) = sections_of(many)
    assert len(section.rows) == 15
    assert "The 15 labels with the lowest f1, of 30" in page_of(tmp_path, "multilabel", many).text["labels"]
    (empty,) = sections_of(of_labels(right=1.0, rows=60, shares=(0.0, 0.0)))
    assert empty.says == ""


def test_without_a_baseline_the_page_says_that_nothing_is_known() -> None:
    made = Predictions(task="regress", key=np.arange(9).astype(str), predicted=np.arange(9.0), actual=np.arange(9.0) + 0.5)
    assert [each.id for each in sections_of(evaluate(made))] == ["values"]


def test_an_error_has_no_bar_from_0_to_1_and_a_skill_below_0_none_either() -> None:
    verdict = judge(evaluation=of_forecast(advantage=-0.2))
    skill = answer_of(verdict).against[0]
    assert (skill.subject, skill.scale) == ("skill", None)
    good = answer_of(judge(evaluation=EVALUATIONS["forecast"])).supporting[0]
    assert good.scale is not None
    judged = judged_metrics(judge(evaluation=EVALUATIONS["forecast"]), EVALUATIONS["forecast"])
    assert {name: reason.limit for name, reason in judged.items()} == {"skill": 0.0}


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("regress", ["RMSE", "MAE", "R2", "skill"]),
        ("next", ["bits a token", "perplexity", "accuracy", "skill"]),
        ("multilabel", ["subset accuracy", "precision, mean of labels", "recall, mean of labels", "F1, mean of labels"]),
    ],
)
def test_the_large_figures_are_those_of_the_task(task: str, labels: list[str]) -> None:
    assert [tile.label for tile in tiles_of(EVALUATIONS[task])] == labels


def drawn(chart: Any) -> str:
    import vl_convert

    return str(vl_convert.vegalite_to_svg({**chart_spec(chart, palette=PICTURE), "width": 500}))


def test_charts_are_drawn_with_titles_axes_and_units() -> None:
    found = EVALUATIONS["forecast"]
    picture = drawn(value_chart(found.points, palette=PICTURE))
    for words in ("Predicted against actual", "actual value", "predicted value", "1 step ahead", "2 steps ahead"):
        assert words in picture
    picture = drawn(ahead_chart(found.by_ahead, baseline=found.judged_baseline, palette=PICTURE))
    for words in ("Error by how far ahead", "steps ahead", "RMSE (units of the target)", "model", "persistence"):
        assert words in picture
    assert "1 step" not in drawn(value_chart(EVALUATIONS["regress"].points, palette=PICTURE))


def test_the_chart_of_metrics_shows_shares_alone_and_reaches_below_0_where_they_do() -> None:
    chart = metric_chart(of_forecast(advantage=-0.2).metrics, {"skill": 0.0}, palette=PICTURE).to_dict()
    rows = [row for rows in chart["datasets"].values() for row in rows]
    assert {row["metric"] for row in rows} == {"R2", "skill"}
    low, high = chart["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert -1 <= low < 0 < high == 1
    assert "skill" in drawn(metric_chart(of_forecast(advantage=-9).metrics, {}, palette=PICTURE))


def test_values_that_are_all_the_same_are_drawn() -> None:
    assert "<svg" in drawn(value_chart(Points(actual=(1.0, 1.0), predicted=(1.0, 1.0)), palette=PICTURE))


def test_a_picture_holds_the_charts_of_values(tmp_path: Path) -> None:
    path = save_picture(run_of(tmp_path / "run", "forecast", EVALUATIONS["forecast"]), tmp_path / "p.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_figures_of_a_small_sample_are_marked(tmp_path: Path) -> None:
    few, many = (read_page(report(make_run(tmp_path / name, counts=counts))) for name, counts in COUNTS.items())
    assert "40 small sample" in few.text["metrics"]
    assert "small sample" not in many.text["metrics"]
