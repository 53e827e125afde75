"""Is a verdict kept whole, and does it read well in a terminal, when piped, and in a notebook?"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

import statewise as sw
from statewise.errors import OptionError, RunError
from statewise.evaluation import Counts, evaluate
from statewise.runs import History
from statewise.verdicts import Reason, Verdict, judge, read_verdict, write_verdict
from statewise.verdicts._terminal import figures
from tests.verdicts.evidence import FRAUD, GOOD, RARE_AND_GOOD, good_history, of_counts, printed


def verdicts() -> list[Verdict]:
    counts = [of_counts(50, 10, 5, 35), of_counts(0, 60, 0, 60), FRAUD, RARE_AND_GOOD, GOOD]
    return [judge(evaluation=each, history=good_history()) for each in counts]


def test_a_verdict_comes_back_as_it_went(tmp_path: Path) -> None:
    for verdict in verdicts():
        assert read_verdict(write_verdict(verdict, tmp_path / "verdict.json")) == verdict
    document = msgspec.json.decode((tmp_path / "verdict.json").read_bytes())
    assert document["schema"] == 1
    assert (document["level"], document["policy"], len(document["policy_hash"])) == ("ready", "default", 64)


@pytest.mark.parametrize(
    ("content", "arrived"),
    [
        (None, "No such file"),
        ('{"schema": 7}', "schema 7"),
        ('{"schema": 1, "lev', "damaged"),
        ('{"schema": 1}', "damaged"),
        ("[]", "damaged"),
    ],
)
def test_a_verdict_that_cannot_be_read_is_named(tmp_path: Path, content: str | None, arrived: str) -> None:
    path = tmp_path / "verdict.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RunError) as caught:
        read_verdict(path)
    assert caught.value.asked == "read a verdict"
    assert str(path) in caught.value.where
    assert arrived in caught.value.arrived
    assert caught.value.hint


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for verdict in verdicts():
        assert max(map(len, printed(verdict, width).splitlines())) <= width


def test_the_answer_comes_first_then_why_then_what_was_not_looked_at() -> None:
    text = printed(judge(evaluation=FRAUD))
    parts = ["figures only", "verdict: not ready", "Not ready because", "Do: ", "Not enough evidence", "What speaks for it", "Examined: "]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    told = "Not required by this policy, and not given: the history, the audit of the model and the audit of the data."
    assert told in " ".join(text.split())


def test_every_figure_that_is_printed_is_the_one_that_decided() -> None:
    for verdict in verdicts():
        flat = " ".join(printed(verdict).split())
        for reason in (*verdict.reasons, *verdict.supports):
            if reason.value is None or reason.low is None or reason.high is None or reason.limit is None:
                continue
            pattern = re.escape(reason.subject) + r": ([\d.]+) \(([\d.]+) to ([\d.]+)\), needs (?:at least|above) ([\d.]+)"
            found = re.search(pattern, flat)
            assert found is not None, (reason, flat)
            told = tuple(map(float, found.groups()))
            assert told == pytest.approx((reason.value, reason.low, reason.high, reason.limit), abs=5e-4)


def test_figures_are_never_broken_over_two_lines() -> None:
    verdict = judge(evaluation=FRAUD)
    for width in range(50, 90):
        text = printed(verdict, width)
        assert all(piece in text for piece in ("98.0 %", "recall 12 %", "88 of 100", "99 %", "0.064 to 0.200")), width


def test_plain_text_is_what_the_terminal_shows() -> None:
    for verdict in verdicts():
        assert str(verdict).splitlines() == [line.rstrip() for line in printed(verdict).splitlines()]
        assert "\x1b" not in str(verdict)


def test_one_line_tells_the_level_and_what_decided() -> None:
    assert repr(judge(evaluation=FRAUD)) == "Verdict(not ready, because of recall of 'positive', policy 'default')"
    assert repr(judge(evaluation=GOOD)) == "Verdict(ready, policy 'default')"


def test_a_notebook_shows_level_reasons_and_remarks_and_escapes_names() -> None:
    page = judge(evaluation=evaluate(Counts(tp=12, fn=88, fp=112, tn=9788), positive="<fraud>"))._repr_html_()
    assert "<b>not ready</b>" in page
    assert "88 of 100 positives are missed" in page
    assert "<fraud>" not in page
    assert "&lt;fraud&gt;" in page
    assert "What speaks for it" in page
    assert "<caption>Why" not in judge(evaluation=GOOD)._repr_html_()


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason(subject="x", points_to="ready", says="."), ""),
        (Reason(subject="x", points_to="ready", says=".", limit=0.5), "undefined, needs at least 0.500"),
        (Reason(subject="x", points_to="ready", says=".", value=0.25), "0.250"),
        (Reason(subject="x", points_to="ready", says=".", value=31.0, limit=50.0), "31, needs at least 50"),
        (Reason(subject="x", points_to="ready", says=".", value=2e-5, limit=1e-4), "2e-05, needs at least 0.0001"),
        (Reason(subject="x", points_to="ready", says=".", value=234.5, limit=10.0, limit_kind="at most"), "234.5, needs at most 10"),
    ],
)
def test_figures_are_quoted_with_what_they_are_held_against(reason: Reason, text: str) -> None:
    assert figures(reason) == text


def test_levels_have_the_exit_codes_that_scripts_rely_on() -> None:
    codes = {verdict.level: verdict.exit_code for verdict in verdicts()}
    assert codes == {"ready": 0, "not_ready": 1, "not_enough_evidence": 3}
    assert msgspec.structs.replace(verdicts()[0], level="needs_work").exit_code == 1


def test_what_an_audit_alone_is_of_is_told_in_the_header() -> None:
    losses = sw.audit_history({"loss": [1.2, 0.9, 0.7, 0.5, 0.4], "accuracy": [0.35, 0.50, 0.65, 0.75, 0.82]})
    metric = sw.check_metric(lambda targets, predictions: (targets == predictions).mean())
    assert judge(audit=losses).header == "training only: figures, model and data were not examined"
    assert judge(audit=metric).header == "metric only: figures, model, training and data were not examined"
    with pytest.raises(OptionError, match="nothing to judge"):
        judge(history=History())
