"""What do the metrics say against the limits? Enough cases, skill, each limit, and the accuracy paradox in words.

Rules:
- **Enough**: at least `min_units` independent units. Two classes: at least `min_positives` of the positive class, in as many
  independent units (30 positive steps of one group are one positive). Several classes, or labels, have no positive one: their
  limits judge averages over classes, so `min_positives` is what a class needs on average, and each must occur at all.
- **Skill**: as in `_skill.py`.
- **Limits**: as in `_reasons.py`; an error keeps to its limit when the upper end of its interval does. Limits made for classes are
  not judged of another task. Two classes with few positives: the limits on accuracy, precision and F1 are dropped, and count as
  absent evidence until the policy says what a mistake costs.
- **Bad bands** (near chance; precision or recall below 0.50; F1 below 0.60) only word a reason, they never decide.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from statewise.evaluation import FACTS, metric_words
from statewise.verdicts._mistakes import share_of_positives
from statewise.verdicts._reasons import POINTS_TO, Findings, LimitKind, Reason, Standing, percent, quoted, stand, standing_says
from statewise.verdicts._skill import judge_skill, more, unit_words
from statewise.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statewise.evaluation import Estimate, Evaluation
    from statewise.verdicts._policy import Policy

_DROPPED_WHEN_RARE: tuple[str, ...] = ("accuracy", "precision", "f1")
_OF_ALL_CASES = ("accuracy", "balanced_accuracy", "subset_accuracy", "hamming_accuracy")
_OF_CLASSES = (
    "accuracy", "balanced_accuracy", "mcc", *(each for each, facts in FACTS.items() if facts.of in {"a class", "probabilities"}),
)  # fmt: skip
_OF_LABELS: tuple[str, ...] = ("balanced_accuracy", "precision", "recall", "f1")
_SUFFICES = {
    "values": "no size of an error is good everywhere, so that skill suffices unless the policy limits mse, rmse, mae, r2 or skill",
    "classes": "skill suffices unless the policy limits bits, cross_entropy, perplexity or skill",
    "labels": "for labels there are subset_accuracy and hamming_accuracy",
}
_BAD_BELOW: dict[str, float] = {"precision": 0.50, "recall": 0.50, "f1": 0.60}


def judge_figures(evaluation: Evaluation, policy: Policy) -> Findings:
    """Hold the metrics of an evaluation against a policy."""
    dropped = _dropped(evaluation, policy)
    reasons = [judge_skill(evaluation)]
    unjudged = {*dropped, *_meant_for_classes(evaluation, policy)}
    reasons += [_limit(evaluation, policy, metric, limit) for metric, limit in policy.limits.items() if metric not in unjudged]
    reasons += _enough(evaluation, policy)
    notes = list(_notes(evaluation, policy))
    if dropped and policy.knows_mistakes:
        words = listed(name(metric) for metric in dropped)
        notes.append(f"Positives are rare: the limits on {words} do not fit and were not judged; what a mistake costs was.")
    elif dropped:
        reasons.append(_what_does_a_miss_cost(evaluation, policy, dropped))
    return Findings(reasons=tuple(reasons), notes=tuple(notes))


def _meant_for_classes(evaluation: Evaluation, policy: Policy) -> list[str]:
    """Return the limits of a policy that have no meaning for another task than telling classes apart."""
    if evaluation.confusion.counts:
        return []
    kept = _OF_LABELS if evaluation.holds == "labels" else ()
    return [metric for metric in policy.limits if metric in _OF_CLASSES and metric not in kept]


def name(metric: str) -> str:
    """Return the metric as it stands in a sentence."""
    return "F1" if metric == "f1" else metric_words(metric)


def is_rare(evaluation: Evaluation, policy: Policy) -> bool:
    """Whether there are two classes and so few positives that bands for balanced classes do not fit."""
    return evaluation.prevalence is not None and share_of_positives(evaluation, policy) < policy.evidence.rare_positives_below


def _dropped(evaluation: Evaluation, policy: Policy) -> list[str]:
    return [metric for metric in policy.limits if is_rare(evaluation, policy) and metric in _DROPPED_WHEN_RARE]


def _subject(evaluation: Evaluation, metric: str) -> str:
    if metric == "skill":
        return f"skill against {evaluation.judged_baseline}"
    if metric in _OF_ALL_CASES or not evaluation.per_class:
        return name(metric)
    of_many = "labels" if evaluation.holds == "labels" else "classes"
    return f"{name(metric)} of '{evaluation.positive}'" if evaluation.positive is not None else f"{name(metric)}, mean of {of_many}"


def _of_many(count: int, of: int, what: str) -> str:
    """Return the subject and verb of a sentence about some of many.

    Example:
        >>> _of_many(88, 100, "positives"), _of_many(1, 2400, "answers")
        ('88 of 100 positives are', '1 of 2,400 answers is')
    """
    return f"{count:,} of {of:,} {what} {'is' if count == 1 else 'are'}"


def _limit(evaluation: Evaluation, policy: Policy, metric: str, limit: float) -> Reason:
    subject = _subject(evaluation, metric)
    estimate = evaluation.metrics.get(metric)
    if estimate is None:
        return Reason(
            subject=subject,
            points_to="not_enough_evidence",
            says=f"The policy has a limit on {name(metric)}, and the evaluation has no such figure.",
            do="Evaluate again with this version, or take the limit out of the policy.",
            limit=limit,
        )
    kind: LimitKind = "at most" if FACTS[metric].lower_is_better else "at least"
    standing = stand(estimate, limit, bounds=policy.bounds, kind=kind)
    words = [standing_says(standing, estimate, bounds=policy.bounds)]
    if standing != "met":
        words += _what_it_means(evaluation, metric, estimate)
    return Reason(
        subject=subject,
        points_to=POINTS_TO[standing],
        says=" ".join(words),
        do=_what_to_do(evaluation, metric, estimate, limit, standing),
        limit_kind=kind,
        **quoted(estimate, limit),
    )


def _what_it_means(evaluation: Evaluation, metric: str, estimate: Estimate) -> Iterator[str]:
    """Yield what a figure that is not good enough means in counts, and whether it lies in a bad band."""
    if evaluation.positive is None:
        yield from _worst_class(evaluation, metric)
    elif metric == "recall":
        yield from _missed_positives(evaluation)
    elif metric == "precision":
        yield from _false_alarms(evaluation)
    if metric == "accuracy":
        yield _against_the_majority(evaluation)
    bad = _BAD_BELOW.get(metric)
    if bad is not None and estimate.value < bad:
        yield f"Below {bad:.2f} is bad."
    elif metric in _OF_ALL_CASES and _is_near_chance(evaluation):
        yield "The model is near chance."


def _is_near_chance(evaluation: Evaluation) -> bool:
    """Whether balanced accuracy has come less than a tenth of the way from chance to 1."""
    estimate = evaluation.metrics.get("balanced_accuracy")
    return estimate is not None and estimate.value - evaluation.chance < 0.1 * (1 - evaluation.chance)


def _missed_positives(evaluation: Evaluation) -> Iterator[str]:
    accuracy, recall = evaluation.metrics["accuracy"].value, evaluation.metrics["recall"].value
    positives = evaluation.num_positives or 0
    if not positives:
        yield f"There is no positive ('{evaluation.positive}') in the test data."
        return
    yield (
        f"Accuracy is {percent(accuracy, digits=1)} and recall {percent(recall)}: "
        f"{_of_many(evaluation.num_missed or 0, positives, 'positives')} missed."
    )
    if evaluation.majority_class == evaluation.positive:
        return
    always = f'Always answering "{evaluation.majority_class}" would be {percent(evaluation.majority_accuracy)} accurate'
    if evaluation.majority_accuracy >= accuracy:
        always += ": accuracy is high only because positives are rare" if accuracy >= 0.8 else ", no less than this model"
    yield f"{always}."


def _false_alarms(evaluation: Evaluation) -> Iterator[str]:
    column = evaluation.confusion.class_names.index(evaluation.positive or "")
    alarms = sum(row[column] for row in evaluation.confusion.counts)
    if alarms:
        false = alarms - evaluation.confusion.counts[column][column]
        yield f"{_of_many(false, alarms, 'alarms')} false."
    else:
        yield "There is no alarm at all: the model never gave this answer."


def _against_the_majority(evaluation: Evaluation) -> str:
    wrong = evaluation.num_scored - sum(row[place] for place, row in enumerate(evaluation.confusion.counts))
    return (
        f"{_of_many(wrong, evaluation.num_scored, 'answers')} wrong; always answering "
        f'"{evaluation.majority_class}" would be {percent(evaluation.majority_accuracy)} accurate.'
    )


def _worst_class(evaluation: Evaluation, metric: str) -> Iterator[str]:
    """Yield which class is worst: by this metric where it is known of each class, else by F1."""
    of = metric if metric in ("precision", "recall") else "f1"
    figures = {each: metrics[of].value for each, metrics in evaluation.per_class.items() if of in metrics}
    known = {each: value for each, value in figures.items() if not math.isnan(value)}
    if len(set(known.values())) > 1:
        worst = min(known, key=lambda each: known[each])
        yield f"The worst {'label' if evaluation.holds == 'labels' else 'class'} is '{worst}', with {name(of)} {known[worst]:.3f}."


_MORE_TRAINING = "Train longer or with more data, and see in the confusion matrix which mistakes are made."
_AT_A_THRESHOLD = {
    "recall": "Lower the decision threshold (chosen on validation data), weight the positive class, or bring more positive examples.",
    "precision": "Raise the decision threshold (chosen on validation data), or bring examples like the false alarms.",
}
_WITHOUT_SCORES = {
    "recall": "Weight the positive class, or bring more positive examples; with scores, a lower threshold finds more.",
    "precision": "Bring examples like the false alarms; with scores, a higher threshold raises fewer.",
}


def _what_to_do(evaluation: Evaluation, metric: str, estimate: Estimate, limit: float, standing: Standing) -> str:
    if standing == "met":
        return ""
    if standing == "undefined":
        return "Find out why it is undefined: an answer that is never given, or a class that is never tested."
    if standing == "open, reaches":
        return more(evaluation, estimate, limit)
    if not evaluation.per_class:
        return "Look where the errors are largest (by horizon, time or group): bring more such data, or inputs that tell it."
    if evaluation.positive is None:
        return "Look at the worst class in the confusion matrix: bring more of its examples, or give it a larger class weight."
    has_scores = evaluation.trade_off is not None or evaluation.unit == "count"
    return (_AT_A_THRESHOLD if has_scores else _WITHOUT_SCORES).get(metric, _MORE_TRAINING)


def _enough(evaluation: Evaluation, policy: Policy) -> Iterator[Reason]:
    words, rules = unit_words(evaluation), policy.evidence
    yield _count(f"independent {words}", float(evaluation.num_units), rules.min_units, f"Test on more {words}.")
    if not evaluation.per_class:
        return
    if evaluation.positive is None:
        yield from _enough_of_each_class(evaluation, policy)
        return
    recall = evaluation.metrics.get("recall")
    if evaluation.num_positives is None or recall is None:
        says = "It is not known how many positives were tested."
        yield Reason(subject="positives", points_to="not_enough_evidence", says=says, do="Evaluate again with this version.")
        return
    independent = min(evaluation.num_positives, recall.units)
    subject = "positives" if independent == evaluation.num_positives else f"independent {words} with positives"
    yield _count(subject, float(independent), rules.min_positives, "Test on more positives.")


def _enough_of_each_class(evaluation: Evaluation, policy: Policy) -> Iterator[Reason]:
    words = unit_words(evaluation)
    occurs_in = [metrics["recall"].units for metrics in evaluation.per_class.values() if "recall" in metrics]
    num_classes = len(evaluation.per_class)
    one, many = ("label", "labels") if evaluation.holds == "labels" else ("class", "classes")
    subject = f"independent {words} of each {one}, on average"
    yield _count(subject, sum(occurs_in) / num_classes, policy.evidence.min_positives, f"Test on more {words}.")
    absent = [each for each, count in evaluation.support.items() if not count]
    if absent:
        shown = listed(f"'{each}'" for each in absent[:5])
        says = f"{len(absent)} of {num_classes} {many} never occur in the test data ({shown}), so nothing is known about them."
        yield Reason(subject=many, points_to="not_enough_evidence", says=says, do=f"Test on data in which every {one} occurs.")


def _count(subject: str, count: float, needed: int, do: str) -> Reason:
    """Return the reason that a number of cases gives; a mean of whole numbers is told with one decimal."""
    told = f"{count:,.1f}".removesuffix(".0")
    enough = count >= needed
    return Reason(
        subject=subject,
        points_to="ready" if enough else "not_enough_evidence",
        says=f"There are {told}, and {needed} are needed." + ("" if enough else " With fewer, chance alone could make any figure."),
        do="" if enough else do,
        value=count,
        limit=float(needed),
    )


def _what_does_a_miss_cost(evaluation: Evaluation, policy: Policy, dropped: list[str]) -> Reason:
    prevalence = share_of_positives(evaluation, policy)
    words = listed(name(metric) for metric in dropped)
    of = f"of the {evaluation.num_scored:,} tested are" if policy.evidence.prevalence is None else "in production are expected to be"
    says = [f"{percent(prevalence)} {of} positive: limits made for balanced classes do not fit."]
    says.append(f"Those on {words} were not judged.")
    precision = evaluation.metrics.get("precision")
    if precision is not None and not math.isnan(precision.value) and prevalence:
        says.append(f"Precision {precision.value:.2f} is {precision.value / prevalence:.0f} times that of guessing.")
    if evaluation.cost is None:
        says.append("What does a miss cost?")
        do = "Say it in the policy: [cost] miss and false_alarm, or [alerts] max_per_thousand or max_false_positive_rate."
    else:
        says.append(f"The evaluation was told that {evaluation.cost.says}; a verdict takes that from its policy alone, written beforehand.")
        told = (evaluation.cost.miss, evaluation.cost.false_alarm)
        miss, alarm = (f'"{each}"' if isinstance(each, str) else f"{each:g}" for each in told)
        do = f"Say it in the policy too: [cost] with miss = {miss} and false_alarm = {alarm}."
    return Reason(subject="cost of mistakes", points_to="not_enough_evidence", says=" ".join(says), do=do)


def _notes(evaluation: Evaluation, policy: Policy) -> Iterator[str]:
    yield from (f"Of the evaluation: {note}." for note in evaluation.notes)
    if evaluation.positive is not None:
        yield f"Positive class: '{evaluation.positive}'."
        return
    other = _meant_for_classes(evaluation, policy)
    if other:
        yield f"The policy's limits on {listed(map(name, other))} are of classes and were not judged: {_SUFFICES[evaluation.holds]}."
    least = policy.evidence.min_positives
    small = [each for each, count in evaluation.support.items() if 0 < count < least]
    if small:
        one, many = ("label", "labels") if evaluation.holds == "labels" else ("class", "classes")
        words = f"{one} has" if len(small) == 1 else f"{many} have"
        yield f"{len(small)} {words} fewer than {least} test cases: the averages were judged, no {one} by itself."
