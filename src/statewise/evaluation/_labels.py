"""Which class does a value name, and which class is the positive one?

Frameworks write one label in many ways. The rule, for every label wherever it stands (targets, predictions, names of `p_` columns,
`positive`): a label is the text of the value without blanks around it, where

- a whole number is written without a point: 1, 1.0, "1" and "1.0" are the class "1";
- True, "true" and "TRUE" are the class "true", and likewise "false";
- and where one file has both true or false and 1 or 0, true is "1" and false is "0".

Anything else is taken as it is: "01" is not "1", and "Cat" is not "cat".
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.errors import OptionError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_POSITIVE_NAMES = frozenset({"1", "true", "yes", "y", "positive", "pos"})
_TRUTH: dict[str, str] = {"true": "1", "false": "0"}
_OPPOSITES = {"1": "0", "true": "false", "yes": "no", "y": "n", "positive": "negative", "pos": "neg"}
OPPOSITES = {**_OPPOSITES, **{other: name for name, other in _OPPOSITES.items()}}
"""The other class of a binary task in which only one of the two occurs."""


def label_text(value: Any) -> str | None:
    """Return the label that a value names, before true and 1 are brought together; None for a missing value.

    Example:
        >>> [label_text(value) for value in (1, 1.0, "1.0", True, "TRUE", " cat ", 0.5, float("nan"), None)]
        ['1', '1', '1', 'true', 'true', 'cat', '0.5', None, None]
    """
    if isinstance(value, float | np.floating):
        number = float(value)
        whole = number.is_integer() and abs(number) < 2**53
        return None if math.isnan(number) else str(int(number) if whole else number)
    if value is None:
        return None
    text = str(value).strip()
    if text.lower() in _TRUTH:
        return text.lower()
    pointless = _WHOLE.fullmatch(text)
    return (pointless[1] if pointless else text) or None


def truth_as_numbers(labels: Iterable[str | None]) -> dict[str, str]:
    """Return how labels are renamed so that true and 1 are one class: only where both kinds stand in one file."""
    there = set(labels)
    return _TRUTH if not there.isdisjoint(_TRUTH.values()) and not there.isdisjoint(_TRUTH) else {}


def numbered(values: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """Return the number of each value among the different ones, int64 `[rows]`, and those, in order of appearance.

    Example:
        >>> codes, different = numbered(np.array(["b", "a", "b"], dtype=object))
        >>> codes.tolist(), different
        ([0, 1, 0], ['b', 'a'])
    """
    if values.dtype.kind in "iuf":
        different, first, codes = np.unique(values, return_index=True, return_inverse=True, equal_nan=False)
        order = np.argsort(first)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return rank[codes.reshape(-1)], different[order].tolist()
    place: defaultdict[Any, int] = defaultdict(count().__next__)
    return np.fromiter(map(place.__getitem__, values.tolist()), dtype=np.int64, count=len(values)), list(place)


def step_numbers(step: np.ndarray) -> np.ndarray:
    """Return a whole number for each step that is in the order of the steps; words are in the order in which they occur."""
    return numbered(step)[0] if step.dtype == object else np.unique(step, return_inverse=True)[1].reshape(-1)


def first_repeat(codes: np.ndarray) -> tuple[int, int] | None:
    """Return the first row whose code stands in an earlier row, and how many such rows there are; None where each stands once.

    Example:
        >>> first_repeat(np.array([3, 1, 3, 3])), first_repeat(np.array([3, 1]))
        ((2, 2), None)
    """
    first = np.unique(codes, return_index=True)[1]
    if len(first) == len(codes):
        return None
    again = np.ones(len(codes), dtype=bool)
    again[first] = False
    return int(np.flatnonzero(again)[0]), int(again.sum())


AS_TOLD, BY_NAME = "as told", "by its name"
SCORE_NOTE = "score is read as the probability of"


def score_note(positive: str, threshold: float) -> str:
    """Return what should be known of a score without predictions beside it."""
    return f"{SCORE_NOTE} {positive!r}; a row counts as {positive!r} from {threshold:g} on (threshold)"


def choose_positive(class_names: Sequence[str], support: Sequence[int], told: str | None) -> tuple[str, str]:
    """Return the positive class of a binary task, and why it is that one.

    When not told: the class named 1, true, yes, y, positive or pos (in any case) if exactly one is, else the rarer among the
    targets, else the last in the order of the classes.

    Args:
        class_names: two names.
        support: number of targets of each.
        told: the user's choice; matched as labels are.

    Raises:
        OptionError: `told` is none of the classes.

    Example:
        >>> choose_positive(["ham", "spam"], [90, 10], None)
        ('spam', 'the rarer of the two among the targets')
    """
    if told is not None:
        return match_class(told, class_names), AS_TOLD
    named = [name for name in class_names if name.casefold() in _POSITIVE_NAMES]
    if len(named) == 1:
        return named[0], BY_NAME
    if support[0] == support[1]:
        return class_names[1], "the last of two that are equally frequent"
    return class_names[int(support[0] > support[1])], "the rarer of the two among the targets"


def match_class(told: str, class_names: Sequence[str]) -> str:
    """Return the class that a user's word names.

    Raises:
        OptionError: none of the classes; the nearest is in the message.
    """
    if told in class_names:
        return told
    text = label_text(told)
    truth = truth_as_numbers([text, *class_names])
    for name in class_names:
        if text is not None and truth.get(text, text) == truth.get(label_text(name) or name, label_text(name)):
            return name
    raise OptionError(asked="evaluate", where="positive", arrived=f"{told!r}, which is no class here", hint=nearest(told, class_names))
