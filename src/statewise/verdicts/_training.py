"""Did training go well? The bands of a history: finite losses, a falling loss, a steady validation accuracy, safe gradients.

Rules (the policy holds the numbers):
- **Finite**: no loss of an epoch or an update is absent, infinite or not a number, and training did not stop because of one.
- **Training loss**, of each phase: the mean of the last third of epochs is below that of the first third, and no epoch rises by more
  than `max_rise` of the whole fall, from the first epoch to the lowest. A third is floor(epochs / 3); below 3 epochs there is no trend.
- **Validation accuracy**: the same reversed. A fall that stays within the interval of the earlier figure is none: *stable*. Where a
  task has no accuracy, the **validation loss** takes its place; a rise of at most 1 % is none, for it has no interval.
- **Gradient norms**, of all gradients together before clipping: their median in the safe range, spikes rare, none non-finite.
  Never compared with the median of the whole run: healthy norms fall many-fold while a run converges.

What cannot be judged counts as absent evidence where the policy requires the history; else it is only said.
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Literal, TypeAlias

from statewise.runs import Started
from statewise.tasks import TASKS
from statewise.training import STILL, broken_places, spikes_of, thirds, training_trace
from statewise.verdicts._reasons import Findings, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statewise.runs import Epoch, History
    from statewise.verdicts._policy import GradientRules, Policy

_Phase: TypeAlias = Literal["fit", "refit"]

_SMALLER_STEPS = "Lower the learning rate (lr=), or clip gradients."
_HAIR = 1e-12  # differences of decimal figures are not exact in binary


def judge_training(history: History, policy: Policy, *, required: bool, task: str | None = None) -> Findings:
    """Hold a history against the bands of a policy.

    Args:
        history: the records of a run, or of any training.
        policy: the rules.
        required: whether a band that cannot be judged is absent evidence or only a remark.
        task: what was trained, where something else than the history says so.
    """
    found = [_finite_losses(history)]
    for phase in _phases(history):
        found.append(_training_loss(history.epochs(phase), phase, policy))
        found += _gradients(history, phase, policy.gradients)
    epochs = history.epochs("fit") or history.epochs("refit")
    found.append(_validation_accuracy(epochs, policy) if _has_accuracy(history, task) else _validation_loss(epochs, policy))
    reasons = [reason for reason in found if required or reason.points_to != "not_enough_evidence"]
    unjudged = [f"Not judged: {reason.subject}. {reason.says}" for reason in found if reason not in reasons]
    return Findings(reasons=tuple(reasons), notes=(*unjudged, *_notes(history)))


def _phases(history: History) -> list[_Phase]:
    phases: tuple[_Phase, ...] = ("fit", "refit")
    return [phase for phase in phases if history.epochs(phase)] or ["fit"]


def _of(phase: _Phase) -> str:
    return "" if phase == "fit" else " of the refit"


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _finite_losses(history: History) -> Reason:
    subject, num_epochs, num_updates = "finite losses", 0, 0
    for phase in _phases(history):
        broken = broken_places(history, phase)
        if broken:
            says = (
                f"The loss{_of(phase)} is not finite at {len(broken)} places, first at {broken[0]}: the weights after it cannot be trusted."
            )
            return Reason(subject=subject, points_to="not_ready", says=says, do=_SMALLER_STEPS + " Look for extreme inputs.")
        num_epochs, num_updates = num_epochs + len(history.epochs(phase)), num_updates + len(history.updates(phase))
    return Reason(subject=subject, points_to="ready", says=f"All losses of {num_epochs} epochs and {num_updates} updates are finite.")


def _training_loss(epochs: Sequence[Epoch], phase: _Phase, policy: Policy) -> Reason:
    subject = f"training loss{_of(phase)}"
    losses = [loss for epoch in epochs if (loss := epoch.train_loss) is not None and math.isfinite(loss)]
    if len(losses) < 3 or len(losses) < len(epochs):
        what = f"{len(epochs)} epochs are" if len(epochs) != 1 else "1 epoch is"
        says = f"{what} too few for a trend." if len(losses) == len(epochs) else "Not every epoch has a finite loss, so there is no trend."
        return Reason(subject=subject, points_to="not_enough_evidence", says=says, do="Train for at least 3 epochs.")
    first, last = thirds(losses)
    fall = losses[0] - min(losses)
    rise, at = max((later - earlier, place) for place, (earlier, later) in enumerate(pairwise(losses), 1))
    says = f"Mean of the last third of {len(losses)} epochs {last:.4g}, of the first third {first:.4g}."
    if last >= first - _HAIR:
        says += " The loss does not fall: training stopped learning, or never began."
        do = "Raise or lower the learning rate (lr=), and check that inputs and labels belong together."
        return Reason(subject=subject, points_to="needs_work", says=says, do=do, value=last, limit=first, limit_kind="below")
    if rise > policy.training.max_rise * fall + _HAIR:
        number = epochs[at].epoch
        allowed = f"{policy.training.max_rise:g} of the whole fall of {fall:.4g}"
        says = f"The loss jumps: it rises by {rise:.4g} in epoch {number}, more than {allowed}."
        limit = policy.training.max_rise * fall
        return _jump(f"{subject}, largest rise", says, value=rise, limit=limit)
    return Reason(subject=subject, points_to="ready", says=says, value=last, limit=first, limit_kind="below")


def _jump(subject: str, says: str, *, value: float, limit: float) -> Reason:
    return Reason(subject=subject, points_to="needs_work", says=says, do=_SMALLER_STEPS, value=value, limit=limit, limit_kind="at most")


def _has_accuracy(history: History, task: str | None) -> bool:
    """Whether there is an accuracy in the task that was trained."""
    task = task or next((record.task for record in history.records if isinstance(record, Started)), None)
    return task not in TASKS or TASKS[task].holds == "classes"


def _validation_loss(epochs: Sequence[Epoch], policy: Policy) -> Reason:
    subject = "validation loss"
    watched = [epoch for epoch in epochs if _is_finite(epoch.valid_loss)]
    losses = [epoch.valid_loss or 0.0 for epoch in watched]
    if len(losses) < 3:
        says = "There is none." if not losses else f"{len(losses)} epochs with one are too few for a trend."
        do = "Give a validation part, and train for at least 3 epochs."
        return Reason(subject=subject, points_to="not_enough_evidence", says=says, do=do)
    first, last = thirds(losses)
    says = f"Mean of the last third of {len(losses)} epochs {last:.4g}, of the first third {first:.4g}."
    limit = first + STILL * abs(first)
    if last > limit:
        says += " The validation loss rises: the model gets worse on what it did not learn from."
        do = "Stop earlier, or regularise: dropout, weight decay, a smaller model, more data."
        return Reason(subject=subject, points_to="needs_work", says=says, do=do, value=last, limit=limit, limit_kind="at most")
    fall = losses[0] - min(losses)
    allowed = [max(policy.training.max_rise * fall, STILL * abs(before)) for before in losses[:-1]]
    rises = [(now - before, at) for at, (before, now) in enumerate(pairwise(losses), 1) if now - before > allowed[at - 1] + _HAIR]
    if rises:
        rise, at = max(rises)
        number = watched[at].epoch
        says = f"The validation loss jumps: it rises by {rise:.4g} in epoch {number}, more than {policy.training.max_rise:g} of its fall."
        limit = allowed[at - 1]
        return _jump(f"{subject}, largest rise", says, value=rise, limit=limit)
    return Reason(subject=subject, points_to="ready", says=says, value=last, limit=limit, limit_kind="at most")


def _validation_accuracy(epochs: Sequence[Epoch], policy: Policy) -> Reason:
    subject = "validation accuracy"
    watched = [epoch for epoch in epochs if _is_finite(epoch.valid_accuracy)]
    if len(watched) < 3:
        says = "There is none." if not watched else f"{len(watched)} epochs with one are too few for a trend."
        do = "Give a validation part, and train for at least 3 epochs."
        return Reason(subject=subject, points_to="not_enough_evidence", says=says, do=do)
    figures = [epoch.valid_accuracy or 0.0 for epoch in watched]
    lows = [epoch.valid_accuracy_low if epoch.valid_accuracy_low is not None else epoch.valid_accuracy or 0.0 for epoch in watched]
    first, last = thirds(figures)
    limit = thirds(lows)[0]
    climb = max(figures) - figures[0]
    says = f"Mean of the last third of {len(watched)} epochs {last:.3f}, of the first third {first:.3f}."
    if not any(epoch.valid_accuracy_low is not None for epoch in watched):
        says += " It has no interval here, so that chance could not be allowed for."
    if last < limit - _HAIR:
        says += " Validation accuracy falls: the model gets worse on what it did not learn from."
        do = "Stop earlier, or regularise: dropout, weight decay, a smaller model, more data."
        return Reason(subject=subject, points_to="needs_work", says=says, do=do, value=last, limit=limit)
    falls = [(before - now, place) for place, (before, now) in enumerate(pairwise(figures), 1) if now < lows[place - 1] - _HAIR]
    fall, at = max(falls, default=(0.0, 0))
    if fall > policy.training.max_rise * climb + _HAIR:
        says = (
            f"Validation accuracy drops by {fall:.3f} in epoch {watched[at].epoch}, out of the interval before, and by more than "
            f"{policy.training.max_rise:g} of the whole climb of {climb:.3f}."
        )
        limit = policy.training.max_rise * climb
        return _jump(f"{subject}, largest drop", says, value=fall, limit=limit)
    if last <= first + _HAIR:
        says += " It does not climb, and any fall stays within its interval: stable."
    return Reason(subject=subject, points_to="ready", says=says, value=last, limit=limit)


def _gradients(history: History, phase: _Phase, rules: GradientRules) -> Iterator[Reason]:
    subject = f"gradient norms{_of(phase)}"
    updates = history.updates(phase)
    if not updates:
        says = "This history has no record of them."
        yield Reason(subject=subject, points_to="not_enough_evidence", says=says, do="Train with statewise fit, which records each update.")
        return
    norms = [norm for update in updates if (norm := update.gradient_norm) is not None and math.isfinite(norm)]
    broken = len(updates) - len(norms)
    if broken:
        says = f"{broken} of {len(updates)} norms are not finite."
        yield Reason(
            subject=subject, points_to="needs_work", says=says, do=_SMALLER_STEPS, value=float(broken), limit=0.0, limit_kind="at most"
        )
    if norms:
        yield _median_norm(norms, subject, rules)
        yield _spikes(norms, subject, rules)


def _median_norm(norms: Sequence[float], subject: str, rules: GradientRules) -> Reason:
    middle = median(norms)
    says = f"Median {middle:.3g} over {len(norms)} updates; the safe range is {rules.median_low:g} to {rules.median_high:g}."
    if middle < rules.median_low:
        says += " Too small: gradients vanish, and little is learnt."
        do = "Use gated cells (lstm, gru), fewer steps to carry over, another scale of the inputs, or a larger learning rate."
        return Reason(subject=subject, points_to="needs_work", says=says, do=do, value=middle, limit=rules.median_low)
    if middle > rules.median_high:
        says += " Too large: gradients explode."
        do = "Standardise the inputs, lower the learning rate, and clip gradients."
        return Reason(
            subject=subject, points_to="needs_work", says=says, do=do, value=middle, limit=rules.median_high, limit_kind="at most"
        )
    return Reason(subject=subject, points_to="ready", says=says, value=middle, limit=rules.median_high, limit_kind="at most")


def _spikes(norms: Sequence[float], subject: str, rules: GradientRules) -> Reason:
    """Count updates far above the median of those just before them."""
    spikes, num_judged = spikes_of(norms, ratio=rules.spike_ratio, window=rules.spike_window, exempt=rules.spike_exempt)
    share = len(spikes) / num_judged if num_judged else 0.0
    says = (
        f"{len(spikes)} of {num_judged} updates lie above {rules.spike_ratio:g} times the median of the {rules.spike_window} before them "
        f"(the first {rules.spike_exempt} are exempt)."
    )
    within = share <= rules.max_spike_share
    return Reason(
        subject=subject.replace("norms", "spikes"),
        points_to="ready" if within else "needs_work",
        says=says,
        do="" if within else _SMALLER_STEPS + " Look at the sequences of the batches that spike.",
        value=share,
        limit=rules.max_spike_share,
        limit_kind="at most",
    )


def _notes(history: History) -> Iterator[str]:
    trace = training_trace(history) if any(map(history.epochs, _phases(history))) else None
    if trace is not None and trace.overfits_since is not None:
        kept = "" if trace.best_epoch is None else f" The weights of epoch {trace.best_epoch} were kept."
        yield f"Overfitting from epoch {trace.overfits_since} on: the validation loss rises while the training loss falls.{kept}"
    ended = history.ended()
    if ended is not None and ended.reason == "interrupted":
        yield f"Training was interrupted after {len(history.epochs())} epochs."
    if ended is None and history.updates():
        yield "Training has not ended: the record stops in the middle."
