"""What do the figures of a row say, and does one miss its floor?

A ratio says how many times the peer's figure is ours: 2 is half the time, or half the memory. Rounds are compared one by one. Of the
seeds the median one is judged, and of its ratios the lower quartile: a floor is broken when that misses it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from benchmarks.measuring import Measured, Taken

Floors: TypeAlias = Mapping[str, float]
"""The floors of a row: the least ratio, by peer; `best` is the best of its rivals; `at_most` limits our own figure."""
BEST, AT_MOST = "best", "at_most"


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median and quartiles."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Ours beside one peer.

    Attributes:
        peer: its name; `best` for the best of the rivals.
        variant: which way of writing the peer was the fastest, of the seed that is judged; of `best`, which rival.
        ours: the median of our figures.
        theirs: the median of theirs.
        ratio: theirs to ours, of the seed that is judged.
        seed: that seed.
        by_seed: the median ratio of each seed.
        floor: the least ratio that is accepted, if any.
    """

    peer: str
    variant: str
    ours: float
    theirs: float
    ratio: Spread
    seed: int
    by_seed: tuple[float, ...]
    floor: float | None

    @property
    def is_broken(self) -> bool:
        """Whether the lower quartile misses the floor."""
        return self.floor is not None and not self.ratio.lower >= self.floor


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A row and what its figures say.

    Attributes:
        measured: the row with its figures.
        ours: our own figures of the median seed.
        limit: the largest own figure that is accepted, if any.
        comparisons: one a peer, and where there are several rivals one with the best of them.
        not_measured: what has a floor and was held against none: it could not be measured, or the row has no peer (for `best`, no two
            rivals) of that name.
    """

    measured: Measured
    ours: Spread
    limit: float | None
    comparisons: tuple[Comparison, ...]
    not_measured: tuple[str, ...]

    @property
    def is_over_limit(self) -> bool:
        """Whether the upper quartile of our own figures is over their limit."""
        return self.limit is not None and not self.ours.upper <= self.limit

    @property
    def is_broken(self) -> bool:
        """Whether a floor is missed, or could not be measured."""
        return self.is_over_limit or bool(self.not_measured) or any(each.is_broken for each in self.comparisons)

    def record(self) -> dict[str, Any]:
        """Return what the JSON file holds of this row."""
        row = self.measured.row
        return {
            "name": row.name,
            "says": row.says,
            "unit": row.unit,
            "ours": asdict(self.ours),
            "at_most": self.limit,
            "comparisons": [{**asdict(each), "says": self.measured.says.get(each.peer, "")} for each in self.comparisons],
            "missing": self.measured.missing,
            "broken": self.is_broken,
            "seeds": [asdict(taken) for taken in self.measured.seeds],
        }


def judge(measured: Measured, floors: Floors) -> Judged:
    """Hold the figures of a row against its floors."""
    peers = tuple(measured.seeds[0].peers)
    compared = [_compare(measured.seeds, (name,), name, floors.get(name)) for name in peers]
    if len(measured.rivals) > 1:
        compared.append(_compare(measured.seeds, measured.rivals, BEST, floors.get(BEST)))
    own = [_spread(taken.ours) for taken in measured.seeds]
    held = {AT_MOST, *(each.peer for each in compared)} - ({BEST} if measured.missing else set())
    return Judged(
        measured=measured,
        ours=own[_median_place([each.median for each in own])],
        limit=floors.get(AT_MOST),
        comparisons=tuple(compared),
        not_measured=tuple(name for name in floors if name not in held),
    )


def _compare(seeds: Sequence[Taken], names: Sequence[str], peer: str, floor: float | None) -> Comparison:
    """Return ours beside the best of `names`, which is chosen seed by seed."""
    best = [min(names, key=lambda name: statistics.median(taken.peers[name])) for taken in seeds]
    ratios = [_spread(_ratios(taken.peers[name], taken.ours)) for taken, name in zip(seeds, best, strict=True)]
    place = _median_place([ratio.median for ratio in ratios])
    taken, name = seeds[place], best[place]
    return Comparison(
        peer=peer,
        variant=name if peer == BEST else taken.variants[name],
        ours=statistics.median(taken.ours),
        theirs=statistics.median(taken.peers[name]),
        ratio=ratios[place],
        seed=taken.seed,
        by_seed=tuple(ratio.median for ratio in ratios),
        floor=floor,
    )


def _ratios(theirs: Sequence[float], ours: Sequence[float]) -> list[float]:
    """Return their figures to ours, round by round; one that was taken once, because it was hopeless, to the median of ours."""
    if len(theirs) == 1:
        return [theirs[0] / statistics.median(ours)]
    return [their / our for their, our in zip(theirs, ours, strict=True)]


def _median_place(figures: Sequence[float]) -> int:
    """Return the place of the median; of an even number of figures, of the lower one of the two."""
    return sorted(range(len(figures)), key=figures.__getitem__)[(len(figures) - 1) // 2]


def _spread(figures: Sequence[float]) -> Spread:
    if len(figures) == 1:
        return Spread(lower=figures[0], median=figures[0], upper=figures[0])
    lower, median, upper = statistics.quantiles(figures, n=4, method="inclusive")
    return Spread(lower=lower, median=median, upper=upper)
