"""Is a module free of the silent bugs of hidden state? Every check is run, and consequences are folded under causes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from statewise.auditing._build import subjects_of
from statewise.auditing._check import Family, checks_of
from statewise.auditing._folding import settled
from statewise.auditing._outcome import Outcome
from statewise.auditing._record import AuditRecord, contract_of, plain_fields, read_record, weights_hash, write_record
from statewise.auditing._selection import chosen, require_known
from statewise.auditing._soundness import FailOn, answer, is_sound, unsound
from statewise.auditing._subject import Failed
from statewise.errors import ContractError, StatewiseError, kind_of
from statewise.training import drawn_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from statewise.auditing._check import Check
    from statewise.auditing._subject import Subject
    from statewise.contracts import Call, Contract
    from statewise.sequences import Sequences

CUT_SHORT = "the audit was cut short"
"""What is said of a check that was selected and not come to."""
_WORST_FIRST = ("fail", "error", "warn", "observed", "pass", "not_applicable")
"""Which of several probes' outcomes stands for all."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Audit:
    """What all checks said about a module, or about data, a metric or a history.

    Attributes:
        name: of the module's class, or of what else was examined.
        contract: what a module promises, filled in; empty for anything else.
        outcomes: one a check, by code.
        num_calls: how often a copy of the module, or the metric, was called.
        examines: `"module"`, `"data"`, `"metric"` or `"history"`.
        sure: by field of the contract, how it came about: `"declared"`, `"read"`, `"tried"`, or `"guessed"` among equals.
        sampled: what the probes are made of, or what was looked at.
        weights: hash of the weights that were audited; empty where they are not known.
    """

    name: str
    contract: Contract
    outcomes: tuple[Outcome, ...]
    num_calls: int
    examines: Family = "module"
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
            num_calls=self.num_calls, outcomes=self.outcomes, examines=self.examines,
        )  # fmt: skip

    @staticmethod
    def from_record(record: AuditRecord) -> Audit:
        """Return the audit of a record; functions of the contract are not in it."""
        return Audit(
            name=record.name, contract=contract_of(record.contract), outcomes=record.outcomes, num_calls=record.num_calls,
            sure=record.sure, sampled=record.sampled, weights=record.weights_sha256, examines=record.examines,
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


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an audit is.

    Attributes:
        done: number of checks that have an outcome.
        total: number of checks.
        code: of the check that comes next; empty once all are done, while consequences are folded under their causes.
        so_far: what is known: checks to come are skipped, and nothing is folded yet.
    """

    done: int
    total: int
    code: str
    so_far: Audit


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
    example: Any = None,
    contract: Contract | None = None,
    call: Call | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    seed: int = 0,
    fast: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Audit:
    """Run the checks on copies of a module, which itself is never called.

    Args:
        module: ours, one of torch's, or any other; it is copied to the CPU.
        data: sequences that it can read, from which the probes are cut; without them values are drawn.
        example: instead of data, a batch as the module takes it: a tensor `[batch, time, features]`, or `[batch, time]` of codes, or a
            dict of them.
        contract: what it promises; what is left None is read off where it can be, or tried.
        call: `lambda module, batch: output` or `(output, state)`, for what a contract cannot say.
        select: codes, or beginnings of codes; all where it is empty.
        ignore: codes, or beginnings of codes, that are skipped.
        seed: of the probes.
        fast: ask with probes of one shape, not of three.
        progress: is told before each check, and before consequences are folded, how far the audit is and what is known.

    Returns:
        The outcome of every check.

    Raises:
        OptionError: `select` or `ignore` names no check.
        ContractError: it is not known how the module is called or what it reads, or it cannot be copied.
        DataError: the data hold no step of numbers.
    """
    if not isinstance(module, nn.Module):
        raise ContractError(
            asked="audit a module", where="module", arrived=kind_of(module), hint="Give an nn.Module: a model, or one layer of it."
        )
    if any(is_lazy(each) for each in (*module.parameters(), *module.buffers())):
        raise ContractError(
            asked=f"audit {type(module).__name__}", where="its parameters", arrived="some get their size in the first call (lazy)",
            hint="Call it once on a batch, then audit it; on the command line, in the function that makes it.",
        )  # fmt: skip
    checks = checks_of("module")
    select, ignore = ((given,) if isinstance(given, str) else tuple(given) for given in (select, ignore))
    for given, name in ((select, "select"), (ignore, "ignore")):
        require_known(given, asked="audit a module", where=name)
    weights = weights_hash(module.state_dict())
    with drawn_apart(seed), _one_thread(), torch.inference_mode(mode=False):
        subjects = subjects_of(module, data, example=example, contract=contract, call=call, seed=seed, fast=fast)
        plain = _plain(subjects, weights)
        problem = _never_answers(subjects[0])
        selected = {each.code for each in checks if chosen(each.code, select, ignore)}
        outcomes = {each.code: each.skipped(CUT_SHORT if each.code in selected else "") for each in checks}
        asked = {each.code: subjects[0] for each in checks}

        def so_far() -> Audit:
            return replace(plain, outcomes=tuple(outcomes.values()), num_calls=subjects[0].original.num_calls)

        for done, each in enumerate(checks):
            if progress is not None:
                progress(Progress(done=done, total=len(checks), code=each.code, so_far=so_far()))
            if each.code not in selected:
                continue
            if problem is not None and not each.of_failures:
                outcomes[each.code] = each.failed(problem, subjects[0].says if data is None and example is None else "")
            else:
                outcomes[each.code], asked[each.code] = _over_probes(each, subjects)
        if progress is not None:
            progress(Progress(done=len(checks), total=len(checks), code="", so_far=so_far()))
        found = replace(so_far(), outcomes=settled(checks, outcomes, asked))
        return found if problem is None or found.findings else _as_far_as_known(found)


def _plain(subjects: Sequence[Subject], weights: str) -> Audit:
    """Return the audit before anything was asked."""
    first = subjects[0]
    sizes = " and ".join(f"{each.probe.num_rows} x {each.probe.time}" for each in subjects)
    return Audit(
        name=first.name,
        contract=first.contract,
        outcomes=(),
        num_calls=0,
        sure=first.sure,
        weights=weights,
        sampled=f"Probes of {sizes} steps: {first.says}{_drawn(first.original.drawn)}.",
    )


def _never_answers(subject: Subject) -> Failed | StatewiseError | None:
    """Return what the module raises where it answers no call at all: then nothing can be asked of it, and one reason is told for all."""
    first: Failed | StatewiseError | None = None
    for probe in (subject.probe, subject.whole, subject.whole.rows([0])):
        try:
            subject.ask(probe)
        except (Failed, StatewiseError) as problem:
            first = first or problem
        else:
            return None
    return first


def _as_far_as_known(found: Audit) -> Audit:
    """Return the audit with its contract without what was tried: no try succeeded."""
    known = {name: how for name, how in found.sure.items() if how in {"declared", "read"}}
    tried = {name: None for name in found.sure if name not in known}
    return replace(found, contract=msgspec.structs.replace(found.contract, **tried), sure=known)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: on probes as small as these several only wait for each other, for minutes where others are at work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _drawn(names: Sequence[str]) -> str:
    """Return what is told of weights of zero."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"; weights that are all zero hide what they multiply, and were drawn: {', '.join(names[:3])}{more}" if names else ""


def _over_probes(check: Check, subjects: Sequence[Subject]) -> tuple[Outcome, Subject]:
    """Return the worst outcome over all probes, and the subject that gave it; a failure ends it at once."""
    found: list[tuple[Outcome, Subject]] = []
    for subject in subjects:
        found.append((check.outcome(subject), subject))
        if found[-1][0].status == "fail":
            break
    return min(found, key=lambda pair: _WORST_FIRST.index(pair[0].status))
