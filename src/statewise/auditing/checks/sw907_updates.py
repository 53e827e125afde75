"""SW907 to SW911: do learning rate, gradient norms and clipping lie where training is safe?"""

from __future__ import annotations

from math import sqrt
from statistics import fmean, median
from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._history import falls, noise_of
from statewise.training import MAX_SPIKE_SHARE, NORM_HIGH, NORM_LOW, SPIKE_EXEMPT, SPIKE_RATIO, SPIKE_WINDOW, spikes_of

if TYPE_CHECKING:
    from statewise.auditing._history import HistorySubject


@check("SW907", "learning-rate-too-high", needs=("update_losses",))
def learning_rate_too_high(subject: HistorySubject) -> Found:
    """The first updates do not blow the loss up.

    How:
        The median loss of nine updates in a row is held against twice the median of the first five. It counts where a tenth of all updates
        lies above one and a half times that too; a warning where the loss ends below half of its beginning.
    Why:
        The steps are larger than the valley is wide: training swings, settles on a high plateau, or ends in NaN.
    Mend:
        Lower the learning rate tenfold and compare; warm it up over the first updates; clip gradients.
    """
    losses = subject.update_losses
    begin = median(losses[:5])
    worst = max(median(losses[at : at + 9]) for at in range(len(losses) - 8))
    share = fmean(loss > 1.5 * begin for loss in losses)
    says = (
        f"the first updates have a loss of {begin:.3g}, the worst nine in a row {worst:.3g}, and {share:.0%} lie above 1.5 times the first"
    )
    if begin <= 0 or worst <= 2 * begin or share < 0.1:
        return Found(status="pass", evidence=says, value=worst, limit=2 * begin)
    recovers = median(losses[-max(len(losses) // 10, 9) :]) < 0.5 * begin
    return Found(status="warn" if recovers else "fail", evidence=says, value=worst, limit=2 * begin)


@check("SW908", "learning-rate-too-low", needs=("long_loss_trend",))
def learning_rate_too_low(subject: HistorySubject) -> Found:
    """The training loss falls faster in the beginning than in the end, or falls far.

    How:
        A fall of 1 to 5 % over all epochs that is more than the curve's noise, and in the second half at least 0.7 times that in the first.
    Why:
        Training has not ended but only crept: a larger step, or many more epochs, would have found a better model.
    Mend:
        Raise the learning rate tenfold and compare; or train for many more epochs.
    """
    losses = subject.losses
    half, edge = len(losses) // 2, max(len(losses) // 5, 1)
    begin, middle, end = (fmean(part) for part in (losses[:edge], losses[half - edge // 2 : half + edge - edge // 2], losses[-edge:]))
    fall = begin - end
    share = fall / abs(begin) if begin else 0.0
    says = f"the training loss falls by {share:.1%} over {len(losses)} epochs, by {begin - middle:.2g} in the first half and by "
    says += f"{middle - end:.2g} in the second"
    creeps = falls(losses) and fall > 6 * noise_of(losses) * sqrt(2 / edge) and middle - end >= 0.7 * (begin - middle) > 0
    if creeps and share < 0.05:
        return Found(status="warn", evidence=says, value=share, limit=0.05)
    return Found(status="pass", evidence=says, value=share, limit=0.05)


@check("SW909", "gradient-norm-unsafe", needs=("updates",), after=("SW907",))
def gradient_norm_unsafe(subject: HistorySubject) -> Found:
    """The norm of all gradients together is finite, and its median neither tiny nor large.

    How:
        The median over all updates, before clipping, is held against the safe range of 1e-4 to 10. A failure where the loss does not fall,
        or a norm is not finite; a warning where it falls nonetheless, for a loss that is summed has large gradients.
    Why:
        Tiny gradients teach nothing, and with large ones each update is a throw.
    Mend:
        Standardise the inputs, average the loss; against tiny ones gated cells (lstm, gru) and fewer steps to carry over, against large
        ones a lower learning rate and clipping.
    Seen in:
        pytorch/pytorch#309
    """
    broken = len(subject.updates) - len(subject.norms)
    if broken:
        says = f"{broken} of {len(subject.updates):,} norms are not finite"
        return Found(status="fail", evidence=says, value=float(broken), limit=0.0)
    middle = median(subject.norms)
    says = f"median norm {middle:.3g} over {len(subject.norms):,} updates; the safe range is {NORM_LOW:g} to {NORM_HIGH:g}"
    if NORM_LOW <= middle <= NORM_HIGH:
        return Found(status="pass", evidence=says, value=middle, limit=NORM_HIGH)
    limit = NORM_LOW if middle < NORM_LOW else NORM_HIGH
    return Found(status="warn" if subject.learns else "fail", evidence=says, value=middle, limit=limit)


@check("SW910", "gradient-spikes", needs=("updates",), after=("SW907", "SW909"))
def gradient_spikes(subject: HistorySubject) -> Found:
    """Hardly any update has a gradient far above those before it.

    How:
        The norm of each update is held against 10 times the median of the 50 before it; the first 20 are exempt. At most 1 % may lie above,
        and never fewer than two: healthy norms fall many-fold as a run converges, so that the whole run's median tells nothing.
    Why:
        One such update can undo many; clipping hides it, and the sequences that cause it stay unseen.
    Mend:
        Look at the sequences of these batches, clip gradients, lower the learning rate.
    """
    spikes, judged = spikes_of(subject.norms)
    if judged < SPIKE_WINDOW:
        return Found(status="not_applicable", evidence=f"fewer than {SPIKE_WINDOW} updates follow the first {SPIKE_EXEMPT}")
    says = f"{len(spikes)} of {judged:,} updates lie above {SPIKE_RATIO:g} times the median of the {SPIKE_WINDOW} before them"
    share = len(spikes) / judged
    if share <= MAX_SPIKE_SHARE or len(spikes) < 2:
        return Found(status="pass", evidence=says, value=share, limit=MAX_SPIKE_SHARE)
    where = f"update {subject.measured[spikes[0]].update}"
    return Found(status="warn", evidence=f"{says}, first in {where}", value=share, limit=MAX_SPIKE_SHARE, where=where)


@check("SW911", "clipping-always-on", needs=("updates",), after=("SW907", "SW909"))
def clipping_always_on(subject: HistorySubject) -> Found:
    """Gradients are clipped now and then, and not in every update.

    How:
        The share of updates whose gradients were scaled down, over all and over the last third; at least 95 % of both is a warning.
    Why:
        The limit of the clipping, and not the gradient, sets the length of each step: the learning rate means something else than it says.
    Mend:
        Raise the limit to about the median norm, lower the learning rate instead, or standardise the inputs.
    """
    shares = [fmean(update.clipped for update in part) for part in (subject.updates, subject.updates[-(len(subject.updates) // 3) :])]
    says = f"{shares[0]:.0%} of {len(subject.updates):,} updates were clipped, {shares[1]:.0%} of the last third"
    return Found(status="warn" if min(shares) >= 0.95 else "pass", evidence=says, value=min(shares), limit=0.95)
