"""SW702: is a sequence of a later part a training sequence with a little noise?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from statewise.auditing._chance import LIMIT, higher_than_chance
from statewise.auditing._check import Found, check
from statewise.auditing._parts import columns_of, moments_of
from statewise.auditing._twins import share_told, twins_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from statewise.auditing._parts import Parts
    from statewise.sequences import Sequences

_POINTS, _WIDEST = 8, 64
"""Steps that stand for a sequence, and numbers at most."""
_SAMPLE, _MOST = 1_000, 100_000
_ENOUGH = 100
"""Training sequences without which it is not known how near neighbours are."""
_NEAR = 0.1
"""Of the usual distance between neighbours, above which nobody speaks of a copy."""


@check("SW702", "near-duplicates-across-parts", needs=("other_part", "measures"), after=("SW701", "SW703", "SW704"))
def near_duplicates_across_parts(subject: Parts) -> Found:
    """No sequence of a later part is as near to one of the training part as copies are.

    How:
        Each sequence is told by eight of its steps in units of the training part's spread. How much nearer the nearest
        training sequence is than the second nearest is held against the same figure inside the training part, whose tail is drawn on:
        p below 1e-6 for all sequences together, a tenth of the usual distance or less, and farther out than any inside. Of more than
        1,000 sequences as many are drawn.
    Why:
        Augmented or repeated recordings are scored though they were trained on, all but for the noise.
    Mend:
        Cut before augmenting, and keep a recording and what was made of it in one part, with group=.
    Seen in:
        imbalanced-learn/imbalanced-learn#751
    """
    if not subject.is_measured:
        return Found(
            status="not_applicable", evidence="the features are whole or coarse numbers, which are near to each other by themselves"
        )
    if len(subject.train) < _ENOUGH:
        return Found(status="not_applicable", evidence=f"{len(subject.train)} training sequences do not tell how near neighbours are")
    center, spread = _moments(subject.train)
    train = _points(subject.train, center, spread, subject.seed)[:_MOST]
    distances = _two_nearest(train, _drawn(train, subject.seed), is_own=True)
    usual = float(np.median(distances[:, 0]))
    if usual == 0:
        return Found(status="not_applicable", evidence="half of the training sequences have an equal one, so that nearness says nothing")
    found = []
    for name in subject.others:
        fresh = _points(subject.fresh(name), center, spread, subject.seed)[~twins_of(subject, name).all]
        if len(fresh):
            found.append(_held(_two_nearest(train, _drawn(fresh, subject.seed), is_own=False), distances, usual, name))
    if not found:
        return Found(status="not_applicable", evidence="every later sequence is equal to one of training (SW701)")
    return min(found, key=lambda each: (each.status != "fail", -(each.value or 0.0)))


def _held(later: NDArray[np.float64], within: NDArray[np.float64], usual: float, name: str) -> Found:
    """Hold the neighbours of a part against those within the training part."""
    floor = 1e-3 * usual  # what is nearer than this is equal but for rounding
    ratio, known = (np.log((each[:, 1] + floor) / (each[:, 0] + floor)) for each in (later, within))
    above = np.quantile(known, 0.9)
    mean = float((known[known > above] - above).mean()) if (known > above).any() else 0.0
    p = np.where(ratio > above, 0.1 * np.exp(-np.maximum(ratio - above, 0) / max(mean, 1e-9)), 1.0)
    near = (later[:, 0] <= _NEAR * usual) & (ratio > 1.2 * known.max())
    p_all = higher_than_chance(np.where(near, p, 1.0))
    number = int(near.sum()) if p_all < LIMIT else 0
    told = f"{share_told(number, len(later), name)} are far nearer to one of training than training sequences are to each other"
    drawn = f" ({_SAMPLE:,} were drawn)" if len(later) == _SAMPLE else ""
    return Found(
        status="fail" if number else "pass", evidence=f"{told}{drawn}; p = {p_all:.1g}", value=number / len(later), where=name,
        control=float(np.exp(known.max())),
    )  # fmt: skip


def _moments(data: Sequences) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    center, spread = moments_of(columns_of(data))
    return center, np.where(spread > 0, spread, 1.0)


def _points(data: Sequences, center: NDArray[np.float64], spread: NDArray[np.float64], seed: int) -> torch.Tensor:
    """Return each sequence as a few numbers: eight of its steps, and of many features a random mixture."""
    values = np.nan_to_num((columns_of(data) - center) / spread)
    lengths = data.lengths.cpu().numpy()
    begins = np.cumsum(lengths) - lengths
    chosen = begins[:, None] + np.rint(np.linspace(0, 1, _POINTS) * (lengths[:, None] - 1)).astype(np.int64)
    points = torch.from_numpy(values[chosen].reshape(len(data), -1).astype(np.float32))
    if points.shape[1] > _WIDEST:
        mixture = torch.randn(points.shape[1], _WIDEST, generator=torch.Generator().manual_seed(seed)) / _WIDEST**0.5
        points = points @ mixture
    return points


def _drawn(points: torch.Tensor, seed: int) -> torch.Tensor:
    """Return the numbers of the rows that are looked at, with the rows before them."""
    if len(points) <= _SAMPLE:
        return torch.cat([torch.arange(len(points), dtype=torch.float32)[:, None], points], dim=1)
    rows = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))[:_SAMPLE]
    return torch.cat([rows.to(torch.float32)[:, None], points[rows]], dim=1)


def _two_nearest(train: torch.Tensor, asked: torch.Tensor, *, is_own: bool) -> NDArray[np.float64]:
    """Return the distances to the two nearest training sequences, of each asked row with its number in front; not to itself."""
    found = []
    for part in asked.split(100):
        rows, points = part[:, 0].long(), part[:, 1:]
        rough = (train * train).sum(1) - 2 * points @ train.T
        if is_own:
            rough[torch.arange(len(rows)), rows] = torch.inf
        nearest = rough.topk(min(4, len(train)), largest=False).indices
        exact = (train[nearest] - points[:, None]).norm(dim=2)
        found.append(exact.sort(dim=1).values[:, :2])
    return np.asarray(torch.cat(found).double())
