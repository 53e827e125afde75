"""SW801 to SW805: do perfect answers get the best score, ignorant ones none, and is the metric read along the right axis?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._metric_answers import draw, segments, square
from statewise.auditing._metric_doors import MetricFailedError, nearly

if TYPE_CHECKING:
    from statewise.auditing._metric import MetricSubject
    from statewise.auditing._outcome import Status

_ENDS = (0.0, 1.0, 100.0)
_TRIED = 3
"""Of more classes than are tried by itself, the number was told."""
_HIGH = 0.75
"""More than any usual metric gives to answers of two classes that know nothing."""


@check("SW801", "perfect-answers-not-best", needs=("function", "scores_repeat"), after=("SW803", "SW805", "SW808", "SW811", "SW806"))
def perfect_answers_not_best(subject: MetricSubject) -> Found:
    """Perfect answers get the best score there is: 1, or an error of 0.

    How:
        The targets are given as answers, and held against answers of which a third are wrong and against eight that know nothing.
    Why:
        A score that even perfect answers do not reach cannot tell how good a model is.
    Mend:
        Ask the metric about the targets themselves: padding that is counted, an axis or a class that is off by one show at once.
    Seen in:
        Lightning-AI/torchmetrics#1691, Lightning-AI/torchmetrics#613
    """
    best, others = subject.best, [subject.usual, *subject.randoms]
    if np.isfinite(best) and all(nearly(each, best) for each in others):
        return Found(status="not_applicable", evidence="all answers get the same score (SW805)")
    says = f"perfect answers score {best:.4g}, those of which a third are wrong {subject.usual:.4g}, "
    says += f"random ones {np.mean(subject.randoms):.4g}"
    if not np.isfinite(best):
        return Found(status="fail", evidence=f"{says} (is it of values? ask with task='regress')", limit=1.0)
    sign = 1 if subject.higher else -1
    rival = max((each for each in others if np.isfinite(each)), key=lambda each: sign * each, default=best)
    if sign * (rival - best) > 2e-5 * max(abs(best), 1):
        return Found(status="fail", evidence=f"{says}; {'higher' if subject.higher else 'lower'} is better", value=best, limit=rival)
    if min(abs(best - end) for end in _ENDS) <= 2e-3:
        return Found(status="pass", evidence=says, value=best, limit=1.0 if subject.higher else 0.0)
    within = min(others) >= 0 and max(*others, best) <= 1
    small = not subject.higher and best <= 0.05 * float(np.mean(subject.randoms))
    return Found(status="fail" if within and not small else "observed", evidence=says, value=best, limit=1.0 if subject.higher else 0.0)


@check("SW802", "random-answers-score-high", needs=("function", "scores_repeat", "metric_of_classes"), after=("SW804", "SW805", "SW803"))
def random_answers_score_high(subject: MetricSubject) -> Found:
    """Answers that know nothing get a low score.

    How:
        Uniform answers to balanced targets of two classes, ten draws of 100; a mean score above 0.75 is a failure. A metric that is told to
        be of more than three classes, or cannot have two, is asked with its own, and what it says is only told: a specificity of many
        classes is high by right.
    Why:
        What chance reaches is the zero of a score; where it is near the best, every model looks good.
    Mend:
        Score random answers first, and print them beside the model's.
    """
    if not subject.higher:
        return Found(status="not_applicable", evidence="lower is better, so that chance has no known score")
    for count in dict.fromkeys((2, subject.num_classes) if subject.num_classes <= _TRIED else (subject.num_classes,)):
        try:
            scores = [_of_chance(subject, count, number) for number in range(10)]
        except MetricFailedError:
            continue
        mean = float(np.mean(scores))
        says = f"random answers of {count} classes score {mean:.3f} on average; perfect ones {subject.best:.3f}"
        high = mean > _HIGH * subject.best
        status: Status = "pass" if not high else "fail" if count == 2 else "observed"
        return Found(status=status, evidence=says, value=mean, limit=_HIGH * subject.best)
    return Found(status="not_applicable", evidence="the metric takes no 100 sequences")


def _of_chance(subject: MetricSubject, count: int, number: int) -> float:
    asked = draw(subject.seed + number, num=100, num_classes=count, by_step=subject.by_step)
    return subject.door.score(asked.random(np.random.default_rng((subject.seed, number, 7))))


@check("SW803", "argmax-over-wrong-axis", needs=("function", "metric_of_classes"))
def argmax_over_wrong_axis(subject: MetricSubject) -> Found:
    """The answer is the largest score among the classes of one step, not among the steps of one class.

    How:
        Scores of as many sequences (and steps) as there are classes, so that every axis fits: perfect ones must score as others do. What
        can be called in no other shape is told too.
    Why:
        The metric is of other answers than the model's, near chance or constant; where sizes happen to agree nothing is raised.
    Mend:
        argmax(-1) where classes come last, argmax(1) on [batch, classes, steps]; check on perfect scores.
    """
    if subject.door.given not in {"probabilities", "logits"}:
        return Found(status="not_applicable", evidence="the metric is given decisions, and takes no largest score")
    count = subject.num_classes
    if count < 3:
        return Found(status="not_applicable", evidence="of two classes every axis says the same")
    asked = square(count, by_step=subject.by_step)
    try:
        best, turned = subject.door.score(asked), subject.door.score(replace(asked, answers=asked.answers[-2:] + asked.answers[:-2]))
    except MetricFailedError as problem:
        return Found(status="not_applicable", evidence=f"so few sequences are refused: {problem}")
    says = f"perfect scores of {count} sequences and {count} classes score {best:.4g}"
    if subject.is_square:
        good = nearly(best, 1.0) or (nearly(best, 0.0) and not nearly(turned, 1.0))
        says = f"{says}; with other numbers of sequences than classes the metric fails"
        return Found(status="warn" if good else "fail", evidence=says, value=best, limit=1.0)
    worse = (subject.best - best) * (1 if subject.higher else -1)
    if worse <= 0.01 * max(abs(each - subject.best) for each in subject.randoms):
        return Found(status="pass", evidence=says, value=best, limit=subject.best)
    return Found(status="fail", evidence=f"{says}, and {subject.best:.4g} in other shapes", value=best, limit=subject.best)


@check("SW804", "point-adjusted", needs=("function", "scores_repeat", "metric_of_classes"))
def point_adjusted(subject: MetricSubject) -> Found:
    """Random alarms do not count as finding whole events.

    How:
        A binary series with five events of 50 steps, and random alarms at 5 % of the steps; then the same pairs of target and answer in
        another order. A score that is above 0.5 with events, and falls by 0.3 or more without, adjusts.
    Why:
        With one hit each step of an event is taken for found: random alarms reach an F1 of 0.9 that is 0.1 step by step.
    Mend:
        Score steps as they are, or whole events with their false alarms and the delay, and print random alarms beside.
    Seen in:
        thuml/Anomaly-Transformer#34, NetManAIOps/OmniAnomaly#19
    """
    if subject.door.is_model or subject.door.is_padded or not subject.higher:
        return Found(status="not_applicable", evidence="the metric is given no flat series of steps, or lower is better")
    try:
        scores = [[subject.door.score(segments(subject.seed + number, shuffled=mixed)) for number in range(5)] for mixed in (False, True)]
    except MetricFailedError as problem:
        return Found(status="not_applicable", evidence=f"the metric takes no series of two classes: {problem}")
    whole, mixed = (float(np.mean(each)) for each in scores)
    says = f"random alarms score {whole:.3f} where events last 50 steps, and {mixed:.3f} on the same pairs in another order"
    adjusted = whole > 0.5 and whole - mixed > 0.3
    return Found(status="fail" if adjusted else "pass", evidence=says, value=whole, limit=mixed + 0.3)


@check("SW805", "answers-unread", needs=("function",))
def answers_unread(subject: MetricSubject) -> Found:
    """Other answers get another score.

    How:
        Perfect answers, answers of which a third are wrong, and eight that know nothing are scored.
    Why:
        A score that is the same for all, such as the accuracy of the only output of a regression, says nothing at all.
    Mend:
        Take a metric of the task: errors for values; classes for decisions.
    Seen in:
        tflearn/tflearn#79
    """
    scores = [subject.best, subject.usual, *subject.randoms]
    if not np.isfinite(scores).all():
        return Found(status="not_applicable", evidence="some answers get a score that is not finite")
    says = f"scores of perfect, noisy and random answers lie between {min(scores):.4g} and {max(scores):.4g}"
    if all(nearly(each, scores[0]) for each in scores):
        return Found(status="fail", evidence=says, value=scores[0])
    return Found(status="pass", evidence=says)
