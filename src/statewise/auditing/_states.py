"""How are rows of states compared, whatever tree a state is?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._subject import gap
from statewise.state import leaves_with_axes

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject
    from statewise.types import State


def rows_are_alike(subject: Subject, one: State, other: State) -> bool:
    """Whether a row of one state has the shapes of a row of another, leaf by leaf."""
    first, second = (leaves_with_axes(state, subject.axes, asked="audit") for state in (one, other))
    return all(
        a.tensor.select(a.axis, 0).shape == b.tensor.select(b.axis, 0).shape
        for a, b in zip(first, second, strict=True)
        if a.axis is not None and b.axis is not None
    )


def gap_of_rows(subject: Subject, one: State, row: int, other: State, other_row: int) -> float:
    """Return the largest difference between a row of one state and a row of another; leaves that all rows share are left out."""
    first, second = (leaves_with_axes(state, subject.axes, asked="audit") for state in (one, other))
    gaps = [
        gap(a.tensor.select(a.axis, row), b.tensor.select(b.axis, other_row))
        for a, b in zip(first, second, strict=True)
        if a.axis is not None and b.axis is not None
    ]
    return max(gaps, default=0.0)
