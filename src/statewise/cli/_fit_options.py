"""Which options shape the model, the training and the cut of the data? Groups of them, each with what `--help` tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from statewise.errors import OptionError
from statewise.sequences import Sequences, seconds_of, split
from statewise.training import FitOptions

Flag = Annotated[bool, Parameter(negative="")]


@Parameter(name="*", group=Group("Model", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What rnn, lstm and gru are built with."""

    hidden_size: int = 100
    "Size of the state, of each direction."
    num_layers: int = 1
    "Layers of the core, one above the other."
    bidirectional: Flag = False
    "Read each sequence in both directions."
    dropout: float = 0.0
    "Share dropped between layers and before the head, in training."
    input_dropout: float = 0.0
    "Share of the numeric features blanked out in training, anew for each sequence."
    readout: Literal["last", "mean", "max", "attention"] | None = None
    "How the outputs of all steps become one."
    learned_state: Flag = False
    "Learn the state that a sequence begins from."
    horizon: int | None = None
    "How many steps a forecast looks ahead."
    embedding_size: int | None = None
    "Numbers that stand for a category or token."

    def require_unused(self, model: str) -> None:
        """Refuse options of our own models beside a module that is made elsewhere."""
        _require_defaults(
            self, arrived=f"an option of rnn, lstm and gru, beside {model}", hint="Leave it out: the function makes the module as it is."
        )

    def given(self) -> dict[str, Any]:
        """Return the options as `build` takes them."""
        return asdict(self)


@Parameter(name="*", group=Group("Training", sort_key=3))
@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How the model is trained."""

    epochs: int = 60
    "Passes over the training part at most."
    batch_steps: int | None = None
    "Real steps in a batch, about."
    lr: float = 3e-3
    "The largest learning rate."
    weight_decay: float = 0.01
    "Weight decay of AdamW."
    schedule: Literal["cosine", "constant"] = "cosine"
    "Of the learning rate."
    clip: float = 1.0
    "Largest norm of all gradients together; 0 switches clipping off."
    label_smoothing: float = 0.0
    "Share of each label spread over all classes."
    patience: int = 20
    "Stop after so many epochs without a lower validation loss; 0 never stops."
    refit: Flag = False
    "Train anew on training and validation part together, for the number of epochs that validation chose."
    class_weights: Literal["balanced"] | None = None
    "Let each class count the same in total."
    gradients_by_lag: Flag = False
    "After each epoch, measure how far back in time the loss reaches."
    window: int | None = None
    "Train in windows of so many steps, with the state carried from one to the next."
    lanes: int | None = None
    "Streams beside one another in a window; 64 by default."
    stride: int | None = None
    "How far apart windows start; by default the window."
    burn_in: int = 0
    "Steps before a window that run without gradient."
    device: str = "auto"
    "auto, cpu, cuda, ..."
    precision: Literal["float32", "bfloat16"] = "float32"
    "Of the matrix products."

    def given(self) -> dict[str, Any]:
        """Return the options as `fit` takes them."""
        return asdict(self)

    def check(self) -> None:
        """Refuse values outside their range, before any data is read."""
        FitOptions(**{name: value for name, value in self.given().items() if name in FitOptions.__struct_fields__})


@Parameter(name="*", group=Group("Cut of the data", sort_key=4))
@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How parts are cut out of one file."""

    by: Literal["sequence", "group", "time"] | None = None
    "What is never split; time cuts through sequences at a date. By default the group where there is one."
    embargo: float | str = 0.0
    "By time: how long after a cut nothing is scored: a number in the unit of the times (seconds for dates), or such as 6h."
    warm_up: int | None = None
    "By time: how many steps before a cut warm the state up at most; by default all."

    def cut(self, data: Sequences, *, fractions: tuple[float, ...], seed: int) -> tuple[Sequences, ...]:
        """Return the parts."""
        return split(data, by=self.by, fractions=fractions, seed=seed, embargo=self._embargo(), warm_up=self.warm_up)

    def _embargo(self) -> float:
        """Return the embargo as a number."""
        if not isinstance(self.embargo, str):
            return self.embargo
        try:
            return seconds_of(self.embargo, "statewise fit")
        except OptionError as problem:
            raise OptionError(asked=problem.asked, where="--embargo", arrived=problem.arrived, hint=problem.hint) from problem

    def require_unused(self) -> None:
        """Refuse options of the cut where every part has a file of its own."""
        _require_defaults(self, arrived="an option of the cut, and nothing is cut", hint="Leave it out: every part has a file of its own.")


def _require_defaults(options: ModelOptions | SplitOptions, *, arrived: str, hint: str) -> None:
    given = [field.name for field in fields(options) if getattr(options, field.name) != field.default]
    if given:
        raise OptionError(asked="statewise fit", where=f"--{given[0].replace('_', '-')}", arrived=arrived, hint=hint)
