"""Are models of ours audited as they come, and found sound, whatever they predict?"""

from __future__ import annotations

from typing import Any

import pytest
import torch

import statewise as sw
from statewise.auditing import audit

LENGTHS = torch.tensor([20, 10, 30, 15])
STEPS = int(LENGTHS.sum())


def data_of(task: str, **more: Any) -> sw.Sequences:
    draw = torch.Generator().manual_seed(0)
    x = sw.Ragged(torch.randn(STEPS, 3, generator=draw), LENGTHS)
    targets: dict[str, Any] = {
        "classify": ["a", "b", "c", "a"],
        "tag": torch.arange(STEPS) % 2,
        "regress": torch.randn(4, generator=draw),
        "forecast": torch.randn(STEPS, generator=draw),
        "multilabel": torch.randint(0, 2, (4, 3), generator=draw).float(),
    }
    return sw.Sequences(inputs=x, targets=targets[task], task=task, class_names=("u", "v") if task == "tag" else None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("classify", {}),
        ("classify", {"readout": "mean", "bidirectional": True}),
        ("classify", {"readout": "attention", "learned_state": True, "num_layers": 2, "dropout": 0.3}),
        ("tag", {}),
        ("tag", {"bidirectional": True}),
        ("regress", {"readout": "max"}),
        ("forecast", {"horizon": 3}),
        ("multilabel", {}),
    ],
)
@pytest.mark.parametrize("core", ["lstm", "gru"])
def test_a_model_of_ours_is_sound(core: Any, task: str, options: dict[str, Any]) -> None:
    data = data_of(task)
    found = audit(sw.build(core, data=data, hidden_size=6, seed=0, **options), data, fast=True)
    assert found.ok, str(found)
    assert not found.findings, str(found)
    assert (found.contract.task, found.contract.each) == (task, "step" if task in ("tag", "forecast") else "sequence")


def test_features_of_whole_sequences_come_from_the_data() -> None:
    data = data_of("classify", static=torch.randn(4, 2))
    found = audit(sw.build("gru", data=data, hidden_size=6, seed=0), data)
    assert found.ok, str(found)
    assert not found.findings


def test_a_model_of_tokens_reads_them_under_its_own_name() -> None:
    tokens = sw.Ragged(torch.arange(STEPS) % 7, LENGTHS)
    data = sw.Sequences(inputs={"letter": tokens}, categories={"letter": tuple("abcdefg")}, targets=["a", "b", "a", "b"])
    found = audit(sw.build("gru", data=data, hidden_size=6, seed=0), sw.Sequences(inputs=tokens))
    assert found.ok, str(found)


def test_what_is_declared_comes_before_what_the_model_says() -> None:
    data = data_of("tag")
    found = audit(sw.build("lstm", data=data, hidden_size=6, seed=0), data, contract=sw.Contract(causal=False), select=["SW4"])
    assert found.contract.causal is False


def test_a_planted_defect_in_a_model_of_ours_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of("tag")
    model = sw.build("gru", data=data, hidden_size=6, seed=0)
    run = sw.Model.run_sequences

    def confused(self: sw.Model, *given: Any, **options: Any) -> Any:
        said = run(self, *given, **options)
        return type(said)(said.values + said.values.mean(), said.each, said.state)

    monkeypatch.setattr(sw.Model, "run_sequences", confused)
    assert "SW201" in {each.code for each in audit(model, data).findings}
