"""How is a stranger's metric called? By the names of what it takes where they tell, else by trying; what was taken is said.

Doors: a function of targets and predictions, flat or padded (with lengths or a mask); an object with `update` and `compute`; and an
evaluation `fn(model, data)`, into which a model is put that answers what it is told to.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch

from statewise.auditing._metric_answers import EPSILON, Answers, padded, probabilities
from statewise.auditing._metric_model import Oracle, Watched, loader_of
from statewise.auditing._subject import Failed
from statewise.training import seed_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Takes: TypeAlias = Literal["targets", "predictions", "lengths", "mask", "model", "data"]
"""What a metric takes, in the order of its arguments."""
Given: TypeAlias = Literal["classes", "probabilities", "logits", "score", "values"]
"""What predictions are: class numbers, one score a class, the probability of class 1, or values."""

_NAMES: dict[Takes, tuple[str, ...]] = {
    "lengths": ("length", "lens", "seq_len", "num_steps"),
    "mask": ("mask", "valid"),
    "predictions": (
        "pred", "output", "logit", "prob", "score", "hyp", "yhat", "y_hat", "estimat", "answer", "forecast", "input", "guess",
    ),
    "targets": ("target", "true", "truth", "label", "actual", "gold", "refer", "expected", "tgt"),
    "model": ("model", "module", "net"),
    "data": ("data", "loader", "batches", "iterator"),
}  # fmt: skip
_SHORT: dict[str, Takes] = {"y": "targets", "t": "targets", "p": "predictions", "m": "model", "ys": "targets", "ps": "predictions"}
_FORMS: tuple[Given, ...] = ("classes", "logits", "probabilities", "score")


class MetricFailedError(Failed):
    """A metric raised, or returned no number."""

    def __init__(self, says: str) -> None:
        Exception.__init__(self, says)


@dataclass(frozen=True, kw_only=True)
class MetricDoor:
    """One way of calling a metric.

    Attributes:
        fn: the function, or the object with `update` and `compute`.
        takes: its arguments, in order.
        given: what predictions are.
        arrays: `"numpy"` or `"torch"`.
        is_object: whether it has `update` and `compute`.
        which: of several results, the name or place of the one that counts.
        ignore_index: what targets of padding are.
        batch: makes a batch of `x, targets, lengths` for an evaluation.
        column: whether a model gives values as `[rows, 1]`.
        mask_is_valid: whether a mask is true at real steps, and not at padding.
        rows: whether steps are given as `[rows, steps]`, of equal length, and not one after the other.
        calls: how often it was called, as the only entry.
    """

    fn: Any
    takes: tuple[Takes, ...]
    given: Given
    arrays: Literal["numpy", "torch"] = "torch"
    is_object: bool = False
    which: str | int | None = None
    ignore_index: int | None = None
    batch: Callable[[Any, Any, Any], Any] | None = None
    column: bool = False
    mask_is_valid: bool = True
    rows: bool = False
    calls: list[int] = field(default_factory=lambda: [0])

    @property
    def is_model(self) -> bool:
        """Whether it evaluates a model."""
        return "model" in self.takes

    @property
    def is_padded(self) -> bool:
        """Whether padding reaches it."""
        return bool({"lengths", "mask"} & set(self.takes)) or self.is_model or self.ignore_index is not None

    def score(self, answers: Answers, *, batch_size: int | None = None, extra: int = 0, train: bool = False, keep: Any = None) -> float:
        """Return what the metric says.

        Args:
            answers: targets and predictions.
            batch_size: of an evaluation, or of the updates of an object; all at once where it is None.
            extra: steps of padding more than are needed.
            train: the mode that a model is in before.
            keep: an object that is used again, instead of a fresh copy.

        Raises:
            MetricFailedError: it raised, or what it returned is no number.
        """
        return self.watch(answers, batch_size=batch_size, extra=extra, train=train, keep=keep)[0]

    def watch(
        self, answers: Answers, *, batch_size: int | None = None, extra: int = 0, train: bool = False, keep: Any = None
    ) -> tuple[float, Watched]:
        """Return what the metric says, and what the model that it evaluated has seen."""
        self.calls[0] += 1
        watched = Watched()
        seed_all(0)
        size = batch_size or len(answers.targets)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self.is_model:
                    result = self._evaluate(answers, size, extra, watched, train=train)
                elif self.is_object:
                    metric = copy.deepcopy(self.fn) if keep is None else keep
                    for at in range(0, len(answers.targets), size):
                        metric.update(*self._arguments(answers.rows(range(at, min(at + size, len(answers.targets)))), extra))
                    result = metric.compute()
                else:
                    result = self.fn(*self._arguments(answers, extra))
        except Exception as problem:  # whatever a stranger's function raises
            raise MetricFailedError(f"{type(problem).__name__}: {str(problem)[:200]}") from problem
        return self._number(result), watched

    def _evaluate(self, answers: Answers, size: int, extra: int, watched: Watched, *, train: bool) -> Any:
        model = Oracle(num_classes=answers.num_classes, by_step=answers.by_step, column=self.column, watched=watched)
        model.train(train)
        data = loader_of(answers, size, extra, pad=self.ignore_index, batch=self.batch)
        named: dict[str, Any] = {"model": model, "data": data}
        result = self.fn(*(named[str(each)] for each in self.takes))
        watched.mode_after = model.training
        return result

    def _arguments(self, answers: Answers, extra: int) -> list[Any]:
        in_rows = answers.by_step and (self.is_padded or self.rows)
        time = int(answers.lengths.max()) + extra
        fill = 0 if self.ignore_index is None else self.ignore_index
        shown = self._shown(answers)
        if in_rows:
            source = np.random.default_rng(extra)
            arrays = {"targets": padded(answers.targets, time, fill), "predictions": padded(shown, time, 0)}
            if extra and self.ignore_index is None:  # what lies in the padding is anything that may occur
                arrays["targets"] = padded(answers.targets, time, source.choice(np.concatenate(answers.targets), time))
                steps = np.concatenate(shown)
                arrays["predictions"] = padded(shown, time, steps[source.integers(0, len(steps), time)])
        else:
            arrays = {"targets": np.concatenate(answers.targets), "predictions": np.concatenate(shown)}
        arrays["lengths"] = answers.lengths
        arrays["mask"] = (np.arange(time) < answers.lengths[:, None]) == self.mask_is_valid
        return [torch.as_tensor(arrays[each]) if self.arrays == "torch" else arrays[each] for each in self.takes]

    def _shown(self, answers: Answers) -> list[np.ndarray]:
        """Return the predictions of each sequence as the metric takes them."""
        if self.given in {"classes", "values"}:
            return list(answers.answers)
        chances = probabilities(answers)
        if self.given == "score":
            return [each[:, 1] for each in chances]
        return [np.log(each) + 2.0 for each in chances] if self.given == "logits" else chances

    def _number(self, result: Any) -> float:
        if self.which is not None and isinstance(result, np.ndarray | torch.Tensor) and result.ndim:
            result = list(result)
        if self.which is not None and not isinstance(result, dict | tuple | list):
            raise MetricFailedError(f"it returned one {type(result).__name__}, and no {self.which!r} among several")
        if isinstance(result, dict | tuple | list):
            parts: dict[Any, Any] = result if isinstance(result, dict) else dict(enumerate(result))
            which = next(iter(parts), None) if self.which is None else self.which
            if which not in parts:
                raise MetricFailedError(f"it returned no {which!r}, but {list(parts)}")
            result = parts[which]
        try:
            return float(result)
        except (TypeError, ValueError) as problem:
            raise MetricFailedError(f"it returned {type(result).__name__}, which is no number") from problem


def words_of(fn: Any) -> list[Takes | None]:
    """Return what each required argument of a metric is by its name, None where that does not tell.

    Example:
        >>> words_of(lambda y_true, y_pred: 0.0), words_of(lambda a, b: 0.0)
        (['targets', 'predictions'], [None, None])
    """
    asked = fn.update if hasattr(fn, "update") and hasattr(fn, "compute") else fn
    try:
        parameters = inspect.signature(asked).parameters.values()
    except (TypeError, ValueError):
        return [None, None]
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = [(_word(each.name), each) for each in parameters if each.kind in plain]
    needed: list[Takes | None] = []
    for word, each in known:
        if each.default is inspect.Parameter.empty or (word is not None and word not in needed):
            needed.append(word)
    return needed or [None, None]


def _word(name: str) -> Takes | None:
    lowered = name.lower()
    if lowered in _SHORT:
        return _SHORT[lowered]
    return next((word for word, parts in _NAMES.items() if any(part in lowered for part in parts)), None)


def candidates(
    door: MetricDoor, *, num_classes: int, takes: Sequence[Takes] | None, given: Given | None, by_step: bool
) -> list[MetricDoor]:
    """Return the ways in which a metric may want to be called, the most usual first."""
    forms: tuple[Given, ...] = (given,) if given is not None else _forms_of(door.fn) if num_classes else ("values",)
    if num_classes != 2:
        forms = tuple(form for form in forms if form != "score") or forms
    found = []
    for order in _orders(door, takes):
        if "model" in order:
            columns = (False, True) if not num_classes else (False,)
            found += [replace(door, takes=order, given="logits" if num_classes else "values", column=column) for column in columns]
            continue
        kinds: tuple[Literal["numpy", "torch"], ...] = ("torch", "numpy") if door.is_object else ("numpy", "torch")
        ways = [replace(door, takes=order, given=form, arrays=arrays) for form in forms for arrays in kinds]
        found += ways
        if by_step and not ways[0].is_padded:
            found += [replace(way, rows=True) for way in ways]
    return found


def _forms_of(fn: Any) -> tuple[Given, ...]:
    """Return what predictions may be, by the name of their argument."""
    names = " ".join(inspect.signature(fn).parameters) if callable(fn) and not hasattr(fn, "update") and _has_signature(fn) else ""
    if "logit" in names:
        return ("logits",)
    return ("probabilities", "score") if "prob" in names else _FORMS


def _has_signature(fn: Any) -> bool:
    try:
        inspect.signature(fn)
    except (TypeError, ValueError):
        return False
    return True


def _orders(door: MetricDoor, takes: Sequence[Takes] | None) -> list[tuple[Takes, ...]]:
    if takes is not None:
        return [tuple(takes)]
    words = words_of(door.fn)
    if None not in words and len(set(words)) == len(words):
        return [tuple(word for word in words if word is not None)]
    if "model" in words or "data" in words:
        return [("model", "data")] if words[0] == "model" or words[1:] == ["data"] else [("data", "model")]
    usual: tuple[Takes, ...] = ("predictions", "targets") if door.is_object else ("targets", "predictions")
    others: list[tuple[Takes, ...]] = [usual, (usual[1], usual[0])]
    more_words: tuple[Takes, ...] = ("lengths", "mask")
    if len(words) == 3:
        return [(*order, more) for order in others for more in more_words]
    return [*others, ("model", "data")] if len(words) == 2 and not door.is_object else others


def nearly(one: float, other: float, scale: float = 1.0) -> bool:
    """Return whether two scores are the same but for rounding in single precision."""
    return (np.isnan(one) and np.isnan(other)) or abs(one - other) <= 2e-5 * max(abs(scale), abs(one), EPSILON)
