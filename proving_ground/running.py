"""How is a case audited at the sizes, weights and data of a draw, and what is counted over many?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from proving_ground.cases import Correct, Defect, Sizes, Variant
from statewise.auditing import audit
from statewise.errors import StatewiseError
from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from statewise.auditing import Audit

_SEQUENCES, _LONGEST = 12, 40


def audited(case: Correct | Variant, build: Callable[[Sizes], nn.Module], draw: int) -> Audit:
    """Return the audit of a case: hidden 4 to 32, sequences of 1 to 40 steps, weights and data from the number of the draw."""
    sizes = Sizes(inputs=1 + draw % 4, hidden=(4, 8, 16, 32)[draw % 4], outputs=2 + draw % 3)
    source = torch.Generator().manual_seed(1000 + draw)
    lengths = torch.randint(1, _LONGEST + 1, (_SEQUENCES,), generator=source)
    steps = int(lengths.sum())
    tokens = torch.randint(1, sizes.vocabulary, (steps,), generator=source)
    x = torch.randn(steps, sizes.inputs, generator=source) if case.reads == "numbers" else tokens
    torch.manual_seed(draw)
    return audit(build(sizes), Sequences(inputs=Ragged(x, lengths)), contract=case.contract, call=case.call, seed=draw)


@dataclass(kw_only=True)
class Tally:
    """What came out over the draws of one case.

    Attributes:
        name: of the case.
        draws: how many.
        found: draws in which the defect's check fails or warns.
        as_cause: draws in which it does as a cause, and not as a consequence.
        others: other findings, by code, and draws that could not be audited.
        accused: findings on the twin, or on the correct module, by code.
    """

    name: str
    draws: int
    found: int = 0
    as_cause: int = 0
    others: Counter[str] = field(default_factory=Counter)
    accused: Counter[str] = field(default_factory=Counter)


def tally_defect(defect: Defect, variant: Variant, draws: int) -> Tally:
    """Audit a defect and its twin."""
    found = Tally(name=variant.name, draws=draws)
    for draw in range(draws):
        try:
            broken = audited(variant, variant.broken, draw)
        except StatewiseError as problem:
            found.others[type(problem).__name__] += 1
            continue
        found.found += any(each.code == defect.code and each.status in {"fail", "warn"} for each in broken.outcomes)
        found.as_cause += any(each.code == defect.code for each in broken.findings)
        found.others.update(each.code for each in broken.findings if each.code != defect.code)
        found.accused.update(each.code for each in audited(variant, variant.mended, draw).findings)
    return found


def tally_correct(case: Correct, draws: int) -> Tally:
    """Audit a correct module."""
    found = Tally(name=case.name, draws=draws)
    for draw in range(draws):
        outcome = audited(case, case.build, draw)
        found.accused.update(each.code for each in outcome.findings)
        found.others.update(f"{each.code} error" for each in outcome.outcomes if each.status == "error")
    return found
