"""Which class does each row name, and with what probability? The columns `target`, `prediction`, `score` and `p_<class>`.

Classes are numbered in the order told, else in natural order; what a label is, is `_labels`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from statewise.errors import nearest
from statewise.evaluation._labels import AS_TOLD, BY_NAME, OPPOSITES, choose_positive, label_text, numbered, score_note, truth_as_numbers
from statewise.sequences import natural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statewise.errors import DataError
    from statewise.evaluation._columns import Columns

_MANY_CLASSES = 1000


class Answers:
    """The labels and probabilities of a table, brought to class numbers."""

    def __init__(self, table: Columns, class_names: Sequence[str] | None, positive: str | None) -> None:
        self.table, self.positive = table, positive
        targets = self._labels("target", "The right answers are needed. ")
        predictions = self._labels("prediction") if "prediction" in table else None
        named = {name: name.removeprefix("p_") for name in table.values if name.startswith("p_")}
        renamed = truth_as_numbers([*targets[1], *(predictions[1] if predictions else ()), *map(label_text, named.values())])

        def final(label: str | None) -> str:
            return renamed.get(label or "", label or "")

        classes = {column: final(label_text(name)) for column, name in named.items()}
        labels = dict.fromkeys(map(final, [*targets[1], *(predictions[1] if predictions else ())]))
        if (predictions or "score" in table) and not labels.keys() & set(classes.values()):
            classes = {}  # names such as p_value, beside predictions, are columns to slice by
        self.probability_columns = dict(classes)
        if not predictions and not classes and "score" not in table:
            raise self._nothing_predicted()
        if predictions:
            self._refuse_numbers_as_labels(predictions[1], targets[1])
        self.class_names = self._names(labels, list(classes.values()), [final(label_text(name)) for name in class_names or ()])
        self.actual = self._codes(targets, final)
        self._predictions = self._codes(predictions, final) if predictions else None
        self.probabilities = self._read_probabilities() if classes else None
        self.score = self.table.probabilities("score") if "score" in table else None

    def predicted(self, threshold: float) -> tuple[np.ndarray, list[str]]:
        """Return the class number that each row was predicted as, and what should be known about that."""
        if self._predictions is not None:
            return self._predictions, self._disagreement(self._predictions)
        if self.probabilities is not None:
            return self.probabilities.argmax(axis=1), ["the prediction is the class with the largest p_"]
        assert self.score is not None
        name = self._positive_of_score()
        place = self.class_names.index(name)
        return np.where(self.score >= threshold, place, 1 - place), [score_note(name, threshold)]

    @property
    def follows_threshold(self) -> bool:
        """Whether there is nothing but a score to say what a row was predicted as."""
        return self._predictions is None and self.probabilities is None

    def score_class(self, predicted: np.ndarray) -> str | None:
        """Return the class that the score is the probability of: the one that rows with higher scores were predicted as.

        Where all were predicted as one class, the scores tell nothing of that: it is the positive class where that was told.
        """
        if self.score is None or len(self.class_names) != 2:
            return None
        if self.follows_threshold:
            return self._positive_of_score()
        if len(np.unique(predicted)) < 2 and self.positive is not None:
            return self._positive_of_score()
        means = [float(self.score[predicted == number].mean()) if (predicted == number).any() else 0.5 for number in (0, 1)]
        return self.class_names[int(means[1] >= means[0])]

    @property
    def guesses_score(self) -> bool:
        """Whether nothing but the number of its targets tells which class the score is the probability of."""
        return self.follows_threshold and self._choice()[1] not in (BY_NAME, AS_TOLD)

    def _positive_of_score(self) -> str:
        return self._choice()[0]

    def _choice(self) -> tuple[str, str]:
        return choose_positive(self.class_names, np.bincount(self.actual, minlength=2).tolist(), self.positive)

    def _labels(self, name: str, hint: str = "") -> tuple[np.ndarray, list[str]]:
        """Return the number of each row's label and the labels."""
        codes, values = numbered(self.table.column(name, hint=hint))
        texts = [label_text(value) for value in values]
        self.table.refuse_missing(name, np.array([text is None for text in texts], dtype=bool)[codes])
        return codes, [text for text in texts if text is not None]

    def _codes(self, labels: tuple[np.ndarray, list[str]], final: Callable[[str], str]) -> np.ndarray:
        place = {name: number for number, name in enumerate(self.class_names)}
        codes: np.ndarray = np.array([place[final(label)] for label in labels[1]], dtype=np.int64)[labels[0]]
        return codes

    def _names(self, labels: dict[str, None], of_columns: list[str], told: list[str]) -> tuple[str, ...]:
        """Return all classes: in the order told, else in natural order."""
        found = {**labels, **dict.fromkeys(of_columns)}
        if not of_columns and len(found) == 1 and not told:
            found |= dict.fromkeys(self._other_class(next(iter(found))))
        if len(found) > _MANY_CLASSES:
            hint = f"At most {_MANY_CLASSES} classes are told apart; is it a number to predict?"
            raise self.table.error("column 'target'", f"{len(found)} different labels", hint)
        names = (*told, *sorted((name for name in found if name not in told), key=natural))
        self._refuse_missing_probabilities(list(labels), of_columns)
        if not of_columns and "score" in self.table and len(names) != 2:
            listed = ", ".join(map(repr, names[:12]))
            arrived = f"a score, but one class only: {listed}" if len(names) < 2 else f"a score, but {len(names)} classes: {listed}"
            hint = "A score is for two classes. Give p_<class> for each, or name the positive one (--positive) if only the other occurs."
            raise self.table.error("column 'score'", arrived, hint)
        return names

    def _refuse_missing_probabilities(self, labels: list[str], of_columns: list[str]) -> None:
        """Refuse a label that has no column of probabilities where others have one."""
        column = next((f"p_{name}" for name in labels if name not in of_columns), None)
        if of_columns and column is not None:
            hint = f"Give one for each class, or call a single one 'score'. {nearest(column, [f'p_{name}' for name in of_columns])}"
            raise self.table.error(f"column {column!r}", f"no such column, though {column.removeprefix('p_')!r} is a label", hint)

    def _other_class(self, name: str) -> list[str]:
        """Return the second class of a file in which only one occurs, where it can be known."""
        told = None if self.positive is None else label_text(self.positive)
        return [other for other in (told, OPPOSITES.get(name.casefold())) if other is not None and other != name][:1]

    def _read_probabilities(self) -> np.ndarray:
        """Return the probabilities in the order of the classes; a class that was only told has none and gets 0."""
        found = np.zeros((len(self.table), len(self.class_names)))
        for column, name in self.probability_columns.items():
            found[:, self.class_names.index(name)] = self.table.probabilities(column)
        return found

    def _disagreement(self, predicted: np.ndarray) -> list[str]:
        if self.probabilities is None:
            return []
        apart = int((self.probabilities.argmax(axis=1) != predicted).sum())
        return [f"in {apart} of {len(predicted)} rows the prediction is not the class with the largest p_"] if apart else []

    def _refuse_numbers_as_labels(self, predictions: list[str], targets: list[str]) -> None:
        """Refuse a column of probabilities that was called prediction."""
        odd = next((label for label in predictions if label not in targets and _is_fraction(label)), None)
        if odd is not None and not any(map(_is_fraction, targets)):
            raise self.table.error(
                "column 'prediction'", f"{odd}, which is no label of column 'target'", "Call the column 'score' if it holds probabilities."
            )

    def _nothing_predicted(self) -> DataError:
        hint = "Give 'prediction' (labels), 'score' (probability of the positive class) or 'p_<class>' for each class. "
        others = [name for name in self.table.values if name != "target"]
        guesses = [nearest(wanted, others) for wanted in ("prediction", "score")]
        guess = next((each for each in guesses if each.startswith("Did")), guesses[0])
        return self.table.error("columns", f"no answers among {', '.join(map(repr, self.table.values))}", hint + guess)


def _is_fraction(label: str) -> bool:
    try:
        return not float(label).is_integer()
    except ValueError:
        return False
