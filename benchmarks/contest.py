"""What is one row of the benchmark? Ours and its peers at the same work, and the proof that all do the same.

How they are measured stands in `measuring`, what is made of the figures in `judging`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

DEVICE = torch.device(os.environ.get("STATEWISE_DEVICE", "cpu"))
"""Where the work is done."""
torch.backends.cudnn.allow_tf32 = False  # all that are compared compute in float32
Figure: TypeAlias = Callable[[], float]
Answer: TypeAlias = Callable[[], Sequence[Tensor]]


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One way to do the work.

    Args:
        name: what tells it from other ways.
        figure: does the work once and returns the figure, of which less is better: seconds, or bytes.
        answer: does the work once and returns what all contestants must agree on; None for one that does other work of the same size.
    """

    name: str
    figure: Figure
    answer: Answer | None = None


@dataclass(frozen=True, kw_only=True)
class Peer:
    """What a reader would use otherwise, or what ours is held against.

    Args:
        name: what floors.toml calls it.
        says: what it is.
        variants: the ways of writing it; the best is taken.
        rival: whether it does the same for its user. Others (the same kernel without what we do around it) only tell a distance.
        missing: the package that it needs and that is not installed; then there are no variants.
    """

    name: str
    says: str
    variants: tuple[Contestant, ...] = ()
    rival: bool = True
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Ours and its peers, ready to be measured on the data of one seed; `notes` tell about these data."""

    ours: Contestant
    peers: tuple[Peer, ...]
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of work, measured beside its peers.

    Args:
        name: what `make bench ROWS=` and floors.toml call it.
        says: what is done.
        contest: makes the contest of a seed.
        unit: the unit of its figures.
        is_drawn: whether the seed changes anything; if not, one seed is enough.
        warm_up: rounds that do not count, before the others.
        repeats: rounds that count.
        tolerance: by how much answers may differ, as a share of the largest number in ours.
        notes_by_seed: whether the notes of each seed are shown, and not those of the first alone.
    """

    name: str
    says: str
    contest: Callable[[int], Contest]
    unit: Literal["s", "B"] = "s"
    is_drawn: bool = True
    warm_up: int = 5
    repeats: int = 15
    tolerance: float = 1e-4
    notes_by_seed: bool = False


def timed(work: Callable[[], Any]) -> Figure:
    """Return what does `work` once and returns the seconds that it took."""

    def seconds() -> float:
        _finish()
        begin = time.perf_counter()
        work()
        _finish()
        return time.perf_counter() - begin

    return seconds


def _finish() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize(DEVICE)


def needing(package: str, name: str, says: str, variants: Callable[[], tuple[Contestant, ...]]) -> Peer:
    """Return a peer of an optional package, or where that is not installed one that says so."""
    if find_spec(package) is None:
        return Peer(name=name, says=says, missing=package)
    return Peer(name=name, says=says, variants=variants())


def require_agreement(contest: Contest, tolerance: float) -> None:
    """Refuse to time contestants of which one gives another answer than ours.

    Raises:
        AssertionError: one does; the message names it, and the place in its answer.
    """
    if contest.ours.answer is None:
        return
    wanted = [tensor.detach() for tensor in contest.ours.answer()]
    for peer in contest.peers:
        for variant in peer.variants:
            if variant.answer is not None:
                _require_equal(f"{peer.name}, {variant.name}", [tensor.detach() for tensor in variant.answer()], wanted, tolerance)


def _require_equal(name: str, given: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: float) -> None:
    if len(given) != len(wanted):
        raise AssertionError(f"{name} answers with {len(given)} tensors, and ours with {len(wanted)}")
    for place, (theirs, our) in enumerate(zip(given, wanted, strict=True)):
        if theirs.shape != our.shape:
            raise AssertionError(f"{name} answers with {tuple(theirs.shape)} in place {place}, and ours with {tuple(our.shape)}")
        size = float(our.abs().max()) if our.numel() else 0.0
        gap = float((theirs - our).abs().max()) if our.numel() else 0.0
        if not gap <= tolerance * max(size, torch.finfo(torch.float32).tiny):  # NaN is a gap too
            raise AssertionError(f"{name} answers otherwise than ours in place {place}: by {gap:.3g}, where the largest is {size:.3g}")
