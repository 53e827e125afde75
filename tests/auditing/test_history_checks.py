"""Are trainings that went wrong found under the right name, and those that went well accused of nothing?"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import statewise as sw
from proving_ground.evaluation.histories import CLEAN, PLANTED, healthy, history, updates_of
from statewise.errors import DataError, OptionError
from statewise.runs import Ended, Epoch, History, encode_records
from tests._unchecked import unchecked
from tests.auditing._asked import status_of

if TYPE_CHECKING:
    from proving_ground.evaluation.planted import Clean, Planted

DRAWS = 5
BY_STRENGTH = [case for case in PLANTED if len(case.strengths) > 1 and case.code not in {"SW901", "SW909"}]
"""Those whose strengths rise from next to nothing."""


def causes_of(audit: sw.Audit) -> list[str]:
    return [each.code for each in audit.findings]


@pytest.mark.parametrize("case", PLANTED, ids=lambda case: case.code)
def test_the_weakest_mistake_that_matters_is_found_in_every_draw(case: Planted) -> None:
    assert case.found(case.weakest, DRAWS) == 1.0


@pytest.mark.parametrize("case", BY_STRENGTH, ids=lambda case: case.code)
def test_more_of_a_mistake_is_found_at_least_as_often_and_little_of_it_not(case: Planted) -> None:
    shares = [case.found(strength, DRAWS) for strength in case.strengths]
    assert shares == sorted(shares)
    assert shares[0] < 0.5


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.name)
def test_a_training_without_a_mistake_is_accused_of_nothing(case: Clean) -> None:
    assert not case.accused(DRAWS)


def test_the_reference_run_is_sound() -> None:
    audit = sw.audit_history({"loss": [1.2, 0.9, 0.7, 0.5, 0.4], "accuracy": [0.35, 0.50, 0.65, 0.75, 0.82]})
    assert audit.ok
    assert not audit.findings
    passed = {each.code for each in audit.outcomes if each.status == "pass"}
    assert passed == {"SW901", "SW902", "SW903", "SW904", "SW905"}
    assert audit.examines == "history"


def test_overfitting_names_the_epoch_it_began_at_and_which_weights_were_kept() -> None:
    losses = {"loss": [1, 0.6, 0.4, 0.3, 0.2, 0.1, 0.08, 0.05], "val_loss": [1, 0.7, 0.6, 0.55, 0.6, 0.7, 0.8, 0.9]}
    (found,) = sw.audit_history(losses).findings
    assert (found.code, found.status, found.where) == ("SW906", "fail", "epoch 5")
    records = history(losses["loss"], valid=losses["val_loss"]).records
    kept = History(records=(*records, Ended(reason="early_stop", best_epoch=4, seconds=1.0)))
    assert status_of(sw.audit_history(kept), "SW906") == "observed"
    last = History(records=(*records, Ended(reason="finished", best_epoch=8, seconds=1.0)))
    assert status_of(sw.audit_history(last), "SW906") == "fail"


def test_a_model_that_only_grows_too_sure_is_warned_of() -> None:
    figures = [(1 / (at + 1), 0.6 + 0.05 * max(at - 4, 0), 0.7 + 0.01 * at) for at in range(12)]
    epochs = [
        Epoch(epoch=at, train_loss=loss, valid_loss=valid, valid_accuracy=right) for at, (loss, valid, right) in enumerate(figures, 1)
    ]
    assert status_of(sw.audit_history(History(records=tuple(epochs))), "SW906") == "warn"


def test_consequences_are_folded_under_what_caused_them() -> None:
    swinging = sw.audit_history([1, 0.5, 1.1, 0.4, 1.2, 0.5, 1.0, 0.4])
    assert causes_of(swinging) == ["SW903"]
    assert {each.code: each.explained_by for each in swinging.outcomes if each.explained_by} == {"SW902": "SW903"}
    assert causes_of(sw.audit_history([1, 1.1, 1.3, 1.8, 2.5, 4.0])) == ["SW904"]
    stuck = sw.audit_history({"loss": [0.7, 0.7, 0.7, 0.7, 0.7, 0.7], "accuracy": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]})
    assert causes_of(stuck) == ["SW902"]


def test_an_accuracy_stuck_at_the_majority_share_is_a_failure_where_the_share_is_known() -> None:
    columns = {"loss": [0.5, 0.4, 0.3, 0.25, 0.2, 0.18], "accuracy": [0.97] * 6}
    assert status_of(sw.audit_history(columns), "SW905") == "not_applicable"
    assert status_of(sw.audit_history(columns, majority_accuracy=0.97), "SW905") == "fail"
    assert status_of(sw.audit_history(columns, majority_accuracy=0.6), "SW905") == "not_applicable"


def test_norms_outside_the_safe_range_fail_only_where_nothing_is_learnt() -> None:
    source = np.random.default_rng(0)
    made = healthy(source, epochs=20)
    updates = updates_of(made["step_losses"], np.full(len(made["step_losses"]), 500.0))
    assert status_of(sw.audit_history(history(made["losses"], updates=updates)), "SW909") == "warn"
    assert status_of(sw.audit_history(history(np.full(20, 0.7), updates=updates)), "SW909") == "fail"


def test_norms_that_fall_fifty_fold_are_healthy() -> None:
    norms = 2.0 * np.exp(-np.linspace(0, np.log(50), 400))
    audit = sw.audit_history(history(np.linspace(1, 0.2, 20), updates=updates_of(np.linspace(1, 0.2, 400), norms)))
    assert {status_of(audit, code) for code in ("SW909", "SW910", "SW911")} == {"pass"}


def test_the_update_of_a_spike_is_named_by_its_own_number() -> None:
    norms = np.ones(400)
    norms[[150, 200, 250, 300, 350]] = 100.0
    norms[10] = np.nan
    audit = sw.audit_history(history(np.linspace(1, 0.2, 20), updates=updates_of(np.linspace(1, 0.2, 400), norms)))
    first = next(each for each in audit.outcomes if each.code == "SW910")
    assert (first.status, first.where) == ("warn", f"update {updates_of(np.ones(400), norms)[150].update}")


def test_short_histories_are_not_called_sound() -> None:
    audit = sw.audit_history([1.0, 0.5])
    assert {each.status for each in audit.outcomes} == {"not_applicable"}
    assert "not known" in repr(audit)


def test_noise_alone_makes_no_finding_but_that_nothing_is_learnt() -> None:
    found = [causes_of(sw.audit_history(0.7 + 0.01 * np.random.default_rng(draw).standard_normal(30))) for draw in range(20)]
    assert all(set(codes) <= {"SW902"} for codes in found)
    assert sum(codes == ["SW902"] for codes in found) >= 18


def test_every_door_gives_the_same_audit(tmp_path: Path) -> None:
    columns = {"loss": [1.0, 0.8, 0.5, 0.3, 0.2, 0.1], "valid_loss": [1.1, 0.9, 0.6, 0.5, 0.45, 0.44]}
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])
    records = history(columns["loss"], valid=columns["valid_loss"])
    (tmp_path / "history.jsonl").write_bytes(encode_records(records.records))
    doors: list[Any] = [columns, records, tmp_path / "a.csv", str(tmp_path / "history.jsonl"), tmp_path]
    told = {tuple((each.code, each.status, each.evidence) for each in sw.audit_history(door).outcomes) for door in doors}
    assert len(told) == 1


def test_figures_of_the_test_part_are_told_of_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("loss,test_accuracy\n" + "".join(f"{1 / (at + 1)},0.{at}\n" for at in range(9)))
    audit = sw.audit_history(tmp_path / "a.csv")
    assert status_of(audit, "SW913") == "observed"
    assert "test_accuracy" in str(audit)


def test_a_figure_whose_name_holds_the_letters_of_test_is_none_of_the_test_part() -> None:
    epochs = [Epoch(epoch=at + 1, train_loss=1 / (at + 1), metrics={"latest_f1": 0.5}) for at in range(9)]
    assert status_of(sw.audit_history(History(records=tuple(epochs))), "SW913") == "pass"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"accuracy": [0.1]}, "no column 'loss'"),
        ({"loss": []}, "entries"),
        ({"loss": [1.0, 2.0], "accuracy": [0.5]}, "entries"),
        ({"loss": ["high"]}, "not a number"),
        (3.0, "a float"),
        (History(), "no epoch"),
        ("nothing.csv", "no such file"),
    ],
)
def test_what_is_no_history_is_refused(given: Any, says: str) -> None:
    with unchecked(), pytest.raises(DataError, match=says):
        sw.audit_history(given)


def test_a_share_that_is_none_and_a_code_that_is_none_are_refused() -> None:
    with pytest.raises(OptionError, match="majority_accuracy"):
        sw.audit_history([1.0, 0.5], majority_accuracy=90.0)
    with pytest.raises(OptionError, match="SW301"):
        sw.audit_history([1.0, 0.5], select=["SW301"])


def test_a_fault_of_a_check_is_told_as_ours_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewise.auditing.checks.sw901_losses.falls", lambda losses: 1 / 0)
    audit = sw.audit_history([1.0, 0.8, 0.5, 0.3, 0.2])
    assert status_of(audit, "SW903") == "error"
    assert status_of(audit, "SW904") == "pass"
    assert not audit.ok


def test_epochs_are_read_in_the_order_of_their_numbers_and_each_once(tmp_path: Path) -> None:
    rows = "".join(f"{epoch},{0.1 * epoch:.1f}\n" for epoch in range(10, 0, -1))
    (tmp_path / "a.csv").write_text(f"epoch,loss\n{rows}")
    assert status_of(sw.audit_history(tmp_path / "a.csv"), "SW904") == "fail", "the later, the larger"
    losses = [1.0 - 0.09 * epoch for epoch in range(10)]
    mixed = [3, 1, 2, 4, 5, 6, 7, 9, 8, 10]
    columns: dict[str, Any] = {"epoch": mixed, "loss": [losses[epoch - 1] for epoch in mixed]}
    found = sw.audit_history(columns)
    assert not found.findings
    for wrong in ([1, 1, 2], [1, "x", 3]):
        with unchecked(), pytest.raises(DataError, match="column 'epoch'"):
            sw.audit_history(columns | {"epoch": wrong, "loss": [1.0, 0.5, 0.4]})
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="an empty file"):
        sw.audit_history(tmp_path / "empty.csv")
