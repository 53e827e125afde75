"""SW706 and SW707: does what was fitted before the training know of later parts?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._fitted import Fitted, farthest, figures_of, is_close
from statewise.auditing._parts import columns_of, numbers_of
from statewise.sequences import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from statewise.auditing._outcome import Status
    from statewise.auditing._parts import Parts

_APART = 1e-4
"""Statistics nearer to each other than this, in spreads, are not told apart."""
_MANY = 5
"""Entries beyond those of training from which on they are no accident of a short list."""


@check("SW706", "scaling-fitted-beyond-training", needs=("other_part", "measures"))
def scaling_fitted_beyond_training(subject: Parts) -> Found:
    """The statistics that features are scaled by are those of the training part alone.

    How:
        The means and spreads (or the least and largest values) that a model scales by are held against those of the training part, of
        training and validation part, and of every union with the test part, with and without the steps of weight 0: equal to the last
        and not to the first is the finding. Where no statistics are given the data themselves tell: features whose mean is 0 and whose
        spread is 1 over all parts together, and not over training, were scaled by all; those of which that holds in each part by itself,
        each by its own, which is a warning. What equals none of them is not judged.
    Why:
        The scaled training part holds something of the later ones: the level that is yet to come. Live, it is not known.
    Mend:
        Fit the scaler on the training part and apply it to all; a model of ours does.
    Seen in:
        Seanny123/da-rnn#5, huseinzol05/Stock-Prediction-Models#126, mlpack/examples#43
    """
    whole = {name: columns_of(data) for name, data in subject.all.items()}
    fresh = {name: columns_of(subject.fresh(name)) for name in subject.all}
    unions = [(" and ".join(names), np.concatenate([of[name] for name in names])) for of in (whole, fresh) for names in _unions(subject)]
    return _from_given(subject, unions) if subject.fitted else _from_data(subject, unions)


def _unions(subject: Parts) -> list[tuple[str, ...]]:
    """Return which parts statistics may have been fitted on, what is right first."""
    later = tuple(subject.others)
    return [("training",), *(("training", name) for name in later), *([("training", *later)] if len(later) > 1 else [])]


def _from_given(subject: Parts, unions: Sequence[tuple[str, NDArray[np.float64]]]) -> Found:
    widths = {name: values.shape[1] for name, values in numbers_of(subject.train).items()}
    begins = dict(zip(widths, np.cumsum([0, *widths.values()]), strict=False))
    given: Mapping[str, Fitted] = subject.fitted
    gaps: dict[str, float] = {}
    for union, table in unions:
        parts = {name: table[:, begins[name] : begins[name] + widths[name]] for name in given}
        gap = max(farthest(each.figures, figures_of(parts[name]), len(table)) for name, each in given.items())
        gaps[union] = min(gap, gaps.get(union, gap))
    return _named(gaps, may_be_refitted=subject.may_be_refitted or "test" in subject.others)


def _from_data(subject: Parts, unions: Sequence[tuple[str, NDArray[np.float64]]]) -> Found:
    gaps: dict[str, float] = {}
    for union, table in unions:
        gap = _from_standard(table)
        gaps[union] = min(gap, gaps.get(union, gap))
    found = _named(gaps, may_be_refitted="test" in subject.others)
    if found.status == "not_applicable" and min(gaps.values()) > _APART:
        evidence = "the features are not standardised, and no statistics were given (scaling=, run=): another scaling is not judged"
        return Found(status="not_applicable", evidence=evidence)
    alone = [name for name in subject.others if is_close(_from_standard(columns_of(subject.fresh(name))))]
    if found.status == "pass" and alone:
        who = f"the {' and the '.join(alone)} part"
        evidence = f"{who} has mean 0 and spread 1 by itself, as the training part has: each was scaled by its own"
        return Found(status="warn", evidence=evidence, value=0.0, limit=_APART, where=alone[0])
    return found


def _from_standard(table: NDArray[np.float64]) -> float:
    """Return how far the statistics of features are from mean 0 and spread 1; constants may be anything."""
    figures = figures_of(table)
    moving = figures["spread"] > 0
    units = {"mean": np.zeros(len(moving)), "spread": np.ones(len(moving))}
    both = {kind: np.where(moving, each, units[kind]) for kind, each in figures.items() if kind in units}
    return farthest(units, {**figures, **both}, len(table)) if moving.any() else 1.0  # type: ignore[arg-type]


def _named(gaps: Mapping[str, float], *, may_be_refitted: bool) -> Found:
    """Tell which union of parts the statistics are those of; a refit takes the validation part along."""
    right = [union for union in gaps if union == "training" or (may_be_refitted and "test" not in union)]
    best = min(gaps, key=lambda union: gaps[union])
    nearest_right = min(gaps[union] for union in right)
    if is_close(nearest_right):
        union = next(each for each in right if is_close(gaps[each]))
        return Found(status="pass", evidence=f"the statistics are those of {_parts(union)}", value=nearest_right)
    if not is_close(gaps[best]):
        evidence = f"the statistics are those of no union of the parts: {gaps[best]:.2g} spreads from the nearest"
        return Found(status="not_applicable", evidence=evidence, value=gaps[best])
    if gaps["training"] < _APART:
        return Found(status="not_applicable", evidence="the parts have the same statistics, so that it is not told which were fitted")
    evidence = f"the statistics are those of {_parts(best)}, and {gaps['training']:.2g} spreads from those of training alone"
    return Found(status="fail", evidence=evidence, value=gaps["training"], limit=_APART, where=best)


def _parts(union: str) -> str:
    return f"the {union} part" if " and " not in union else f"the parts {union}"


@check("SW707", "vocabulary-fitted-beyond-training", needs=("other_part", "codes_in"))
def vocabulary_fitted_beyond_training(subject: Parts) -> Found:
    """The entries of a vocabulary are those of the training part, or a list that was there before the data.

    How:
        The vocabulary is held against what each part uses. One that holds exactly what all parts together use, though training alone
        lacks some of it, was made from all of them; a list that has entries which nobody uses was there before. With fewer than five
        such entries it is a warning. What the data were merely read with is told: a model of ours embeds what training holds.
    Why:
        Live, new entries come up, and in the test part none is new: how the model meets them is not measured.
    Mend:
        Make the vocabulary of the training part, with an entry for everything else.
    """
    found = [_of_vocabulary(subject, name) for name in subject.vocabulary]
    if not found:
        return Found(status="not_applicable", evidence="no vocabulary is known of the categorical inputs")
    return min(found, key=lambda each: ("fail", "warn", "observed", "pass", "not_applicable").index(each.status))


def _of_vocabulary(subject: Parts, name: str) -> Found:
    used = {part: _used(subject, part, name) for part in subject.all}
    known = set(subject.vocabulary[name])
    trained = used["training"] | (used.get("validation", set()) if subject.is_stated else set())
    everything = set().union(*used.values())
    beyond = sorted((everything - trained) & known)
    if everything <= used["training"]:
        return Found(status="not_applicable", evidence="later parts use no entry that training does not", where=name)
    if not beyond or (known - everything) or (everything - known):
        unused = f"; {len(known - everything)} are used nowhere: the list was there before" if beyond and known - everything else ""
        return Found(status="pass", evidence=f"of {len(known)} entries {len(beyond)} are used in later parts alone{unused}", where=name)
    shown = f"{', '.join(map(told, beyond[:3]))}{', ...' if len(beyond) > 3 else ''}"
    evidence = f"its {len(known)} entries are exactly those of all parts, {len(beyond)} of which training lacks ({shown})"
    status: Status = "observed" if not subject.is_stated else "fail" if len(beyond) >= _MANY else "warn"
    return Found(status=status, evidence=evidence, value=float(len(beyond)), limit=0.0, where=name)


def _used(subject: Parts, part: str, name: str) -> set[str]:
    data = subject.all[part]
    codes = data.parts[name].values.unique().tolist()
    return {data.categories[name][int(code)] for code in codes if code >= 0}
