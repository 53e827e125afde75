"""Verdicts: a policy applied to evidence, with the figures that decided."""

from __future__ import annotations

from statewise.verdicts._audit import weights_of
from statewise.verdicts._judge import judge
from statewise.verdicts._policy import PRESETS, GradientRules, Policy, read_policy
from statewise.verdicts._reasons import Level, Reason
from statewise.verdicts._threshold import choose_by_policy, cost_of
from statewise.verdicts._verdict import Verdict, read_verdict, write_verdict

__all__ = [
    "PRESETS",
    "GradientRules",
    "Level",
    "Policy",
    "Reason",
    "Verdict",
    "choose_by_policy",
    "cost_of",
    "judge",
    "read_policy",
    "read_verdict",
    "weights_of",
    "write_verdict",
]
