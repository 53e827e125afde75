"""How are annotations checked at run time without taking most of the tests' time?

jaxtyping binds the arguments of every call and checks them twice. Here every function is handed to the checker alone, in a scope for the
names of axes where its signature has some; and that when it is first called, since most never are in a given process. A function inside
another is made anew in each call of that one, and its checks would be: it goes without.
"""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass
from functools import partial, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import jaxtyping

if TYPE_CHECKING:
    from collections.abc import Callable

_MISSING = object()
_jaxtyped = jaxtyping.jaxtyped


def lean(found: Any = _MISSING, *, typechecker: Callable[[Any], Any]) -> Any:
    """Decorate as `jaxtyping.jaxtyped` does, whose place it takes."""
    if found is _MISSING:
        return partial(lean, typechecker=typechecker)
    if inspect.isclass(found):
        if is_dataclass(found) and "__init__" in vars(found):
            found.__init__ = lean(found.__init__, typechecker=typechecker)  # type: ignore[method-assign]
        return found
    if not isinstance(found, FunctionType):  # a property, or a method of a class
        return _jaxtyped(found, typechecker=typechecker)
    if "<locals>" in found.__qualname__:
        return found
    made: list[Any] = []

    @wraps(found)
    def either(*given: Any, **options: Any) -> Any:
        if jaxtyping.config.jaxtyping_disable:
            return found(*given, **options)
        if not made:
            made.append(_checked(found, typechecker))
        return made[0](*given, **options)

    return either


def _checked(found: FunctionType, typechecker: Callable[[Any], Any]) -> Any:
    """Return a function with its checks: of types, and where axes are named that they are the same in arguments and result."""
    hints = {name: _resolved(hint, found.__globals__) for name, hint in found.__annotations__.items()}
    double = FunctionType(found.__code__, found.__globals__, found.__name__, found.__defaults__, found.__closure__)
    double.__kwdefaults__, double.__qualname__, double.__module__, double.__annotations__ = (
        found.__kwdefaults__, found.__qualname__, found.__module__, hints,
    )  # fmt: skip
    checked = typechecker(double)
    if not any(_names_a_shape(hint) for hint in hints.values()):
        return checked

    def in_scope(*given: Any, **options: Any) -> Any:
        with _jaxtyped("context"):
            return checked(*given, **options)

    return in_scope


def _resolved(hint: Any, names: dict[str, Any]) -> Any:
    """Return what an annotation means, or Any where it names what is imported for type checkers alone, as jaxtyping does."""

    def holder() -> None: ...

    holder.__annotations__ = {"hint": hint}
    try:
        return get_type_hints(holder, names, include_extras=True)["hint"]
    except Exception:  # noqa: BLE001  # a name that is not there, or whatever evaluating it raises
        return Any


def _names_a_shape(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(_names_a_shape(each) for each in get_args(hint))
