"""Does the page say of the audit what the record says, and that there is none where there is none?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from statewise.contracts import Contract
from statewise.reporting import report
from tests.reporting._made import make_run, read_page
from tests.verdicts.evidence import audit_of

if TYPE_CHECKING:
    from pathlib import Path

    from statewise.runs import Run
    from tests.reporting._made import Page


def written(run: Run) -> Page:
    return read_page(report(run))


def test_a_run_without_an_audit_says_how_one_is_had(tmp_path: Path) -> None:
    page = written(make_run(tmp_path / "run", without=("audit",)))
    assert "Not enough evidence" in page.text["verdict"]
    assert "The model has not been audited" in page.text["audit"]
    assert f"statewise audit {tmp_path / 'run'}" in page.text["audit"]


def test_the_audit_shows_findings_with_what_was_seen_and_their_mend(tmp_path: Path) -> None:
    found = audit_of("pass", "fail", "warn", "error", "observed", "not_applicable", "skipped", "fail")
    outcomes = (*found.outcomes[:-1], msgspec.structs.replace(found.outcomes[-1], explained_by="SW302"))
    audit = replace(found, outcomes=outcomes, contract=Contract(takes=("x", "lengths")), sure={"takes": "read"}, sampled="Drawn at random.")
    page = written(make_run(tmp_path / "run", audit=audit))
    assert page.problems == []
    assert "Not ready for production" in page.text["verdict"]
    told = page.text["audit"]
    for words in (
        "Not sound: 2 findings (SW302, SW303) and 1 error (SW304).", "SW302 check-1", "fails", "warns",
        "Padding changes the answers by 0.1", "Pass lengths.", "This also explains SW308.", "not run", 'takes=("x", "lengths"), # read',
        "8 checks of Model. Drawn at random. 9 forward passes.",
    ):  # fmt: skip
        assert words in told, (words, told)
    assert "SW308 check-7" not in told


def test_an_audit_of_other_weights_is_called_so(tmp_path: Path) -> None:
    page = written(make_run(tmp_path / "run", audit=audit_of("pass", weights="0" * 64)))
    assert "not an audit of the weights that the run holds" in page.text["audit"]
    assert "Not enough evidence" in page.text["verdict"]


def test_what_an_audit_holds_is_escaped(tmp_path: Path) -> None:
    found = audit_of("fail", "error")
    hostile = tuple(msgspec.structs.replace(each, evidence="</section><script>alert(1)</script>", where="<b>") for each in found.outcomes)
    page = written(make_run(tmp_path / "run", audit=replace(found, outcomes=hostile, name="<script>")))
    assert page.problems == []
    assert "alert(1)" in page.text["audit"]
    assert not any("alert(1)" in content for _, content in page.scripts)
