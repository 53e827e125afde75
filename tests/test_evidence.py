"""Do the figures and verdicts that the program is held to come out alike on every way: Python and commands, a run, a file and four counts?

| claim | ways |
|---|---|
| 50 10 5 35 and mirrored: precision, recall, accuracy, F1 | counts, file, run in Python; run by command, file in `cli/test_scenarios.py` |
| MSE and MAE beside a naive method | run, both; files in `test_scenarios.py` |
| precision against recall, by the cost of each mistake | run and file in Python; commands in `cli/test_threshold.py` |
| bands of figures | file, by command; in Python in `test_scenarios.py` |
| 98 % accuracy and 12 % recall: no | counts and file, in Python; a run in `test_scenarios.py` |
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import statewise as sw
from statewise.cli import main
from tests.cli.test_scenarios import printed, write_predictions
from tests.verdicts.evidence import run_directory

READINGS = {
    "1": {"precision": 35 / 45, "recall": 35 / 40, "accuracy": 0.85, "f1": 70 / 85},
    "0": {"precision": 50 / 55, "recall": 50 / 60, "accuracy": 0.85, "f1": 100 / 115},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> sw.Run:
    random = torch.Generator().manual_seed(0)
    data = sw.Sequences(inputs=sw.Ragged(torch.randn(60, 2, generator=random), torch.full((20,), 3)), targets=["0"] * 10 + ["1"] * 10)
    directory = tmp_path_factory.mktemp("classes") / "run"
    return sw.fit(sw.build("rnn", data=data, hidden_size=4, seed=0), data, data, epochs=2, directory=directory)


def answered(path: Path, **counts: int) -> sw.Predictions:
    return sw.read_predictions(write_predictions(path, **counts))


@pytest.mark.parametrize("positive", ["1", "0"])
def test_four_figures_read_both_ways_from_counts_a_file_and_a_run(
    run: sw.Run, tmp_path: Path, positive: str, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = answered(tmp_path / "p.csv", tp=35, fn=5, fp=10, tn=50)
    counts = sw.Counts(tp=35, fn=5, fp=10, tn=50) if positive == "1" else sw.Counts(tp=50, fn=10, fp=5, tn=35)
    of_file = sw.evaluate(predictions, positive=positive)
    assert run.directory is not None
    predictions.save(run.directory / "predictions.parquet")
    of_run = sw.evaluate(run, positive=positive)
    for name, value in READINGS[positive].items():
        found = [each.metrics[name].value for each in (of_file, of_run, sw.evaluate(counts))]
        assert found == pytest.approx([value] * 3, rel=1e-12)
    assert main(["evaluate", str(run.directory), "--positive", positive]) == 0
    out = capsys.readouterr().out
    assert [printed(out, name) for name in READINGS[positive]] == pytest.approx(list(READINGS[positive].values()), abs=0.0006)
    assert "rows: actual, columns: predicted" in out
    assert f"{positive} (positive)" in out


def test_errors_of_a_run_are_told_beside_a_naive_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = torch.Generator().manual_seed(0)
    train, test = (
        sw.Sequences(inputs=sw.Ragged(values.flatten(0, 1), torch.full((40,), 4)), targets=values[:, :, 0].sum(dim=1), task="regress")
        for values in torch.randn(2, 40, 4, 2, generator=random)
    )
    run = sw.fit(sw.build("rnn", data=train, hidden_size=4, seed=0), train, train, epochs=2, directory=tmp_path / "run")
    found = sw.evaluate(run, test)
    predictions = sw.predict(run, test)
    assert predictions.actual is not None
    errors = predictions.predicted - predictions.actual
    assert found.metrics["mse"].value == pytest.approx(float(np.mean(errors**2)))
    assert found.metrics["mae"].value == pytest.approx(float(np.mean(np.abs(errors))))
    assert "mean" in found.baselines
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    for name in ("mse", "mae"):
        told = re.search(rf"^ *{name}\b.*?(\d+\.\d+)", out, re.MULTILINE | re.IGNORECASE)
        assert told is not None, out
        assert float(told[1]) == pytest.approx(found.metrics[name].value, rel=0.01)
    beside = [float(value) for line in out.splitlines() if "mean" in line for value in re.findall(r"\d+\.\d+", line)]
    figures = found.baselines["mean"].figures.values()
    assert any(value == pytest.approx(figure, rel=0.01) for value in beside for figure in figures), out


def scored(seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    actual = random.random(1_500) < 0.2
    score = 1 / (1 + np.exp(-random.normal(2.5 * actual - 1.5, 1.0)))
    return {"key": [f"{seed}-{row}" for row in range(1_500)], "target": actual.astype(int), "score": score}


def test_the_threshold_follows_what_each_mistake_costs(tmp_path: Path) -> None:
    """A filter of spam is spared false alarms, a test for a disease misses: the cheaper mistake is made more often."""
    valid, test = (sw.read_predictions(sw.Predictions.from_columns(scored(seed)).save(tmp_path / f"{seed}.csv")) for seed in (0, 1))
    spam, disease = (sw.choose_threshold(valid, cost=cost) for cost in (sw.Cost(miss=1, false_alarm=20), sw.Cost(miss=20, false_alarm=1)))
    of_spam, of_disease = (sw.evaluate(test, threshold=each) for each in (spam, disease))
    assert of_spam.metrics["precision"].value > of_disease.metrics["precision"].value
    assert of_spam.metrics["recall"].value < of_disease.metrics["recall"].value
    trade_off = of_disease.trade_off
    assert trade_off is not None
    assert trade_off.used is not None
    score, actual = np.array(scored(1)["score"]), np.array(scored(1)["target"]) == 1
    called = score >= disease.value
    assert (trade_off.tp[trade_off.used], trade_off.fp[trade_off.used]) == ((called & actual).sum(), (called & ~actual).sum())
    costs = [20 * ((score < each) & actual).sum() + ((score >= each) & ~actual).sum() for each in trade_off.thresholds]
    assert list(trade_off.cost) == pytest.approx(costs)


@pytest.mark.parametrize(
    ("counts", "code", "says"),
    [
        ({"tp": 460, "fn": 40, "fp": 40, "tn": 460}, 0, "verdict: ready"),
        ({"tp": 250, "fn": 250, "fp": 250, "tn": 250}, 1, "verdict: not ready"),
        ({"tp": 200, "fn": 300, "fp": 20, "tn": 480}, 1, "verdict: not ready"),
    ],
    ids=["good", "chance", "recall 0.40"],
)
def test_bands_of_a_file(tmp_path: Path, counts: dict[str, int], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_predictions(tmp_path / "p.csv", **counts)
    assert main(["judge", str(path)]) == code
    assert says in " ".join(capsys.readouterr().out.split())


def test_98_percent_accuracy_and_12_percent_recall_are_not_fit_however_they_come(run: sw.Run, tmp_path: Path) -> None:
    counts = sw.evaluate(sw.Counts(tp=12, fn=88, fp=112, tn=9788))
    of_file = sw.evaluate(answered(tmp_path / "fraud.csv", tp=12, fn=88, fp=112, tn=9788), positive="1")
    assert run.directory is not None
    run_directory(run.directory, of_file, None)
    for verdict in (sw.judge(evaluation=counts), sw.judge(evaluation=of_file), sw.judge(run.directory)):
        assert (verdict.level, verdict.exit_code) == ("not_ready", 1)
        said = " ".join(each.says for each in verdict.reasons)
        assert "88 of 100 positives are missed" in said
        assert "99 % accurate" in said
