"""SW901 to SW904: is the training loss finite, and does it fall without swinging or turning back?"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from statistics import fmean, median
from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._history import falls, noise_of
from statewise.training import MAX_RISE, STILL, thirds
from statewise.words import counted

if TYPE_CHECKING:
    from statewise.auditing._history import HistorySubject

_SIGMAS = 4.0
"""A mean of some epochs differs from another where it does so by this many standard deviations of the curve's noise."""
_WILD = 0.25
"""A rise by this share of the loss is more than the noise of a training that is merely stuck."""


@check("SW901", "loss-not-finite")
def loss_not_finite(subject: HistorySubject) -> Found:
    """Every loss of a training is a finite number.

    How:
        The losses of all updates and epochs are looked through; an absent one where the others are there was not finite. Fewer than 5
        epochs and 20 updates that are finite show nothing.
    Why:
        After one update with a loss that is not finite every weight is NaN, and what was trained later is worth nothing.
    Mend:
        Lower the learning rate, clip gradients, and look for extreme inputs and logarithms of zero.
    """
    if subject.broken:
        says = f"a loss is absent, infinite or NaN at {counted(len(subject.broken), 'place')}, first at {subject.broken[0]}"
        return Found(status="fail", evidence=says, value=float(len(subject.broken)), limit=0.0, where=subject.broken[0])
    says = f"all losses of {len(subject.epochs)} epochs and {len(subject.updates):,} updates are finite"
    if len(subject.losses) < 5 and len(subject.update_losses) < 20:
        return Found(status="not_applicable", evidence=f"{says}, and too few to call a training sound")
    return Found(status="pass", evidence=says)


@check("SW902", "loss-stuck", needs=("loss_trend",), after=("SW903", "SW904", "SW907", "SW909"))
def loss_stuck(subject: HistorySubject) -> Found:
    """The training loss falls.

    How:
        The mean of the last third of epochs is held against the first epoch and against the mean of the first third; a change within
        1 %, or within two standard deviations of the curve's noise, is none. Where updates are recorded, their first losses count too.
    Why:
        A model that does not learn answers with what its weights happened to be, or with the most frequent class.
    Mend:
        Look whether gradients arrive, inputs and labels belong together and are scaled; raise or lower the learning rate.
    """
    losses = subject.losses
    first, last = thirds(losses)
    begin = max(losses[0], median(subject.update_losses[:5]) if subject.update_losses else losses[0])
    third = len(losses) // 3
    noise = noise_of(losses) * sqrt(2 / third)
    limit = max(STILL * abs(first), 2 * noise)
    fall = max(first - last, begin - last - (_SIGMAS * noise_of(losses) if begin == losses[0] else 0.0))
    says = f"mean training loss of the last third of {len(losses)} epochs {last:.4g}, of the first third {first:.4g}"
    if last - first > max(limit, _SIGMAS * noise):
        return Found(status="pass", evidence=f"{says}: it moves, upwards (SW904)", value=fall, limit=limit)
    if fall > limit:
        return Found(status="pass", evidence=says, value=fall, limit=limit)
    return Found(status="fail", evidence=f"{says}: no more than its noise ({limit:.2g})", value=fall, limit=limit)


@check("SW903", "loss-oscillating", needs=("loss_trend",), after=("SW904", "SW907"))
def loss_oscillating(subject: HistorySubject) -> Found:
    """No epoch throws the training loss back by more than a fifth of its whole fall.

    How:
        Each rise from one epoch to the next is held against the fall from the first epoch to the lowest; where the loss does not fall at
        all, against a quarter of itself. One such rise is a warning; three or more, in a tenth of the epochs, a failure.
    Why:
        What is kept of such a training depends on the epoch at which it happened to end.
    Mend:
        Lower the learning rate, clip gradients, make batches larger; let the learning rate fall towards the end.
    """
    losses = subject.losses
    fall = losses[0] - min(losses)
    least = STILL if falls(losses) else _WILD
    rises = [(after - before, place) for place, (before, after) in enumerate(pairwise(losses), 1) if after - before > least * abs(before)]
    jumps = [(rise, place) for rise, place in rises if rise > MAX_RISE * fall * (1 + 1e-9)]
    if not jumps:
        says = f"no epoch rises by more than {MAX_RISE:g} of the whole fall of {fall:.3g}"
        return Found(status="pass", evidence=says, limit=MAX_RISE * fall)
    rise, place = max(jumps)
    epoch = subject.epochs[place].epoch
    often = len(jumps) >= 3 and len(jumps) >= 0.1 * len(losses)
    says = f"the loss rises by more than {MAX_RISE:g} of its whole fall of {fall:.3g} in {len(jumps)} of {len(losses)} epochs, "
    says += f"most in epoch {epoch}: from {losses[place - 1]:.3g} to {losses[place]:.3g}"
    return Found(status="fail" if often else "warn", evidence=says, value=rise, limit=MAX_RISE * fall, where=f"epoch {epoch}")


@check("SW904", "loss-diverging", needs=("loss_trend",), after=("SW907",))
def loss_diverging(subject: HistorySubject) -> Found:
    """The training loss does not turn back: it ends about as low as it has been.

    How:
        The mean of the last third of epochs is held against the lowest three epochs in a row. It counts as turned where it lies above by
        more than 5 %, half of the fall before, and four standard deviations of the curve's noise.
    Why:
        Training destroys what it has learnt; the last weights are worse than earlier ones.
    Mend:
        Lower the learning rate, clip gradients, and keep the weights of the best epoch.
    """
    losses = subject.losses
    means = [fmean(losses[max(at - 1, 0) : at + 2]) for at in range(len(losses))]
    lowest = min(range(len(losses)), key=means.__getitem__)
    third = max(len(losses) // 3, 1)
    last, low = fmean(losses[-third:]), means[lowest]
    limit = max(0.05 * abs(low), 0.5 * max(losses[0] - low, 0.0), _SIGMAS * noise_of(losses) * sqrt(1 / 3 + 1 / third))
    says = f"mean training loss of the last third of epochs {last:.4g}; around epoch {subject.epochs[lowest].epoch} it was {low:.4g}"
    if last - low > limit:
        return Found(status="fail", evidence=says, value=last - low, limit=limit, where=f"epoch {subject.epochs[lowest].epoch}")
    return Found(status="pass", evidence=says, value=last - low, limit=limit)
