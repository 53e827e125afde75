"""Does one command lead from a file of one's own to a verdict, and does the run it leaves serve every other command?"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from statewise.runs import RunFiles
from tests.cli.conftest import CLAIMS, QUICK, write_claims, write_ts

if TYPE_CHECKING:
    import pytest

WRITTEN = {
    "config.json",
    "model.safetensors",
    "checkpoints",
    "history.jsonl",
    "predictions.parquet",
    "evaluation.json",
    "audit.json",
    "data_audit.json",
    "scorings.json",
    "verdict.json",
    "provenance.json",
    "seen.json",
    "example.safetensors",
    "report.html",
}


def test_a_csv_of_ones_own_becomes_a_judged_run(statewise: Any, tmp_path: Path) -> None:
    write_claims(tmp_path / "claims.csv")
    ended = statewise("fit", "gru", "--data", "claims.csv", *CLAIMS, *QUICK, "--out", "run")
    assert ended.code == 0, ended.err
    assert {path.name for path in (tmp_path / "run").iterdir()} == WRITTEN | {"validation.parquet"}
    for part in ("Data", "Training", "Evaluation on the test part", "Inside: one sequence", "Verdict", "Report:"):
        assert part in ended.out
    assert "report.html" in ended.out
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert evaluation["unit"] == "group"
    assert f"{evaluation['metrics']['accuracy']['value']:.3f}" in ended.out


def test_what_fit_printed_the_other_commands_say_too(statewise: Any, tmp_path: Path) -> None:
    write_claims(tmp_path / "claims.csv")
    write_claims(tmp_path / "new.csv", seed=9, n=20)
    assert statewise("fit", "--data", "claims.csv", *CLAIMS, *QUICK, "--out", "run").code == 0
    level = json.loads((tmp_path / "run" / "verdict.json").read_text())["level"]
    judged = statewise("judge", "run")
    assert judged.code == {"ready": 0, "needs_work": 1, "not_ready": 1, "not_enough_evidence": 3}[level]

    stored = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    shown = json.loads(statewise("evaluate", "run", "--output-format", "json").out)
    assert shown == stored

    assert statewise("predict", "run", "--data", "new.csv", "--out", "p.csv").code == 0
    predicted = pl.read_csv(tmp_path / "p.csv")
    assert predicted.height == 20
    from_file = json.loads(statewise("evaluate", "p.csv", "--output-format", "json").out)
    from_run = json.loads(statewise("evaluate", "run", "--data", "new.csv", "--output-format", "json").out)
    assert from_file["metrics"]["accuracy"]["value"] == from_run["metrics"]["accuracy"]["value"]
    assert from_file["num_units"] == from_run["num_units"] == 10

    assert statewise("trace", "run").code == 0
    other = statewise("trace", "run", "--data", "new.csv", "--sequence", "a3", "--out", "trace.html")
    assert other.code == 0
    assert "<svg" in (tmp_path / "trace.html").read_text()
    assert statewise("report", "run", "--out", "r.html").code == 0
    assert (tmp_path / "r.html").stat().st_size > 100_000


def test_data_without_targets_can_be_predicted(statewise: Any, tmp_path: Path) -> None:
    write_claims(tmp_path / "claims.csv")
    pl.read_csv(tmp_path / "claims.csv").drop("label", "owner").write_csv(tmp_path / "live.csv")
    statewise(
        "fit",
        "--data",
        "claims.csv",
        "--key",
        "account",
        "--target",
        "label",
        "--features",
        "amount",
        "--features",
        "age",
        *QUICK,
        "--out",
        "run",
    )
    ended = statewise("predict", "run", "--data", "live.csv", "--out", "p.parquet")
    assert ended.code == 0, ended.err
    assert "target" not in pl.read_parquet(tmp_path / "p.parquet").columns


def test_a_parquet_is_tagged_step_by_step(statewise: Any, tmp_path: Path) -> None:
    write_claims(tmp_path / "steps.parquet", per_step=True)
    ended = statewise("fit", "lstm", "--data", "steps.parquet", *CLAIMS, "--task", "tag", *QUICK, "--out", "run")
    assert ended.code == 0, ended.err
    predicted = pl.read_parquet(RunFiles(tmp_path / "run").predictions)
    assert {"key", "step", "target", "prediction", "score", "group"} <= set(predicted.columns)


def test_ts_files_keep_their_official_split(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    write_ts(tmp_path / "B.ts", n=12, seed=1)
    ended = statewise("fit", "rnn", "--train", "A.ts", "--test", "B.ts", *QUICK, "--out", "run")
    assert ended.code == 0, ended.err
    assert pl.read_parquet(RunFiles(tmp_path / "run").predictions).height == 12


MODELS = """
from torch import nn

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(2, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.rnn(packed)[1][-1])
"""


def test_a_module_of_ones_own_goes_the_whole_way(statewise: Any, tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    write_ts(tmp_path / "A.ts", n=60)
    ended = statewise("fit", "models.py:Tiny", "--data", "A.ts", *QUICK[:2], "--out", "run")
    assert ended.code == 0, ended.err
    assert statewise("trace", "run").code == 0
    assert statewise("trace", "models.py:Tiny", "--data", "A.ts").code == 0
    assert statewise("evaluate", "run", "--data", "A.ts").code == 0


def test_shuffled_labels_leave_no_skill(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts", n=120)
    write_ts(tmp_path / "B.ts", n=90, seed=1)
    words = ("fit", "gru", "--train", "A.ts", "--test", "B.ts", "--epochs", "8", "--hidden-size", "8", "--lr", "0.02", "--patience", "0")
    honest = statewise(*words, "--judge")
    shuffled = statewise(*words, "--shuffle-labels", "--judge")
    assert shuffled.code == 1
    assert "not ready" in shuffled.out.lower()
    assert "permuted" in shuffled.out
    assert "permuted" not in honest.out
    accuracies = [
        json.loads((tmp_path / "runs" / name / "evaluation.json").read_text())["metrics"]["accuracy"]["value"]
        for name in ("A-gru", "A-gru-2")
    ]
    assert accuracies[0] > accuracies[1] + 0.2


def test_judge_passes_the_verdicts_code_on(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    ended = statewise("fit", "rnn", "--data", "A.ts", *QUICK, "--judge", "--out", "run")
    assert ended.code == statewise("judge", "run").code != 0


def test_without_a_test_part_nothing_is_scored(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    ended = statewise("fit", "rnn", "--train", "A.ts", *QUICK, "--judge", "--out", "run")
    assert ended.code == 3
    assert not RunFiles(tmp_path / "run").evaluation.exists()


def test_resuming_a_finished_run_changes_nothing(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    words = ("fit", "rnn", "--data", "A.ts", *QUICK, "--out", "run")
    assert statewise(*words).code == 0
    before = RunFiles(tmp_path / "run").weights.read_bytes()
    assert statewise(*words, "--resume").code == 0
    assert RunFiles(tmp_path / "run").weights.read_bytes() == before


def test_options_may_stand_in_pyproject(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    (tmp_path / "pyproject.toml").write_text('[tool.statewise.fit]\nepochs = 2\nhidden-size = 5\nout = "here"\n')
    ended = statewise("fit", "rnn", "--data", "A.ts")
    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "here" / "config.json").read_text())["options"]["epochs"] == 2


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(statewise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ts(tmp_path / "A.ts")
    calls = 0

    def press(self: object, batch: object) -> Any:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise KeyboardInterrupt
        return score(self, batch)

    from statewise.training._scoring import Scorer

    score: Any = Scorer.score
    monkeypatch.setattr(Scorer, "score", press)
    ended = statewise("fit", "rnn", "--data", "A.ts", "--epochs", "50", "--out", "run")
    assert ended.code == 130
    assert re.search(r"--out run --resume", ended.out)
    assert RunFiles(tmp_path / "run").weights.exists()


def test_sigterm_ends_with_143_and_says_how_to_go_on(tmp_path: Path) -> None:
    write_ts(tmp_path / "A.ts")
    words = [sys.executable, "-m", "statewise", "fit", "rnn", "--data", "A.ts", "--epochs", "100000", "--patience", "0", "--out", "run"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "run" / "checkpoints" / "last.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Ended by SIGTERM; go on with --out run --resume." in told
    assert RunFiles(tmp_path / "run").weights.exists()
