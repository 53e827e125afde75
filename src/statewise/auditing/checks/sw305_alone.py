"""SW305: is a sequence in a padded batch answered as it is alone?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._alone import alone_of, apart_from_alone
from statewise.auditing._check import Found, check
from statewise.auditing._cures import without_padding
from statewise.auditing._findings import must_not_matter
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._subject import Subject


@check(
    "SW305",
    "batch-differs-from-alone",
    needs=("repeatable", "lengths", "padding"),
    after=("SW301", "SW302", "SW303", "SW304", "SW306", "SW308", "SW312", "SW313", "SW201", "SW202", "SW204", "SW314", "SW608"),
    cure=without_padding,
)
def batch_differs_from_alone(subject: Subject) -> Found:
    """A sequence in a padded batch is answered as it is alone.

    How:
        Each sequence of the batch is asked alone too, cut to its own steps.
    Why:
        Service asks about one sequence at a time: it gets other answers than those that were evaluated.
    Mend:
        Read out and pool at each sequence's own length; nothing may depend on the longest one, or on the order in which lengths come.
    Seen in:
        castorini/castor#176, bentrevett/pytorch-sentiment-analysis#86
    """
    probe, alone = subject.probe, alone_of(subject)
    gaps = apart_from_alone(subject, probe)
    worst = max(range(len(gaps)), key=gaps.__getitem__)
    ends = [own.view(-1, own.shape[-1])[-1] for own in alone]
    return must_not_matter(
        subject, gaps[worst], control=max(gap(one, ends[row - 1]) for row, one in enumerate(ends)), size=max(map(size_of, alone)),
        did="being padded in a batch", by="being another sequence",
        where=f"a sequence of {int(probe.lengths[worst])} steps beside one of {int(probe.lengths.max())}",
    )  # fmt: skip
