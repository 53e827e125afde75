"""What does one check say?"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Status: TypeAlias = Literal["pass", "fail", "warn", "observed", "not_applicable", "skipped", "error"]
"""How a check ended; `observed` is a property that no contract forbids, `skipped` was not selected, `error` is ours or the module's."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of one check.

    Attributes:
        code: of the check, such as `"SW301"`.
        name: of the check, in words joined by hyphens.
        status: how it ended.
        value: what was measured.
        limit: what it was held against.
        control: what the defect, or a real step, would do at the same place.
        evidence: what was done and what came of it, in a sentence with figures.
        why: why it matters.
        fix: how it is mended.
        explained_by: the code of the finding that this one is a consequence of.
        where: the leaf of the state, the parameter or the step that it is about.
    """

    code: str
    name: str
    status: Status
    value: float | None = None
    limit: float | None = None
    control: float | None = None
    evidence: str = ""
    why: str = ""
    fix: str = ""
    explained_by: str | None = None
    where: str | None = None

    @property
    def is_finding(self) -> bool:
        """Whether it is bad, and not merely a consequence of another."""
        return self.status in {"fail", "warn"} and self.explained_by is None
