"""Does the top of the page put each kind of reason into the right words and place?"""

from __future__ import annotations

from typing import Any

import pytest

from statewise.reporting._answer import answer_of, headline_of
from statewise.reporting._evidence import Evidence, Missing
from statewise.runs import History, Run
from statewise.verdicts import Reason, Verdict, read_policy
from tests.reporting._made import make_config

NOTHING = Missing(why="None.", how="Make one.")


def verdict_of(*reasons: Reason, **options: Any) -> Verdict:
    fields: dict[str, Any] = {
        "level": reasons[0].points_to if reasons else "ready",
        "header": "figures only",
        "supports": (),
        "policy": "default",
        "policy_hash": "ab" * 32,
        "examined": (),
        "not_required": (),
    }
    return Verdict(reasons=reasons, **fields | options)


def evidence_of(verdict: Verdict | Missing) -> Evidence:
    run = Run(config=make_config(("a", "b")), history=History())
    return Evidence(
        run=run,
        place="kept in memory",
        evaluation=NOTHING,
        verdict=verdict,
        judged_now=False,
        gradient_rules=read_policy("default").gradients,
        narration=NOTHING,
        trace=NOTHING,
        audit=NOTHING,
        data_audit=None,
        provenance=NOTHING,
    )


SHARE = Reason(subject="accuracy", points_to="not_ready", says="Too low. Far.", do="More data.", value=0.7, low=0.6, high=0.8, limit=0.85)
LOSS = Reason(
    subject="training loss", points_to="needs_work", says="It rose. By far.", do="Lower lr.", value=1.9, limit=1.5, limit_kind="below"
)
ABSENT = Reason(subject="evaluation", points_to="not_enough_evidence", says="There is none.", do="Evaluate.")


@pytest.mark.parametrize(
    ("verdict", "because"),
    [
        (verdict_of(SHARE), "Accuracy is 0.700 (0.600 to 0.800), and at least 0.85 is asked."),
        (verdict_of(SHARE, LOSS, ABSENT), "Accuracy is 0.700 (0.600 to 0.800), and at least 0.85 is asked. 2 more reasons below."),
        (verdict_of(LOSS, ABSENT), "Training loss: It rose. 1 more reason below."),
        (verdict_of(ABSENT), "Evaluation: There is none."),
        (verdict_of(supports=(SHARE, LOSS)), "All 2 points that the policy asks about hold."),
    ],
)
def test_one_sentence_says_what_decided(verdict: Verdict, because: str) -> None:
    assert headline_of(evidence_of(verdict)).because == because


def test_without_a_verdict_the_headline_says_why_there_is_none() -> None:
    headline = headline_of(evidence_of(NOTHING))
    assert (headline.level, headline.words, headline.because, headline.fine) == ("unknown", "Not judged", "None.", "Make one.")


def test_the_bar_lies_where_the_figures_say() -> None:
    scale = answer_of(verdict_of(SHARE)).against[0].scale
    assert scale is not None
    assert (scale.value, scale.low, scale.width, scale.limit, scale.limit_text, scale.anchor) == (70, 60, 20, 85, "at least 0.850", "end")


@pytest.mark.parametrize(("limit", "anchor"), [(0.1, "start"), (0.5, "middle"), (0.9, "end"), (None, "middle")])
def test_the_label_of_a_limit_stays_inside_the_bar(limit: float | None, anchor: str) -> None:
    reason = Reason(subject="recall of 'x'", points_to="ready", says="Fine.", value=0.5, low=0.4, high=0.6, limit=limit)
    scale = answer_of(verdict_of(supports=(reason,))).supporting[0].scale
    assert scale is not None
    assert scale.anchor == anchor


def test_a_metric_without_interval_has_a_bar_and_a_loss_has_none() -> None:
    alone = Reason(subject="F1, mean of classes", points_to="not_enough_evidence", says="No interval.", value=0.9, limit=0.8)
    first, second, third = answer_of(verdict_of(alone, LOSS, ABSENT)).against
    assert first.scale is not None
    assert first.scale.low is None
    assert second.scale is None
    assert (second.value_text, second.asked) == ("1.9", "below 1.5")
    assert (third.value_text, third.asked, third.scale) == ("", "", None)


def test_statuses_follow_what_a_reason_points_to() -> None:
    answer = answer_of(verdict_of(SHARE, LOSS, ABSENT, supports=(Reason(subject="skill", points_to="ready", says="Yes."),)))
    assert [each.status.words for each in (*answer.against, *answer.supporting)] == ["not met", "needs work", "not enough evidence", "met"]
