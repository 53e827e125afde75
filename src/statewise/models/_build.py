"""How is a model made from sizes, or from the data it is for?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, get_args

import torch

from statewise.errors import OptionError, nearest
from statewise.models._config import CoreName, ModelConfig, ReadoutName
from statewise.models._model import Model
from statewise.sequences import fit_statistics, number_of
from statewise.tasks import TASKS
from statewise.types import KnownTask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statewise.sequences import Sequences
    from statewise.types import Each, Task


def build(
    core: CoreName,
    *,
    task: KnownTask | None = None,
    input_size: int | None = None,
    num_classes: int | None = None,
    hidden_size: int = 64,
    num_layers: int = 1,
    bidirectional: bool = False,
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    readout: ReadoutName | None = None,
    learned_state: bool = False,
    horizon: int | None = None,
    each: Each | None = None,
    embedding_size: int | None = None,
    class_names: Sequence[str] | None = None,
    data: Sequences | None = None,
    seed: int | None = None,
) -> Model:
    """Build a recurrent model: encoder, core, readout and head.

    Args:
        core: `"rnn"`, `"lstm"` or `"gru"`.
        task: `"classify"` (one label a sequence), `"tag"` (one a step), `"multilabel"` (any number of labels), `"regress"` (a value),
            `"forecast"` (the next `horizon` values, at each step) or `"next"` (the next token, at each step).
        input_size: number of features a step.
        num_classes: number of classes; two are told apart by a single logit, that of the second.
        hidden_size: size of the state, of each direction.
        num_layers: layers of the core, one above the other.
        bidirectional: read each sequence in both directions; then no output is causal.
        dropout: share dropped between layers and before the head, in training only.
        input_dropout: share of the numeric features blanked out in training, anew for each sequence and for all its steps; it keeps
            the model from leaning on one of them.
        readout: `"last"`, `"mean"`, `"max"` or `"attention"` over a sequence's own steps; always `"step"` for one output a step.
        learned_state: learn the state that a sequence begins from, instead of zeros.
        horizon: steps that a forecast looks ahead.
        each: one output a `"sequence"` or a `"step"`, for the tasks that know both.
        embedding_size: numbers that stand for a category; by default more, the more categories there are (8 to 64).
        class_names: the label behind each class number.
        data: read what is not given off these sequences: task, sizes, class names, categorical inputs, static features.
        seed: draw the weights from this seed, without touching torch's own generator; None draws from torch's.

    Raises:
        OptionError: an unknown name, a size below 1, or a size that neither was given nor can be read off `data`.

    Example:
        >>> model = build("gru", task="classify", input_size=5, hidden_size=4, num_classes=3, seed=0)
        >>> logits, state = model(torch.zeros(1, 10, 5))
        >>> tuple(logits.shape), tuple(state.shape)
        ((1, 3), (1, 1, 4))
    """
    task = task or (None if data is None else data.task)  # type: ignore[assignment]  # checked in the next lines
    _require_name("core", core, get_args(CoreName))
    _require_name("task", task, get_args(KnownTask))
    assert task is not None, "None is no name of a task"
    each = _each(task, each, data)
    readout = readout or ("step" if each == "step" else "last")
    _require_name("readout", readout, ("step",) if each == "step" else ("last", "mean", "max", "attention"))
    hidden_size, num_layers = _size("hidden_size", hidden_size), _size("num_layers", num_layers)
    embedding_size, input_size, horizon = (
        None if size is None else _size(option, size)
        for option, size in (("embedding_size", embedding_size), ("input_size", input_size), ("horizon", horizon))
    )
    num_classes = None if num_classes is None else _size("num_classes", num_classes)
    dropout, input_dropout = _share("dropout", dropout), _share("input_dropout", input_dropout)
    _require_direction(task, bidirectional=bidirectional)
    statistics = None if data is None else fit_statistics(data)
    categories = {} if statistics is None else statistics.categories
    numeric = _numeric(input_size, data)
    config = ModelConfig(
        core=core,
        task=task,
        numeric=numeric,
        class_names=_class_names(class_names, num_classes, data) if TASKS[task].holds != "values" else (),
        hidden_size=hidden_size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        dropout=dropout,
        input_dropout=input_dropout,
        readout=readout,
        learned_state=learned_state,
        each=each,
        horizon=_horizon(task, horizon, data),
        known=_known(task, data, numeric),
        missing="error" if data is None else data.missing,
        categories=categories,
        embedding_size=embedding_size or _embedding_size(categories),
        num_static=0 if data is None or data.static is None else int(data.static.shape[1]),
        feature_names=_names(None if data is None else data.feature_names),
        static_names=_names(None if data is None else data.static_names),
    )
    if seed is None:
        return _made(config)
    hint = "Give a whole number from 0 up, below 2 to the 63."
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number_of(seed, 0, 2**63 - 1, asked="build", where="seed", whole=True, hint=hint))
        return _made(config)


def _made(config: ModelConfig) -> Model:
    try:
        return Model(config)
    except RuntimeError as problem:  # torch's, of a tensor that no memory holds
        sizes = f"hidden_size={config.hidden_size}, num_layers={config.num_layers}, embedding_size={config.embedding_size}"
        hint = "Give smaller sizes: so many weights do not fit into memory."
        raise OptionError(asked="build", where="sizes", arrived=f"{sizes} ({str(problem).splitlines()[0][:160]})", hint=hint) from problem


def _each(task: Task, each: Each | None, data: Sequences | None) -> Each:
    """Return whether there is one output a sequence or a step: as stated, as in the data, else as is usual for the task."""
    found = each or (data.each if data is not None else None) or TASKS[task].each[0]
    _require_name("each", found, TASKS[task].each)
    return found


def _horizon(task: Task, horizon: int | None, data: Sequences | None) -> int:
    """Return how many steps ahead a forecast looks; only a forecast has a horizon, and its data must reach that far."""
    if (horizon is None) == (task == "forecast"):
        arrived = "nothing, and a forecast needs one" if horizon is None else f"{horizon}, beside task={task!r}"
        hint = "Give horizon=24 (--horizon 24) to predict the next 24 steps at each step; leave it out for other tasks."
        raise OptionError(asked="build", where="horizon", arrived=arrived, hint=hint)
    longest = 0 if data is None else int(data.lengths.max()) if len(data) else 0
    if data is not None and horizon is not None and horizon >= longest:
        arrived = f"{horizon}, where the longest sequence of {data.source} has {longest} steps"
        hint = f"Look ahead by less than {longest} steps: no step has a value so far after it to learn from."
        raise OptionError(asked="build", where="horizon", arrived=arrived, hint=hint)
    return horizon or 1


def _known(task: Task, data: Sequences | None, numeric: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Return, for each numeric input, the places of the features that are known beforehand."""
    if data is None or not data.known:
        return {}
    if task != "forecast":
        hint = "Leave known= out: only a forecast looks at later steps."
        raise OptionError(asked="build", where="known", arrived=f"{', '.join(data.known)}, beside task={task!r}", hint=hint)
    names = {name: data.feature_names_of(name) or () for name in numeric}
    return {name: tuple(place for place, feature in enumerate(names[name]) if feature in data.known) for name in numeric}


