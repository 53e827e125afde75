"""Does a predictions file of any framework become a report, in which what nobody knows is said to be unknown?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What a model of scikit-learn says, written by pandas."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 3))
    target = (inputs[:, 0] + 0.5 * rng.normal(size=400) > 0).astype(int)
    model = LogisticRegression().fit(inputs[:200], target[:200])
    rows = pd.DataFrame({"key": np.arange(200), "target": target[200:], "score": model.predict_proba(inputs[200:])[:, 1]})
    rows.to_parquet(tmp_path / "theirs.parquet")
    return tmp_path / "theirs.parquet"


def test_a_strangers_predictions_have_a_report(statewise: Any, file: Path) -> None:
    ended = statewise("report", file, "--positive", "1", "--threshold", "0.4")
    assert ended.code == 0, ended.err
    page = file.with_suffix(".html").read_text(encoding="utf-8")
    for says in ("theirs.parquet", "Figures only: model, training and data were not examined", "Figures alone tell nothing of it."):
        assert says in page
    assert "Confusion" in page


def test_the_file_goes_through_every_command(statewise: Any, file: Path) -> None:
    assert statewise("evaluate", file).code == 0
    assert statewise("judge", file).code in (0, 1, 3)
    assert statewise("compare", file, file, "--worse-by", "accuracy=0.05").code == 0


def test_a_report_never_writes_over_the_file_it_reads(statewise: Any, file: Path) -> None:
    assert statewise("report", file, "--out", file).code == 2
    assert statewise("report", file.with_name("none.csv")).code == 2


def test_a_report_says_what_judge_says_under_the_same_policy_and_threshold(statewise: Any, file: Path, tmp_path: Path) -> None:
    rows = pd.read_parquet(file)
    valid = rows.assign(key=rows["key"] + 1000, score=rows["score"] ** 1.01)
    valid.to_csv(tmp_path / "valid.csv", index=False)
    (tmp_path / "ours.toml").write_text('name = "ours"\n[limits]\nrecall = 0.5\n[cost]\nmiss = 5\nfalse_alarm = 1\n')
    words = (file, "--valid", tmp_path / "valid.csv", "--policy", tmp_path / "ours.toml")
    judged = statewise("judge", *words)
    assert judged.code == 0, judged.out + judged.err
    assert statewise("report", *words).code == 0
    page = file.with_suffix(".html").read_text(encoding="utf-8")
    assert "Policy: ours." in page
    assert "Ready for production" in page
    assert statewise("judge", file).code != 0


def test_options_of_a_file_are_refused_for_a_run(statewise: Any, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    ended = statewise("report", tmp_path / "run", "--miss-cost", "5")
    assert ended.code == 2
    assert "--miss-cost" in ended.err
