"""SW704 and SW705: is anybody in two parts, and was the past scored by a model that knew the future?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from statewise.auditing._check import Found, check
from statewise.auditing._twins import share_told
from statewise.sequences import are_dates, told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from statewise.auditing._outcome import Status
    from statewise.auditing._parts import Parts

_SHOWN = 3


def _shared(subject: Parts, name: str) -> NDArray[np.bool_]:
    """Return which sequences of a part are about somebody whom the training part knows."""
    own, train = subject.entities(name), subject.entities("training")
    assert own is not None
    assert train is not None
    return np.isin(own, np.unique(train))


def _without_shared(subject: Parts) -> Parts | None:
    """Return the parts with everybody whom the training part knows taken out of the later ones."""
    return subject.without({name: _shared(subject, name) for name in subject.others})


@check("SW704", "groups-across-parts", needs=("other_part", "groups"), after=("SW701",), cure=_without_shared)
def groups_across_parts(subject: Parts) -> Found:
    """Nobody is in the training part and in a later one.

    How:
        The groups of the parts are compared. Without groups their keys are, unless they are mere numbers, and a common one is a warning:
        it may be a name that two files use. What is only fed, with the weight 0, does not count. Where all that a part holds of somebody
        is dated later than all that was trained on, and its targets change from step to step, this is a cut in time, which is told and
        not held against it: the figures hold for those who are known.
    Why:
        A model recognises the person, the engine or the recording, and not what it is asked about: on new ones it falls.
    Mend:
        Cut by group: split(data, by="group"), --group on the command line, or leave each group out in turn with folds(n="each").
    Seen in:
        hoangNguyen210/Fall-Detection-Research-1#2
    """
    found = [_met(subject, name) for name in subject.others]
    return min(found, key=lambda each: (("fail", "warn", "observed", "pass").index(each.status), -(each.value or 0.0)))


def _met(subject: Parts, name: str) -> Found:
    shared, own = _shared(subject, name), subject.entities(name)
    assert own is not None
    who = np.unique(own[shared])
    what = "groups" if subject.train.groups is not None else "keys"
    if not len(who):
        return Found(status="pass", evidence=f"no {what[:-1]} of the {name} part is in the training part", value=0.0, where=name)
    names = f"{', '.join(told(str(each)) for each in who[:_SHOWN])}{', ...' if len(who) > _SHOWN else ''}"
    evidence = (
        f"{len(who):,} of {len(np.unique(own)):,} {what} of the {name} part are in the training part too ({names}): "
        f"{share_told(int(shared.sum()), len(own), name)}"
    )
    if _is_cut_in_time(subject, name):
        evidence = f"{evidence}; all of it is dated later, so the figures hold for those who are known"
        return Found(status="observed", evidence=evidence, value=float(shared.mean()), where=name)
    if subject.train.groups is None:
        evidence = f"{evidence}; if one key is one recording or person, it was cut in two"
        return Found(status="warn", evidence=evidence, value=float(shared.mean()), where=name)
    evidence = f"{evidence}; believe a figure from a cut by group, not this one"
    return Found(status="fail", evidence=evidence, value=float(shared.mean()), where=name)


def _is_cut_in_time(subject: Parts, name: str) -> bool:
    """Whether targets are one a step, and what a part holds of each is dated later than what was trained on."""
    times = subject.fresh(name).times
    if subject.train.each != "step" or subject.train.times is None or not isinstance(times, torch.Tensor):
        return False
    begins, last = _times_of(subject, name)
    return are_dates(times) and bool((begins > last).all())


@check("SW705", "trained-on-the-future", needs=("other_part", "groups", "times"), after=("SW704",))
def trained_on_the_future(subject: Parts) -> Found:
    """Of nobody an earlier step is scored than one that was trained on.

    How:
        For each group (without groups: key) in the training part and in a later one the last time that was trained on is held against
        the first that is scored. Others may lie at any time, and what is only fed, with the weight 0, does not count. Where most
        sequences begin at one time, times are places in a recording, and nothing is compared.
    Why:
        The model has seen how the story goes on: steps that were shared out at random are filled in from their neighbours.
    Mend:
        Cut by group, or at one date: split(data, by="time"), with embargo= where targets look ahead.
    Seen in:
        uptake/autofocus#13
    """
    if _begins_anew(subject):
        return Found(status="not_applicable", evidence="most sequences begin at one time: times are places in a recording")
    found = []
    for name in subject.others:
        (begins, last), shared = _times_of(subject, name), _shared(subject, name)
        early = begins < last
        if not shared.any():
            found.append(Found(status="pass", evidence=f"nobody of the {name} part is in the training part", value=0.0, where=name))
            continue
        evidence = f"{share_told(int(early.sum()), len(early), name)} begin before the last step that was trained on of the same one"
        status: Status = "fail" if early.any() else "pass"
        found.append(Found(status=status, evidence=evidence, value=float(early.mean()), where=name))
    return min(found, key=lambda each: (each.status != "fail", -(each.value or 0.0)))


def _begins_anew(subject: Parts) -> bool:
    """Whether most sequences of all parts begin at the earliest time: positions in a recording, and no common time."""
    begins = np.concatenate([_reached(subject, name, np.minimum) for name in subject.all])
    return float(np.mean(begins == begins.min())) > 0.5


def _times_of(subject: Parts, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when each sequence of a part begins, and the last step that the training part holds of the same one: -inf for none."""
    own, train = subject.entities(name), subject.entities("training")
    assert own is not None
    assert train is not None
    everyone, numbers = np.unique(np.concatenate([train, own]), return_inverse=True)
    last = np.full(len(everyone), -np.inf)
    np.maximum.at(last, numbers[: len(train)], _reached(subject, "training", np.maximum))
    return _reached(subject, name, np.minimum), last[numbers[len(train) :]]


def _reached(subject: Parts, name: str, furthest: np.ufunc) -> NDArray[np.float64]:
    """Return the first or last time of each sequence, none of which is empty."""
    data = subject.fresh(name)
    times = np.asarray(data.times, dtype=np.float64)
    return np.asarray(furthest.reduceat(times, subject.content(name).offsets[:-1]))
