"""What do sequences say in two windows, the state carried from the first into the second, beside what they say whole?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from statewise.auditing._subject import Subject


class Cut(NamedTuple):
    """The outputs of a second window.

    Attributes:
        carried: going on from the state of the first.
        anew: beginning anew.
        whole: those of the same steps where nothing is cut.
    """

    carried: Tensor
    anew: Tensor
    whole: Tensor


def cut_after(subject: Subject, step: int, whole: Tensor) -> Cut:
    """Return the outputs of what follows a step; `whole` are those of everything."""
    first, rest = subject.whole.steps(0, step), subject.whole.steps(step, subject.whole.time)
    expected = whole[:, step:] if subject.contract.each == "step" else whole
    return Cut(subject.ask(rest.going_on(subject.ask(first).state)).outputs, subject.ask(rest).outputs, expected)
