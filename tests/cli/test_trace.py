"""Does `statewise trace --gradients` show how far back in time an answer reaches, and refuse where nothing was measured?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch

from statewise.runs import Epoch, Lags, encode_records
from statewise.sequences import Ragged, Sequences, describe
from statewise.tracing import trace

if TYPE_CHECKING:
    from pathlib import Path

LAGS = Lags(epoch=1, lags=(0, 1, 2), norms=(1.0, 0.5, 0.25), counts=(4, 4, 4), factor=0.5, r_squared=1.0)


def test_the_demo_is_run_backwards_where_asked(statewise: Any) -> None:
    assert "BACK THROUGH TIME" not in statewise("trace", "--demo").out
    assert "BACK THROUGH TIME" in statewise("trace", "--demo", "--gradients").out
    kept = json.loads(statewise("trace", "--demo", "--gradients", "--output-format", "json").out)["gradients"]
    assert len(kept["values"]) == 10
    assert "the log-probability of class" in kept["says"]


def test_a_page_of_the_demo_holds_it_too(tmp_path: Path, statewise: Any) -> None:
    assert statewise("trace", "--demo", "--gradients", "--out", str(tmp_path / "demo.html")).code == 0
    assert "Back through time" in (tmp_path / "demo.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("asked", [[], ["--gradients"]])
def test_a_history_tells_how_far_back_its_loss_reached(tmp_path: Path, statewise: Any, asked: list[str]) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(encode_records([Epoch(epoch=1, train_loss=1.0), LAGS]))
    ended = statewise("trace", "--history", str(path), *asked)
    assert ended.code == 0
    assert "Through time: After epoch 1 the gradient reaches back to the beginning" in " ".join(ended.out.split())


def test_a_history_without_it_is_told_how_it_is_had(tmp_path: Path, statewise: Any) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(encode_records([Epoch(epoch=1, train_loss=1.0)]))
    ended = statewise("trace", "--history", str(path), "--gradients")
    assert ended.code == 2
    assert "--gradients-by-lag" in " ".join(ended.err.split())


def test_a_sequence_with_steps_that_are_not_labelled_is_traced_and_reported(tmp_path: Path, statewise: Any) -> None:
    rows = ["hive,t,temp,weight"]
    rows += [f"h{hive},{step},{(hive * 7 + step * 3) % 11},{'' if step == 0 else hive + step}" for hive in range(20) for step in range(5)]
    (tmp_path / "hives.csv").write_text("\n".join(rows) + "\n")
    columns = ("--key", "hive", "--time", "t", "--target", "weight", "--task", "regress", "--unlabelled", "skip")
    options = ("--epochs", "1", "--hidden-size", "3", "--out", "run")
    assert statewise("fit", "rnn", "--data", "hives.csv", *columns, *options).code == 0
    ended = statewise("trace", "run")
    assert ended.code == 0, ended.err
    assert "Trace of" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_names_that_would_break_a_line_are_quoted_in_every_table() -> None:
    data = Sequences(inputs=Ragged(torch.zeros(2, 2), torch.tensor([2])), feature_names=("a\nb", "c"))
    lines = str(trace(torch.nn.GRU(2, 3), data)).splitlines()
    assert any("'a\\nb'" in line and line.endswith("c") for line in lines)


def test_categories_that_would_break_a_line_are_quoted_before_a_training() -> None:
    codes = Ragged(torch.tensor([0, 1]), torch.tensor([2]))
    data = Sequences(inputs={"character": codes}, categories={"character": ("\n", "b")})
    assert "'\\n', b" in str(describe(data))
