"""How many sequences of new data has a run seen, where it could not keep a mark of each?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from statewise.runs import History, Run, RunConfig, RunFiles, count_seen
from statewise.runs._seen import write_seen
from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def some(first: int, last: int) -> Sequences:
    return Sequences(inputs=Ragged(torch.arange(float(first), float(last))[:, None], torch.ones(last - first, dtype=torch.int64)))


def test_a_share_of_the_marks_tells_about_how_many_were_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(config=RunConfig(model_name="any", task="other", class_names=()), history=History(), directory=tmp_path)
    write_seen(RunFiles(tmp_path), some(0, 2000))
    assert count_seen(run, some(1000, 3000)) == 1000
    monkeypatch.setattr("statewise.runs._seen._MOST", 400)
    write_seen(RunFiles(tmp_path), some(0, 2000))
    assert 850 < count_seen(run, some(1000, 3000)) < 1150
    assert count_seen(run, some(5000, 6000)) == 0
