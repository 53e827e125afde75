"""What does the child of an audit leave in the shared folder, and what does the parent make of it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from statewise.auditing import CUT_SHORT, Audit, Outcome, checks_of, read_audit
from statewise.cli import _inside as inside
from statewise.cli._apart import FOLDING, ChildCrashError, Request, Shared, _outcome
from statewise.cli._reading import Columns
from statewise.contracts import Contract
from statewise.errors import StatewiseError
from tests.cli.test_audit import MODELS


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shared:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "shared").mkdir()
    return Shared(tmp_path / "shared")


def asked(shared: Shared, **options: Any) -> Request:
    """Write a request, let it be answered in this process, and return it."""
    request = Request(**{"target": "models.py:Sound", "select": ("SW2",), **options})
    shared.request.write_bytes(msgspec.json.encode(request))
    inside.main(str(shared.folder))
    return request


def test_a_request_goes_over_whole() -> None:
    request = Request(
        target="a.py:b", weights="w.pt", data="d.csv", columns=Columns(key="k", target=("a", "b"), max_steps=3), select=("SW1",)
    )
    assert msgspec.json.decode(msgspec.json.encode(request), type=Request) == request


def test_the_child_leaves_a_record_and_how_far_it_was(shared: Shared) -> None:
    request = asked(shared)
    found = _outcome(request, shared, 0, 1.0)
    assert found == read_audit(shared.record)
    assert {each.status for each in found.outcomes if each.code.startswith("SW2")} == {"pass"}
    told = shared.progress.read_text().splitlines()
    assert [line.split()[2] for line in told] == [*(each.code for each in checks_of("module")), FOLDING]
    so_far = read_audit(shared.so_far)
    assert (so_far.name, so_far.weights, so_far.outcomes) == ("Sound", found.weights, found.outcomes)


def test_the_seed_is_that_of_the_weights(shared: Shared) -> None:
    asked(shared, seed=1)
    first = read_audit(shared.record).weights
    asked(shared, seed=2)
    assert read_audit(shared.record).weights != first
    asked(shared, seed=1)
    assert read_audit(shared.record).weights == first


def test_a_refusal_is_raised_by_the_parent_as_the_child_met_it(shared: Shared) -> None:
    request = asked(shared, target="models.py:broken")
    with pytest.raises(StatewiseError) as caught:
        _outcome(request, shared, 0, 1.0)
    assert "no weights today" in caught.value.arrived
    assert caught.value.exit_code == 2
    assert "models.py" in caught.value.where


def test_what_nobody_foresaw_is_a_crash_of_ours(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object, **options: object) -> None:
        raise LookupError("our own mistake")

    monkeypatch.setattr(inside, "audit", fail)
    request = asked(shared)
    with pytest.raises(ChildCrashError, match="our own mistake"):
        _outcome(request, shared, 0, 1.0)


@pytest.mark.parametrize(("code", "says"), [(None, "within 9 seconds"), (3, "exit code 3"), (-11, "SIGSEGV"), (-200, "signal 200")])
def test_a_child_that_was_cut_short_is_told_by_its_end(shared: Shared, code: int | None, says: str) -> None:
    known = {"SW101": Outcome(code="SW101", name="a", status="pass"), "SW102": Outcome(code="SW102", name="b", status="fail")}
    shared.keep(cut_short(known))
    shared.progress.write_text("0 46 SW101\n1 46 SW102\n2 46 SW103\n3 46")  # the last line was cut
    found = _outcome(Request(target="a.py:b"), shared, code, 9.0)
    by_code = {each.code: each for each in found.outcomes}
    assert {each.code for each in found.outcomes if each.status == "error"} == {"SW103"}
    assert says in by_code["SW103"].evidence
    assert [by_code[code].status for code in ("SW101", "SW102", "SW104")] == ["pass", "fail", "skipped"]
    assert (found.name, found.weights) == ("Known", "f" * 64)


def test_a_child_that_was_cut_short_over_the_causes_is_no_sound_one(shared: Shared) -> None:
    known = {
        each.code: Outcome(code=each.code, name=each.name, status="warn" if each.code == "SW608" else "pass")
        for each in checks_of("module")
    }
    shared.keep(cut_short(known))
    shared.progress.write_text(f"51 52 SW608\n52 52 {FOLDING}\n")
    found = _outcome(Request(target="a.py:b"), shared, None, 9.0)
    assert [each.code for each in found.findings] == ["SW608"]
    assert [each.evidence.startswith("while causes were sought") for each in found.outcomes if each.status == "error"] == [True]
    assert not found.ok


def cut_short(known: dict[str, Outcome]) -> Audit:
    outcomes = tuple(known.get(each.code, each.skipped(CUT_SHORT)) for each in checks_of("module"))
    return Audit(name="Known", contract=Contract(), outcomes=outcomes, num_calls=7, weights="f" * 64)


def test_before_the_first_check_every_selected_one_is_an_error(shared: Shared) -> None:
    found = _outcome(Request(target="a.py:b", select=("SW3",), ignore=("SW301",)), shared, 1, 9.0)
    errors = {each.code for each in found.outcomes if each.status == "error"}
    assert errors == {each.code for each in checks_of("module") if each.code.startswith("SW3") and each.code != "SW301"}
