"""SW806 to SW810: does a score depend on batches, padding, order, or on what was scored before, and is every sequence in it?"""

from __future__ import annotations

import copy
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._metric_doors import MetricFailedError, nearly

if TYPE_CHECKING:
    from statewise.auditing._metric import MetricSubject
    from statewise.auditing._metric_answers import Answers

_TURNS = 7
"""So many sequences are tried in the first and in the last place: of three classes each is met."""


def _effect(subject: MetricSubject) -> float:
    """Return what one wrong sequence does to the score."""
    places = range(min(4, len(subject.noisy.targets)))
    return max(abs(subject.door.score(subject.noisy.wrong_at(place)) - subject.usual) for place in places)


@check(
    "SW806", "batches-change-the-score", needs=("function", "free_shape", "scores_repeat", "in_batches"), after=("SW807", "SW808", "SW811")
)
def batches_change_the_score(subject: MetricSubject) -> Found:
    """The size of the batches does not change the score.

    How:
        The same 23 sequences in batches of 1, 7, 8 and 23.
    Why:
        A mean of the means of batches gives the last, smaller batch too much weight, and a mean of perplexities is none: the score moves
        with a number that has nothing to do with the model.
    Mend:
        Sum what is counted and how much was counted, divide once at the end; take exp last.
    Seen in:
        tensorflow/tensorflow#27993, facebookresearch/ParlAI#623
    """
    number = len(subject.noisy.targets)
    scores: dict[int, float] = {}
    for size in (1, 7, 8, number):
        try:
            scores[size] = subject.door.score(subject.noisy, batch_size=size)
        except MetricFailedError as problem:
            return Found(status="warn", evidence=f"batches of {size} fail: {problem}", where=f"batches of {size}")
    apart = max(scores.values()) - min(scores.values())
    says = "batches of " + ", ".join(f"{size}: {score:.5g}" for size, score in scores.items())
    if all(nearly(score, scores[number]) for score in scores.values()):
        return Found(status="pass", evidence=says, value=apart)
    return Found(status="fail", evidence=says, value=apart, control=_effect(subject))


@check("SW807", "sequences-left-out", needs=("function", "free_shape", "scores_repeat"), after=("SW801", "SW802", "SW803", "SW808"))
def sequences_left_out(subject: MetricSubject) -> Found:
    """Every sequence is scored, and once.

    How:
        In batches of 7, of 23 sequences: a model writes down which it is asked about; else the first and the last are answered wrongly, and
        the score must move. Where it does not, others are put there, since the recall of one class cannot see a wrong answer to another.
    Why:
        With `drop_last=True` the batch size decides what is scored, and the best batch size wins.
    Mend:
        drop_last=False in every loader that is scored; count what was scored and compare with the size of the part.
    Seen in:
        thuml/Autoformer#104, yuqinie98/PatchTST#7
    """
    perfect = subject.noisy.perfect()
    size, number = 7 if subject.door.is_model or subject.door.is_object else None, len(perfect.targets)
    best, watched = subject.door.watch(perfect, batch_size=size)
    if subject.door.is_model:
        asked = Counter(each for each in watched.ids if each >= 0)
        never, often = number - len(asked), sum(count > 1 for count in asked.values())
        if never:
            says = f"the model is never asked about {never} of {number} sequences in batches of {size}"
            return Found(status="fail", evidence=says, value=float(never), limit=0.0)
        if often and len(set(asked.values())) > 1:
            says = f"the model is asked about {often} of {number} sequences more than once"
            return Found(status="fail", evidence=says, value=float(often), limit=0.0)
    moves = _moves_at_the_ends(subject, perfect, best, size)
    unmoved = [name for name, move in moves.items() if nearly(move, 0.0)]
    says = f"a wrong first sequence moves the score by {moves['first']:.3g}, a wrong last one by {moves['last']:.3g}"
    if len(unmoved) == 1:
        return Found(status="fail", evidence=says, value=moves["last"], control=max(moves.values()), where=f"the {unmoved[0]} sequence")
    if unmoved:
        return Found(status="not_applicable", evidence=f"{says}: one sequence shows nothing here")
    return Found(status="pass", evidence=says, value=moves["last"], control=moves["first"])


