"""How does a command choose the threshold of a binary task? The options that say so, and the validation rows that it is chosen on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from statewise.cli._reading import Columns, read_for_run
from statewise.cli._target import is_run
from statewise.errors import OptionError, RunError
from statewise.evaluation import Cost, choose_threshold, predict, read_predictions
from statewise.runs import RunConfig, RunFiles, load, read_document

if TYPE_CHECKING:
    from statewise.evaluation import Predictions, Threshold

_OF_COST = ("miss_cost", "false_alarm_cost")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ThresholdOptions:
    """By what the threshold of a binary task is chosen, and on what."""

    valid: Path | None = None
    "What the threshold is chosen on: a predictions file, or for a run a file of data; by default the run's own validation part."
    miss_cost: str | None = None
    "What a missed positive costs: a number, or the column of the predictions that holds it, such as amount."
    false_alarm_cost: str | None = None
    "What a false alarm costs: a number or a column."
    max_alerts_per_thousand: float | None = None
    "The most rows of each thousand that may be called positive."
    max_alerts_per_day: float | None = None
    "The most rows a day that may be called positive; needs a column time."
    max_false_positive_rate: float | None = None
    "The largest share of the negatives that may be called positive."
    min_precision: float | None = None
    "The least share of the alerts that must be right."
    min_recall: float | None = None
    "The least share of the positives that must be found."

    @property
    def cost(self) -> Cost | None:
        """What mistakes cost, where that was said."""
        if self.miss_cost is None and self.false_alarm_cost is None:
            return None
        if self.miss_cost is None or self.false_alarm_cost is None:
            absent = next(name for name in _OF_COST if getattr(self, name) is None)
            hint = "Give both, or neither: --miss-cost 50 --false-alarm-cost 1 says that a miss is as bad as 50 false alarms."
            raise OptionError(asked="choose a threshold", where=_option(absent), arrived="nothing beside the other cost", hint=hint)
        return Cost(miss=_number_or_column(self.miss_cost), false_alarm=_number_or_column(self.false_alarm_cost))

    @property
    def bounds(self) -> dict[str, float]:
        """What the threshold must keep to, by the names of `choose_threshold`."""
        return {name: value for name, value in asdict(self).items() if name not in ("valid", *_OF_COST) and value is not None}

    @property
    def says_how(self) -> bool:
        """Whether there is a cost or a bound to choose by."""
        return self.cost is not None or bool(self.bounds)

    @property
    def given(self) -> list[str]:
        """The options that were given, as they are written."""
        return [_option(name) for name, value in asdict(self).items() if value is not None]

    def refuse(self, command: str, *, why: str) -> None:
        """Refuse what was given and could do nothing.

        Raises:
            OptionError: there is such an option.
        """
        if self.given:
            raise OptionError(asked=f"statewise {command}", where=self.given[0], arrived=why, hint="Leave it out.")


def choose_for(path: Path, options: ThresholdOptions, columns: Columns, *, positive: str | None, command: str) -> Threshold | None:
    """Return the threshold for a run or a predictions file, chosen on other rows; None where nothing was said of it.

    Raises:
        OptionError: options that do not fit together, or a file to choose on that says nothing of how.
        RunError: the run kept no validation predictions.
        DataError: nothing can be chosen on these rows.
    """
    cost, bounds = options.cost, options.bounds
    if cost is None and not bounds:
        if options.valid is not None:
            hint = "Say by what it is chosen: --miss-cost 50 --false-alarm-cost 1, or a bound such as --max-false-positive-rate 0.01."
            raise OptionError(asked=f"statewise {command}", where="--valid", arrived="nothing to choose a threshold by", hint=hint)
        return None
    return choose_threshold(
        validation_rows(path, options, columns, positive=positive, command=command), cost=cost, positive=positive, **bounds
    )


def validation_rows(path: Path, options: ThresholdOptions, columns: Columns, *, positive: str | None, command: str) -> Predictions:
    """Return the predictions that the threshold is chosen on.

    Raises:
        OptionError: a predictions file, and none to choose on.
        RunError: the run kept no validation predictions.
    """
    if not is_run(path):
        if options.valid is None:
            hint = "Give predictions of a validation part: --valid FILE. A threshold chosen on the test itself looks too good."
            raise OptionError(asked=f"statewise {command}", where=options.given[0], arrived="without --valid", hint=hint)
        return read_predictions(options.valid, task=columns.task, positive=positive)
    if options.valid is not None:
        run = load(path)
        return predict(run, read_for_run(run, options.valid, columns))
    return validation_of(path, positive=positive, command=command)


def validation_of(path: Path, *, positive: str | None, command: str) -> Predictions:
    """Return the predictions for its validation part that a run kept.

    Raises:
        RunError: it kept none.
    """
    kept = RunFiles(path).validation
    if not kept.is_file():
        hint = "Name a file of validation data: --valid FILE. A run keeps its own where there are two classes and no --refit."
        raise RunError(asked=f"statewise {command}", where=f"run '{path}'", arrived=f"no {kept.name} in it", hint=hint)
    config = read_document(RunFiles(path).config, RunConfig)
    task = None if config.task == "other" else config.task
    return read_predictions(kept, task=task, class_names=config.class_names or None, positive=positive or config.positive)


def _number_or_column(told: str) -> float | str:
    try:
        return float(told)
    except ValueError:
        return told


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
