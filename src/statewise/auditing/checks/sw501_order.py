"""SW501: does the order of the steps matter, where the contract says so?"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._findings import must_matter, observed
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from statewise.auditing._subject import Subject


@check("SW501", "order-ignored", needs=("repeatable", "order_may_matter", "values"), after=("SW505", "SW202"))
def order_ignored(subject: Subject) -> Found:
    """Other orders of the same steps give other answers, where the contract says order_matters=True.

    How:
        The steps of sequences of one length are turned round, all but the last; what is said about the sequence, or at its last step, must
        change. Where it does not other sequences and another order are tried: steps that differ may well mean the same to a module.
    Why:
        The module sees a bag of steps: whatever happens one after another is lost on it.
    Mend:
        Feed each step the state of the step before; a sum or a mean of embeddings has no order.
    """
    values = (subject.whole.x, subject.other_whole.x, subject.filling)
    pairs = zip(values, values[1:] + values[:1], strict=True)
    tried = (_effect_of_order(subject, *pair, turn) for pair, turn in product(pairs, (_turned, _rolled)))
    first = next(tried)
    found = first if first.status == "pass" else next((each for each in tried if each.status == "pass"), first)
    return found if subject.contract.order_matters else observed(found)


def _turned(steps: Tensor) -> Tensor:
    return steps.flip(1)


def _rolled(steps: Tensor) -> Tensor:
    return steps.roll(1, 1)


def _effect_of_order(subject: Subject, own: Tensor, foreign: Tensor, turn: Callable[[Tensor], Tensor]) -> Found:
    """Return what another order of the steps before the last does to sequences, beside what foreign steps do there."""
    turned, other = own.clone(), own.clone()
    turned[:, :-1], other[:, :-1] = turn(own[:, :-1]), foreign[:, :-1]
    before, after, control = (subject.ask(subject.whole.with_x(x)).outputs for x in (own, turned, other))
    if subject.contract.each == "step":
        before, after, control = before[:, -1], after[:, -1], control[:, -1]
        if not subject.is_real(gap(control, before), 0.0, size_of(before)):
            # No earlier step has any effect on the last output: order cannot have one either.
            control = subject.ask(subject.whole.with_x(foreign)).outputs[:, -1]
    return must_matter(
        subject, gap(after, before), control=gap(control, before), size=size_of(before),
        did="turning the earlier steps round", by="other earlier steps",
    )  # fmt: skip
