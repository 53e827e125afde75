"""Does the report say what the records say, in order, whatever is missing and whatever names users chose, without a network?"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import torch
from altair.utils.schemapi import debug_mode

import statewise as sw
from statewise.errors import MissingExtraError, OptionError, RunError
from statewise.evaluation import write_evaluation
from statewise.reporting import _evidence as gathering
from statewise.reporting import _report as writing
from statewise.reporting import report, save_picture
from statewise.runs import History, Run, RunFiles, keep_example
from statewise.verdicts import judge, read_verdict, write_verdict
from tests.reporting._made import (
    HOSTILE,
    make_config,
    make_evaluation,
    make_history,
    make_provenance_record,
    make_run,
    read_page,
)
from tests.verdicts.evidence import SOUND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reporting._made import Page


def written(run: Run | Path, **options: Any) -> Page:
    page = read_page(report(run, **options))
    assert page.problems == []
    return page


@pytest.fixture(autouse=True)
def _unvalidated() -> Iterator[None]:
    """Spare each page the half second in which Altair checks its own schema; `test_charts.py` has every chart checked."""
    with debug_mode(arg=False):
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real run: trained, scored, traced, judged and reported."""
    directory = tmp_path_factory.mktemp("runs") / "whole"
    generator = torch.Generator().manual_seed(0)
    labels = [number % 2 for number in range(60)]
    sequences = [torch.randn(3 + number % 5, 2, generator=generator) + 2 * label for number, label in enumerate(labels)]
    data = sw.Sequences(inputs=sw.Ragged.from_list(sequences), targets=["up" if label else "down" for label in labels])
    train, valid, test = sw.split(data, by="sequence", fractions=(0.5, 0.2, 0.3), seed=0, stratify=True)
    run = sw.fit(sw.build("gru", task="classify", data=train, hidden_size=5), train, valid, epochs=3, refit=True, directory=directory)
    predictions = sw.predict(run, test)
    predictions.save(RunFiles(directory).predictions)
    run.evaluation = sw.evaluate(predictions)
    write_evaluation(run.evaluation, RunFiles(directory).evaluation)
    keep_example(RunFiles(directory), test.select([0]))
    write_verdict(judge(run), RunFiles(directory).verdict)
    report(run)
    return directory


def test_a_real_run_is_reported_from_its_verdict_to_its_provenance(whole: Path) -> None:
    page = read_page(whole / "report.html")
    assert page.problems == []
    order = "verdict why data training metrics confusion classes parts thresholds inside audit provenance"
    assert page.order == order.split()
    assert "GRU" in page.text["training"]
    assert "refitted" in page.text["training"]
    assert "Stages: input sequence" in page.text["inside"]
    assert "hidden state across time" in page.values("aria-label")
    assert set(page.specs()) == {"loss", "accuracy", "gradients", "metrics", "confusion", "thresholds", "thresholds-data"}


