"""Does an audit read well: the answer first, each finding with its mend, nothing wider than 80 columns, a contract that can be pasted?"""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import nn

import statewise as sw
from statewise.auditing import NEEDS, Audit, Outcome, all_checks, as_python, audit, brief, consequences_of, needs_in_words, weights_hash
from statewise.contracts import Contract
from statewise.errors import AuditError


def outcome(status: Any, number: int = 301, **told: Any) -> Outcome:
    fields = {"evidence": "padding changes the answers by 0.3", "why": "It depends on the batch.", "fix": "Pass lengths.", **told}
    return Outcome(code=f"SW{number}", name=f"check-{number}", status=status, **fields)


def audited(*outcomes: Outcome, **told: Any) -> Audit:
    given: dict[str, Any] = {"name": "Speaker", "contract": Contract(), "num_calls": 7, "sampled": "The probes are drawn.", **told}
    return Audit(outcomes=outcomes, **given)


@pytest.mark.parametrize(
    ("statuses", "first"),
    [
        (["pass", "pass", "not_applicable"], "audit of Speaker: sound: 2 checks passed"),
        (["pass", "observed"], "audit of Speaker: sound: 1 check passed"),
        (["pass", "fail"], "audit of Speaker: not sound: 1 finding (SW302)"),
        (["fail", "fail", "error"], "audit of Speaker: not sound: 2 findings (SW301, SW302) and 1 error (SW303)"),
        (["pass", "warn"], "audit of Speaker: sound, with warnings: 1 finding (SW302)"),
        (["pass", "error"], "audit of Speaker: not known: 1 error (SW302)"),
        (["not_applicable", "skipped"], "audit of Speaker: not known: no check could be judged"),
        ([], "audit of Speaker: not known: no check could be judged"),
    ],
)
def test_the_first_line_is_the_answer(statuses: list[str], first: str) -> None:
    found = audited(*(outcome(status, 301 + number) for number, status in enumerate(statuses)))
    assert str(found).splitlines()[0] == first
    assert repr(found) == f"Audit(Speaker, {first.partition(': ')[2]})"


def test_a_finding_is_told_with_where_why_mend_and_what_it_explains() -> None:
    found = audited(
        outcome("fail", 301, where="c of the first layer"),
        outcome("fail", 302, explained_by="SW301"),
        outcome("warn", 204, explained_by="SW302"),
    )
    told = " ".join(str(found).split())
    for words in (
        "SW301 fail check-301", "seen padding changes the answers by 0.3", "where c of the first layer", "why It depends on the batch.",
        "mend Pass lengths.", "also explained by this: SW204, SW302",
    ):  # fmt: skip
        assert words in told
    assert "check-302" not in told
    assert consequences_of(found.outcomes, "SW302") == ("SW204",)


def test_what_was_not_judged_is_grouped_by_its_reason() -> None:
    takes = "the module takes no is_first"
    found = audited(
        outcome("pass", 101), *(outcome("not_applicable", number, evidence=takes) for number in (115, 116)),
        outcome("not_applicable", 301, evidence="no " + 60 * "padding "), outcome("skipped", 302, evidence=""), outcome("observed", 604),
        outcome("error", 401, evidence="the module failed: " + 30 * "much " + "the end"),
    )  # fmt: skip
    lines = str(found).splitlines()
    assert "Not applicable: 3 checks" in lines
    assert f"   2  {takes} (SW115, SW116)" in lines
    assert "   1  not selected (SW302)" in lines
    assert any(line.startswith("  SW604 check-604: padding") for line in lines)
    assert sum("..." in line for line in lines) == 1, "a long reason is cut"
    assert "much the end" in " ".join(str(found).split()), "that of an error is not"
    assert "Not applicable" not in brief(found)
    assert "Ended in an error: 1 check" in brief(found)


def test_real_audits_fit_into_80_columns() -> None:
    for module in (nn.LSTM(3, 4), nn.GRU(3, 4, bidirectional=True, batch_first=True)):
        text = str(audit(module))
        assert max(map(len, text.splitlines())) <= 80
        assert "forward passes." in text


def test_a_terminal_and_a_notebook_show_the_same() -> None:
    found = audited(outcome("fail", evidence="a < b & c"))
    stream = io.StringIO()
    Console(file=stream, width=80, color_system=None).print(found)
    assert stream.getvalue().rstrip() == str(found)
    assert "a &lt; b &amp; c" in found._repr_html_()


def test_the_contract_can_be_pasted_and_says_how_sure_it_is() -> None:
    contract = Contract(task="classify", takes=("x",), batch_first=False, horizon=3, mask="valid")
    written = as_python(contract, {"takes": "read", "batch_first": "guessed", "initial_state": "tried"})
    assert eval(written, {"sw": sw}) == contract  # noqa: S307  # that it can be pasted is the promise
    assert 'task="classify",  # declared' in written
    assert "batch_first=False,  # guessed" in written
    assert "# initial_state: a function (tried)" in written
    assert "# reset: a function (declared)" in as_python(Contract(reset=print), {})
    assert as_python(Contract(), {}) == "sw.Contract()"


def test_every_field_of_a_contract_has_a_word_for_how_sure_it_is() -> None:
    found = audit(nn.LSTM(3, 4), contract=Contract(each="step"))
    said = {name for name in found.contract.__struct_fields__ if getattr(found.contract, name) is not None}
    assert set(found.sure) == said
    assert set(found.sure.values()) <= {"declared", "read", "tried", "guessed"}
    assert found.sure["each"] == "declared"


@pytest.mark.parametrize("status", ["fail", "error", "not_applicable"])
def test_what_is_not_sound_raises_and_names_what_was_found(status: str) -> None:
    with pytest.raises(AuditError) as caught:
        audited(outcome(status)).raise_if_unsound()
    problem = caught.value
    assert problem.asked == "audit Speaker"
    assert all((problem.where, problem.arrived, problem.hint))
    assert ("SW301" in problem.where) == (status != "not_applicable")
    assert problem.exit_code == 1
    assert isinstance(problem, AssertionError)


def test_a_warning_raises_only_where_it_is_asked_to() -> None:
    found = audited(outcome("pass", 101), outcome("warn"))
    found.raise_if_unsound()
    with pytest.raises(AuditError, match="Pass lengths"):
        found.raise_if_unsound(fail_on="warn")


def test_many_findings_are_told_as_the_first_three_and_a_count() -> None:
    with pytest.raises(AuditError, match="and 2 more"):
        audited(*(outcome("fail", number) for number in range(301, 306))).raise_if_unsound()


def test_a_sound_module_does_not_raise() -> None:
    audit(nn.GRU(3, 4)).raise_if_unsound(fail_on="warn")


def test_every_need_of_every_check_is_told_in_words() -> None:
    needed = {need for each in all_checks() for need in each.needs}
    assert needed <= set(NEEDS)
    assert set(NEEDS) <= needed | {"lengths"}, "a need that no check has any more"
    assert all(needs_in_words(each) or not each.needs for each in all_checks())


def test_the_hash_is_that_of_the_weights_before_the_audit() -> None:
    module = nn.GRU(3, 4)
    before = weights_hash(module.state_dict())
    assert audit(module).weights == before
    with torch.no_grad():
        next(module.parameters())[0, 0] += 1e-7
    assert audit(module).weights != before
