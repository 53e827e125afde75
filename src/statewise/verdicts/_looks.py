"""How often was the test data looked at, and did the policy stand before? Told beside the verdict, and decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statewise.runs import Scorings
    from statewise.verdicts._policy import Policy


def notes_on_looks(scorings: Scorings, policy: Policy) -> Iterator[str]:
    """Yield what should be known about looks at data that a run was not trained on."""
    looks = scorings.scorings
    if not looks:
        return
    sets = len({each.data.sha256 for each in looks})
    times = "once" if len(looks) == 1 else f"{len(looks)} times"
    of = "" if sets == 1 or len(looks) == 1 else f" ({sets} different sets)"
    again = " A set that is scored again and again while models are chosen makes the chosen one look too good." if len(looks) > sets else ""
    yield f"Data that the run was not trained on was scored {times}{of}, first on {looks[0].when[:10]}.{again}"
    if not scorings.policy_sha256:
        yield "No policy was written down before that."
    elif scorings.policy_sha256 == policy.sha256:
        yield "This policy was written down before that."
    else:
        yield f"Another policy ('{scorings.policy}') was written down before that: limits that were chosen later prove less."
