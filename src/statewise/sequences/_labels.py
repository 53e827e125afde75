"""Which class number does a label have? In natural order, or in the order that the caller states."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from statewise.errors import DataError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def natural(label: str) -> tuple[int, float, str]:
    """Return a sort key: numbers by size, then words by letters.

    Example:
        >>> sorted(["10", "9", "b", "a"], key=natural)
        ['9', '10', 'a', 'b']
    """
    try:
        number = float(label)
    except ValueError:
        return (1, 0.0, label)
    return (0, number, label) if math.isfinite(number) else (1, 0.0, label)


def told(name: str) -> str:
    r"""Return a name as it can stand in a line: in quotes where it is blank, or would break the line.

    Example:
        >>> [told(name) for name in ("cat", " ", "\n")]
        ['cat', "' '", "'\\n'"]
    """
    return name if name and name.isprintable() and name == name.strip() else repr(name)


def in_natural_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the different labels, in natural order.

    Example:
        >>> in_natural_order(["b", "10", "9", "b"])
        ('9', '10', 'b')
    """
    return tuple(sorted(set(labels), key=natural))


def as_classes(targets: Any, class_names: Sequence[str] | None) -> tuple[Tensor, tuple[str, ...] | None]:
    """Return class numbers (int64) and the names behind them.

    Args:
        targets: class numbers as a tensor or array, or a list of labels.
        class_names: the label behind each class number; of labels without them, the different labels in natural order.

    Raises:
        DataError: numbers with fractions, numbers outside the names, or a label that is not among them.
    """
    names = None if class_names is None else tuple(str(name) for name in class_names)
    if isinstance(targets, np.ndarray) and targets.dtype.kind in "iuf":
        targets = torch.from_numpy(targets)
    if isinstance(targets, Tensor):
        return _checked_numbers(targets, names), names
    labels = [str(label) for label in targets]
    names = in_natural_order(labels) if names is None else names
    place = {name: number for number, name in enumerate(names)}
    for row, label in enumerate(labels):
        if label not in place:
            raise _error(f"targets, entry {row}", f"the label {label!r}, which is not in class_names", nearest(label, names))
    return torch.tensor([place[label] for label in labels], dtype=torch.int64), names


def _checked_numbers(targets: Tensor, names: tuple[str, ...] | None) -> Tensor:
    """Return class numbers as int64; they are whole, and count from 0 up to the last name."""
    if targets.dtype.is_floating_point or targets.dtype.is_complex:
        raise _error("targets", f"{targets.dtype} values", "Class numbers are whole: use targets.long().")
    numbers = targets.to(torch.int64)
    if numbers.numel() == 0:
        return numbers
    low, high = int(numbers.min()), int(numbers.max())
    if low < 0 or (names is not None and high >= len(names)):
        told = "" if names is None else f" for {len(names)} class names"
        raise _error("targets", f"class numbers from {low} to {high}{told}", "Class numbers count from 0, one a name.")
    return numbers


def _error(where: str, arrived: str, hint: str) -> DataError:
    return DataError(asked="Sequences(...)", where=where, arrived=arrived, hint=hint)
