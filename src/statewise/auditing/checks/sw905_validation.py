"""SW905, SW906, SW912 and SW913: does accuracy climb, does validation hold, and is it a part of its own?"""

from __future__ import annotations

import re
from math import sqrt
from statistics import fmean
from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._history import noise_of
from statewise.training import MAX_RISE, best_epoch, finite, overfits_since, thirds

if TYPE_CHECKING:
    from statewise.auditing._history import HistorySubject

_OF_TEST = re.compile(r"(?<![a-z])test(?![a-z])", re.IGNORECASE)
"""The word by itself: `test_f1`, and not `latest`."""
_HIGH = 0.90
"""An accuracy from here on may well be the best that can be had."""


@check("SW905", "accuracy-stuck", needs=("accuracy_trend",), after=("SW901", "SW902", "SW903", "SW904", "SW908"))
def accuracy_stuck(subject: HistorySubject) -> Found:
    """Accuracy climbs.

    How:
        The mean accuracy of the last third of epochs is held against that of the first third and against the first epoch; a change within
        0.005, or within four standard deviations of the curve's noise, is none. An accuracy of 0.9 or more is not judged: it may be the
        best that can be had, or the share of a frequent class. Where `majority_accuracy` is given, being stuck there is a failure.
    Why:
        A falling loss can hide that no decision changes: the model grows surer of what it says of every case.
    Mend:
        Look whether the model only says the most frequent class; weigh classes, look at the labels, change the learning rate.
    """
    figures = subject.accuracies
    first, last = thirds(figures)
    limit = max(0.005, 4 * noise_of(figures) * sqrt(2 / (len(figures) // 3)))
    says = f"mean accuracy of the last third of {len(figures)} epochs {last:.3f}, of the first third {first:.3f}"
    if max(last - first, last - figures[0] - 4 * noise_of(figures)) > limit:
        return Found(status="pass", evidence=says, value=last - first, limit=limit)
    if subject.majority_accuracy is not None and abs(last - subject.majority_accuracy) <= 0.01:
        says += f", and the most frequent class has a share of {subject.majority_accuracy:.3f}"
        return Found(status="fail", evidence=says, value=last - first, limit=limit)
    if last >= _HIGH:
        return Found(status="not_applicable", evidence=f"{says}: it may be as high as it can be", value=last)
    return Found(status="warn", evidence=says, value=last - first, limit=limit)


@check("SW906", "overfitting", needs=("validation_trend",))
def overfitting(subject: HistorySubject) -> Found:
    """What is not trained on does not get worse while what is trained on gets better.

    How:
        By the rule of the training trace (at least two epochs follow the lowest validation loss, their mean lies more than 5 % above it,
        and the training loss ends lower), and only where the last third lies above the epochs around the lowest by more than four
        standard deviations of the curve's noise. The gap between training and validation is not judged: dropout makes training look worse.
        A failure where the rise is more than a fifth of the fall before it; a warning where it is less, or where validation accuracy does
        not fall; only observed where the weights from before were kept.
    Why:
        The model learns its training part by heart; the last weights are worse on anything new than earlier ones.
    Mend:
        Keep the weights of the best epoch or stop there; use dropout, weight decay, a smaller model or more data.
    """
    since = overfits_since(subject.epochs)
    losses = subject.valid_losses
    lowest = losses.index(min(losses))
    third = max(len(losses[lowest + 1 :]) // 3, 1)
    low, last = fmean(losses[max(lowest - 1, 0) : lowest + 2]), fmean(losses[-third:])
    limit = max(0.05 * abs(low), 4 * noise_of(losses) * sqrt(1 / 3 + 1 / third))
    says = f"lowest validation loss {losses[lowest]:.4g}, in the end {last:.4g}"
    if since is None or last - low <= limit:
        return Found(status="pass", evidence=says, value=last - low, limit=limit)
    says = f"overfits from epoch {since} on: {says}, while the training loss falls to {subject.losses[-1]:.4g}"
    ended, best = subject.history.ended(subject.phase), best_epoch(subject.history, subject.epochs, subject.phase)
    flagged = ended is not None or any(epoch.best for epoch in subject.epochs)
    if flagged and best is not None and best <= since:
        return Found(status="observed", evidence=f"{says}; the weights of epoch {best} were kept", value=last - low, limit=limit)
    much = last - low > MAX_RISE * max(losses[0] - low, 0.0) and not _accuracy_holds(subject)
    return Found(status="fail" if much else "warn", evidence=says, value=last - low, limit=limit, where=f"epoch {since}")


def _accuracy_holds(subject: HistorySubject) -> bool:
    """Whether validation accuracy does not fall from where the validation loss was lowest, by more than its noise."""
    both = [
        (loss, figure)
        for epoch in subject.epochs
        if (loss := finite(epoch.valid_loss)) is not None and (figure := finite(epoch.valid_accuracy)) is not None
    ]
    if len(both) < 5:
        return False
    figures, lowest = [figure for _, figure in both], min(range(len(both)), key=lambda at: both[at][0])
    third = max((len(both) - lowest) // 3, 1)
    return fmean(figures[-third:]) >= fmean(figures[max(lowest - 1, 0) : lowest + 2]) - max(0.005, 2 * noise_of(figures))


@check("SW912", "validation-equals-training")
def validation_equals_training(subject: HistorySubject) -> Found:
    """The figures of validation are not those of training.

    How:
        Training and validation losses, and accuracies, are compared epoch by epoch; three different figures are the least that is needed.
    Why:
        Validation on the training part sees no overfitting, and every choice that rests on it is blind.
    Mend:
        Split before training (`sw.split`), and give the other part to the validation loop.
    """
    compared = 0
    for name in ("loss", "accuracy"):
        pairs = [(getattr(epoch, f"train_{name}"), getattr(epoch, f"valid_{name}")) for epoch in subject.epochs]
        there = [pair for pair in pairs if finite(pair[0]) is not None and finite(pair[1]) is not None]
        if len({one for one, _ in there}) < 3:
            continue
        compared += 1
        same = sum(abs(one - other) <= 1e-6 * max(abs(one), abs(other)) for one, other in there)
        if same >= 0.9 * len(there):
            says = f"training and validation {name} are the same in {same} of {len(there)} epochs"
            return Found(status="fail", evidence=says, value=same / len(there), limit=0.9)
    if not compared:
        return Found(status="not_applicable", evidence="fewer than three epochs have different figures of both training and validation")
    return Found(status="pass", evidence="training and validation have figures of their own")


@check("SW913", "test-part-watched")
def watches_test_part(subject: HistorySubject) -> Found:
    """No figure of the test part is taken during training.

    How:
        The names of the figures of each epoch are looked through for the word `test`.
    Why:
        Whoever sees the test part in every epoch chooses by it: the epoch, the learning rate, the model. Its figures are too good then.
    Mend:
        Choose on a validation part; score the test part once, at the end.
    Seen in:
        titu1994/LSTM-FCN#7
    """
    names = sorted({name for epoch in subject.epochs for name in epoch.metrics if _OF_TEST.search(name)})
    if names:
        says = f"{', '.join(names)} recorded in training: nothing tells whether an epoch or a setting was chosen by it"
        return Found(status="observed", evidence=says)
    if not any(epoch.metrics for epoch in subject.epochs):
        return Found(status="not_applicable", evidence="the epochs hold no figures but losses and accuracies")
    return Found(status="pass", evidence="no figure of an epoch is named after a test part")
