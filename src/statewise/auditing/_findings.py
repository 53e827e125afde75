"""How does a measurement become pass, fail or warn? The same way in every check.

A difference counts where it is more than rounding and not a vanishing share of what a real change does in the same place: a check without
that control could pass a dead module, and is not applicable there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from statewise.auditing._check import Found

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


def must_not_matter(
    subject: Subject, gap: float, *, control: float, size: float, did: str, by: str, what: str = "the answers", where: str | None = None
) -> Found:
    """Return a failure where something has an effect that must have none.

    Args:
        subject: what is audited.
        gap: the effect.
        control: the effect of a real change in the same place; without any the check is not applicable.
        size: the largest value among those compared.
        did: what was done, as the subject of a sentence.
        by: what the control did, likewise.
        what: what must not change.
        where: what it is about.
    """
    if not subject.is_real(control, 0.0, size):
        return Found(status="not_applicable", evidence=f"{by} changes nothing either ({control:.2g})", control=control)
    if not subject.is_real(gap, control, size):
        return Found(status="pass", evidence=f"{did} changes nothing (up to {gap:.2g}; {by}: {control:.2g})", value=gap, control=control)
    return bad(subject, f"{did} changes {what} by {gap:.2g} ({by}: {control:.2g})", value=gap, control=control, where=where)


def must_matter(subject: Subject, effect: float, *, control: float, size: float, did: str, by: str, where: str | None = None) -> Found:
    """Return a failure where something has no effect that must have one; arguments as in `must_not_matter`."""
    if not subject.is_real(control, 0.0, size):
        return Found(status="not_applicable", evidence=f"{by} changes nothing either ({control:.2g})", control=control)
    if subject.is_real(effect, control, size):
        return Found(
            status="pass", evidence=f"{did} changes the answers by {effect:.2g} ({by}: {control:.2g})", value=effect, control=control
        )
    return bad(subject, f"{did} changes nothing ({effect:.2g}; {by}: {control:.2g})", value=effect, control=control, where=where)


def bad(subject: Subject, evidence: str, *, value: float | None = None, control: float | None = None, where: str | None = None) -> Found:
    """Return a failure, or a warning where the module cannot be doubled and rounding can not be told for sure."""
    return Found(status="fail" if subject.dtype == torch.float64 else "warn", evidence=evidence, value=value, control=control, where=where)


def observed(found: Found) -> Found:
    """Return a failure as something that is told and not held against the module: no contract forbids it."""
    return replace(found, status="observed") if found.status in {"fail", "warn"} else found
