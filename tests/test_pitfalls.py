"""Is each of the six pitfalls of evaluation found where it is planted, through Python and the command line, and absent where it is not?

The accuracy paradox; leakage of future steps, of state, of preprocessing, of groups, of duplicates; overfitting; lengths, order and
gradients ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from statewise.auditing import Audit, audit, audit_data, audit_history, audit_predictions, check_metric
from statewise.cli import main
from statewise.contracts import Contract
from statewise.evaluation import Counts, Predictions, evaluate
from statewise.sequences import Ragged, Sequences, split
from statewise.verdicts import judge

if TYPE_CHECKING:
    from pathlib import Path


class Reader(nn.Module):
    """A tagger, or with a readout a classifier; each pitfall of a module is one argument."""

    def __init__(self, *, looks_ahead: bool = False, keeps: bool = False, reads: str = "steps") -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 8, batch_first=True, bidirectional=looks_ahead)
        self.head = nn.Linear(16 if looks_ahead else 8, 2)
        self.keeps, self.reads = keeps, reads
        self.state: Tensor | None = None

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        begin = self.state if self.keeps and self.state is not None and self.state.shape[1] == len(x) else None
        outputs, state = self.rnn(x, begin)
        self.state = state.detach() if self.keeps else None
        if self.reads == "end of padding":
            outputs = outputs[:, -1]
        elif self.reads == "true end":
            outputs = outputs[torch.arange(len(x)), lengths - 1]
        elif self.reads == "bag":
            valid = torch.arange(x.shape[1]) < lengths[:, None]
            outputs = torch.where(valid[..., None], torch.matmul(x, self.rnn.all_weights[0][0][:8].T).tanh(), 0).sum(1) / lengths[:, None]
        answers: Tensor = self.head(outputs)
        return answers


def codes(found: Audit) -> set[str]:
    return {each.code for each in found.outcomes if each.status in {"fail", "warn"}}


def of_module(contract: Contract, **pitfall: object) -> set[str]:
    torch.manual_seed(0)
    return codes(audit(Reader(**pitfall), contract=contract, seed=0))  # type: ignore[arg-type]


def people(num_people: int = 40, each: int = 5, seed: int = 0) -> Sequences:
    """Return recordings of people, each with a level of its own."""
    source = torch.Generator().manual_seed(seed)
    level = torch.randn(num_people, 1, 2, generator=source).repeat_interleave(each, 0)
    values = (level + torch.randn(num_people * each, 12, 2, generator=source)).flatten(0, 1)
    targets = torch.randint(0, 2, (num_people * each,), generator=source)
    groups = [f"person {number // each}" for number in range(num_people * each)]
    return Sequences(inputs=Ragged(values, torch.full((num_people * each,), 12)), targets=targets, groups=groups)


CAUSAL, ENDED = Contract(task="tag", causal=True), Contract(task="classify")


def test_the_accuracy_paradox_is_found_and_a_good_model_is_not_accused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fraud = Counts(tp=12, fn=88, fp=112, tn=9788)
    assert "SW821" in codes(audit_predictions(fraud))
    verdict = judge(evaluation=evaluate(fraud))
    assert verdict.level == "not_ready"
    assert "88 of 100 positives are missed" in verdict.reasons[0].says
    target = np.repeat([1, 0], [100, 9900])
    answers = np.concatenate([np.repeat([1, 0], [12, 88]), np.repeat([1, 0], [112, 9788])])
    path = Predictions.from_columns({"target": target, "prediction": answers}).save(tmp_path / "fraud.csv")
    assert main(["judge", str(path)]) == 1
    assert "accuracy is high only because positives are rare" in " ".join(capsys.readouterr().out.split())
    assert not codes(audit_predictions(Counts(tp=95, fn=5, fp=6, tn=94)))


@pytest.mark.parametrize(
    ("code", "contract", "pitfall"),
    [
        ("SW401", CAUSAL, {"looks_ahead": True}),
        ("SW101", CAUSAL, {"keeps": True}),
        ("SW301", ENDED, {"reads": "end of padding"}),
        ("SW501", Contract(task="classify", order_matters=True), {"reads": "bag"}),
    ],
)
def test_future_steps_leftover_state_ignored_lengths_and_ignored_order_are_found_in_a_module(
    code: str, contract: Contract, pitfall: dict[str, object]
) -> None:
    assert code in of_module(contract, **pitfall)


@pytest.mark.parametrize(("contract", "reads"), [(CAUSAL, "steps"), (Contract(task="classify", order_matters=True), "true end")])
def test_a_module_without_these_is_not_accused(contract: Contract, reads: str) -> None:
    assert not of_module(contract, reads=reads)


def test_groups_duplicates_and_preprocessing_that_leak_are_found_and_a_proper_split_is_not_accused() -> None:
    data = people()
    train, valid, test = split(data, by="group", seed=0)
    assert not codes(audit_data(train, valid, test)) & {"SW701", "SW702", "SW703", "SW704", "SW705", "SW706"}
    assert "SW704" in codes(audit_data(*split(data, by="sequence", seed=0)))
    doubled = data.select([*range(len(data) - 10, len(data)), *range(60)])
    assert "SW701" in codes(audit_data(train, test=doubled))
    every = torch.cat([part.parts["x"].values for part in (train, valid, test)])
    fitted = {"mean": every.mean(0).tolist(), "scale": every.std(0, correction=0).tolist()}
    own = train.parts["x"].values
    proper = {"mean": own.mean(0).tolist(), "scale": own.std(0, correction=0).tolist()}
    assert "SW706" in codes(audit_data(train, valid, test, scaling=fitted))
    assert "SW706" not in codes(audit_data(train, valid, test, scaling=proper))


def test_groups_that_leak_are_found_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)

    def write(name: str, recordings: range) -> str:
        rows = ["recording,person,t,x,label"]
        rows += [f"{each},p{each % 20},{t},{random.normal():.4f},{each % 2}" for each in recordings for t in range(6)]
        (tmp_path / name).write_text("\n".join(rows), encoding="utf-8")
        return str(tmp_path / name)

    words = ["--key", "recording", "--time", "t", "--target", "label", "--group", "person", "--select", "SW704"]
    assert main(["audit", "--train", write("a.csv", range(80)), "--test", write("b.csv", range(80, 120)), *words]) == 1
    assert "SW704" in capsys.readouterr().out


def test_overfitting_and_gradients_out_of_range_are_found_in_a_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    epochs = np.arange(30)
    train = 1.5 * np.exp(-epochs / 6) + 0.05
    healthy, turning = train + 0.1, np.where(epochs < 10, train + 0.1, 0.35 + 0.04 * (epochs - 10))
    assert "SW906" in codes(audit_history({"loss": train.tolist(), "valid_loss": turning.tolist()}))
    assert not codes(audit_history({"loss": train.tolist(), "valid_loss": healthy.tolist()}))
    path = tmp_path / "history.csv"
    rows = [f"{loss:.4f},{valid:.4f}" for loss, valid in zip(train, turning, strict=True)]
    path.write_text("\n".join(["loss,valid_loss", *rows]), encoding="utf-8")
    assert main(["audit", "--history", str(path), "--fail-on", "warn"]) == 1
    assert "SW906" in capsys.readouterr().out


def test_gradients_that_nobody_looks_at_are_told() -> None:
    from tests.verdicts.evidence import epochs_of, history_of, updates_of

    def history(norms: list[float]) -> Audit:
        return audit_history(history_of(epochs_of([1.2, 0.9, 0.7, 0.5, 0.4]), updates_of(norms)))

    assert "SW909" in codes(history([1e-7] * 200))
    assert "SW910" in codes(history([*([0.5] * 40 + [30.0] + [0.5] * 9) * 4]))
    assert not codes(history([0.5] * 200)) & {"SW909", "SW910"}


def test_a_metric_that_counts_padding_is_found_and_one_that_does_not_is_not_accused() -> None:
    def counts_padding(targets: Tensor, predictions: Tensor, lengths: Tensor) -> float:
        return float((targets == predictions).double().mean())

    def counts_steps(targets: Tensor, predictions: Tensor, lengths: Tensor) -> float:
        valid = torch.arange(targets.shape[1]) < lengths[:, None]
        return float((targets == predictions)[valid].double().mean())

    assert "SW808" in codes(check_metric(counts_padding, task="tag"))
    assert not codes(check_metric(counts_steps, task="tag"))
