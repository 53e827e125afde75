"""Is each look at held-out data written down, and a policy only before the first?"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from statewise.errors import RunError
from statewise.evaluation import evaluate
from statewise.models import build
from statewise.runs import DataRecord, Run, RunFiles, read_scorings, record_scoring, register_policy
from statewise.sequences import Ragged, Sequences
from statewise.training import fit
from statewise.verdicts import Policy, judge


def some(seed: int) -> Sequences:
    source = torch.Generator().manual_seed(seed)
    return Sequences(inputs=Ragged(torch.randn(60, 2, generator=source), torch.full((12,), 5)), targets=["a", "b"] * 6)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return fit(build("gru", data=some(0), hidden_size=2), some(0), some(1), epochs=1, directory=tmp_path / "run")


def directory_of(run: Run) -> Path:
    assert run.directory is not None
    return run.directory


def record(sha256: str) -> DataRecord:
    return DataRecord(source="a file", num_sequences=1, num_steps=1, sha256=sha256)


def test_data_that_a_run_was_trained_on_is_no_look(run: Run) -> None:
    evaluate(run, some(0))
    evaluate(run, some(1))
    assert read_scorings(directory_of(run)).scorings == ()


def test_each_look_at_new_data_is_written_down_and_told_beside_the_verdict(run: Run) -> None:
    for _ in range(2):
        evaluate(run, some(2))
    evaluate(run, some(3))
    found = read_scorings(directory_of(run))
    first, second, third = (each.data.sha256 for each in found.scorings)
    assert first == second != third
    told = " ".join(judge(directory_of(run)).notes)
    assert "scored 3 times (2 different sets)" in told
    assert "again and again" in told
    assert "No policy was written down before that" in told


def test_a_policy_is_written_down_before_the_first_look_and_not_after_it(tmp_path: Path) -> None:
    register_policy(tmp_path, policy="strict", policy_sha256="1")
    register_policy(tmp_path, policy="own", policy_sha256="2")
    record_scoring(tmp_path, record("d"))
    register_policy(tmp_path, policy="easy", policy_sha256="3")
    assert (read_scorings(tmp_path).policy, read_scorings(tmp_path).policy_sha256) == ("own", "2")


def test_limits_that_were_chosen_later_are_told(run: Run) -> None:
    before, later = Policy(limits={"accuracy": 0.9}, name="before"), Policy(limits={"accuracy": 0.3}, name="later")
    register_policy(directory_of(run), policy=before.name, policy_sha256=before.sha256)
    evaluate(run, some(2))
    assert "This policy was written down before that." in judge(directory_of(run), policy=before).notes
    assert any("Another policy ('before')" in note for note in judge(directory_of(run), policy=later).notes)


def test_what_was_written_down_and_is_damaged_is_told(run: Run) -> None:
    evaluate(run, some(2))
    RunFiles(directory_of(run)).scorings.write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match=r"scorings\.json"):
        judge(directory_of(run))
