"""Is an argument what its signature says? Told to those whom no type checker tells: numbers of Python or numpy, and sequences."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor

from statewise.errors import OptionError, kind_of
from statewise.sequences._ragged import Ragged
from statewise.sequences._sequences import Sequences

SEEDS = 2**43
"""Seeds lie below it, on both sides of 0: drawn with the number of an epoch they fit torch's 64 bits."""


def number_of(value: Any, low: float, high: float, *, asked: str, where: str, whole: bool, hint: str | None = None) -> Any:
    """Return a number of Python's own; numpy's are turned into it, and a whole one may be written as 8.0.

    Args:
        value: what was given.
        low: the least that it may be.
        high: the most.
        asked: what the user wanted, for the message.
        where: the name of the argument.
        whole: whether it counts something.
        hint: what to try, where the range does not say it.

    Raises:
        OptionError: no number, one outside its range, or a fraction for a whole one.

    Example:
        >>> number_of(np.int64(8), 1, 9, asked="windows", where="lanes", whole=True)
        8
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or (whole and int(value) != value):
        kind = "a whole number" if whole else "a number"
        reach = f"from {low:g} to {high:g}" if abs(high) < SEEDS else f"from {low:g} up" if low > -SEEDS else "nearer to 0"
        raise OptionError(asked=asked, where=where, arrived=repr(value), hint=hint or f"Give {kind} {reach}.")
    return int(value) if whole else value if isinstance(value, int | float) else float(value)


def flag_of(value: Any, *, asked: str, where: str) -> bool:
    """Return True or False, of Python or numpy.

    Raises:
        OptionError: anything else.
    """
    if not isinstance(value, bool | np.bool_):
        raise OptionError(asked=asked, where=where, arrived=repr(value), hint="Give True or False.")
    return bool(value)


def require_sequences(data: Any, *, asked: str, where: str) -> None:
    """Refuse what is no `Sequences`, and say how it becomes one.

    Raises:
        OptionError: something else.
    """
    if isinstance(data, Sequences):
        return
    hints = {
        Ragged: "Give Sequences(inputs=..., targets=...), which says what is predicted too.",
        Tensor: "Give Sequences(inputs=Ragged.from_list([...]), targets=...), or what read(...) returns.",
    }
    hint = next(
        (hint for kind, hint in hints.items() if isinstance(data, kind)), "Give Sequences, such as read(...) or split(...) returns."
    )
    raise OptionError(asked=asked, where=where, arrived=kind_of(data), hint=hint)
