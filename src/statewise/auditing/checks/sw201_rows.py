"""SW201, SW202 and SW204: which rows of the batch does each row's answer come from?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._cures import axes_exchanged, rows_apart
from statewise.auditing._findings import bad
from statewise.auditing._rows import influence_of
from statewise.auditing._subject import gap

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check("SW201", "rows-influence-each-other", needs=("repeatable",), after=("SW202", "SW204"), cure=rows_apart)
def rows_influence_each_other(subject: Subject) -> Found:
    """The answer about a sequence does not depend on which others are in the batch.

    How:
        One sequence of the batch at a time is replaced by another; the answers about the others must stay.
    Why:
        Figures depend on how the data was batched, and in service one customer's answer on who else asks.
    Mend:
        Look for operations over the batch axis: a view or reshape instead of a transpose, a softmax or a mean over dim=0, batch
        statistics in eval mode, attention over the rows of a batch.
    Seen in:
        NervanaSystems/neon#311, zhouhaoyi/Informer2020#59, pytorch/pytorch#2032
    """
    found = influence_of(subject)
    if not found.is_alive:
        return Found(status="not_applicable", evidence="replacing a sequence changes no answer at all")
    others = found.effects.clone().fill_diagonal_(0.0)
    if not found.is_effect(others).any():
        return Found(
            status="pass", evidence=f"replacing a sequence changes its own answer alone ({found.own:.2g})", value=0.0, control=found.own
        )
    place = int(others.argmax())
    changed, by = divmod(place, len(others))
    return bad(
        subject, f"replacing sequence {by} changes the answer about sequence {changed} by {float(others.max()):.2g}",
        value=float(others.max()), control=found.own,
    )  # fmt: skip


@check("SW202", "time-and-batch-confused", needs=("repeatable",), cure=axes_exchanged)
def time_and_batch_confused(subject: Subject) -> Found:
    """The recurrence runs along time, not along the batch.

    How:
        One sequence of the batch at a time is replaced by another, and then the order of the steps is changed. Where sequences change
        the answers about others, the order of the steps changes nothing and that of the sequences does, the module takes the batch for
        time.
    Why:
        The module remembers other sequences and not its own past; the loss may still fall, since labels repeat.
    Mend:
        Build the recurrent layer with batch_first=True, or transpose its input and output.
    Seen in:
        AndersonJo/dqn-pytorch#1, HHTseng/video-classification#42
    """
    found = influence_of(subject)
    if not found.is_alive:
        return Found(status="not_applicable", evidence="replacing a sequence changes no answer at all")
    there = found.is_effect(found.effects)
    if bool(there.tril(-1).any()) and subject.steps_are_apart():
        both = bool(there.triu(1).any())
        evidence = "each sequence changes the answers about others, and no step those about later steps"
        if both and not subject.is_real(_apart_by_place(subject), found.own, found.size):  # a statistic over the batch
            return Found(status="pass", evidence="the order of the sequences changes no answer (SW201)", control=found.own)
        if not both:
            evidence = "each sequence changes the answers about those after it in the batch, and none before it"
        return bad(subject, evidence, control=found.own)
    return Found(status="pass", evidence="the order of the batch is not the order of time", control=found.own)


@check("SW204", "rows-in-another-order", needs=("repeatable",), after=("SW202",), cure=rows_apart)
def rows_in_another_order(subject: Subject) -> Found:
    """Answers come in the order of the sequences, and are the same at any place.

    How:
        One sequence of the batch at a time is replaced by another. Where each changes exactly one answer, but not the one at its own place,
        the answers come in another order. Where each changes its own alone, the sequences are asked in another order too. The lengths of
        the probe are not sorted.
    Why:
        Every figure is computed against the targets of other sequences.
    Mend:
        After sorting by length bring the outputs and the state back with the inverse permutation (order.argsort()), or let
        pack_padded_sequence(..., enforce_sorted=False) do both. Where the place counts, something was cut to the number of sequences
        that should be to the number of steps: a position, mostly.
    """
    found = influence_of(subject)
    if not found.is_alive:
        return Found(status="not_applicable", evidence="replacing a sequence changes no answer at all")
    there = found.is_effect(found.effects)
    one_each = bool((there.sum(0) == 1).all()) and bool((there.sum(1) == 1).all())
    if one_each and not bool(there.diagonal().all()):
        order = there.int().argmax(1).tolist()
        return bad(subject, f"the answers come in the order {order} of the sequences", control=found.own)
    if one_each:
        apart = _apart_by_place(subject)
        if subject.is_real(apart, found.own, found.size):
            return bad(subject, f"at another place in the batch the answer is another by {apart:.2g}", value=apart, control=found.own)
    return Found(status="pass", evidence="each answer is at the place of its sequence", control=found.own)


def _apart_by_place(subject: Subject) -> float:
    """Return by how much answers change where the sequences of the batch change places."""
    probe, before = subject.probe, subject.ask(subject.probe).outputs
    order = [*range(1, probe.num_rows), 0]
    turned = probe.rows(order)
    after = subject.ask(turned).outputs
    return max(gap(subject.row(after, turned, at), subject.row(before, probe, row)) for at, row in enumerate(order))
