"""Does an audit come back as it went, and is every kind of damage told?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

from statewise.auditing import Audit, audit, read_audit, weights_hash
from statewise.contracts import Contract
from statewise.errors import RunError


@pytest.fixture(scope="module")
def found() -> Audit:
    torch.manual_seed(0)
    return audit(nn.LSTM(3, 4), contract=Contract(task="tag"))


def test_an_audit_comes_back_as_it_went(found: Audit, tmp_path: Path) -> None:
    path = found.save(tmp_path / "new" / "audit.json")
    assert read_audit(path) == found
    document = json.loads(path.read_bytes())
    assert document["schema"] == 1
    assert document["weights_sha256"] == found.weights
    assert document["contract"]["takes"] == ["x", "state"]
    assert {"code", "name", "status", "evidence"} <= set(document["outcomes"][0])


def test_a_function_of_the_contract_is_left_out_and_its_place_is_told(tmp_path: Path) -> None:
    module = nn.GRU(3, 4)
    made = audit(module, contract=Contract(initial_state=lambda rows: torch.zeros(1, rows, 4)), select=["SW101"])
    back = read_audit(made.save(tmp_path / "audit.json"))
    assert back.contract.initial_state is None
    assert "initial_state: a function" in str(back)
    assert str(back) == str(made)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_figures_that_are_not_finite_come_back_as_none(found: Audit, tmp_path: Path, value: float) -> None:
    first, *others = found.outcomes
    changed = replace(found, outcomes=(msgspec.structs.replace(first, value=value), *others))
    assert read_audit(changed.save(tmp_path / "audit.json")).outcomes[0].value is None


@pytest.mark.parametrize(
    ("content", "arrived"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"[]", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"{}", "schema None"),
        (b'{"schema": 2}', "schema 2, this version reads 1"),
        (b'{"schema": 1}', "damaged"),
    ],
)
def test_what_is_no_audit_is_told_in_four_facts(tmp_path: Path, content: bytes, arrived: str) -> None:
    path = tmp_path / "audit.json"
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_audit(path)
    assert arrived in caught.value.arrived
    assert (caught.value.asked, str(path) in caught.value.where) == ("read an audit", True)
    assert "udit again" in caught.value.hint


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("outcomes", 0, "status"), "great"),
        (("contract", "weather"), "fine"),
        (("outcomes",), None),
        (("sure",), [1]),
        (("num_calls",), "9"),
    ],
)
def test_a_field_that_no_audit_has_is_damage(found: Audit, tmp_path: Path, place: tuple[str | int, ...], value: object) -> None:
    path = found.save(tmp_path / "audit.json")
    document = json.loads(path.read_bytes())
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(document))
    with pytest.raises(RunError, match="damaged"):
        read_audit(path)


def test_an_absent_audit_is_told_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="statewise audit RUN"):
        read_audit(tmp_path / "audit.json")


def test_the_hash_knows_names_types_shapes_and_numbers_and_nothing_else() -> None:
    weights = {"a": torch.arange(6.0), "b": torch.ones(2, dtype=torch.bfloat16)}
    same = {"b": weights["b"].clone(), "a": weights["a"].clone().requires_grad_(), "note": "no tensor"}
    assert weights_hash(weights) == weights_hash(same)
    others = (
        {**weights, "a": torch.arange(6.0).double()}, {**weights, "a": torch.arange(6.0).view(2, 3)}, {**weights, "a": torch.ones(6)},
        {"c": weights["a"], "b": weights["b"]}, {"a": weights["a"]},
    )  # fmt: skip
    assert len({weights_hash(each) for each in (weights, *others)}) == 6
    assert weights_hash({"a": torch.zeros(0), "b": torch.tensor(1)}) == weights_hash({"a": torch.zeros(0), "b": torch.tensor(1)})
