"""SW713 and SW714: are the parts alike, in their values and in their clocks?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._chance import LIMIT, least_p, ranks_differ
from statewise.auditing._check import Found, check
from statewise.auditing._parts import columns_of, groups_of, names_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from statewise.auditing._outcome import Status
    from statewise.auditing._parts import Parts

_EQUAL = 0.01
"""Steps of time that differ by less than this share of them are of one clock."""


@check("SW713", "parts-differ", needs=("other_part", "measures"), after=("SW706",))
def parts_differ(subject: Parts) -> Found:
    """Each feature has the same level and spread in all parts.

    How:
        The mean and the spread of each feature, and the length, of every group (without groups: sequence) of a later part are ranked with
        those of the training part; p below 1e-6 over all of them together is a warning. Where the parts follow each other in time, what
        differs may be the season, and is told. Few groups cannot differ that clearly: then it is not judged.
    Why:
        The figures of the later part speak of other data than those that were learnt: another device, another unit, another way to draw.
    Mend:
        Look at how the parts were drawn and at the units of the named feature; or say for which data the model is meant.
    """
    found = [_worst(subject, name) for name in subject.others]
    return min(found, key=lambda each: (("warn", "observed", "pass", "not_applicable").index(each.status), each.value or 0.0))


def _worst(subject: Parts, name: str) -> Found:
    table, other = _by_unit(subject, "training"), _by_unit(subject, name)
    num_tests = table.shape[1]
    if least_p(len(table), len(other)) * num_tests >= LIMIT:
        evidence = f"{len(table)} and {len(other)} groups or sequences are too few to tell"
        return Found(status="not_applicable", evidence=evidence, where=name)
    titles = [*(f"the {what} of {title}" for title in names_of(subject.train) for what in ("mean", "spread")), "the length"]
    tests = [ranks_differ(*(_known(each[:, place]) for each in (table, other))) for place in range(num_tests)]
    place = min(range(num_tests), key=lambda each: tests[each][0])
    p, above = min(1.0, tests[place][0] * num_tests), tests[place][1]
    evidence = (
        f"{titles[place]} differs most between the training and the {name} part: {(1 + above) / 2:.0%} of the pairs are larger in the "
        f"latter; p = {p:.1g}"
    )
    if p >= LIMIT:
        return Found(status="pass", evidence=evidence, value=p, limit=LIMIT, where=name)
    if _follows_in_time(subject, name):
        return Found(status="observed", evidence=f"{evidence}; it is later in time", value=p, limit=LIMIT, where=name)
    return Found(status="warn", evidence=evidence, value=p, limit=LIMIT, where=name)


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _by_unit(subject: Parts, name: str) -> NDArray[np.float64]:
    """Return mean and spread of each feature and the mean length of each unit: `[units, 2 * features + 1]`."""
    data = subject.fresh(name)
    units, lengths = groups_of(data), data.lengths.cpu().numpy()
    of_step = np.repeat(units, lengths)
    num_units = int(units.max()) + 1
    values = columns_of(data)
    columns = []
    for column in values.T:
        known = np.isfinite(column)
        filled = np.where(known, column, 0.0)
        shift = float(filled[known].mean()) if known.any() else 0.0  # squares of large numbers would lose the spread
        counts = np.bincount(of_step, weights=known, minlength=num_units)
        with np.errstate(all="ignore"):
            mean = np.bincount(of_step, weights=np.where(known, column - shift, 0.0), minlength=num_units) / counts
            square = np.bincount(of_step, weights=np.where(known, (column - shift) ** 2, 0.0), minlength=num_units) / counts
        columns += [mean + shift, np.sqrt(np.maximum(square - mean**2, 0.0))]
    columns.append(np.bincount(units, weights=lengths, minlength=num_units) / np.bincount(units, minlength=num_units))
    return np.stack(columns, axis=1)


def _follows_in_time(subject: Parts, name: str) -> bool:
    """Whether all of a part lies after the training part, or before it."""
    own, train = subject.fresh(name).times, subject.train.times
    if own is None or train is None or not len(own):
        return False
    return bool(own.min() >= train.max() or own.max() <= train.min())


@check("SW714", "sampling-rate-differs", needs=("other_part", "times"))
def sampling_rate_differs(subject: Parts) -> Found:
    """The steps of all parts lie equally far apart in time.

    How:
        The median time between two steps of each group (without groups: sequence) of a later part is ranked with those of the training
        part; p below 1e-6 is a warning. Where every sequence has a regular clock, no chance is in it: another clock than
        all of training has is one, too.
    Why:
        A recurrent model counts steps, not seconds: at another rate everything happens faster or slower than it has learnt.
    Mend:
        Resample all parts to one rate, or give the time since the last step as a feature (time_gaps=).
    """
    found = [_rates(subject, name) for name in subject.others]
    return min(found, key=lambda each: (("warn", "observed", "pass", "not_applicable").index(each.status), each.value or 0.0))


def _rates(subject: Parts, name: str) -> Found:
    (train, is_steady), (own, own_steady) = (_clock(subject, part) for part in ("training", name))
    if not len(train) or not len(own):
        return Found(status="not_applicable", evidence="no sequence has two steps", where=name)
    told = f"a step takes {np.median(train):.4g} in training and {np.median(own):.4g} in the {name} part"
    if is_steady and own_steady:
        apart = (own < train.min() * (1 - _EQUAL)) | (own > train.max() * (1 + _EQUAL))
        status: Status = "warn" if apart.any() else "pass"
        evidence = f"{told}, on regular clocks; of {apart.sum():,} of {len(own):,} groups or sequences it is one that training has not"
        return Found(status=status, evidence=evidence, value=float(1 - apart.mean()), where=name)
    p, _ = ranks_differ(train, own)
    if p >= LIMIT and least_p(len(train), len(own)) >= LIMIT:
        evidence = f"{len(train)} and {len(own)} groups or sequences are too few to tell"
        return Found(status="not_applicable", evidence=evidence, where=name)
    status = "pass" if p >= LIMIT else "observed" if _follows_in_time(subject, name) else "warn"
    return Found(status=status, evidence=f"{told}; p = {p:.1g}", value=p, limit=LIMIT, where=name)


def _clock(subject: Parts, name: str) -> tuple[NDArray[np.float64], bool]:
    """Return the median step of time of each unit, and whether the clocks of all sequences are regular."""
    data = subject.fresh(name)
    times, owners = np.asarray(data.times, dtype=np.float64), subject.content(name).owners
    inner = owners[1:] == owners[:-1]
    gaps, units = np.diff(times)[inner], groups_of(data)[owners[1:][inner]]
    order = np.lexsort((gaps, units))
    gaps, units = gaps[order], units[order]
    begins = np.flatnonzero(np.concatenate([[True], units[1:] != units[:-1]])) if len(units) else np.zeros(0, dtype=np.int64)
    sizes = np.diff(np.concatenate([begins, [len(units)]]))
    medians = gaps[begins + sizes // 2]
    is_steady = bool(len(gaps)) and float(np.mean(np.abs(gaps - np.repeat(medians, sizes)) <= _EQUAL * np.abs(gaps))) > 0.99
    return medians, is_steady
