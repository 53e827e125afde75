"""Is a module free of the silent bugs of hidden state? Every check is run, and consequences are folded under causes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from statewise.auditing._build import subject_of
from statewise.auditing._check import all_checks
from statewise.auditing._outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from statewise.contracts import Call, Contract
    from statewise.sequences import Sequences


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What all checks said about a module.

    Attributes:
        name: of the module's class.
        contract: what it promises, filled in.
        outcomes: one a check, by code.
        num_calls: how often a copy of the module was called.
    """

    name: str
    contract: Contract
    outcomes: tuple[Outcome, ...]
    num_calls: int

    @property
    def findings(self) -> tuple[Outcome, ...]:
        """Those that fail or warn, and are not merely consequences of others."""
        return tuple(each for each in self.outcomes if each.is_finding)

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nothing went wrong."""
        return not any(each.status in {"fail", "error"} for each in self.outcomes)


def audit(
    module: nn.Module,
    data: Sequences | None = None,
    *,
    contract: Contract | None = None,
    call: Call | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    seed: int = 0,
) -> Audit:
    """Run the checks on copies of a module, which itself is never called.

    Args:
        module: ours, one of torch's, or any other.
        data: sequences that it can read, from which the probes are cut; without them values are drawn.
        contract: what it promises; what is left None is read off where it can be.
        call: `lambda module, batch: output` or `(output, state)`, for what a contract cannot say.
        select: codes, or beginnings of codes; all where it is empty.
        ignore: codes, or beginnings of codes, that are skipped.
        seed: of the probes.

    Raises:
        ContractError: it is not known how the module is called, or it cannot be copied.
    """
    subject = subject_of(module, data, contract=contract, call=call, seed=seed)
    outcomes = []
    for each in all_checks():
        chosen = (not select or each.code.startswith(tuple(select))) and not (ignore and each.code.startswith(tuple(ignore)))
        outcomes.append(each.outcome(subject) if chosen else Outcome(code=each.code, name=each.name, status="skipped"))
    return Audit(name=subject.name, contract=subject.contract, outcomes=_folded(outcomes), num_calls=subject.num_calls)


def _folded(outcomes: list[Outcome]) -> tuple[Outcome, ...]:
    """Return the outcomes, each consequence with the code of its cause."""
    bad = {each.code for each in outcomes if each.status in {"fail", "warn"}}
    after = {each.code: each.after for each in all_checks()}

    def cause_of(outcome: Outcome) -> str | None:
        return next((cause for cause in after[outcome.code] if cause in bad), None) if outcome.code in bad else None

    return tuple(msgspec.structs.replace(each, explained_by=cause_of(each)) for each in outcomes)
