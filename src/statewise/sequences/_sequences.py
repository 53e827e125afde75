"""What does a set of labelled sequences hold, and how is a part of it taken?

Reading files is `_read`'s, cutting into parts `_split`'s, the forms of targets and weights `_targets`'.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from statewise.errors import DataError, ShapeError, kind_of, nearest
from statewise.sequences._ragged import Ragged, as_rows
from statewise.sequences._targets import as_baselines, as_targets, as_weights, holds_of, require_known, settled_task
from statewise.tasks import TASKS, Holds
from statewise.types import Each, Task


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Sequences:
    """Labelled sequences: what a model reads, what it should say, and who each sequence is.

    Args:
        inputs: a `Ragged` `[steps, feature]`, or a dict of them that share their lengths (several inputs). A `[steps]`
            int64 entry whose name is in `categories` holds codes of a categorical column; a code below 0 is a category
            that is not in the list.
        targets: one a sequence `[n]` or one a step `[steps]`: class numbers (int64) or a list of labels; numbers (float) for values
            (NaN, with a weight of 0, where one is not known); or `[n, labels]` (`[steps, labels]`) of True and False for several
            labels at once. For the tasks that look ahead (`forecast`, `next`) the series itself, one a step.
        weights: how much each target counts in the loss, one a target, or one a sequence. 0: fed to the model, but not scored.
        baselines: what naive methods would answer instead of the values of `regress`, by name, one a target; NaN where one has no answer.
            They go with the targets, and without these there are none. A model never reads them: an evaluation holds it against the best.
        keys: the identity of each sequence; numbered when absent.
        groups: what must not be split (person, engine, account), one a sequence.
        times: `[steps]`, seconds or plain numbers, of each step.
        static: `[n, static]`, numbers that belong to a whole sequence.
        class_names: the label behind each class number, or the names of several labels.
        feature_names: names of the features, or a dict of them with several inputs.
        static_names: names of the static features.
        categories: the labels behind the codes of each categorical input.
        each: whether there is a target a `"sequence"` or a `"step"`; read off the shape when absent.
        task: what the targets are for; the usual task for their kind when absent.
        known: features whose later values are known beforehand (a calendar, a plan), for `forecast`.
        season: steps of one season, such as 24 for hours of a day, for the seasonal naive forecast.
        missing: what a NaN among the numbers means: `"error"`, or `"mean"`: a model of ours reads it as the mean of training.
        source: where the data came from, for messages and records.
        notes: one line for each thing that was accepted and should be known.

    Raises:
        ShapeError: parts whose sizes do not fit together.
        DataError: labels that cannot be class numbers, values or weights that are not finite.
        OptionError: targets that the stated task cannot have.

    Example:
        >>> Sequences(inputs=Ragged.from_list([torch.zeros(3, 2), torch.zeros(1, 2)]), targets=["yes", "no"])
        Sequences(2 sequences, 4 steps, x [4, 2], one target a sequence, 2 classes, from data in memory)
    """

    inputs: Ragged | Mapping[str, Ragged]
    targets: Tensor | np.ndarray | Sequence[Any] | None = None
    keys: Sequence[Any] | None = None
    groups: Sequence[Any] | None = None
    times: Tensor | None = None
    static: Tensor | None = None
    class_names: Sequence[str] | None = None
    feature_names: Sequence[str] | Mapping[str, Sequence[str]] | None = None
    static_names: Sequence[str] | None = None
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    each: Each | None = None
    weights: Tensor | np.ndarray | Sequence[float] | None = None
    baselines: Mapping[str, Tensor | np.ndarray | Sequence[float]] = field(default_factory=dict)
    task: Task | None = None
    known: Sequence[str] = ()
    season: int | None = None
    missing: Literal["error", "mean"] = "error"
    source: str = "data in memory"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Bring keys, groups, names and labels into one form, and refuse sizes that do not fit together."""
        self._check_inputs()
        self._settle("keys", range(len(self)) if self.keys is None else self.keys)
        self._settle("groups", self.groups)
        self._settle_targets()
        if self.weights is not None:
            object.__setattr__(self, "weights", as_weights(self.weights, each=self.each, lengths=self.lengths))
        if isinstance(self.targets, Tensor):
            require_known(self.targets, self.weights)  # type: ignore[arg-type]  # settled in the line above
        object.__setattr__(self, "baselines", as_baselines(self.baselines, self.targets, self.task))
        self._settle_feature_names()
        self._settle_known_and_season()
        self._check_times_and_static()

    def _check_inputs(self) -> None:
        """Refuse inputs that are not ragged, or do not share their lengths."""
        inputs: Any = self.inputs
        parts = {"x": inputs} if not isinstance(inputs, Mapping) else inputs
        for name, part in parts.items():
            if not isinstance(part, Ragged):
                raise _error(
                    f"input {name!r}",
                    kind_of(part),
                    "Give a Ragged: Ragged.from_padded(x, lengths) or Ragged.from_list([...]).",
                )
        if not parts:
            raise _error("inputs", "no input at all", "Give a Ragged, or a dict with at least one.")
        for name, part in parts.items():
            if not torch.equal(part.lengths.cpu(), self.lengths.cpu()):
                raise _error(
                    f"input {name!r}", "its lengths differ from the first input's", "All inputs of a sequence have the same steps."
                )

    def _settle(self, name: str, values: Sequence[Any] | range | None) -> None:
        """Keep the names of the sequences as text, one a sequence."""
        names = None if values is None else tuple(str(value) for value in values)
        if names is not None and len(names) != len(self):
            raise _error(name, f"{len(names)} of them for {len(self)} sequences", "Give one a sequence.")
        object.__setattr__(self, name, names)

    def _settle_targets(self) -> None:
        """Keep targets in the form of their kind, and say whether they belong to sequences or to steps, and what they are for."""
        if self.targets is None:
            names = self.class_names
            object.__setattr__(self, "class_names", None if names is None else tuple(str(name) for name in names))
            return
        targets, class_names = as_targets(self.targets, self.class_names)
        sizes: dict[Each, int] = {"sequence": len(self), "step": self.num_steps}
        wanted: tuple[Each, ...] = TASKS[self.task].each if self.task in TASKS else ()
        each = self.each or next((each for each in (*wanted, "sequence", "step") if len(targets) == sizes[each]), None)
        if each is None or len(targets) != sizes[each]:
            stated = "" if self.each is None else f", and one a {self.each} was stated"
            raise _error(
                "targets",
                f"a shape of {tuple(targets.shape)} for {len(self)} sequences with {self.num_steps} steps{stated}",
                "Give one target a sequence, or one a step.",
            )
        task = settled_task(self.task, holds_of(targets), each)
        for name, value in {"targets": targets, "class_names": class_names, "each": each, "task": task}.items():
            object.__setattr__(self, name, value)

    def _settle_known_and_season(self) -> None:
        """Refuse names known beforehand that are no feature, and a season that is no number of steps."""
        object.__setattr__(self, "known", tuple(str(name) for name in self.known))
        numeric = [name for part in self.parts if part not in self.categories for name in self.feature_names_of(part) or ()]
        for name in self.known:
            if name not in numeric:
                raise _error("known", f"{name!r}, which is no feature that holds numbers", nearest(name, numeric))
        if self.season is not None and self.season < 1:
            raise _error("season", str(self.season), "A season is a number of steps, such as 24 for hours of a day.")

    def _settle_feature_names(self) -> None:
        """Keep feature names as tuples, by input where there are several, one a feature."""
        names = self.feature_names
        if names is None:
            return
        by_input = names if isinstance(names, Mapping) else {"x" if "x" in self.parts else next(iter(self.parts)): names}
        by_input = {name: tuple(str(each) for each in entries) for name, entries in by_input.items()}
        for name, entries in by_input.items():
            if name not in self.parts:
                raise _error("feature_names", f"an input {name!r}", f"The inputs are: {', '.join(self.parts)}.")
            sizes = self.parts[name].values.shape[1:]
            if len(sizes) == 1 and sizes[0] != len(entries):
                raise _error("feature_names", f"{len(entries)} names for {sizes[0]} features of input {name!r}", "Give one name a feature.")
        single = isinstance(self.inputs, Ragged)
        object.__setattr__(self, "feature_names", next(iter(by_input.values())) if single else by_input)

    def _check_times_and_static(self) -> None:
        """Refuse times that are not one a step, and static features that are not one row a sequence."""
        if self.times is not None and self.times.shape != (self.num_steps,):
            raise _error("times", f"a shape of {tuple(self.times.shape)} for {self.num_steps} steps", "Give one time a step.")
        if self.static is None:
            return
        if self.static.ndim != 2 or self.static.shape[0] != len(self):
            raise _error("static", f"a shape of {tuple(self.static.shape)} for {len(self)} sequences", "Give [n, static].")
        if self.static_names is not None and len(self.static_names) != self.static.shape[1]:
            raise _error("static_names", f"{len(self.static_names)} names for {self.static.shape[1]} features", "Give one name a feature.")

    @property
    def parts(self) -> Mapping[str, Ragged]:
        """The inputs by name; a single one is called `"x"`."""
        return {"x": self.inputs} if isinstance(self.inputs, Ragged) else self.inputs

    @property
    def lengths(self) -> Tensor:
        """Number of steps of each sequence: `[n]`."""
        return next(iter(self.parts.values())).lengths

    @property
    def num_steps(self) -> int:
        """Number of steps of all sequences together."""
        return next(iter(self.parts.values())).num_steps

    @property
    def num_classes(self) -> int | None:
        """Number of classes or labels: of the names where there are some, else one more than the largest class number."""
        if self.class_names is not None:
            return len(self.class_names)
        return int(self.targets.max()) + 1 if isinstance(self.targets, Tensor) and self.holds == "classes" and len(self.targets) else None

    @property
    def holds(self) -> Holds | None:
        """What a target is: `"classes"`, `"values"` or `"labels"`; None without targets."""
        return holds_of(self.targets) if isinstance(self.targets, Tensor) else None

    @property
    def scored(self) -> Tensor | None:
        """Which targets are scored, bool: those whose weight is not 0; None without targets."""
        if not isinstance(self.targets, Tensor):
            return None
        return self.weights > 0 if isinstance(self.weights, Tensor) else torch.ones(len(self.targets), dtype=torch.bool)

    @property
    def units(self) -> tuple[str, ...]:
        """The independent unit of each sequence: its group where groups exist, else its key."""
        return tuple(self.groups if self.groups is not None else self.keys or ())

    def feature_names_of(self, name: str) -> tuple[str, ...] | None:
        """Return the names of the features of one input; None where they have no names."""
        names = self.feature_names
        if isinstance(names, Mapping):
            return tuple(names[name]) if name in names else None
        return None if names is None or name not in self.parts else tuple(names)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return int(self.lengths.shape[0])

    def __repr__(self) -> str:
        """Return the sizes and names, not the numbers."""
        inputs = ", ".join(f"{name} {list(part.values.shape)}" for name, part in self.parts.items())
        kind = f", {self.num_classes} {self.holds}" if self.holds != "values" else ", values"
        target = "no targets" if self.targets is None else f"one target a {self.each}{kind}"
        groups = "" if self.groups is None else f", {len(set(self.groups))} groups"
        sizes = f"{len(self)} sequence{'' if len(self) == 1 else 's'}, {self.num_steps} step{'' if self.num_steps == 1 else 's'}"
        return f"Sequences({sizes}, {inputs}, {target}{groups}, from {self.source})"

    def select(self, rows: Tensor | Sequence[int]) -> Sequences:
        """Return the given sequences, in the order asked, with everything that belongs to them.

        Args:
            rows: numbers of sequences (a sequence may be asked for twice), or a mask that is true for those to keep.

        Raises:
            ShapeError: a sequence that does not exist, or a mask of another length.
        """
        index = as_rows(rows, len(self), asked="Sequences.select(rows)")
        numbers = index.tolist()
        steps = next(iter(self.parts.values())).steps_of(index)
        inputs = {name: part.taken(index, steps) for name, part in self.parts.items()}

        def per_sequence(values: Any) -> Any:
            return values[index.to(values.device)] if isinstance(values, Tensor) else tuple([values[row] for row in numbers])

        def per_step(values: Any) -> Any:
            return values[steps.to(values.device)]

        chosen = {
            "targets": (per_sequence if self.each == "sequence" else per_step, self.targets),
            "weights": (per_step if self.weighs_steps else per_sequence, self.weights),
            "keys": (per_sequence, self.keys),
            "groups": (per_sequence, self.groups),
            "times": (per_step, self.times),
            "static": (per_sequence, self.static),
        }
        changed: dict[str, Any] = {name: None if values is None else pick(values) for name, (pick, values) in chosen.items()}
        pick = chosen["targets"][0]
        changed["baselines"] = {name: pick(values) for name, values in self.baselines.items()}
        changed["inputs"] = inputs["x"] if isinstance(self.inputs, Ragged) else inputs
        # Some of what was found to fit together fits together: a batch is not looked at again, which would take longer than to cut it.
        made = copy.copy(self)
        for name, values in changed.items():
            object.__setattr__(made, name, values)
        return made

    def select_steps(self, kept: Tensor) -> Sequences:
        """Return the same sequences with some of their steps, in order; one that keeps none has the length 0.

        Args:
            kept: `[steps]`, true for those to keep.

        Raises:
            ShapeError: a mask of another length.
        """
        mask = kept.bool().cpu()
        if mask.shape != (self.num_steps,):
            raise _error("kept", f"a shape of {tuple(kept.shape)} for {self.num_steps} steps", "Give a mask of one entry a step.")
        lengths = torch.zeros(len(self), dtype=torch.int64).index_add(0, next(iter(self.parts.values())).rows.cpu(), mask.long())
        inputs = {name: Ragged(part.values[mask.to(part.values.device)], lengths) for name, part in self.parts.items()}
        of_steps = {"times": self.times, "weights": self.weights if self.weighs_steps else None}
        of_steps["targets"] = self.targets if self.each == "step" else None
        changed: dict[str, Any] = {name: values[mask] for name, values in of_steps.items() if isinstance(values, Tensor)}
        if self.each == "step":
            changed["baselines"] = {name: values[mask.numpy()] for name, values in self.baselines.items()}  # type: ignore[call-overload]
        return replace(self, inputs=inputs["x"] if isinstance(self.inputs, Ragged) else inputs, **changed)

    @property
    def weighs_steps(self) -> bool:
        """Whether weights are one a step; without targets the shape tells, and weights of sequences win where both fit."""
        return self.each == "step" or (self.each is None and self.weights is not None and len(self.weights) != len(self))

    def with_notes(self, *notes: str) -> Sequences:
        """Return the same sequences with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    @staticmethod
    def concatenate(first: Sequences, second: Sequences) -> Sequences:
        """Return the sequences of both, which must have the same inputs, classes and categories.

        Raises:
            DataError: they differ in classes, categories, features, or in what they hold.
        """
        asked = "Sequences.concatenate(first, second)"
        for name in ("class_names", "categories", "feature_names", "static_names", "each", "task", "known", "season", "missing"):
            if getattr(first, name) != getattr(second, name):
                arrived = f"{getattr(first, name)} and {getattr(second, name)}"
                raise DataError(asked=asked, where=name, arrived=arrived, hint="Read both with the same columns and classes.")
        if (first.weights is None) != (second.weights is None):
            first, second = _weighted(first), _weighted(second)
        joined: dict[str, Any] = {}
        for name in ("targets", "weights", "keys", "groups", "times", "static"):
            one, other = getattr(first, name), getattr(second, name)
            if (one is None) != (other is None):
                without = "first" if one is None else "second"
                raise DataError(asked=asked, where=name, arrived=f"the {without} has none", hint="Give them to both, or to neither.")
            if one is not None:
                joined[name] = torch.cat([one, other]) if isinstance(one, Tensor) else (*one, *other)
        if first.baselines.keys() != second.baselines.keys():
            arrived = f"{', '.join(first.baselines) or 'none'} and {', '.join(second.baselines) or 'none'}"
            raise DataError(asked=asked, where="baselines", arrived=arrived, hint="Give the same ones to both.")
        joined["baselines"] = {
            name: torch.cat([torch.as_tensor(one), torch.as_tensor(second.baselines[name])]) for name, one in first.baselines.items()
        }
        if first.parts.keys() != second.parts.keys():
            arrived = f"{', '.join(first.parts)} and {', '.join(second.parts)}"
            raise DataError(asked=asked, where="inputs", arrived=arrived, hint="Read both with the same features.")
        inputs = {name: Ragged.concatenate([part, second.parts[name]]) for name, part in first.parts.items()}
        source = first.source if first.source == second.source else f"{first.source} and {second.source}"
        notes = tuple(dict.fromkeys((*first.notes, *second.notes)))
        single = isinstance(first.inputs, Ragged)
        return replace(first, inputs=inputs["x"] if single else inputs, source=source, notes=notes, **joined)


def _weighted(data: Sequences) -> Sequences:
    """Return the data with a weight for each target."""
    return data if data.weights is not None else replace(data, weights=torch.ones(len(data.targets if data.targets is not None else data)))


def _error(where: str, arrived: str, hint: str) -> ShapeError:
    return ShapeError(asked="Sequences(...)", where=where, arrived=arrived, hint=hint)
