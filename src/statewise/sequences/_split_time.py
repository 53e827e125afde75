"""How are streams cut by time? Before a date a model learns; after it, it is scored, with a state that the time before has warmed up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from statewise.errors import DataError, OptionError
from statewise.sequences._pieces import are_pieces

if TYPE_CHECKING:
    from statewise.sequences._sequences import Sequences

_DATES = (3e8, 2e11)
"""Times in this range are told as dates: seconds since 1970 have passed its beginning in 1979, and numbers of steps do not reach it."""


def are_dates(times: Tensor) -> bool:
    """Tell whether times are seconds since 1970 and no plain numbers.

    Example:
        >>> are_dates(torch.tensor([1.7e9])), are_dates(torch.tensor([0.0, 1e6])), are_dates(torch.tensor([]))
        (True, False, False)
    """
    return bool(len(times)) and float(times.min()) >= _DATES[0] and float(times.max()) < _DATES[1]


def split_by_time(data: Sequences, shares: np.ndarray, *, embargo: float, warm_up: int | None, asked: str) -> tuple[Sequences, ...]:
    """Cut at the times before which the given shares of all steps lie.

    With one target a step (or none) a cut goes through the sequences: the first part holds the steps before the first cut. Every
    later part holds its sequences from their beginning (or from `warm_up` steps before the cut), and what lies before the cut, or
    less than `embargo` after it, has the weight 0: fed, so that the state is warm, and not scored. With one target a sequence, a
    sequence belongs to the part in which it ends.

    Args:
        data: sequences with times.
        shares: the share of each part, in order of time.
        embargo: time after each cut in which nothing is scored, in the unit of the times.
        warm_up: steps before the cut to feed at most; None for all.
        asked: what the user wanted, for messages.

    Raises:
        DataError: no times, or a part in which nothing would be scored.
        OptionError: a negative embargo or warm-up.
    """
    if data.times is None:
        hint = "Name the column of times when reading, with time='...' (--time)."
        raise DataError(asked=asked, where="by='time'", arrived=f"{data.source} has no times", hint=hint)
    if not 0 <= embargo < float("inf") or (warm_up is not None and warm_up < 0):
        arrived = f"embargo={embargo}, warm_up={warm_up}"
        raise OptionError(asked=asked, where="options", arrived=arrived, hint="Both are 0 or more.")
    if data.each == "sequence" and warm_up is not None:
        hint = "Leave it out: with one target a sequence, sequences stay whole."
        raise OptionError(asked=asked, where="warm_up", arrived=f"{warm_up}, beside one target a sequence", hint=hint)
    times = data.times.double()
    cuts = _cuts(times, shares)
    make = _whole if data.each == "sequence" else _through
    parts = tuple(
        make(data, times, begin=begin, end=end, embargo=embargo if number else 0.0, warm_up=warm_up)
        for number, (begin, end) in enumerate(zip([-np.inf, *cuts], [*cuts, np.inf], strict=True))
    )
    for number, part in enumerate(parts):
        if not len(part) or (part.weights is not None and not bool(torch.as_tensor(part.weights).any())):
            where = f"part {number + 1} of {len(shares)} (fraction {shares[number]:g})"
            hint = "Give more data, a larger fraction, or a smaller embargo."
            raise DataError(asked=asked, where=where, arrived=f"nothing in it would be scored; the cuts are {_listed(cuts)}", hint=hint)
    rest = f", nothing is scored for {embargo:g} after a cut" if embargo else ""
    warm = "sequences stay whole" if data.each == "sequence" else "what lies before a cut warms the state up and is not scored"
    notes = [f"cut by time at {_listed(cuts)}; {warm}{rest}"]
    if are_pieces(data) and data.each != "sequence":
        notes.append(
            "the sequences are pieces of longer ones, and each begins without what came before it: cut by time first, then in_pieces"
        )
    return tuple(part.with_notes(*notes) for part in parts)


def _cuts(times: Tensor, shares: np.ndarray) -> list[float]:
    """Return the times at which parts begin; steps of one time are never torn apart."""
    ordered = times.sort().values
    places = [min(round(share * len(ordered)), len(ordered) - 1) for share in np.cumsum(shares)[:-1]]
    return [float(ordered[max(place, 0)]) for place in places] if len(ordered) else [0.0] * (len(shares) - 1)


def _through(data: Sequences, times: Tensor, *, begin: float, end: float, embargo: float, warm_up: int | None) -> Sequences:
    """Return the steps before `end`, of which those from `begin` on (and the embargo) are scored."""
    scored = (times >= begin + embargo) & (times < end)
    kept = times < end
    if warm_up is not None and np.isfinite(begin):
        kept &= (times >= begin) | (_steps_until(data, times >= begin) <= warm_up)
    has_scored = torch.zeros(len(data), dtype=torch.bool).index_put((_rows(data),), scored, accumulate=True)
    if not np.isfinite(begin):
        return data.select_steps(kept).select(has_scored)
    before = data.weights if isinstance(data.weights, Tensor) else torch.ones(data.num_steps)
    before = before if len(before) == data.num_steps else before[_rows(data)]
    return replace(data, weights=torch.where(scored, before, 0.0)).select_steps(kept).select(has_scored)


def _whole(data: Sequences, times: Tensor, *, begin: float, end: float, embargo: float, warm_up: int | None) -> Sequences:
    """Return the sequences that end in this part; of pieces, all of them where the whole ends, since they share its target."""
    assert warm_up is None, "refused before"
    last = torch.full((len(data),), -torch.inf, dtype=torch.float64).scatter_reduce(0, _rows(data), times, "amax")
    if are_pieces(data):
        number = {group: place for place, group in enumerate(dict.fromkeys(data.groups or ()))}
        whole = torch.tensor([number[group] for group in data.groups or ()])
        last = torch.full((len(number),), -torch.inf, dtype=torch.float64).scatter_reduce(0, whole, last, "amax")[whole]
    return data.select((last >= begin + embargo) & (last < end))


def _steps_until(data: Sequences, reached: Tensor) -> Tensor:
    """Return for each step how many steps later the first one comes, in its sequence, that is reached; a large number if none is."""
    never = data.num_steps + 1
    steps = torch.arange(data.num_steps)
    first = torch.full((len(data),), 2 * never).scatter_reduce(0, _rows(data), torch.where(reached, steps, 2 * never), "amin")
    return first[_rows(data)] - steps


def _rows(data: Sequences) -> Tensor:
    return next(iter(data.parts.values())).rows.cpu()


def _listed(cuts: list[float]) -> str:
    if are_dates(torch.tensor(cuts, dtype=torch.float64)):
        return ", ".join(datetime.fromtimestamp(cut, UTC).strftime("%Y-%m-%d %H:%M:%S") for cut in cuts)
    return ", ".join(f"{cut:g}" for cut in cuts)
