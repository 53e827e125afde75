r"""How far back in time does the loss reach, in words? Each word follows from the figures by a written rule.

The *ratio* is the norm at the furthest lag with a gradient, divided by that at lag 0 (where that is zero, by the largest).

| says | rule |
|---|---|
| vanishes | ratio below 1e-3; told at the first lag below 1e-6, where there is one |
| fades | ratio below 0.1 |
| reaches back to the beginning | ratio from 0.1 to 10 |
| grows | ratio above 10 |
| explodes | ratio above 1e3, or a norm that is not finite |
| halves, doubles every k steps | the fitted rate, whose 95 % interval, where there is one, does not hold 1 |
| at no even rate | the rate explains less than 0.8 of the differences between lags |
| no gradient beyond lag k | some sequences get exactly none further back, although it was no tiny one at k |
| the graph is cut there | and what was read before still moves their outputs |
| what was read before does not move the output | and it does not: not read, reset, or lost in a saturated unit |
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from statewise.training._decay import half_life_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.runs import Lags

_VANISHES, _FADES, _GROWS, _EXPLODES = 1e-3, 0.1, 10.0, 1e3
_FAINT = 1e-6
_EVEN = 0.8


def tell_lags(found: Lags) -> str:
    """Return how far back the loss of one measurement reaches, in a few sentences.

    Example:
        >>> from statewise.runs import Lags
        >>> tell_lags(Lags(epoch=1, lags=(0, 1, 2), norms=(2.0, 1.0, 0.5), counts=(1, 1, 1), factor=0.5, r_squared=1.0))
        'The gradient reaches back to the beginning: after 2 steps it is 0.25 of that at lag 0. It halves every step.'
    """
    norms = _shown(found)
    if not found.counts:
        return _nothing(found)
    if all(norm == 0 for _, norm in norms):
        return " ".join(_cut(found)) or "No gradient comes to any step."
    return " ".join(filter(None, [_size(found, norms), _rate(found), *_cut(found)]))


def _nothing(found: Lags) -> str:
    if found.inputs == "nothing":
        return "Nothing that the module reads has a gradient: whole numbers, and no embedding of them."
    silent = ": what is followed has no gradient even at the output" if found.num_silent else ""
    return f"No sequence could be followed back{silent}."


def tell_change(records: Sequence[Lags], kept: int | None = None) -> str:
    """Return how far back the loss reached with the weights that were kept, and the rates after the first and the last epoch.

    Args:
        records: of one phase, in order; at least one.
        kept: the epoch whose weights were kept; the last one where it is None or was not measured.
    """
    chosen = next((record for record in records if record.epoch == kept), records[-1])
    whose = ", whose weights were kept," if chosen.epoch == kept and len(records) > 1 else ""
    told = [f"After epoch {chosen.epoch}{whose} {_lowered(tell_lags(chosen))}"]
    ends = [record for record in {id(record): record for record in (records[0], records[-1])}.values() if record is not chosen]
    told += [f"After epoch {end.epoch} {_rate_words(end, past=True)}." for end in ends if _has_rate(end) or _has_rate(chosen)]
    return " ".join(told)


def _lowered(text: str) -> str:
    return f"{text[0].lower()}{text[1:]}"


def _shown(found: Lags) -> list[tuple[int, float | None]]:
    """Return lag and norm up to the furthest lag with a gradient."""
    pairs = list(zip(found.lags, found.norms, strict=True))
    while len(pairs) > 1 and pairs[-1][1] == 0:
        pairs.pop()
    return pairs


def _size(found: Lags, norms: Sequence[tuple[int, float | None]]) -> str:
    broken = next((lag for lag, norm in norms if norm is None), None)
    if broken is not None:
        return f"The gradient explodes: it is not finite from lag {broken} on."
    there = [(lag, norm) for lag, norm in norms if norm is not None]
    largest = max(norm for _, norm in there)
    start, of = (there[0][1], "that at lag 0") if there[0][1] > 0 else (largest, "the largest")
    if len(there) == 1:
        return "There is one step with a gradient, and no way back from it." if len(found.lags) == 1 else ""
    least, norm = min(there, key=lambda pair: pair[1])
    if found.both_ways and there[-1][1] > 2 * norm:
        return (
            "The model reads both ways: small lags are near to its forward direction, large ones to its backward one. "
            f"The gradient is least at lag {least}, with {_figure(norm / start)} of {of}."
        )
    aside = " The model reads both ways; what comes after the step of the loss is not counted." if found.both_ways else ""
    last, norm = there[-1]
    word = _word(norm / start)
    if word == "vanishes":
        last, norm = next(((lag, each) for lag, each in there if each / start < _FAINT), there[-1])
    return f"The gradient {word}: after {_steps(last)} it is {_figure(norm / start)} of {of}.{aside}"


def _word(ratio: float) -> str:
    if ratio < _VANISHES:
        return "vanishes"
    if ratio < _FADES:
        return "fades"
    if ratio <= _GROWS:
        return "reaches back to the beginning"
    return "grows" if ratio <= _EXPLODES else "explodes"


def _has_rate(found: Lags) -> bool:
    """Return whether a rate was fitted that can be told from none."""
    unsure = found.factor_low is not None and found.factor_high is not None and found.factor_low <= 1 <= found.factor_high
    return not unsure and (half_life_of(found.factor) or _doubling(found.factor)) is not None


def _doubling(factor: float | None) -> float | None:
    return half_life_of(1 / factor) if factor else None


def _rate(found: Lags) -> str:
    period = half_life_of(found.factor) or _doubling(found.factor)
    worth_telling = _has_rate(found) and period is not None and period <= found.lags[-1]
    return f"{_rate_words(found).capitalize()}." if worth_telling else ""


def _rate_words(found: Lags, *, past: bool = False) -> str:
    """Return `"it halves every 12 steps (95 %: 10 to 15)"`, or that it halved."""
    if not _has_rate(found):
        return "it had no rate that could be told from none"
    falls = found.factor is not None and found.factor < 1
    turned = half_life_of if falls else _doubling
    period = turned(found.factor)
    ends = [turned(found.factor_low), turned(found.factor_high)]
    known = sorted(end for end in ends if end is not None)
    said = [_period(end) for end in known]
    interval = f" (95 %: {said[0]} to {said[1]})" if len(said) == 2 and len({*said, _period(period or 0.0)}) > 1 else ""
    uneven = ", but at no even rate" if found.r_squared is not None and found.r_squared < _EVEN else ""
    assert period is not None
    every = "every step" if _period(period) == "1" else f"every {_period(period)} steps"
    verb = f"{'halve' if falls else 'double'}{'d' if past else 's'}"
    return f"it {verb} {every}{interval}{uneven}"


def _period(steps: float) -> str:
    return f"{steps:,.0f}" if steps >= 100 or math.isclose(steps, round(steps), rel_tol=1e-6) else f"{steps:.2g}"


def _figure(ratio: float) -> str:
    """Return a ratio with two digits.

    Example:
        >>> [_figure(ratio) for ratio in (0.000001907, 0.5, 1.0, 2216.8, 3.2e9)]
        ['1.9e-6', '0.5', '1', '2,200', '3.2e9']
    """
    if 0.001 <= ratio < 1e6 or ratio == 0:
        return f"{float(f'{ratio:.2g}'):,.6g}" if ratio < 100 else f"{float(f'{ratio:.2g}'):,.0f}"
    digits, exponent = f"{min(ratio, sys.float_info.max):.1e}".split("e")
    return f"{digits}e{int(exponent)}"


def _cut(found: Lags) -> list[str]:
    if not found.num_cut or found.cut_after is None:
        return []
    further = dict(zip(found.lags, found.counts, strict=True)).get(found.cut_after + 1, found.num_sequences)
    share = "" if found.num_cut == further else f" in {found.num_cut} of {found.num_sequences} sequences"
    where = f"No gradient comes beyond lag {found.cut_after}{share}" if found.cut_after >= 0 else f"No gradient comes to any step{share}"
    why = {
        "detached": "the graph is cut there, for what was read before still moves the output",
        "unread": "what was read before does not move the output either",
        None: "why cannot be told, for two equal calls of the module differ",
    }[found.cut]
    return [f"{where}: {why}."]


def _steps(number: int) -> str:
    return "1 step" if number == 1 else f"{number:,} steps"
