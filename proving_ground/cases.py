"""What is a case of the proving ground: a module to be built at any size, what it promises, and the check that must find it?"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from statewise.contracts import Contract

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from torch import nn

Reads: TypeAlias = Literal["numbers", "tokens"]
"""What a step is: `[inputs]` numbers, or the code of one token, of which 0 is padding."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How large a module is built.

    Args:
        inputs: features a step.
        hidden: units of a layer; even.
        outputs: classes, or values.
        vocabulary: number of tokens, padding included.
    """

    inputs: int = 3
    hidden: int = 8
    outputs: int = 3
    vocabulary: int = 11


Build: TypeAlias = "Callable[[Sizes], nn.Module]"


@dataclass(frozen=True, kw_only=True)
class Correct:
    """A module without a defect.

    Args:
        name: what it is called in the table.
        build: returns it, with fresh weights from torch's generator.
        contract: what it promises.
        reads: what a step is.
        call: the line of its user, where a contract cannot say how it is called.
    """

    name: str
    build: Build
    contract: Contract
    reads: Reads = "numbers"
    call: Callable[[Any, Any], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A defect in one architecture.

    Args:
        name: the architecture.
        broken: returns the module with the defect, with fresh weights from torch's generator.
        mended: returns its twin without; the two differ in a few lines.
        contract: what the module promises, and the defect breaks.
        reads: what a step is.
        call: the line of its user, where a contract cannot say how it is called.
    """

    name: str
    broken: Build
    mended: Build
    contract: Contract
    reads: Reads = "numbers"
    call: Callable[[Any, Any], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Defect:
    """One kind of mistake.

    Args:
        code: the check that must find it, as the cause and not only as a consequence.
        says: the mistake in a sentence.
        variants: at least three architectures in which it is made.
        seen_in: public cases, as `owner/repository#number`.
    """

    code: str
    says: str
    variants: tuple[Variant, ...]
    seen_in: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wild:
    """A mistake of a public project, made again from its description.

    Args:
        name: the kind of module.
        case: the row of the catalogue of mistakes, such as `"H1"`.
        seen_in: the public case, as `owner/repository#number`.
        says: the mistake in a sentence.
        broken: returns the module with the mistake, with fresh weights from torch's generator.
        mended: returns the same module without.
        contract: what its author would sign, and the mistake breaks.
        codes: of the checks that name it, the exact one first.
        reads: what a step is.
        call: the line of its user, where a contract cannot say how it is called.
    """

    name: str
    case: str
    seen_in: str
    says: str
    broken: Build
    mended: Build
    contract: Contract
    codes: tuple[str, ...]
    reads: Reads = "numbers"
    call: Callable[[Any, Any], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Blind:
    """A case of somebody who had seen neither the checks nor the other cases.

    Args:
        name: the kind of module.
        says: the mistake in a sentence; empty for a module that is correct.
        broken: returns the module with the mistake, with fresh weights from torch's generator; None for a module that is correct.
        mended: returns its twin without, or the module that is correct.
        contract: what its author promises, and the mistake breaks.
        codes: of the checks that name the mistake, the exact one first.
        reads: what a step is.
        call: the line of its user, where a contract cannot say how it is called.
    """

    name: str
    says: str
    broken: Build | None
    mended: Build
    contract: Contract
    codes: tuple[str, ...] = ()
    reads: Reads = "numbers"
    call: Callable[[Any, Any], Any] | None = None


def all_defects() -> tuple[Defect, ...]:
    """Return every defect, by file name."""
    from proving_ground import defects  # the cases import this file

    return tuple(module.DEFECT for module in _files(defects))


def all_correct() -> tuple[Correct, ...]:
    """Return every correct module, by file name."""
    from proving_ground import correct  # the cases import this file

    return tuple(case for module in _files(correct) for case in module.CORRECT)


def all_wild() -> tuple[Wild, ...]:
    """Return every mistake of a public project, by file name."""
    from proving_ground import wild  # the cases import this file

    return tuple(case for module in _files(wild) for case in module.WILD)


def all_blind() -> tuple[Blind, ...]:
    """Return every case of the blind round: the mistakes by file name, then what is correct."""
    from proving_ground import blind  # the cases import this file

    cases = [case for module in _files(blind) for case in module.BLIND]
    return tuple(sorted(cases, key=lambda case: case.broken is None))


def _files(package: ModuleType) -> list[ModuleType]:
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__) if not found.name.startswith("_"))
    return [import_module(f"{package.__name__}.{name}") for name in names]
