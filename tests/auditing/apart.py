"""What is asked of the proving ground's cases in another process? A case goes there by name, since what builds it cannot be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from proving_ground.cases import Blind, Correct, Variant, Wild, all_blind, all_correct, all_defects, all_wild
from proving_ground.running import audited, permitted
from statewise.contracts import Contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.auditing import Outcome

Case: TypeAlias = "Blind | Correct | Variant | Wild"
Build: TypeAlias = Literal["broken", "mended", "build"]


class Ask(Protocol):
    """Calls a function of this file in the other process."""

    def __call__(self, function: Callable[..., Any], *given: Any, **options: Any) -> Any:
        """Return what the function returns."""
        ...


def outcomes_of(kind: str, name: str, build: Build, draw: int, *, fast: bool = True) -> tuple[Outcome, ...]:
    """Return the outcomes of one draw of a case; the kind is that of its class, or the code of a defect."""
    case = _named(kind, name)
    return audited(case, getattr(case, build), draw, fast=fast).outcomes


def permitted_of(name: str, draw: int) -> tuple[Outcome, ...]:
    """Return the outcomes of those checks that the interface of a mended wild module permits."""
    case = _named("Wild", name)
    assert isinstance(case, Wild)
    return permitted(case, case.mended, draw)


def undeclared(name: str, draw: int) -> tuple[dict[str, Any], tuple[Outcome, ...]]:
    """Return what is found out of a correct module of which nothing is declared, and the outcomes."""
    case = _named("Correct", name)
    assert isinstance(case, Correct)
    bare = Correct(name=case.name, build=case.build, contract=Contract(), reads=case.reads)
    found = audited(bare, bare.build, draw, fast=True)
    return {field: getattr(found.contract, field) for field in ("takes", "batch_first", "mask", "each")}, found.outcomes


def told(outcomes: tuple[Outcome, ...]) -> list[tuple[str, str]]:
    """Return the findings and errors, by code and evidence."""
    return [(each.code, each.evidence) for each in outcomes if each.is_finding or each.status == "error"]


def _named(kind: str, name: str) -> Case:
    cases: dict[str, Callable[[], tuple[Case, ...]]] = {"Blind": all_blind, "Correct": all_correct, "Wild": all_wild}
    if kind in cases:
        return next(case for case in cases[kind]() if case.name == name)
    return next(variant for defect in all_defects() if defect.code == kind for variant in defect.variants if variant.name == name)