def test_figures_on_the_page_are_those_of_the_evaluation_to_the_last_digit(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    page = written(run)
    kept = msgspec.json.decode((tmp_path / "run" / "evaluation.json").read_bytes())
    figures = page.figures["metrics"]
    for estimate in kept["metrics"].values():
        assert {estimate["value"], estimate["low"], estimate["high"]} <= set(figures)
    classes = page.figures["classes"]
    for metrics in kept["per_class"].values():
        assert {metrics["f1"]["value"], metrics["recall"]["low"], metrics["precision"]["high"]} <= set(classes)
    assert page.figures["confusion"] == [460, 20, 10, 190]
    assert page.figures["verdict"] == [kept["metrics"][name]["value"] for name in ("accuracy", "precision", "recall", "f1")]


def test_the_charts_hold_the_figures_of_the_evaluation(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    specs = written(run).specs()
    drawn = {row["metric"]: row for rows in specs["metrics"]["datasets"].values() for row in rows}
    for name, label in (("recall", "recall"), ("f1", "F1"), ("negative_predictive_value", "negative predictive value")):
        assert drawn[label]["value"] == run.evaluation.metrics[name].value
        assert drawn[label]["low"] == run.evaluation.metrics[name].low
    assert drawn["recall"]["limit"] == 0.8
    assert drawn["specificity"]["limit"] is None
    cells = {(row["actual"], row["predicted"]): row["count"] for rows in specs["confusion"]["datasets"].values() for row in rows}
    assert cells == {("no", "no"): 460, ("no", "yes"): 20, ("yes", "no"): 10, ("yes", "yes"): 190}


def test_the_verdict_comes_first_with_its_reasons_figures_and_what_was_not_examined(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", counts=((9788, 112), (88, 12)), policy="recall-first")
    page = written(run)
    verdict = read_verdict(tmp_path / "run" / "verdict.json")
    assert verdict.level == "not_ready"
    assert "Not ready for production" in page.text["verdict"]
    assert "Recall of 'yes' is 0.120 (0." in page.text["verdict"]
    assert "recall-first" in page.text["verdict"]
    for reason in verdict.reasons:
        assert reason.says in page.text["why"]
        assert reason.do in page.text["why"]
    worst = verdict.reasons[0]
    assert {worst.value, worst.low, worst.high} <= set(page.figures["why"])
    assert "88 of 100 positives are missed" in page.text["why"]
    assert any(
        re.fullmatch(r"recall of 'yes': 0\.120, 95 % interval 0\.\d+ to 0\.\d+; asked: at least 0\.90", each)
        for each in page.values("aria-label")
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [(((460, 20), (10, 190)), "Ready for production"), (((20, 1), (1, 18)), "Not enough evidence"), (((60, 60), (60, 60)), "Not ready")],
)
def test_each_level_has_its_words(tmp_path: Path, counts: Any, words: str) -> None:
    page = written(make_run(tmp_path / "run", counts=counts))
    assert words in page.text["verdict"]


def test_the_script_is_embedded_once_and_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    path = report(make_run(tmp_path / "run"))
    page = read_page(path)
    programs = [content for kind, content in page.scripts if kind != "application/json"]
    assert len(programs) == 1
    assert "vega" in programs[0]
    assert "sourceMappingURL" not in programs[0]
    assert page.values("src") == []
    assert all(link.startswith("#") for link in page.values("href"))
    assert not {"link", "img", "iframe", "object", "embed", "form"} & {tag for tag, _, _ in page.attributes}
    style = path.read_text(encoding="utf-8").partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert any("default-src 'none'" in value for value in page.values("content"))
    specifications = json.dumps(page.specs())
    assert set(re.findall(r"https?://[^\"]*", specifications)) == {value["$schema"] for value in page.specs().values()}
    assert path.stat().st_size < 2_000_000


def test_hostile_names_are_shown_and_never_run(tmp_path: Path) -> None:
    size = len(HOSTILE)
    counts = [[40 if row == column else row for column in range(size)] for row in range(size)]
    path = report(make_run(tmp_path / "run", names=HOSTILE, counts=counts))
    page = read_page(path)
    assert page.problems == []
    assert len([kind for kind, _ in page.scripts if kind != "application/json"]) == 1
    assert not {"onerror"} & {name for _, name, _ in page.attributes}
    assert {value for tag, name, value in page.attributes if tag == "bdi" and name == "title"} >= set(HOSTILE)
    cells = [row for rows in page.specs()["confusion"]["datasets"].values() for row in rows]
    assert {row["actual"] for row in cells} == set(HOSTILE)
    assert "alert(1)" in page.text["classes"]
    assert "49" not in page.text["data"].partition("{{")[2].partition("}}")[0]


def test_a_run_without_an_evaluation_says_how_one_is_had(tmp_path: Path) -> None:
    page = written(make_run(tmp_path / "run", without=("evaluation",)))
    assert "Not enough evidence" in page.text["verdict"]
    for section in ("metrics", "confusion", "classes"):
        assert "No test data has been scored" in page.text[section]
        assert "statewise evaluate" in page.text[section]
    assert set(page.specs()) == {"loss", "accuracy", "gradients"}


def test_a_run_without_a_history_says_how_one_is_had(tmp_path: Path) -> None:
    make_run(tmp_path / "run", without=("history",))
    page = written(tmp_path / "run")
    assert "The training is not recorded" in page.text["training"]
    assert "Let at least one epoch end" in page.text["training"]
    assert set(page.specs()) == {"metrics", "confusion"}


def test_a_run_without_a_verdict_is_judged_and_the_page_says_so(tmp_path: Path) -> None:
    page = written(make_run(tmp_path / "run", without=("verdict",)))
    assert "Ready for production" in page.text["verdict"]
    assert "Judged while this report was written" in page.text["verdict"]


def test_a_run_without_provenance_or_example_says_so(tmp_path: Path) -> None:
    page = written(make_run(tmp_path / "run", without=("provenance",)))
    assert "was not recorded" in page.text["provenance"]
    assert "No sequence was traced: it keeps no sequence." in page.text["inside"]
    assert "statewise trace" in page.text["inside"]


def test_a_run_with_nothing_but_its_configuration_is_reported(tmp_path: Path) -> None:
    make_run(tmp_path / "run", without=("evaluation", "history", "audit", "verdict", "provenance"))
    page = written(tmp_path / "run")
    assert "Not enough evidence" in page.text["verdict"]
    assert page.scripts == []


@pytest.mark.parametrize(
    ("name", "section"), [("evaluation", "metrics"), ("verdict", "why"), ("audit", "audit"), ("provenance", "provenance")]
)
def test_a_damaged_record_is_named_in_its_place(tmp_path: Path, name: str, section: str) -> None:
    make_run(tmp_path / "run")
    getattr(RunFiles(tmp_path / "run"), name).write_text('{"schema": 1')
    page = written(tmp_path / "run")
    assert f"{name}.json could not be read: damaged" in page.text[section]


def test_evidence_that_cannot_be_judged_is_said_so(tmp_path: Path) -> None:
    make_run(tmp_path / "run", without=("verdict",))
    RunFiles(tmp_path / "run").evaluation.write_text("{}")
    page = written(tmp_path / "run")
    assert "Not judged" in page.text["verdict"]
    assert "could not be judged" in page.text["verdict"]


def test_a_module_that_cannot_be_loaded_costs_only_the_look_inside(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    config = msgspec.structs.replace(run.config, factory=f"{tmp_path / 'gone.py'}:make")
    RunFiles(tmp_path / "run").config.write_bytes(msgspec.json.encode(config))
    page = written(tmp_path / "run")
    assert "could not be loaded" in page.text["inside"]
    assert "gone.py" in page.text["inside"]
    assert "Ready for production" in page.text["verdict"]


def test_a_module_that_fails_when_traced_costs_only_the_look_inside(tmp_path: Path) -> None:
    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError(f"<b>boom</b> at {tuple(x.shape)}")

    run = make_run(tmp_path / "run")
    run.model, run.call = Broken(), lambda module, batch: module(batch.x)
    keep_example(
        RunFiles(tmp_path / "run"), sw.Sequences(inputs=sw.Ragged.from_list([torch.zeros(3, 2)]), targets=["no"], class_names=["no", "yes"])
    )
    page = written(run)
    assert "No sequence was traced" in page.text["inside"]
    assert "boom" in page.text["inside"]


def test_a_crash_of_the_look_inside_is_told_with_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise FloatingPointError("odd  number")

    run = make_run(tmp_path / "run")
    keep_example(RunFiles(tmp_path / "run"), sw.Sequences(inputs=sw.Ragged.from_list([torch.zeros(3, 2)]), targets=["no"]))
    monkeypatch.setattr(gathering, "trace", crash)
    assert "FloatingPointError: odd number" in written(run).text["inside"]


def test_a_policy_of_ones_own_is_named_and_its_file_is_not_needed_again(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "default"\n[limits]\nspecificity = 0.9\n')
    run = make_run(tmp_path / "run", policy=str(mine))
    mine.unlink()
    page = written(run)
    assert "Policy: mine." in page.text["verdict"]
    limits = {row["metric"]: row["limit"] for rows in page.specs()["metrics"]["datasets"].values() for row in rows}
    assert {name for name, limit in limits.items() if limit is not None} == {"specificity"}


def test_the_part_that_was_scored_stands_once_with_its_sizes_where_they_were_recorded(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    assert "scored test.csv 680 – –" in " ".join(written(run).text["data"].split())
    record = msgspec.structs.replace(run.config.data["train"], source="test.csv", num_sequences=680, num_steps=6800)
    kept = make_provenance_record(msgspec.structs.replace(run.config, data=run.config.data | {"test": record}))
    RunFiles(tmp_path / "run").provenance.write_bytes(msgspec.json.encode(kept))
    text = " ".join(written(run).text["data"].split())
    assert "test test.csv 680 6,800 10.0" in text
    assert "scored" not in text.partition("Classes among")[0]


def test_a_verdict_on_other_figures_is_called_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    run.evaluation = make_evaluation(((300, 180), (150, 50)), ("no", "yes"))
    assert "given on other figures" in written(run).text["why"]


def test_a_run_kept_in_memory_is_reported_where_told(tmp_path: Path) -> None:
    run = Run(config=make_config(("no", "yes")), history=make_history(4))
    run.evaluation, run.audit = make_evaluation(((460, 20), (10, 190)), ("no", "yes")), SOUND
    page = written(run, path=tmp_path / "mine.html")
    assert "Ready for production" in page.text["verdict"]
    assert "kept in memory" in page.text["provenance"]
    assert "statewise.trace(run, one_sequence)" in page.text["inside"]
    assert page.figures["confusion"] == [460, 20, 10, 190]


@pytest.mark.parametrize("num_classes", [2, 11, 30])
def test_any_number_of_classes_is_drawn(tmp_path: Path, num_classes: int) -> None:
    names = [f"class {number}" for number in range(num_classes)]
    counts = [[60 if row == column else int(column == 0) for column in range(num_classes)] for row in range(num_classes)]
    page = written(make_run(tmp_path / "run", names=names, counts=counts))
    assert len(page.figures["confusion"]) == num_classes**2
    assert all(name in page.text["classes"] for name in names)
    assert ("worst" in page.text["classes"].partition("Most often mistaken for")[2]) == (num_classes > 2)


def test_a_tag_task_is_counted_in_steps(tmp_path: Path) -> None:
    page = written(make_run(tmp_path / "run", task="tag"))
    assert "one label a step" in page.text["data"]
    assert "680 steps of 170 sequences" in page.text["metrics"]
    assert "650 of 680 steps" in page.text["confusion"]


@pytest.mark.parametrize(
    "history",
    [
        make_history(1),
        make_history(1, updates=1, valid=False),
        make_history(400, updates=16, layers=[f"layer {number}" for number in range(6)]),
        make_history(3, refit=3),
        make_history(4, broken_from=3),
        make_history(2, broken_from=1),
        make_history(3, updates=0),
    ],
    ids=["one epoch", "one update", "400 epochs", "refit", "NaN late", "NaN from the start", "no updates"],
)
def test_any_training_is_drawn_and_told(tmp_path: Path, history: History) -> None:
    run = make_run(tmp_path / "run", history=history)
    path = report(run)
    page = read_page(path)
    assert page.problems == []
    assert path.stat().st_size < 2_000_000
    assert "The training in words" in page.text["training"]
    if not history.updates() or all(update.gradient_norm is None for update in history.updates()):
        assert "No gradient norms were recorded" in page.text["training"]
    else:
        assert "gradients" in page.specs()
    if any(epoch.train_loss is None for epoch in history.epochs()):
        assert "not finite" in page.text["training"]
        assert "Not ready for production" in page.text["verdict"]


def test_a_report_names_the_file_it_cannot_write(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError) as caught:
        report(run, tmp_path / "file" / "report.html")
    assert caught.value.asked == "write the report"
    assert "report.html" in caught.value.where


def test_a_run_in_memory_needs_a_path() -> None:
    with pytest.raises(OptionError) as caught:
        report(Run(config=make_config(("no", "yes")), history=make_history(2)))
    assert caught.value.asked == "write a report"
    assert caught.value.where == "path"
    assert "kept in memory" in caught.value.arrived
    assert "report(run, 'report.html')" in caught.value.hint


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such folder"):
        report(tmp_path / "nowhere")


@pytest.mark.parametrize("package", ["jinja2", "altair", "vl_convert"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    run = make_run(tmp_path / "run")
    writing._script.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as caught:
        report(run)
    assert package in caught.value.where
    assert caught.value.hint == "Install it with: pip install 'statewise[report]'"
    assert not (tmp_path / "run" / "report.html").exists()
    if package == "vl_convert":
        with pytest.raises(MissingExtraError):
            save_picture(run, tmp_path / "run.png")


def test_a_picture_of_the_charts_is_saved(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    path = save_picture(run, tmp_path / "run.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    save_picture(make_run(tmp_path / "young", without=("evaluation",)), tmp_path / "young.png")


def test_a_run_without_anything_to_draw_has_no_picture(tmp_path: Path) -> None:
    make_run(tmp_path / "run", without=("evaluation", "history"))
    with pytest.raises(OptionError, match="no epoch and no evaluation"):
        save_picture(tmp_path / "run", tmp_path / "run.png")
