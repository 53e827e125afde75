"""Is a module free of the silent bugs of hidden state? Every check is run, and consequences are folded under causes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from statewise.auditing._build import subject_of
from statewise.auditing._check import all_checks
from statewise.auditing._ours import opened
from statewise.auditing._outcome import Outcome
from statewise.auditing._record import AuditRecord, contract_of, plain_fields, read_record, weights_hash, write_record
from statewise.auditing._soundness import FailOn, answer, is_sound, unsound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from torch import Tensor, nn

    from statewise.contracts import Call, Contract
    from statewise.sequences import Sequences


@dataclass(frozen=True, kw_only=True, repr=False)
class Audit:
    """What all checks said about a module.

    Attributes:
        name: of the module's class.
        contract: what it promises, filled in.
        outcomes: one a check, by code.
        num_calls: how often a copy of the module was called.
        sure: by field of the contract, how it came about: `"declared"`, `"read"`, `"tried"` or `"guessed"`.
        sampled: what the probes are made of, in a sentence.
        weights: hash of the weights that were audited; empty where they are not known.
    """

    name: str
    contract: Contract
    outcomes: tuple[Outcome, ...]
    num_calls: int
    sure: dict[str, str] = field(default_factory=dict)
    sampled: str = ""
    weights: str = ""

    @property
    def findings(self) -> tuple[Outcome, ...]:
        """Those that fail or warn, and are not merely consequences of others."""
        return tuple(each for each in self.outcomes if each.is_finding)

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nothing went wrong."""
        return not any(each.status in {"fail", "error"} for each in self.outcomes)

    def raise_if_unsound(self, fail_on: FailOn = "fail") -> None:
        """Raise where a check fails (or warns, with `fail_on="warn"`), ends in an error, or none could be judged.

        Raises:
            AuditError: it names what was found and how it is mended.
        """
        if not is_sound(self.outcomes, fail_on):
            raise unsound(self.name, self.outcomes, fail_on)

    def record(self) -> AuditRecord:
        """Return what is written to `audit.json`."""
        return AuditRecord(
            name=self.name, weights_sha256=self.weights, contract=plain_fields(self.contract), sure=self.sure, sampled=self.sampled,
            num_calls=self.num_calls, outcomes=self.outcomes,
        )  # fmt: skip

    @staticmethod
    def from_record(record: AuditRecord) -> Audit:
        """Return the audit of a record; functions of the contract are not in it."""
        return Audit(
            name=record.name, contract=contract_of(record.contract), outcomes=record.outcomes, num_calls=record.num_calls,
            sure=record.sure, sampled=record.sampled, weights=record.weights_sha256,
        )  # fmt: skip

    def save(self, path: Path | str) -> Path:
        """Write the audit as JSON, whole or not at all."""
        return write_record(self.record(), path)

    def __repr__(self) -> str:
        """Return the answer in one line."""
        return f"Audit({self.name}, {answer(self.outcomes)})"

    def __str__(self) -> str:
        """Return what the terminal shows, as plain text of 80 columns."""
        from statewise.auditing._table import as_text

        return as_text(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines for the terminal."""
        from statewise.auditing._table import render

        return render(self, options.max_width)

    def _repr_html_(self) -> str:
        from statewise.auditing._table import as_html

        return as_html(self)


def read_audit(path: Path | str) -> Audit:
    """Read an audit back.

    Raises:
        RunError: the file is absent, damaged, or of another version.
    """
    return Audit.from_record(read_record(path))


def audit(
    module: nn.Module,
    data: Sequences | None = None,
    *,
    example: Tensor | None = None,
    contract: Contract | None = None,
    call: Call | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    seed: int = 0,
    fast: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Audit:
    """Run the checks on copies of a module, which itself is never called.

    Args:
        module: ours, one of torch's, or any other.
        data: sequences that it can read, from which the probes are cut; without them values are drawn.
        example: a batch that it can read, instead of data.
        contract: what it promises; what is left None is read off where it can be.
        call: `lambda module, batch: output` or `(output, state)`, for what a contract cannot say.
        select: codes, or beginnings of codes; all where it is empty.
        ignore: codes, or beginnings of codes, that are skipped.
        seed: of the probes.
        fast: leaves out what takes long.
        progress: is told how many checks are done, how many there are, and the code of the next.

    Raises:
        ContractError: it is not known how the module is called, or it cannot be copied.
    """
    del example, fast  # no check takes long yet
    weights = weights_hash(module.state_dict())
    contract, call = opened(module, contract, call)
    subject = subject_of(module, data, contract=contract, call=call, seed=seed)
    vars(subject).pop("dtype", None)  # asked while `each` was unknown, a module with many outputs seems to fail in float64: asked anew
    outcomes: list[Outcome] = []
    for each in all_checks():
        if progress is not None:
            progress(len(outcomes), len(all_checks()), each.code)
        chosen = (not select or each.code.startswith(tuple(select))) and not (ignore and each.code.startswith(tuple(ignore)))
        outcomes.append(each.outcome(subject) if chosen else Outcome(code=each.code, name=each.name, status="skipped"))
    declared = plain_fields(contract) if contract is not None else {}
    found = subject.contract
    sure = {
        name: "declared" if name in declared else subject.sure.get(name, "read")
        for name in found.__struct_fields__
        if getattr(found, name) is not None
    }
    return Audit(
        name=subject.name, contract=found, outcomes=_folded(outcomes), num_calls=subject.num_calls, sure=sure, weights=weights,
        sampled="The probes are drawn at random." if data is None else f"The probes are cut from {data.source}.",
    )  # fmt: skip


def _folded(outcomes: list[Outcome]) -> tuple[Outcome, ...]:
    """Return the outcomes, each consequence with the code of its cause."""
    bad = {each.code for each in outcomes if each.status in {"fail", "warn"}}
    after = {each.code: each.after for each in all_checks()}

    def cause_of(outcome: Outcome) -> str | None:
        return next((cause for cause in after[outcome.code] if cause in bad), None) if outcome.code in bad else None

    return tuple(msgspec.structs.replace(each, explained_by=cause_of(each)) for each in outcomes)
