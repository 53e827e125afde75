"""SW815 to SW818: what is a score a mean of, is an F1 an accuracy, in which units is an error, and are classes taken for amounts?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._metric_doors import MetricFailedError, nearly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from statewise.auditing._metric import MetricSubject

_RATIOS = ("f1", "fscore", "f_score", "fbeta", "precision", "recall")


@check("SW815", "mean-of-sequences", needs=("function", "scores_repeat", "target_a_step"))
def mean_of_sequences(subject: MetricSubject) -> Found:
    """It is known whether a score is a mean over steps or over sequences.

    How:
        Answers that are worse in short sequences are scored: the score is held against the mean over all steps and the mean of the means of
        the sequences.
    Why:
        A mean of means gives a step of a short sequence more weight; under the name of the other it cannot be compared.
    Mend:
        Say which one it is, or print both.
    Seen in:
        huggingface/transformers#39241
    """
    noisy = subject.noisy
    apart = [
        (true == answer).astype(float) if subject.num_classes else np.abs(true - answer)
        for true, answer in zip(noisy.targets, noisy.answers, strict=True)
    ]
    kinds = {"accuracy": apart} if subject.num_classes else {"mae": apart, "mse": [each**2 for each in apart]}
    for name, each in kinds.items():
        over_steps, over_sequences = float(np.concatenate(each).mean()), float(np.mean([part.mean() for part in each]))
        both = f"over steps {over_steps:.4f}, over sequences {over_sequences:.4f}"
        if nearly(subject.usual, over_sequences):
            return Found(status="observed", evidence=f"the score is the mean of the sequences' own {name}: {both}", value=over_sequences)
        if nearly(subject.usual, over_steps):
            return Found(status="observed", evidence=f"the score is the {name} over all steps: {both}", value=over_steps)
    return Found(status="not_applicable", evidence="the score is neither an accuracy nor a mean absolute or squared error")


@check("SW816", "micro-average-is-accuracy", needs=("function", "scores_repeat", "metric_of_classes"))
def micro_average_is_accuracy(subject: MetricSubject) -> Found:
    """A score that is called F1, precision or recall is not the accuracy.

    How:
        By its name, and where there are three classes or more: the score of answers of which a third are wrong is held against theirs.
    Why:
        Averaged micro, all three equal the accuracy: a frequent class hides the rare ones, and two columns of a table are one.
    Mend:
        average="macro", or the figures of each class.
    Seen in:
        scikit-learn/scikit-learn#9609
    """
    name = subject.name.lower()
    if subject.num_classes < 3 or not any(each in name for each in _RATIOS):
        return Found(status="not_applicable", evidence="not called F1, precision or recall, or of two classes")
    noisy = subject.noisy
    accuracy = float(np.mean(np.concatenate(noisy.targets) == np.concatenate(noisy.answers)))
    says = f"the score is {subject.usual:.5f}, the accuracy {accuracy:.5f}"
    if nearly(subject.usual, accuracy):
        return Found(status="observed", evidence=f"{says}: averaged micro", value=subject.usual, limit=accuracy)
    return Found(status="pass", evidence=says, value=subject.usual, limit=accuracy)


@check("SW817", "units-of-the-error", needs=("function", "scores_repeat", "metric_of_values"))
def units_of_the_error(subject: MetricSubject) -> Found:
    """It is known in which units an error is.

    How:
        Targets and answers are made ten times as large: an error in their units is then ten times as large, a squared one a hundred times,
        and one without units the same.
    Why:
        An error of scaled data looks small beside one in the units of the data; an error that is none of these mixes both.
    Mend:
        Bring both targets and answers back to the units of the data before they are scored.
    Seen in:
        krishnaik06/Stock-MArket-Forecasting#2
    """
    try:
        after = subject.door.score(subject.noisy.scaled(10.0))
    except MetricFailedError as problem:
        return Found(status="not_applicable", evidence=f"larger values are refused: {problem}")
    if not subject.usual or not np.isfinite([subject.usual, after]).all():
        return Found(status="not_applicable", evidence=f"the score is {subject.usual:.4g}, of which no multiple tells anything")
    ratio = after / subject.usual
    known = {1.0: "it has no units", 10.0: "it is in the units of the data", 100.0: "it is in their square"}
    told = next((says for factor, says in known.items() if abs(ratio - factor) <= 1e-3 * factor), "it is in no power of the data's units")
    return Found(status="observed", evidence=f"values ten times as large make the score {ratio:.4g} times as large: {told}", value=ratio)


@check("SW818", "class-numbers-as-amounts", needs=("function", "scores_repeat", "metric_of_classes"))
def class_numbers_as_amounts(subject: MetricSubject) -> Found:
    """A score of classes does not depend on how far apart their numbers are.

    How:
        Decisions of three classes or more, a third of them wrong, and three draws of random ones: each score is held against the mean
        absolute, the mean squared and the root mean squared difference of the class numbers.
    Why:
        Classes have names and no distances: class 0 taken for class 2 counts as much as two mistakes or four, and in another order of the
        same classes the same model gets another score.
    Mend:
        Take accuracy, F1 or a cost of each pair of classes; where the classes are ranks, task="regress" says so.
    """
    if subject.door.given != "classes" or subject.num_classes < 3:
        return Found(status="not_applicable", evidence="the metric is given scores, or two classes, which are as far apart as can be")
    asked = [subject.noisy, *(subject.noisy.random(np.random.default_rng((subject.seed, 18, draw))) for draw in range(3))]
    scores = [subject.door.score(each) for each in asked]
    amounts = [_amounts(np.concatenate(each.targets) - np.concatenate(each.answers)) for each in asked]
    for name in amounts[0]:
        if all(nearly(score, amount[name]) for score, amount in zip(scores, amounts, strict=True)):
            return Found(
                status="warn",
                evidence=f"the score is the {name} difference of the class numbers; of values, ask with task='regress'",
                value=scores[0],
            )
    return Found(status="pass", evidence="the score is no mean of differences of class numbers", value=subject.usual)


def _amounts(gaps: NDArray[np.int64]) -> dict[str, float]:
    squared = float((gaps.astype(float) ** 2).mean())
    return {"mean absolute": float(np.abs(gaps).mean()), "mean squared": squared, "root mean squared": squared**0.5}
