"""Which sizes and options make a model? One record that is saved with the weights and builds the same model again."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from statewise.tasks import TASKS
from statewise.types import Each, KnownTask

CoreName: TypeAlias = Literal["rnn", "lstm", "gru"]
ReadoutName: TypeAlias = Literal["last", "mean", "max", "attention", "step"]


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `build` needs to make the same model again.

    Attributes:
        numeric: number of features of each numeric input, by name.
        categories: the labels that each categorical input may show; any other is read as `unknown`.
        input_dropout: share of the numeric features that training blanks out, anew for each sequence and for all its steps.
        num_static: number of features of a whole sequence.
        class_names: the label behind each class number; two classes are told apart by one logit, that of the second. Empty where
            outputs are values.
        each: whether there is one output a sequence or a step.
        embedding_size: numbers that stand for a category.
        horizon: steps that a forecast looks ahead.
        known: for each numeric input, the places of the features whose later values are known beforehand.
        missing: whether a NaN among the numbers is read as the mean of training.
    """

    core: CoreName
    task: KnownTask
    numeric: dict[str, int]
    class_names: tuple[str, ...]
    hidden_size: int = 64
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    input_dropout: float = 0.0
    readout: ReadoutName = "last"
    each: Each = "sequence"
    horizon: int = 1
    known: dict[str, tuple[int, ...]] = {}
    missing: Literal["error", "mean"] = "error"
    learned_state: bool = False
    categories: dict[str, tuple[str, ...]] = {}
    embedding_size: int = 8
    num_static: int = 0
    feature_names: tuple[str, ...] | None = None
    static_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Settle `each` for records of a task that knows one place only."""
        if self.each not in TASKS[self.task].each:
            msgspec.structs.force_setattr(self, "each", TASKS[self.task].each[0])

    @property
    def num_outputs(self) -> int:
        """Number of outputs of the head: one logit for two classes, else one a class, a label, or a step ahead."""
        holds = TASKS[self.task].holds
        if holds == "values":
            return self.horizon
        return 1 if holds == "classes" and len(self.class_names) == 2 else len(self.class_names)

    @property
    def num_known(self) -> int:
        """Number of features whose later values are known beforehand."""
        return sum(map(len, self.known.values()))