def _require_direction(task: Task, *, bidirectional: bool) -> None:
    if bidirectional and TASKS[task].ahead:
        raise OptionError(
            asked="build",
            where="bidirectional",
            arrived=f"True, beside task={task!r}",
            hint="Leave it out: read backwards, each step would have seen the steps that it is to predict.",
        )


def _embedding_size(categories: Mapping[str, Sequence[str]]) -> int:
    """Return a width that grows with the number of categories, from 8 to 64."""
    most = max((len(seen) for seen in categories.values()), default=0)
    return max(8, min(64, int(most**0.8)))


def _numeric(input_size: int | None, data: Sequences | None) -> dict[str, int]:
    found = {} if data is None else {name: int(part.values.shape[1]) for name, part in data.parts.items() if name not in data.categories}
    if input_size is not None:
        if data is None:
            return {"x": input_size}
        if found != {"x": input_size}:
            raise OptionError(
                asked="build",
                where="input_size",
                arrived=f"{input_size}, but the data has {found}",
                hint="Leave input_size out: it is read off the data.",
            )
    if not found and (data is None or not data.categories):
        raise OptionError(asked="build", where="input_size", arrived="nothing", hint="Give the number of features a step, or data=.")
    return found


def _class_names(names: Sequence[str] | None, number: int | None, data: Sequences | None) -> tuple[str, ...]:
    if names is None and data is not None and (number is None or number == data.num_classes):
        names, number = data.class_names, data.num_classes
    if names is None and number is None:
        raise OptionError(
            asked="build", where="num_classes", arrived="nothing", hint="Give num_classes, class_names, or data= with targets."
        )
    names = tuple(names) if names is not None else tuple(str(label) for label in range(number or 0))
    if len(names) < 2 or (number is not None and number != len(names)):
        raise OptionError(
            asked="build",
            where="num_classes",
            arrived=f"{number} with names {list(names)[:12]}",
            hint="A model tells at least two classes apart; for one label of 0 and 1, leave task='multilabel' (--task) out.",
        )
    return names


def _names(names: object) -> tuple[str, ...] | None:
    return tuple(names) if isinstance(names, (list, tuple)) else None


def _require_name(option: str, given: object, known: Sequence[str]) -> None:
    if given not in known:
        raise OptionError(asked="build", where=option, arrived=repr(given), hint=nearest(str(given), known))


def _share(option: str, given: float) -> float:
    hint = "Give a share from 0 up to, not including, 1."
    share: float = number_of(given, 0, math.nextafter(1, 0), asked="build", where=option, whole=False, hint=hint)
    return share


def _size(option: str, given: int) -> int:
    size: int = number_of(given, 1, 2**63 - 1, asked="build", where=option, whole=True, hint="Give a whole number from 1 up.")
    return size
