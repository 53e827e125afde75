"""What does a module promise about how it is called and what it gives back?"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeAlias, get_args, get_type_hints

import msgspec

from statewise.errors import ContractError
from statewise.types import Each, Task

Taken: TypeAlias = Literal["x", "lengths", "mask", "state", "is_first"]


class Contract(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """What a module promises; a field that is None is read off the module, or an error names it.

    Args:
        task: what the outputs are for.
        each: one output a `"sequence"` or a `"step"`.
        takes: the arguments of `forward` in order, from `"x"`, `"lengths"`, `"mask"`, `"state"`, `"is_first"`.
        batch_first: True for `[batch, time, feature]`, False for `[time, batch, feature]`.
        mask: what True means in the mask, a `"valid"` step or `"padding"`.
        padding: on which side short sequences are padded.
        initial_state: name of a method, or a callable, that takes the batch size and returns the state to begin with.
        reset: name of a method, or a callable, that clears a state kept inside the module; called before every batch.
        returns_state: whether `forward` returns `(output, state)`.
        causal: no output depends on a later step.
        stateful: the module keeps state inside between calls.
        order_matters: the task cannot be solved on shuffled steps.
        output: `"logits"`, `"probabilities"` or `"values"`.
        horizon: how many steps ahead a forecast looks: its number of outputs.
        exported: the module is traced for service, and must answer there as it does here, at any size.

    Raises:
        ContractError: a field holds what it cannot mean.

    Example:
        >>> Contract(takes=("x", "lengths"), batch_first=True)
        Contract(takes=('x', 'lengths'), batch_first=True)
    """

    task: Task | None = None
    each: Each | None = None
    takes: tuple[Taken, ...] | None = None
    batch_first: bool | None = None
    mask: Literal["valid", "padding"] | None = None
    padding: Literal["right", "left"] | None = None
    initial_state: str | Callable[..., Any] | None = None
    reset: str | Callable[..., Any] | None = None
    returns_state: bool | None = None
    causal: bool | None = None
    stateful: bool | None = None
    order_matters: bool | None = None
    output: Literal["logits", "probabilities", "values"] | None = None
    horizon: int | None = None
    exported: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what no field means.

        Raises:
            ContractError: it names the field and what may stand there.
        """
        for name, value in ((name, getattr(self, name)) for name in self.__struct_fields__):
            if value is None:
                continue
            try:
                meant = msgspec.convert(value, _hints()[name]) if name not in _CALLED else value
            except msgspec.ValidationError:
                raise _refused(name, value) from None
            if name in _CALLED and not (isinstance(value, str) or callable(value)):
                raise _refused(name, value)
            if meant is not value:  # a list for a tuple
                msgspec.structs.force_setattr(self, name, meant)
        if self.takes is not None and (len(set(self.takes)) < len(self.takes) or "x" not in self.takes):
            raise _refused("takes", self.takes)
        if self.horizon is not None and self.horizon < 1:
            raise _refused("horizon", self.horizon)


_CALLED = frozenset({"initial_state", "reset"})
_MAY_BE = {
    "takes": 'a tuple of "x", "lengths", "mask", "state" and "is_first", "x" among them and each once',
    "initial_state": "the name of a method, or a function",
    "reset": "the name of a method, or a function",
    "horizon": "a whole number of 1 or more",
}


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Contract)


def _refused(name: str, value: Any) -> ContractError:
    words = [repr(word).replace("'", '"') for each in get_args(_hints()[name]) for word in (get_args(each) or ())]
    return ContractError(
        asked="say what a module promises",
        where=f"contract field {name!r}",
        arrived=repr(value),
        hint=f"Give {_MAY_BE.get(name) or (' or '.join(words) if words else 'True or False')}.",
    )
