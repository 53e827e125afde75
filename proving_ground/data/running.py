"""How often is a planted leak found, and how often is something found where nothing is planted?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing import audit_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.data.making import Case
    from proving_ground.data.planted import Planted
    from statewise.auditing import Audit


def audited(case: Case, select: str = "") -> Audit:
    """Return what the checks say about a case."""
    codes = (select,) if select else ()
    return audit_data(case.train, case.valid, case.test, select=codes, **case.options)


def found(planted: Planted, strength: float, draws: int) -> float:
    """Return the share of draws in which a leak of this strength is found by its check."""
    hits = 0
    for draw in range(draws):
        case = planted.make(np.random.default_rng([draw, round(1000 * strength)]), strength)
        hits += any(each.code == planted.code for each in audited(case, planted.code).findings)
    return hits / draws


def alarms(make: Callable[[np.random.Generator], Case], draws: int) -> tuple[Counter[str], Counter[str]]:
    """Return how often each check finds something or ends in an error, and how often it could be judged."""
    bad: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    for draw in range(draws):
        for each in audited(make(np.random.default_rng([draw, 77]))).outcomes:
            bad[each.code] += each.is_finding or each.status == "error"
            judged[each.code] += each.status in {"pass", "observed", "fail", "warn"}
    return bad, judged
