"""SW701 and SW716: does the same sequence stand in two parts?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._twins import share_told, twins_of
from statewise.sequences import told as shortened

if TYPE_CHECKING:
    from statewise.auditing._parts import Parts

_SHOWN = 3


def _without_twins(subject: Parts) -> Parts | None:
    """Return the parts with every sequence that the training part holds too taken out of the later ones."""
    return subject.without({name: twins_of(subject, name).all for name in subject.others})


@check("SW701", "duplicates-across-parts", needs=("other_part",), cure=_without_twins)
def duplicates_across_parts(subject: Parts) -> Found:
    """No sequence of a later part stands in the training part.

    How:
        Sequences are compared step by step, by hashes. A match counts where it carries so many bits, given what follows what in
        the data, that chance would make one in a million: not for constants, coarse values and short texts. Held against it is how
        often the training part repeats itself: where it does so about as often, the set repeats itself, which is a warning; sequences
        of codes, which repeat by habit, must do so more often than there, at p below 1e-6, and are a warning where training has none.
    Why:
        What was learnt by heart is scored as if it had been understood: the figures of the later part are too good.
    Mend:
        Take one of each sequence before the data are cut, and cut before anything is oversampled or augmented.
    Seen in:
        georgymh/ml-fraud-detection#1
    """
    found = [_of_pair(subject, name, "training") for name in subject.others]
    return min(found, key=lambda each: (("fail", "warn", "observed", "pass").index(each.status), -(each.value or 0.0)))


@check("SW716", "validation-is-test", needs=("three_parts",), after=("SW701",), cure=None)
def validation_is_test(subject: Parts) -> Found:
    """No sequence stands in the validation and in the test part.

    How:
        As SW701 does, between the validation and the test part.
    Why:
        The epoch, the threshold or the learning rate are chosen on the sequences that are scored at the end: the choice fits them.
    Mend:
        Carve the validation part out of the training part, and look at the test part once.
    Seen in:
        titu1994/LSTM-FCN#7, DearCaat/RRT-MIL#22
    """
    return _of_pair(subject, "test", "validation")


def _of_pair(subject: Parts, name: str, among: str) -> Found:
    twins = twins_of(subject, name, among)
    status, because = twins.judged(is_measured=subject.is_measured)
    which = twins.rare if status == "fail" and not twins.telling.any() else twins.telling
    number = int(which.sum())
    told = f"{share_told(number, len(twins.all), name)} stand in the {among} part too, step by step"
    by_chance = int(twins.all.sum()) - number
    if not number and by_chance:
        told = f"{told}; {by_chance:,} more do, and say as little as chance would"
    keys = [(subject.fresh(name).keys or ())[place] for place in np.flatnonzero(which)[:_SHOWN]]
    told += f" ({', '.join(map(shortened, keys))}{', ...' if number > _SHOWN else ''})" if keys else ""
    within = f"; {twins.share_within:.1%} of the {among} part stand there more than once{f': {because}' if because else ''}"
    return Found(
        status=status, evidence=told + (within if number else ""), value=number / max(len(twins.all), 1), control=twins.share_within,
        where=name,
    )  # fmt: skip
