"""Which sizes and options make a model? One record that is saved with the weights and builds the same model again."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

CoreName: TypeAlias = Literal["rnn", "lstm", "gru"]
ReadoutName: TypeAlias = Literal["last", "mean", "max", "step"]
BuiltTask: TypeAlias = Literal["classify", "tag"]


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `build` needs to make the same model again.

    Attributes:
        numeric: number of features of each numeric input, by name.
        categories: the labels that each categorical input may show; any other is read as `unknown`.
        input_dropout: share of the numeric features that training blanks out, anew for each sequence and for all its steps.
        num_static: number of features of a whole sequence.
        class_names: the label behind each class number; two classes are told apart by one logit, that of the second.
    """

    core: CoreName
    task: BuiltTask
    numeric: dict[str, int]
    class_names: tuple[str, ...]
    hidden_size: int = 64
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    input_dropout: float = 0.0
    readout: ReadoutName = "last"
    learned_state: bool = False
    categories: dict[str, tuple[str, ...]] = {}
    embedding_size: int = 8
    num_static: int = 0
    feature_names: tuple[str, ...] | None = None
    static_names: tuple[str, ...] | None = None

    @property
    def num_outputs(self) -> int:
        """Number of outputs of the head: one logit for two classes, else one a class."""
        return 1 if len(self.class_names) == 2 else len(self.class_names)
