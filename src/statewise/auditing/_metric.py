"""Can a metric be fooled? A stranger's function, object or whole evaluation is asked about answers of which the right score is known."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from statewise.auditing._metric_answers import Answers, draw, square
from statewise.auditing._metric_doors import Given, MetricDoor, MetricFailedError, Takes, candidates, nearly
from statewise.auditing._needs import Examined
from statewise.auditing._plain_audit import audited
from statewise.errors import ContractError, OptionError
from statewise.sequences import number_of, told
from statewise.tasks import TASKS
from statewise.training import drawn_apart
from statewise.words import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statewise.auditing._audit import Audit

MetricTask: TypeAlias = Literal["classify", "tag", "next", "regress", "forecast"]
_NUM = 23
"""Sequences of a probe: no batch size but 1 and 23 divides it."""


def check_metric(
    fn: Any,
    *,
    task: MetricTask = "classify",
    takes: Sequence[Takes] | None = None,
    given: Given | None = None,
    num_classes: int | None = None,
    higher_is_better: bool | None = None,
    which: str | int | None = None,
    ignore_index: int | None = None,
    batch: Callable[[Any, Any, Any], Any] | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    seed: int = 0,
) -> Audit:
    """Ask whether a metric, or a whole evaluation, can be fooled: by padding, batches, modes, leftovers, answers that know nothing.

    What is not said is read off the names of the arguments, or tried; what was taken stands in the audit. An object is copied before it
    is used; a function is called some seventy times, and whatever it keeps outside of itself it goes on keeping.

    Args:
        fn: `fn(targets, predictions)` on flat arrays or tensors; with `lengths` or a mask on padded ones; an object with `update`,
            `compute` and `reset`, as torchmetrics has them; or an evaluation `fn(model, data)`, where data yields `(x, targets)`, or with a
            target a step `(x, targets, lengths)`, and `model(x)` gives logits or values.
        task: `"classify"` and `"regress"` have one target a sequence, `"tag"`, `"next"` and `"forecast"` one a step.
        takes: the arguments in their order, of `"targets"`, `"predictions"`, `"lengths"`, `"mask"`, `"model"`, `"data"`.
        given: what predictions are: `"classes"`, `"probabilities"`, `"logits"`, `"score"` (of class 1) or `"values"`.
        num_classes: that the metric is made for; 3, or where that fails 2.
        higher_is_better: whether 1 is the best, and not 0; tried where it is not said.
        which: of several results, the name or place of the one that counts; the first.
        ignore_index: what targets of padding are, for a metric that is told nothing else of it.
        batch: `lambda x, targets, lengths: ...`, what the data of an evaluation yield instead.
        select: codes, or beginnings of codes; all where it is empty.
        ignore: codes, or beginnings of codes, that are skipped.
        seed: of the answers.

    Raises:
        ContractError: no way of calling it returned a number.
        OptionError: `select` or `ignore` names no check, or an argument is none of those that there are.

    Example:
        >>> print(repr(check_metric(lambda targets, predictions: (targets == predictions).mean(), select=["SW801", "SW810"])))
        Audit(<lambda>, sound: 2 checks passed)
        >>> def mean_of_batches(model, data):
        ...     return sum(float((model(x).argmax(1) == y).float().mean()) for x, y in data) / len(data)
        >>> [each.code for each in check_metric(mean_of_batches).findings]  # and model.eval() is missing
        ['SW806', 'SW813']
    """
    if task not in get_args(MetricTask):
        raise OptionError(asked="check a metric", where="task", arrived=repr(task), hint="Give classify, tag, next, regress or forecast.")
    for where, value, known in (("given", given, get_args(Given)), *(("takes", each, get_args(Takes)) for each in takes or ())):
        if value is not None and value not in known:
            raise OptionError(asked="check a metric", where=where, arrived=told(value), hint=f"Give {listed(known, joined='or')}.")
    if num_classes is not None:
        number_of(num_classes, 2, 10_000, asked="check a metric", where="num_classes", whole=True)
    number_of(seed, 0, 2**62, asked="check a metric", where="seed", whole=True)
    if not callable(fn) and not (hasattr(fn, "update") and hasattr(fn, "compute")):
        raise ContractError(
            asked="check a metric", where="fn", arrived=type(fn).__name__,
            hint="Give a function of targets and predictions, an object with update and compute, or an evaluation fn(model, data).",
        )  # fmt: skip
    is_object = hasattr(fn, "update") and hasattr(fn, "compute")
    plain = MetricDoor(fn=fn, takes=(), given="classes", is_object=is_object, which=which, ignore_index=ignore_index, batch=batch)
    plain = replace(plain, mask_is_valid=not _says_padding(fn))
    name = str(getattr(fn, "__name__", None) or getattr(getattr(fn, "func", None), "__name__", type(fn).__name__))
    empty = MetricSubject(door=plain, task=task, name=name, num_classes=num_classes or 0, told=higher_is_better, seed=seed)
    with drawn_apart(seed):
        subject = _found(empty, takes, given, num_classes)
        found = audited("metric", subject, name=name, sampled=subject.says, asked="check a metric", select=select, ignore=ignore)
    return replace(found, num_calls=plain.calls[0])


@dataclass(frozen=True, kw_only=True)
class MetricSubject(Examined):
    """A metric as its checks see it.

    Attributes:
        door: how it is called.
        task: what is predicted.
        name: of the function.
        num_classes: of the answers; 0 for values.
        told: whether higher is better, where that was said.
        seed: of the answers.
        is_square: whether it can only be called with as many sequences as classes.
    """

    door: MetricDoor
    task: MetricTask
    name: str
    num_classes: int
    told: bool | None
    seed: int
    is_square: bool = False

    @property
    def by_step(self) -> bool:
        """Whether there is a target a step."""
        return self.task in {"tag", "next", "forecast"}

    @cached_property
    def noisy(self) -> Answers:
        """Answers of which about a third are wrong."""
        if self.is_square:
            perfect = square(self.num_classes, by_step=self.by_step)
            return perfect.wrong_at(0).wrong_at(1)
        return draw(self.seed, num=_NUM, num_classes=self.num_classes, by_step=self.by_step, equal=self.door.rows)

    @cached_property
    def usual(self) -> float:
        """The score of these."""
        return self.door.score(self.noisy)

    @cached_property
    def best(self) -> float:
        """The score of perfect answers."""
        return self.door.score(self.noisy.perfect())

    @cached_property
    def randoms(self) -> list[float]:
        """The scores of answers that know nothing."""
        return [self.door.score(self.noisy.random(np.random.default_rng((self.seed, draw)))) for draw in range(8)]

    @property
    def higher(self) -> bool:
        """Whether higher is better."""
        return self.told if self.told is not None else self.best >= float(np.mean(self.randoms))

    @cached_property
    def is_repeatable(self) -> bool:
        """Whether the same answers get the same score after others were scored."""
        try:
            before = self.usual
            return nearly(self.door.score(self.noisy), before) and nearly(self.after_others(), before)
        except MetricFailedError:  # each check tells of it
            return True

    def after_others(self) -> float:
        """Return the score of the answers after other answers have been scored."""
        others, half = self.noisy.random(np.random.default_rng(self.seed + 1)), range(len(self.noisy.targets) // 2)
        self.door.score(others if self.is_square else others.rows(half))
        return self.door.score(self.noisy)

    @property
    def says(self) -> str:
        """What was taken, in a sentence."""
        door = self.door
        named = "update" if door.is_object else self.name
        form = "" if door.is_model else f", predictions as {door.given}, in {'numpy arrays' if door.arrays == 'numpy' else 'tensors'}"
        better = ("higher" if self.higher else "lower") + (" (told)" if self.told is not None else " (tried)")
        classes = f", {self.num_classes} classes" if self.num_classes else ""
        many = f", result {door.which!r}" if door.which is not None else ""
        return f"Taken as {named}({', '.join(door.takes)}) for {self.task}{form}{classes}{many}; {better} is better."


def _says_padding(fn: Any) -> bool:
    """Whether a mask is named after padding."""
    try:
        names = inspect.signature(fn.update if hasattr(fn, "update") else fn).parameters
    except (TypeError, ValueError):
        return False
    return any("mask" in name and ("pad" in name or "ignore" in name) for name in names)


def _found(plain: MetricSubject, takes: Sequence[Takes] | None, given: Given | None, num_classes: int | None) -> MetricSubject:
    """Return the metric behind the way of calling it that makes the most sense: perfect answers are best there, and score 1 or 0."""
    holds_classes = TASKS[plain.task].holds == "classes"
    counts = (0,) if not holds_classes else (3, 2) if num_classes is None else (num_classes,)
    tried: list[tuple[float, MetricSubject]] = []
    problems: dict[str, None] = {}
    for count, is_square in [(count, False) for count in counts] + [(6 if num_classes is None else num_classes, True)] * holds_classes:
        if tried and max(sense for sense, _ in tried) >= (1.0 if is_square else _SURE):
            break
        for door in candidates(plain.door, num_classes=count, takes=takes, given=given, by_step=plain.by_step):
            made = replace(plain, door=door, num_classes=count, is_square=is_square)
            try:
                tried.append((_sense(made), made))
            except MetricFailedError as problem:
                problems[f"({', '.join(door.takes)}) as {door.given}: {problem}"] = None
    if tried:
        return max(tried, key=lambda pair: pair[0])[1]
    raise ContractError(
        asked=f"check the metric {plain.name}", where=f"its calls for task={plain.task!r}",
        arrived=f"no number came back; {'; '.join(list(problems)[:3])}",
        hint="Say task= (such as 'regress' for values), takes=, given=, num_classes= or which=; a metric returns a number.",
    )  # fmt: skip


_SURE = 2.5
"""Perfect answers score 1, and random ones less: there is nothing better to look for."""


def _sense(subject: MetricSubject) -> float:
    best, randoms = subject.best, subject.randoms
    if not np.isfinite(best):
        return -1.0
    differs = not all(nearly(each, best) for each in randoms)
    ends = min(abs(best), abs(best - 1.0), abs(best - 100.0)) <= 2e-3
    return differs + 1.0 * (differs and ends) + 0.5 * (differs and abs(best - 1.0) <= 2e-3 and best > float(np.mean(randoms)))
