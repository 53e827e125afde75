"""Do the commands print the figures that they must? Each figure is parsed back from what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

FRAUD = ("--tp", 12, "--fn", 88, "--fp", 112, "--tn", 9788)


def write_predictions(path: Path, *, tp: int, fn: int, fp: int, tn: int) -> Path:
    pairs = [("1", "1")] * tp + [("1", "0")] * fn + [("0", "1")] * fp + [("0", "0")] * tn
    path.write_text("key,target,prediction\n" + "".join(f"s{number},{actual},{said}\n" for number, (actual, said) in enumerate(pairs)))
    return path


def printed(text: str, metric: str) -> float:
    """Return the figure behind a metric's name in a printed table."""
    found = re.search(rf"^ *{metric}\b.*? +(\d\.\d+)", text, re.MULTILINE)
    assert found is not None, f"no {metric} in:\n{text}"
    return float(found[1])


def test_the_demo_shows_the_five_stages(statewise: Any) -> None:
    ended = statewise("trace", "--demo")
    assert ended.code == 0
    flat = " ".join(ended.out.split())
    stages = [
        "1 input sequence 10 steps x 5 features",
        "2 initial hidden state 1 layer x batch 1 x hidden 4, zeros",
        "3 cell processing at each step 1 x 5 and 1 x 4 give 1 x 4",
        "4 hidden state updated across time 10 x 4",
        "5 output 1 x 4 gives 1 x 3",
    ]
    places = [flat.find(stage) for stage in stages]
    assert -1 not in places, list(zip(stages, places, strict=True))
    assert places == sorted(places)
    probabilities = [float(value) for value in re.findall(r"^ +class \d+ +(0\.\d+)", ended.out, re.MULTILINE)]
    assert len(probabilities) == 3 or "softmax" in ended.out


def test_the_reference_history_is_told_as_its_figures_support(statewise: Any, tmp_path: Path) -> None:
    rows = [(1.2, 0.35), (0.9, 0.50), (0.7, 0.65), (0.5, 0.75), (0.4, 0.82)]
    (tmp_path / "h.csv").write_text("loss,accuracy\n" + "".join(f"{loss},{accuracy}\n" for loss, accuracy in rows))
    ended = statewise("trace", "--history", "h.csv")
    assert ended.code == 0
    told = [line for line in ended.out.splitlines() if re.match(r"^ +\d+\*? +\d\.\d+", line)]
    assert len(told) == 5
    for line, (loss, accuracy), says in zip(told, rows, ("starts high", "falls", "improves", "rises steadily", "converges"), strict=True):
        assert f"{loss:.3f}" in line
        assert f"{accuracy:.3f}" in line
        assert says in line


@pytest.mark.parametrize(
    ("words", "figures"),
    [
        (("--tp", 50, "--fn", 10, "--fp", 5, "--tn", 35), {"precision": 0.91, "recall": 0.83, "accuracy": 0.85, "f1": 0.87}),
        (("--tp", 35, "--fn", 5, "--fp", 10, "--tn", 50), {"precision": 0.78, "recall": 0.875, "accuracy": 0.85}),
    ],
)
def test_four_counts_read_both_ways(statewise: Any, words: tuple[object, ...], figures: dict[str, float]) -> None:
    out = statewise("evaluate", *words).out
    for name, value in figures.items():
        assert printed(out, name) == pytest.approx(value, abs=0.0051)
    assert "rows: actual, columns: predicted" in out
    assert "(positive)" in out


def test_a_predictions_file_read_with_either_class_as_positive(statewise: Any, tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", tp=35, fn=5, fp=10, tn=50)
    ones = statewise("evaluate", "p.csv", "--positive", "1").out
    zeros = statewise("evaluate", "p.csv", "--positive", "0").out
    assert [printed(ones, name) for name in ("precision", "recall", "accuracy")] == [0.778, 0.875, 0.85]
    assert [printed(zeros, name) for name in ("precision", "recall", "accuracy", "f1")] == [0.909, 0.833, 0.85, 0.87]


@pytest.mark.parametrize("source", ["counts", "file"])
def test_accuracy_of_98_percent_is_not_fit_when_88_of_100_positives_are_missed(statewise: Any, tmp_path: Path, source: str) -> None:
    write_predictions(tmp_path / "fraud.csv", tp=12, fn=88, fp=112, tn=9788)
    words = FRAUD if source == "counts" else ("fraud.csv",)
    ended = statewise("judge", *words)
    flat = " ".join(ended.out.split())
    assert ended.code == 1
    assert "not ready" in flat
    assert "98.0 %" in flat
    assert "recall 12 %" in flat
    assert "88 of 100 positives are missed" in flat
    assert re.search(r"[Aa]lways answering [\"“]?(negative|0)[\"”]? would be 99 % accurate", flat)
    assert ended.out.lstrip().startswith("figures only: model, training and data were not examined")


def test_a_good_model_of_rare_positives_is_not_called_not_ready(statewise: Any) -> None:
    """1 % of 20,000 positive, recall 0.88, precision 0.31: 31 times better than chance."""
    ended = statewise("judge", "--tp", 176, "--fn", 24, "--fp", 392, "--tn", 19408)
    assert ended.code == 3
    flat = " ".join(ended.out.split())
    assert "not ready" not in flat
    assert "what does a miss cost" in flat.lower()


@pytest.mark.parametrize("policy", ["default", "lenient", "recall-first", "precision-first"])
def test_twelve_percent_recall_is_not_ready_under_any_preset(statewise: Any, policy: str) -> None:
    assert statewise("judge", *FRAUD, "--policy", policy).code == 1


def test_the_verdict_as_json_says_what_the_text_says(statewise: Any, tmp_path: Path) -> None:
    ended = statewise("judge", *FRAUD, "--output-format", "json", "--out", "verdict.json")
    verdict = json.loads(ended.out)
    assert verdict == json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["schema"] == 1
    assert verdict["level"] == "not_ready"
    recall = next(reason for reason in verdict["reasons"] if reason["value"] == 0.12)
    assert recall["low"] < 0.12 < recall["high"] < recall["limit"]


def test_a_policy_of_ones_own_decides(statewise: Any, tmp_path: Path) -> None:
    counts = ("--tp", 450, "--fn", 50, "--fp", 50, "--tn", 450)
    assert statewise("judge", *counts).code == 0
    (tmp_path / "strict.toml").write_text('name = "strict"\n[limits]\naccuracy = 0.99\n')
    strict = statewise("judge", *counts, "--policy", "strict.toml")
    assert strict.code == 1
    assert "0.990" in strict.out
