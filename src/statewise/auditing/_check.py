"""What is a check, and which are there? One file a check, or a few that measure together, in `checks`; a file that is added is found.

A check's docstring is its page: the promise in the first line, then `How`, `Why`, `Mend` and, where there is one, `Seen in`. The first
digit of its code says what it examines, and with it what its function is given: see `FAMILIES`.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
import traceback
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from statewise.auditing._outcome import Outcome
from statewise.auditing._subject import Failed, NoBackward
from statewise.errors import StatewiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statewise.auditing._needs import Examined
    from statewise.auditing._outcome import Status

Family: TypeAlias = Literal["module", "data", "metric", "history"]
"""What an audit examines."""

FAMILIES: dict[Family, str] = {"module": "123456", "data": "7", "metric": "8", "history": "9"}
"""The first digits of the codes of the checks that examine it."""

_SECTION = re.compile(r"^(How|Why|Mend|Seen in):$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a check measured.

    Attributes:
        status: how it ended.
        evidence: what was done and what came of it, in a sentence with figures.
        value: what was measured.
        limit: what it was held against.
        control: the effect of a real change in the same place.
        where: the leaf, parameter or step that it is about.
    """

    status: Status
    evidence: str
    value: float | None = None
    limit: float | None = None
    control: float | None = None
    where: str | None = None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One experiment.

    Attributes:
        code: such as `"SW301"`; never used again for another.
        name: in words joined by hyphens.
        needs: what must be there for it, as `Examined.lacks` names it.
        run: the experiment, on what is examined.
        promise: what holds for what passes.
        how: what is done.
        why: why it matters.
        mend: how it is mended.
        seen_in: public cases.
        after: codes of possible causes: where one of them is a finding, this one may be only its consequence.
        cure: mends it from outside, on what is examined, and returns that; None where nothing does.
        after_where: further possible causes, by what the finding is about (`Found.where`).
        of_failures: whether it looks for why a module fails, so that it is made where no call succeeds either.
    """

    code: str
    name: str
    needs: tuple[str, ...]
    run: Callable[[Any], Found]
    promise: str
    how: str
    why: str
    mend: str
    seen_in: str = ""
    after: tuple[str, ...] = ()
    cure: Callable[[Any], Any] | None = None
    after_where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    of_failures: bool = False

    @property
    def family(self) -> Family:
        """What it examines."""
        return next(family for family, digits in FAMILIES.items() if self.code[2] in digits)

    @property
    def causes(self) -> tuple[str, ...]:
        """The codes of everything that may be the cause of a finding of this check."""
        return tuple(dict.fromkeys([*self.after, *(code for more in self.after_where.values() for code in more)]))

    def skipped(self, reason: str = "") -> Outcome:
        """Return the outcome of a check that was not run; without a reason it was not selected."""
        return Outcome(code=self.code, name=self.name, status="skipped", evidence=reason, why=self.why, fix=self.mend)

    def failed(self, problem: Failed | StatewiseError, asked: str = "") -> Outcome:
        """Return the outcome of a check whose question the module did not survive; `asked` says what it was asked."""
        return _with(
            self.skipped(), Found(status="error", evidence=f"the {self.family} failed: {problem}{f' (asked: {asked})' if asked else ''}")
        )

    def outcome(self, subject: Examined) -> Outcome:
        """Run it; what it lacks makes it not applicable, and what is raised an error."""
        plain = msgspec.structs.replace(self.skipped(), status="not_applicable")
        try:
            lacking = next((reason for need in self.needs if (reason := subject.lacks(need)) is not None), None)
            if lacking is not None:
                return _with(plain, Found(status="not_applicable", evidence=lacking))
            return _with(plain, self.run(subject))
        except NoBackward as problem:
            return _with(plain, Found(status="not_applicable", evidence=f"the backward pass fails: {problem}"))
        except (Failed, StatewiseError) as problem:
            return self.failed(problem)
        except Exception as problem:  # noqa: BLE001  # the other checks go on
            where = traceback.extract_tb(problem.__traceback__)[-1]
            said = f"{type(problem).__name__}: {problem} ({Path(where.filename).name}, line {where.lineno})"
            return _with(plain, Found(status="error", evidence=f"a fault of statewise, not of the {self.family}, please report it: {said}"))


def check(
    code: str,
    name: str,
    *,
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
    cure: Callable[[Any], Any] | None = None,
    after_where: Mapping[str, tuple[str, ...]] | None = None,
    of_failures: bool = False,
) -> Callable[[Callable[[Any], Found]], Check]:
    """Make a check of a function, whose docstring becomes its page."""

    def made(run: Callable[[Any], Found]) -> Check:
        promise, *rest = _SECTION.split(inspect.cleandoc(run.__doc__ or ""))
        told = {title: " ".join(text.split()) for title, text in zip(rest[::2], rest[1::2], strict=True)}
        return Check(
            code=code, name=name, needs=needs, after=after, cure=cure, after_where=after_where or {}, run=run,
            of_failures=of_failures, promise=" ".join(promise.split()),
            how=told["How"], why=told["Why"], mend=told["Mend"], seen_in=told.get("Seen in", ""),
        )  # fmt: skip

    return made


@cache
def all_checks() -> tuple[Check, ...]:
    """Return every check, by code."""
    from statewise.auditing import checks  # the checks import this file

    files = [import_module(f"{checks.__name__}.{found.name}") for found in pkgutil.iter_modules(checks.__path__)]
    there = [each for file in files for each in vars(file).values() if isinstance(each, Check)]
    return tuple(sorted(there, key=lambda each: each.code))


def checks_of(family: Family) -> tuple[Check, ...]:
    """Return the checks that examine a module, data, a metric or a history, by code."""
    return tuple(each for each in all_checks() if each.family == family)


def _with(plain: Outcome, found: Found) -> Outcome:
    told = {name: getattr(found, name) for name in ("status", "evidence", "value", "limit", "control", "where")}
    return msgspec.structs.replace(plain, **told)
