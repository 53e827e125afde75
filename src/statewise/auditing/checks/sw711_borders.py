"""SW711: does a sequence run on over a border, from one person, file or stretch of time into the next?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._parts import columns_of, names_of, owners_of
from statewise.auditing._twins import share_told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from statewise.auditing._parts import Parts
    from statewise.sequences import Sequences

_IDENTITY = re.compile(
    r"(id|key|((^|.*_)(subject|engine|unit|user|account|customer|patient|person|speaker)(_?(id|no|number))?))",
    re.IGNORECASE,
)
"""Names of columns that say whom a step is about; others, such as a device or a shop, may well change."""
_REGULAR, _LEAP = 0.9, 10.0
"""Of the steps, so many at one distance make a regular clock; of that distance, what is a leap."""
_WINDOWS = 20


@check("SW711", "windows-over-borders")
def windows_over_borders(subject: Parts) -> Found:
    """Each sequence is about one thing, and its steps are in order of time.

    How:
        In every part it is looked for times that go back inside a sequence, which fails. A feature whose name says whom a step
        is about (id, subject, engine, account, ...) and which changes inside few sequences, and a leap in time of ten usual steps inside
        windows of one length cut from a regular clock, are warnings; other leaps are told.
    Why:
        Windows that are cut from a table with all entities one below the other hold the end of one and the beginning of the next: state,
        and the target at the join, are of another.
    Mend:
        Cut each entity apart: read with key= (--key) and time= (--time), which put steps in order, and with max_gap= at holes in time.
    Seen in:
        tanjimin/Chromnitron#6, namjoonsuh/TimeAutoDiff#4, driving-behavior/DBNet#6
    """
    found = [each for name in subject.all for each in (_of_times(subject, name), _of_names(subject, name)) if each is not None]
    if not found:
        evidence = "the steps have no times, and no feature says whom they are about"
        return Found(status="not_applicable", evidence=evidence)
    return min(found, key=lambda each: (("fail", "warn", "observed", "pass").index(each.status), -(each.value or 0.0)))


def _inner(data: Sequences) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the steps that follow one of the same sequence, and their sequences."""
    owners = owners_of(data)
    steps = np.flatnonzero(owners[1:] == owners[:-1]) + 1
    return steps, owners[steps]


def _of_times(subject: Parts, name: str) -> Found | None:
    """Tell of times that go back or leap inside the sequences of a part."""
    data = subject.all[name]
    if data.times is None:
        return None
    steps, owners = _inner(data)
    if not len(steps):
        return None
    times = np.asarray(data.times, dtype=np.float64)
    gaps = times[steps] - times[steps - 1]
    back = np.unique(owners[gaps < 0])
    if len(back):
        evidence = f"{share_told(len(back), len(data), name)} have times that go back"
        return Found(status="fail", evidence=evidence, value=len(back) / len(data), where=name)
    usual = float(np.median(gaps))
    leaping = np.unique(owners[gaps > _LEAP * usual]) if usual > 0 else back
    if not len(leaping) or np.mean(np.abs(gaps - usual) <= 0.01 * usual) < _REGULAR:
        return Found(status="pass", evidence=f"no time goes back in the {name} part", value=0.0, where=name)
    evidence = f"{share_told(len(leaping), len(data), name)} leap over more than {_LEAP:g} usual steps of time"
    are_windows = len(data) >= _WINDOWS and len(np.unique(data.lengths.cpu().numpy())) == 1
    return Found(status="warn" if are_windows else "observed", evidence=evidence, value=len(leaping) / len(data), where=name)


def _of_names(subject: Parts, name: str) -> Found | None:
    """Tell of features that say whom a step is about, and change inside sequences of a part."""
    data = subject.all[name]
    table, titles = columns_of(data), names_of(data)
    columns = [(title, table[:, place]) for place, title in enumerate(titles) if _IDENTITY.fullmatch(title)]
    coded = [
        title for title in data.categories if _IDENTITY.fullmatch(title) and title in data.parts and data.parts[title].values.ndim == 1
    ]
    columns += [(title, np.asarray(data.parts[title].values, dtype=np.float64)) for title in coded]
    steps, owners = _inner(data)
    if not columns or not len(steps):
        return None
    found = []
    for title, column in columns:
        before, now = column[steps - 1], column[steps]
        changing = np.unique(owners[(now != before) & np.isfinite(now) & np.isfinite(before)])
        is_whose = 0 < len(changing) <= len(data) / 2
        evidence = f"{share_told(len(changing), len(data), name)} are about more than one {title!r}"
        found.append(Found(status="warn" if is_whose else "pass", evidence=evidence, value=len(changing) / len(data), where=title))
    return min(found, key=lambda each: (each.status != "warn", -(each.value or 0.0)))
