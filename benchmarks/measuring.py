"""How are ours and its peers measured? In turn, round after round, so that a slow spell of the machine meets all of them."""

from __future__ import annotations

import gc
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.contest import Contest, Contestant, Row, require_agreement

if TYPE_CHECKING:
    from collections.abc import Sequence

HEATS = 3
"""Rounds in which the variants of a peer are compared, after a first one that does not count; the fastest goes on."""


HOPELESS = 25.0
"""A variant that takes so many times ours at first is not measured again; where a peer has no other, that figure stands for it."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured: the seeds, and at most so many rounds."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    warm_up: int = 1_000
    repeats: int = 1_000


FULL = Effort()
QUICK = Effort(seeds=(0,), warm_up=2, repeats=5)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The figures of one seed, in the order in which they were taken: `ours[i]` beside `peers[name][i]`.

    Attributes:
        seed: of the data.
        ours: our figures.
        peers: those of each peer that could be measured; a single one where that was hopeless.
        variants: the variant of each peer that was the best.
        notes: about the data.
    """

    seed: int
    ours: list[float]
    peers: dict[str, list[float]]
    variants: dict[str, str]
    notes: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A row with the figures of each seed, and what of it could not be measured."""

    row: Row
    seeds: list[Taken]
    rivals: tuple[str, ...]
    says: dict[str, str]
    missing: dict[str, str]


def measure(row: Row, effort: Effort = FULL) -> Measured:
    """Take the figures of a row.

    Raises:
        AssertionError: the contestants do not give the same answers.
    """
    taken = []
    contest = None
    for seed in effort.seeds if row.is_drawn else effort.seeds[:1]:
        contest = row.contest(seed)
        require_agreement(contest, row.tolerance)
        taken.append(_take(contest, seed, min(row.warm_up, effort.warm_up), min(row.repeats, effort.repeats)))
    assert contest is not None, "an effort has a seed"
    return Measured(
        row=row,
        seeds=taken,
        rivals=tuple(peer.name for peer in contest.peers if peer.rival and peer.variants),
        says={peer.name: peer.says for peer in contest.peers},
        missing={peer.name: peer.missing for peer in contest.peers if peer.missing},
    )


def _take(contest: Contest, seed: int, warm_up: int, repeats: int) -> Taken:
    first = {peer.name: [variant.figure() for variant in peer.variants] for peer in contest.peers if peer.variants}
    limit = HOPELESS * min(contest.ours.figure() for _ in range(2)) if repeats > 1 else math.inf
    best: dict[str, Contestant] = {}
    once: dict[str, list[float]] = {}
    variants: dict[str, str] = {}
    for peer in contest.peers:
        figures = first.get(peer.name, [])
        able = [variant for variant, figure in zip(peer.variants, figures, strict=True) if figure <= limit]
        if able:
            best[peer.name] = _best(able)
            variants[peer.name] = best[peer.name].name
        elif figures:
            once[peer.name] = [min(figures)]
            variants[peer.name] = peer.variants[figures.index(min(figures))].name
    ours, *others = _rounds([contest.ours, *best.values()], warm_up, repeats)
    taken = dict(zip(best, others, strict=True)) | once
    return Taken(seed=seed, ours=ours, peers={name: taken[name] for name in first}, variants=variants, notes=contest.notes)


def _best(variants: Sequence[Contestant]) -> Contestant:
    """Return the variant with the least median."""
    if len(variants) == 1:
        return variants[0]
    medians = [statistics.median(figures) for figures in _rounds(variants, 0, HEATS)]
    return variants[medians.index(min(medians))]


def _rounds(contestants: Sequence[Contestant], warm_up: int, repeats: int) -> list[list[float]]:
    """Return the figures of each contestant; each round begins with another one, since what runs before leaves traces in the caches."""
    figures: list[list[float]] = [[] for _ in contestants]
    was_on = gc.isenabled()
    gc.disable()  # a collection would fall on whoever is at work
    try:
        for turn in range(warm_up + repeats):
            for place in range(len(contestants)):
                number = (place + turn) % len(contestants)
                figure = contestants[number].figure()
                if turn >= warm_up:
                    figures[number].append(figure)
            gc.collect()
    finally:
        if was_on:
            gc.enable()
    return figures
