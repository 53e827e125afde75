"""SW501: does the order of the steps matter, where the contract says so?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._findings import must_matter, observed
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW501", "order-ignored", needs=("repeatable", "order_may_matter", "values"), after=("SW505", "SW202"))
def order_ignored(subject: Subject) -> Found:
    """Other orders of the same steps give other answers, where the contract says order_matters=True.

    How:
        The steps of sequences of one length are turned round, all but the last; what is said about the sequence, or at its last step, must
        change.
    Why:
        The module sees a bag of steps: whatever happens one after another is lost on it.
    Mend:
        Feed each step the state of the step before; a sum or a mean of embeddings has no order.
    """
    whole = subject.whole
    before = subject.ask(whole).outputs
    turned, other = whole.x.clone(), whole.x.clone()
    turned[:, :-1] = whole.x[:, :-1].flip(1)
    other[:, :-1] = subject.other_whole.x[:, :-1]
    after, control = subject.ask(whole.with_x(turned)).outputs, subject.ask(whole.with_x(other)).outputs
    if subject.contract.each == "step":
        before, after, control = before[:, -1], after[:, -1], control[:, -1]
        if not subject.is_real(gap(control, before), 0.0, size_of(before)):
            # No earlier step has any effect on the last output: order cannot have one either.
            control = subject.ask(subject.other_whole).outputs[:, -1]
    found = must_matter(
        subject, gap(after, before), control=gap(control, before), size=size_of(before),
        did="turning the earlier steps round", by="other earlier steps",
    )  # fmt: skip
    return found if subject.contract.order_matters else observed(found)
