"""What is a case: a mistake at several strengths, or what has none; and how often is it found?"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

    from statewise.auditing import Audit


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One mistake.

    Args:
        code: of the check that must find it.
        says: what is planted, in a few words.
        strengths: how much of it, each tried in many draws.
        weakest: the least that matters, and must be found.
        audit: returns the audit of one draw by one check.
        is_told: whether nothing forbids it, so that to be told of it is to be found.
    """

    code: str
    says: str
    strengths: tuple[float, ...]
    weakest: float
    audit: Callable[[Generator, float, str], Audit]
    is_told: bool = False

    def found(self, strength: float, draws: int) -> float:
        """Return the share of draws in which the check finds it."""
        counts = {"observed"} if self.is_told else {"fail", "warn"}
        audits = [self.audit(_source(self.code, draw), strength, self.code) for draw in range(draws)]
        return sum(each.code == self.code and each.status in counts for audit in audits for each in audit.outcomes) / draws


@dataclass(frozen=True, kw_only=True)
class Clean:
    """What has no mistake.

    Args:
        name: in words.
        audit: returns the audit of one draw.
    """

    name: str
    audit: Callable[[Generator], Audit]

    def accused(self, draws: int) -> Counter[str]:
        """Return how often each check failed, warned or ended in an error, consequences included."""
        found: Counter[str] = Counter()
        for draw in range(draws):
            outcomes = self.audit(_source(self.name, draw)).outcomes
            found.update(each.code for each in outcomes if each.status in {"fail", "warn", "error"})
        return found


def _source(name: str, draw: int) -> Generator:
    return np.random.default_rng((zlib.crc32(name.encode()), draw))
