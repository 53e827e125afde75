"""Does the sequence that a run is shown with come back as it was kept, for every task, with weights?"""

from __future__ import annotations

import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from statewise.runs import History, Run, RunConfig, RunFiles, keep_example, read_example
from statewise.sequences import Ragged, Sequences
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from statewise.types import Each, Task

SIX: tuple[Task, ...] = ("classify", "tag", "multilabel", "regress", "forecast", "next")


def drawn(task: Task, each: Each, steps: int, seed: int, *, weighted: bool, rich: bool) -> Sequences:
    """Return one sequence with targets of a task, some of weight 0; values are not known there."""
    generator = torch.Generator().manual_seed(seed)
    rows = 1 if each == "sequence" else steps
    weights = torch.randint(0, 3, (rows,), generator=generator).float() if weighted else None
    targets = {
        "classes": torch.randint(0, 3, (rows,), generator=generator),
        "values": torch.randn(rows, generator=generator),
        "labels": torch.rand(rows, 3, generator=generator) < 0.5,
    }[TASKS[task].holds]
    if TASKS[task].holds == "values" and weights is not None:
        targets[weights == 0] = torch.nan
    x = Ragged(torch.randn(steps, 2, generator=generator), torch.tensor([steps]))
    shop = Ragged(torch.randint(-1, 2, (steps,), generator=generator), torch.tensor([steps]))
    more: dict[str, Any] = {}
    if rich:
        more = {"times": torch.arange(steps).double(), "static": torch.randn(1, 2, generator=generator), "static_names": ("age", "size")}
        more |= {"groups": ["g"], "season": 7, "missing": "mean", "notes": ("one thing",), "categories": {"shop": ("north", "\n")}}
        more |= {"baselines": {"now": torch.randn(rows, generator=generator)} if task == "regress" else {}}
        more |= {"known": ("a",) if task == "forecast" else (), "feature_names": {"x": ("a", "b")}}
    return Sequences(
        inputs={"x": x, "shop": shop} if rich else x,
        targets=targets,
        weights=weights,
        each=each,
        task=task,
        class_names=None if TASKS[task].holds == "values" else ("no", "yes", "\n"),
        keys=["hive 1"],
        source="hives.csv",
        **more,
    )


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return type(other) is dict and one.keys() == other.keys() and all(same(each, other[name]) for name, each in one.items())
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one.nan_to_num(1e9), other.nan_to_num(1e9))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("task", SIX)
@given(steps=st.integers(1, 9), seed=st.integers(0, 1000), weighted=st.booleans(), rich=st.booleans(), last=st.booleans())
def test_what_is_kept_comes_back(task: Task, steps: int, seed: int, weighted: bool, rich: bool, last: bool) -> None:  # noqa: FBT001  # drawn
    example = drawn(task, TASKS[task].each[-1 if last else 0], steps, seed, weighted=weighted, rich=rich)
    with tempfile.TemporaryDirectory() as folder:
        keep_example(RunFiles(folder), example)
        config = RunConfig(model_name="GRU", task=task, class_names=())
        back = read_example(Run(config=config, history=History(), directory=Path(folder)))
    for name in (each.name for each in fields(Sequences) if each.name != "inputs"):
        assert same(getattr(example, name), getattr(back, name)), name
    assert list(example.parts) == list(back.parts) or set(example.parts) == set(back.parts)
    for name, part in example.parts.items():
        assert same(part.values, back.parts[name].values)
    assert torch.equal(example.lengths, back.lengths)
