"""How is a case audited at the sizes, weights and data of a draw, and what is counted over many?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from proving_ground.cases import Blind, Correct, Defect, Sizes, Variant, Wild
from statewise.auditing import audit, checks_of
from statewise.auditing._build import subjects_of
from statewise.errors import StatewiseError
from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from statewise.auditing import Audit, Outcome

_SEQUENCES, _LONGEST = 12, 40


def audited(case: Blind | Correct | Variant | Wild, build: Callable[[Sizes], nn.Module], draw: int, *, fast: bool = False) -> Audit:
    """Return the audit of a case: hidden 4 to 32, sequences of 1 to 40 steps, weights and data from the number of the draw."""
    module, data = _drawn(case, build, draw)
    return audit(module, data, contract=case.contract, call=case.call, seed=draw, fast=fast)


def permitted(case: Correct | Wild, build: Callable[[Sizes], nn.Module], draw: int) -> tuple[Outcome, ...]:
    """Return the outcomes of the checks for which the interface of a module has what they need: a state, lengths, a reset, and so on."""
    module, data = _drawn(case, build, draw)
    subject = subjects_of(module, data, contract=case.contract, call=case.call, seed=draw)[0]
    needs = {check.code: [need for need in check.needs if need != "repeatable"] for check in checks_of("module")}
    outcomes = audited(case, build, draw, fast=True).outcomes
    return tuple(each for each in outcomes if all(subject.lacks(need) is None for need in needs[each.code]))


def _drawn(case: Blind | Correct | Variant | Wild, build: Callable[[Sizes], nn.Module], draw: int) -> tuple[nn.Module, Sequences]:
    sizes = Sizes(inputs=1 + draw % 4, hidden=(4, 8, 16, 32)[draw % 4], outputs=2 + draw % 3)
    source = torch.Generator().manual_seed(1000 + draw)
    lengths = torch.randint(1, _LONGEST + 1, (_SEQUENCES,), generator=source)
    steps = int(lengths.sum())
    tokens = torch.randint(1, sizes.vocabulary, (steps,), generator=source)
    dtype = torch.float64 if draw % 5 == 4 else torch.float32
    x = torch.randn(steps, sizes.inputs, generator=source).to(dtype) if case.reads == "numbers" else tokens
    torch.manual_seed(draw)
    return build(sizes).to(dtype), Sequences(inputs=Ragged(x, lengths))


@dataclass(kw_only=True)
class Tally:
    """What came out over the draws of one case.

    Attributes:
        code: of the defect; "correct" for a correct module.
        name: of the case.
        draws: how many.
        found: draws in which the defect's check fails or warns.
        as_cause: draws in which it does as a cause, and not as a consequence.
        others: other findings on the defect, by code, and draws that could not be audited.
        asked: audits of the twin, or of the correct module.
        accused: findings in these, by code.
        errors: checks that ended in an error in these, by code.
        judged: checks that passed, or told what they saw, in these, by code.
    """

    code: str
    name: str
    draws: int
    found: int = 0
    as_cause: int = 0
    others: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    accused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)

    def count(self, correct: Audit) -> None:
        """Count what was said of a module without a defect."""
        self.asked += 1
        self.accused.update(each.code for each in correct.findings)
        self.errors.update(each.code for each in correct.outcomes if each.status == "error")
        self.judged.update(each.code for each in correct.outcomes if each.status not in {"not_applicable", "error"})


def tally_defect(defect: Defect, variant: Variant, draws: int) -> Tally:
    """Audit a defect and its twin."""
    tally = Tally(code=defect.code, name=variant.name, draws=draws)
    for draw in range(draws):
        try:
            broken = audited(variant, variant.broken, draw, fast=_is_fast(draw, every=4))
        except StatewiseError as problem:
            tally.others[type(problem).__name__] += 1
            continue
        tally.found += any(each.code == defect.code and each.status in {"fail", "warn"} for each in broken.outcomes)
        tally.as_cause += any(each.code == defect.code for each in broken.findings)
        tally.others.update(each.code for each in broken.findings if each.code != defect.code)
        tally.count(audited(variant, variant.mended, draw, fast=_is_fast(draw)))
    return tally


def tally_correct(case: Correct, draws: int) -> Tally:
    """Audit a correct module."""
    tally = Tally(code="correct", name=case.name, draws=draws)
    for draw in range(draws):
        tally.count(audited(case, case.build, draw, fast=_is_fast(draw)))
    return tally


def _is_fast(draw: int, *, every: int = 8) -> bool:
    """Whether a module is asked with probes of one shape alone: all but one time in so many, to save time."""
    return draw % every != 1


@dataclass(kw_only=True)
class WildTally:
    """What came out over the draws of a mistake of a public project.

    Attributes:
        name: of the case.
        draws: how many.
        found: draws in which a check that may name it does, as a cause.
        exact: draws in which the exact one does.
        codes: all findings, by code.
        accused: findings on the mended module, by code.
        passed: checks that passed on the mended module.
        permitted: checks that its interface permits.
        others: how the rest of these ended, with the reason.
    """

    name: str
    draws: int
    found: int = 0
    exact: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    accused: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    permitted: int = 0
    others: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """How many of the permitted checks passed."""
        return self.passed / self.permitted


def tally_wild(case: Wild, draws: int) -> WildTally:
    """Audit a mistake of a public project, and the module as it is mended."""
    tally = WildTally(name=case.name, draws=draws)
    for draw in range(draws):
        codes = [each.code for each in audited(case, case.broken, draw).findings]
        tally.codes.update(codes)
        tally.found += any(code in case.codes for code in codes)
        tally.exact += case.codes[0] in codes
        for each in permitted(case, case.mended, draw):
            tally.permitted += 1
            tally.passed += each.status == "pass"
            if each.is_finding:
                tally.accused[each.code] += 1
            elif each.status != "pass":
                tally.others[f"{each.code} {each.status}: {each.evidence}"] += 1
    return tally


@dataclass(kw_only=True)
class BlindTally:
    """What came out over the draws of a case of the blind round.

    Attributes:
        name: of the case.
        draws: how many.
        found: draws in which anything is found on the module with the mistake.
        named: draws in which a check that names the mistake does, as a cause.
        exact: draws in which the exact one does.
        codes: all findings on it, by code.
        accused: findings on its twin, or on the correct module, by code.
        errors: checks that ended in an error there, by code.
    """

    name: str
    draws: int
    found: int = 0
    named: int = 0
    exact: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    accused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


def tally_blind(case: Blind, draws: int) -> BlindTally:
    """Audit a case of the blind round: the module with the mistake, where there is one, and the one without."""
    tally = BlindTally(name=case.name, draws=draws)
    for draw in range(draws):
        if case.broken is not None:
            codes = [each.code for each in audited(case, case.broken, draw).findings]
            tally.codes.update(codes)
            tally.found += bool(codes)
            tally.named += any(code in case.codes for code in codes)
            tally.exact += case.codes[0] in codes
        correct = audited(case, case.mended, draw)
        tally.accused.update(each.code for each in correct.findings)
        tally.errors.update(each.code for each in correct.outcomes if each.status == "error")
    return tally
