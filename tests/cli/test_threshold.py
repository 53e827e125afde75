"""Can a threshold be chosen on the command line, from files and from a run, and is what makes no sense refused?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import statewise as sw
from statewise.cli import main
from statewise.evaluation import read_evaluation
from statewise.runs import RunFiles
from statewise.verdicts import read_verdict

if TYPE_CHECKING:
    from pathlib import Path

COST = ("--miss-cost", "20", "--false-alarm-cost", "1")


def part(seed: int, number: int = 1500) -> sw.Predictions:
    random = np.random.default_rng(seed)
    actual = random.random(number) < 0.2
    score = 1 / (1 + np.exp(-random.normal(3.0 * actual - 1.5, 1.0)))
    columns = {"key": [f"{seed}-{row}" for row in range(number)], "target": actual.astype(int), "score": score}
    return sw.Predictions.from_columns(columns | {"amount": random.lognormal(3, 1, number)})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("parts")
    return str(part(1).save(folder / "test.parquet")), str(part(0).save(folder / "valid.csv"))


def test_a_threshold_is_chosen_on_one_file_and_told_of_another(files: tuple[str, str], tmp_path: Path) -> None:
    test, valid = files
    assert main(["evaluate", test, "--valid", valid, *COST, "--out", str(tmp_path / "e.json")]) == 0
    found = read_evaluation(tmp_path / "e.json")
    chosen = sw.choose_threshold(part(0), cost=sw.Cost(miss=20, false_alarm=1))
    assert found.threshold == chosen.value
    assert found.mistakes == sw.evaluate(part(1), threshold=chosen).mistakes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--miss-cost", "amount", "--false-alarm-cost", "1"), "a miss costs its 'amount'"),
        (("--max-alerts-per-thousand", "50"), "at most 50 alerts per thousand"),
        (("--max-false-positive-rate", "0.05"), "a false-positive rate of at most 0.05"),
        (("--min-precision", "0.8"), "a precision of at least 0.8"),
        (("--min-recall", "0.9"), "a recall of at least 0.9"),
    ],
)
def test_each_rule_is_told(files: tuple[str, str], words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", files[0], "--valid", files[1], *words]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert says in told
    assert "(used)" in told


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (COST, "without --valid"),
        (("--valid", "{valid}"), "nothing to choose a threshold by"),
        (("--valid", "{valid}", "--miss-cost", "5"), "--false-alarm-cost"),
        (("--valid", "{valid}", "--threshold", "0.3", *COST), "beside --threshold"),
        (("--valid", "{valid}", "--miss-cost", "lost", "--false-alarm-cost", "1"), "'lost'"),
        (("--valid", "{valid}", "--max-alerts-per-day", "3"), "column 'time'"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    files: tuple[str, str], words: tuple[str, ...], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("evaluate", "judge"):
        if command == "judge" and words == ("--valid", "{valid}", "--threshold", "0.3", *COST):
            where = "beside --threshold"
        assert main([command, files[0], *(word.format(valid=files[1]) for word in words)]) == 2
        assert where in " ".join(capsys.readouterr().err.split())
    assert main(["evaluate", "--tp", "5", "--fn", "1", "--fp", "1", "--tn", "5", *COST]) == 2


def test_a_verdict_is_given_at_the_threshold_that_the_policy_chooses(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "fraud.toml"
    policy.write_text('[limits]\nrecall = 0.8\n[cost]\nmiss = "amount"\nfalse_alarm = 2\n')
    code = main(["judge", files[0], "--valid", files[1], "--policy", str(policy), "--output-format", "json"])
    verdict = json.loads(capsys.readouterr().out)
    assert code == 0
    assert verdict["level"] == "ready"
    assert any("the cheapest of" in note and "its 'amount'" in note for note in verdict["notes"])


def test_a_run_keeps_what_its_threshold_is_chosen_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    label = random.random(240) < 0.3
    lines = [f"s{key},{step},{random.normal(0.6 * label[key]):.4f},{int(label[key])}" for key in range(240) for step in range(3)]
    data = tmp_path / "data.csv"
    data.write_text("\n".join(["key,time,x,target", *lines]) + "\n")
    policy = tmp_path / "cost.toml"
    policy.write_text("[limits]\nrecall = 0.1\n[cost]\nmiss = 10\nfalse_alarm = 1\n")
    run = tmp_path / "run"
    words = ["fit", "gru", "--data", str(data), "--key", "key", "--time", "time", "--target", "target", "--task", "classify"]
    assert main([*words, "--epochs", "4", "--hidden-size", "8", "--out", str(run), "--policy", str(policy)]) == 0
    kept = RunFiles(run)
    evaluation = read_evaluation(kept.evaluation)
    chosen = sw.choose_threshold(sw.read_predictions(kept.validation, task="classify"), cost=sw.Cost(miss=10, false_alarm=1))
    assert evaluation.threshold == chosen.value
    assert evaluation.cost == sw.Cost(miss=10, false_alarm=1)
    assert (kept.directory / "report.html").read_text("utf-8").count("threshold-slider")
    capsys.readouterr()
    assert main(["evaluate", str(run), "--miss-cost", "1", "--false-alarm-cost", "5", "--output-format", "json"]) == 0
    other = json.loads(capsys.readouterr().out)
    assert other["threshold"] > chosen.value
    ended = main(["judge", str(run), "--policy", str(policy)])
    assert ended == read_verdict(kept.verdict).exit_code
    assert "the cheapest of" in " ".join(capsys.readouterr().out.split())
    kept.validation.unlink()
    assert main(["evaluate", str(run), *COST]) == 2
    assert "no validation.parquet" in capsys.readouterr().err
    assert main(["evaluate", str(run), *COST, "--valid", str(data)]) == 0
    assert main(["evaluate", str(run), "--data", str(data), "--out", str(kept.evaluation)]) == 0
    config = kept.config.read_text("utf-8")
    assert '"positive"' not in config or '"positive":null' in config.replace(" ", "")
    document = json.loads(config)
    kept.config.write_text(json.dumps({**document, "positive": "0"}), encoding="utf-8")
    capsys.readouterr()
    assert main(["evaluate", str(run), *COST, "--valid", str(data), "--output-format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["positive"] == "0"
    assert main(["compare", str(run), str(run), "--data", str(data), "--output-format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["positive"] == "0"


@pytest.mark.parametrize(
    ("command", "words", "where"),
    [
        ("evaluate", ("--tp", "5", "--fn", "1", "--fp", "1", "--tn", "5", "--data", "x.csv"), "--data"),
        ("evaluate", ("--tp", "5", "--fn", "1", "--fp", "1", "--tn", "5", "--threshold", "0.2"), "--threshold"),
        ("judge", ("--tp", "5", "--fn", "1", "--fp", "1", "--tn", "5", "--task", "classify"), "--task"),
        ("judge", ("--tp", "5", "--fn", "1", "--fp", "1", "--tn", "5", "--threshold", "0.2"), "--threshold"),
    ],
)
def test_what_means_nothing_for_four_counts_is_refused(
    command: str, words: tuple[str, ...], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *words]) == 2
    assert f"where {where} arrived an option that means nothing for four counts" in " ".join(capsys.readouterr().err.split())
