"""How are annotations checked at run time without taking most of the tests' time?

jaxtyping binds the arguments of every call and checks them twice, which is of use only where a signature names shapes. Every other
function is handed to the checker alone, and each one when it is first called: most never are in a given process.
"""

from __future__ import annotations

import inspect
from functools import partial, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import jaxtyping

if TYPE_CHECKING:
    from collections.abc import Callable

_MISSING = object()
_of_shapes = jaxtyping.jaxtyped


def lean(found: Any = _MISSING, *, typechecker: Callable[[Any], Any]) -> Any:
    """Decorate as `jaxtyping.jaxtyped` does, whose place it takes."""
    if found is _MISSING:
        return partial(lean, typechecker=typechecker)
    if not isinstance(found, FunctionType):
        return _of_shapes(found, typechecker=typechecker)
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
    """Return a function with its checks: those of jaxtyping where shapes are named, else those of the checker alone."""
    hints = {name: _resolved(hint, found.__globals__) for name, hint in found.__annotations__.items()}
    if any(_names_a_shape(hint) for hint in hints.values()):
        return _of_shapes(found, typechecker=typechecker)
    double = FunctionType(found.__code__, found.__globals__, found.__name__, found.__defaults__, found.__closure__)
    double.__kwdefaults__, double.__qualname__, double.__module__, double.__annotations__ = (
        found.__kwdefaults__, found.__qualname__, found.__module__, hints,
    )  # fmt: skip
    return typechecker(double)


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
