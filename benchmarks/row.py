"""What is one row of the benchmark, and when does it break its floor?"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure, measured beside a peer.

    Args:
        name: what `make bench ROWS=` and floors.toml call it.
        says: what is measured.
        unit: the unit of what `ours` and `peer` return.
        ours: measures once and returns the figure.
        peer: the same for what a reader would use otherwise, called in turn with `ours`.
        peer_says: what the peer is.
        better: whether a small figure is good or a large one.
        repeats: number of measurements of each that count.
        warm_up: number of measurements of each before them.
    """

    name: str
    says: str
    unit: str
    ours: Callable[[], float]
    peer: Callable[[], float]
    peer_says: str
    better: Literal["lower", "higher"] = "lower"
    repeats: int = 15
    warm_up: int = 1


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The figures of a row in the order in which they were taken, `ours[i]` beside `peer[i]`."""

    row: Row
    ours: list[float]
    peer: list[float]
    floor: Mapping[str, float] = field(default_factory=dict)

    @property
    def worse_quartile(self) -> float:
        """The quartile of ours on the bad side: the upper one where small is good."""
        lower, _, upper = statistics.quantiles(self.ours, n=4, method="inclusive")
        return upper if self.row.better == "lower" else lower

    @property
    def ratio(self) -> float:
        """Median of ours over median of the peer."""
        return statistics.median(self.ours) / statistics.median(self.peer)

    @property
    def broken(self) -> bool:
        """Whether the worse quartile misses the floor; a row without a floor breaks nothing."""
        at_most, at_least = self.floor.get("at_most", float("inf")), self.floor.get("at_least", float("-inf"))
        return not at_least <= self.worse_quartile <= at_most

    def record(self) -> dict[str, Any]:
        """Return what the JSON file holds of this row."""
        return {
            "name": self.row.name,
            "says": self.row.says,
            "unit": self.row.unit,
            "better": self.row.better,
            "median": statistics.median(self.ours),
            "worse_quartile": self.worse_quartile,
            "peer": self.row.peer_says,
            "peer_median": statistics.median(self.peer),
            "ratio": self.ratio,
            "floor": dict(self.floor),
            "broken": self.broken,
            "ours_all": self.ours,
            "peer_all": self.peer,
        }


def measure(row: Row, floor: Mapping[str, float]) -> Measured:
    """Take the figures of a row: ours and the peer's in turn, so that a slow spell of the machine meets both."""
    for _ in range(row.warm_up):
        row.ours(), row.peer()
    pairs = [(row.ours(), row.peer()) for _ in range(row.repeats)]
    return Measured(row=row, ours=[ours for ours, _ in pairs], peer=[peer for _, peer in pairs], floor=floor)
