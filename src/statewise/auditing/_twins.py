"""Which sequences stand in two parts? Those that are equal step by step, as far as chance and habit do not explain it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._chance import LIMIT, at_least
from statewise.auditing._content import enough_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from statewise.auditing._outcome import Status
    from statewise.auditing._parts import Parts

_SOME = 0.4
"""Of the bits of the number of pairs: what carries less is so common that it may stand anywhere."""
_RARE = 2
"""A sequence that stands more often than this in the training part is a common one."""


@dataclass(frozen=True, kw_only=True)
class Twins:
    """What one part shares with another.

    Attributes:
        all: which sequences of the part have an equal one in the other.
        telling: those of them that carry enough bits not to be equal by chance.
        rare: those that carry some bits, and of which the other part has one or two.
        num_repeated: sequences of the other part that carry enough bits and stand there more than once.
        num_rarely_repeated: sequences of the other part that carry some bits and have one or two others like them there.
        num_rare_contents: how many different sequences those of `rare` are.
        num_telling_contents: how many those of `telling` are.
        num_others: sequences of the other part.
        share_in_training: the share of training sequences that have telling equals in training.
        is_habit: whether the other part, or training, has some sequences of more than a few bits more than once.
    """

    all: NDArray[np.bool_]
    telling: NDArray[np.bool_]
    rare: NDArray[np.bool_]
    num_repeated: int
    num_rarely_repeated: int
    num_rare_contents: int
    num_telling_contents: int
    num_others: int
    is_habit: bool
    share_in_training: float

    @property
    def share(self) -> float:
        """The share of the part's sequences that has a telling equal."""
        return float(self.telling.mean())

    @property
    def share_within(self) -> float:
        """The share of the other part's sequences that has a telling equal there."""
        return self.num_repeated / max(self.num_others, 1)

    def judged(self, *, is_measured: bool) -> tuple[Status, str]:
        """Return the status and, for what is none of these twins' fault, what explains them.

        Measured numbers are not equal by themselves: one pair is a copy. Where the other part repeats itself about as often, the set
        does, and it is a warning. Codes may repeat by habit, as phrases do: they must be more than the other part has of its own, and are
        a warning where it has none.
        """
        found, of = int(self.telling.sum()), len(self.telling)
        rare, within = self.num_rare_contents, (self.num_rarely_repeated + 1) / max(self.num_others, 1)
        if at_least(rare, of, within) < LIMIT:
            return "fail", ""
        if not found:
            return "pass", ""
        if not is_measured:
            more = (
                at_least(self.num_telling_contents, of, max((self.num_repeated + 1) / max(self.num_others, 1), self.share_in_training))
                < LIMIT
            )
            habit: tuple[Status, str] = ("observed", "sequences of codes repeat by habit") if self.is_habit else ("warn", "")
            return ("fail", "") if more else habit
        return ("warn", "the set repeats itself") if self.share_within >= self.share / 2 else ("fail", "")


def twins_of(subject: Parts, name: str, among: str = "training") -> Twins:
    """Return what a part shares with another, measured once."""
    return subject.once(f"twins {name} {among}", lambda: _twins(subject, name, among))


def _twins(subject: Parts, name: str, among: str) -> Twins:
    own, other = subject.content(name), subject.content(among)
    enough = enough_bits(len(own.marks) * len(other.marks))
    bits, bits_of_other = (subject.sequence_bits(part) for part in (name, among))
    telling, of_other = bits >= enough, bits_of_other >= enough
    some = _SOME * np.log2(max(len(own.marks) * len(other.marks), 1))
    known, places, counts = np.unique(other.marks, return_inverse=True, return_counts=True)
    where = np.minimum(np.searchsorted(known, own.marks), len(known) - 1)
    there = known[where] == own.marks
    times = counts[places]
    rare = there & (counts[where] <= _RARE) & (bits >= some)
    num_repeated = int(((times > 1) & of_other).sum())
    return Twins(
        all=there,
        telling=there & telling,
        rare=rare,
        num_repeated=num_repeated,
        share_in_training=num_repeated / max(len(other.marks), 1) if among == "training" else twins_of(subject, name).share_in_training,
        num_rarely_repeated=int(((times > 1) & (times - 1 <= _RARE) & (bits_of_other >= some)).sum()),
        num_rare_contents=len(np.unique(own.marks[rare])),
        num_telling_contents=len(np.unique(own.marks[there & telling])),
        num_others=len(other.marks),
        is_habit=bool(((times > 1) & (bits_of_other >= some)).any()) or (among != "training" and twins_of(subject, name).is_habit),
    )


def share_told(found: int, of: int, name: str) -> str:
    """Return how many of a part's sequences, in words.

    Example:
        >>> share_told(3, 200, "test")
        '3 of 200 sequences of the test part (1.5%)'
    """
    return f"{found:,} of {of:,} sequences of the {name} part ({found / max(of, 1):.1%})"