def _moves_at_the_ends(subject: MetricSubject, perfect: Answers, best: float, size: int | None) -> dict[str, float]:
    """Return by how much a wrong first and a wrong last sequence move the score at most, of several sequences in each place."""
    number = len(perfect.targets)
    moves = {"first": 0.0, "last": 0.0}
    for turn in range(_TURNS):
        turned = perfect.rows(np.roll(np.arange(number), turn))
        usual = best if turn == 0 else subject.door.score(turned, batch_size=size)
        for name, place in (("first", 0), ("last", number - 1)):
            if nearly(moves[name], 0.0):
                moves[name] = abs(subject.door.score(turned.wrong_at(place), batch_size=size) - usual)
        if not any(nearly(move, 0.0) for move in moves.values()):
            break
    return moves


@check("SW808", "padding-counted", needs=("function", "free_shape", "scores_repeat", "padded_steps"))
def padding_counted(subject: MetricSubject) -> Found:
    """More padding does not change the score.

    How:
        Five steps of padding are added to every sequence, with targets and answers in it as they occur elsewhere, or with the index that is
        to be ignored.
    Why:
        Steps that are nobody's count as right or as wrong: the score says how much was padded.
    Mend:
        Select the real steps by their lengths or the mask before anything is compared, summed or averaged; ignore_index for the loss.
    Seen in:
        cs230-stanford/cs230-code-examples#13, FlagAI-Open/FlagAI#522
    """
    perfect = subject.noisy.perfect()
    scores = [(subject.door.score(asked), subject.door.score(asked, extra=5)) for asked in (subject.noisy, perfect)]
    apart = max(abs(after - before) for before, after in scores)
    says = f"five more steps of padding change the score from {scores[0][0]:.4g} to {scores[0][1]:.4g}; of perfect answers it is "
    says += f"{scores[1][0]:.4g} and {scores[1][1]:.4g}"
    if all(nearly(*pair) for pair in scores):
        return Found(status="pass", evidence=says, value=apart)
    return Found(status="fail", evidence=says, value=apart, control=_effect(subject))


@check("SW809", "leftovers-of-earlier-calls", needs=("function",))
def leftovers_of_earlier_calls(subject: MetricSubject) -> Found:
    """A second evaluation equals a fresh one.

    How:
        The same answers are scored, then others, then the same again, with the random numbers of torch and numpy begun anew each time; an
        object is reset in between as it has a method for it.
    Why:
        What is left of the last epoch goes into this one: the score lags behind the model, and depends on what ran before.
    Mend:
        Make the metric anew for each evaluation, or call reset() at its beginning; keep no sums in a global or a default argument.
    """
    before = subject.usual
    if not subject.door.is_object:
        again, after = subject.door.score(subject.noisy), subject.after_others()
        says = f"the same answers score {before:.5g}, at once again {again:.5g}, and after others {after:.5g}"
        same = nearly(again, before) and nearly(after, before)
        says += "" if same else ": something is kept, or random numbers are drawn that no seed reaches"
        return Found(status="pass" if same else "fail", evidence=says, value=max(abs(again - before), abs(after - before)))
    if not hasattr(subject.door.fn, "reset"):
        return Found(status="observed", evidence="the object has no reset: it must be made anew for each evaluation")
    kept = copy.deepcopy(subject.door.fn)
    subject.door.score(subject.noisy.random(np.random.default_rng(subject.seed)), keep=kept)
    kept.reset()
    after = subject.door.score(subject.noisy, keep=kept)
    says = f"a fresh object gives {before:.5g}, one that was used and reset {after:.5g}"
    return Found(status="pass" if nearly(after, before) else "fail", evidence=says, value=abs(after - before))


@check("SW810", "order-of-sequences-counts", needs=("function", "free_shape", "scores_repeat"), after=("SW804", "SW806", "SW807"))
def order_of_sequences_counts(subject: MetricSubject) -> Found:
    """The order of the sequences does not change the score.

    How:
        Targets and answers of the sequences are put in another order, together, five times; an evaluation gets batches of 7.
    Why:
        A score that depends on how a file is sorted compares files, not models.
    Mend:
        Pair each answer with its own target before anything is sorted, reshaped or flattened.
    """
    number, source = len(subject.noisy.targets), np.random.default_rng(subject.seed)
    size = 7 if subject.door.is_model or subject.door.is_object else None
    before = subject.door.score(subject.noisy, batch_size=size)
    others = [subject.door.score(subject.noisy.rows(source.permutation(number)), batch_size=size) for _ in range(5)]
    apart = max(abs(each - before) for each in others)
    says = f"in five other orders the score is off by up to {apart:.3g}, of {before:.4g}"
    return Found(status="pass" if all(nearly(each, before) for each in others) else "fail", evidence=says, value=apart)
