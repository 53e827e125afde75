"""How is a model made from sizes, or from the data it is for?"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import torch

from statewise.errors import OptionError, nearest
from statewise.models._config import BuiltTask, CoreName, ModelConfig, ReadoutName
from statewise.models._model import Model
from statewise.sequences import fit_statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.sequences import Sequences


def build(
    core: CoreName,
    *,
    task: BuiltTask | None = None,
    input_size: int | None = None,
    num_classes: int | None = None,
    hidden_size: int = 64,
    num_layers: int = 1,
    bidirectional: bool = False,
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    readout: ReadoutName | None = None,
    learned_state: bool = False,
    class_names: Sequence[str] | None = None,
    data: Sequences | None = None,
    seed: int | None = None,
) -> Model:
    """Build a recurrent model: encoder, core, readout and head.

    Args:
        core: `"rnn"`, `"lstm"` or `"gru"`.
        task: `"classify"` (one label a sequence) or `"tag"` (one a step).
        input_size: number of features a step.
        num_classes: number of classes; two are told apart by a single logit, that of the second.
        hidden_size: size of the state, of each direction.
        num_layers: layers of the core, one above the other.
        bidirectional: read each sequence in both directions; then no output is causal.
        dropout: share dropped between layers and before the head, in training only.
        input_dropout: share of the numeric features blanked out in training, anew for each sequence and for all its steps; it keeps
            the model from leaning on one of them.
        readout: `"last"`, `"mean"` or `"max"` over a sequence's own steps; always `"step"` for `tag`.
        learned_state: learn the state that a sequence begins from, instead of zeros.
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
    task = task or ("tag" if data is not None and data.each == "step" else "classify" if data is not None else None)
    _require_name("core", core, get_args(CoreName))
    _require_name("task", task, get_args(BuiltTask))
    readout = readout or ("step" if task == "tag" else "last")
    _require_name("readout", readout, ("step",) if task == "tag" else ("last", "mean", "max"))
    _require_size("hidden_size", hidden_size)
    _require_size("num_layers", num_layers)
    _require_share("dropout", dropout)
    _require_share("input_dropout", input_dropout)
    config = ModelConfig(
        core=core,
        task=task,  # type: ignore[arg-type]  # checked above
        numeric=_numeric(input_size, data),
        class_names=_class_names(class_names, num_classes, data),
        hidden_size=hidden_size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        dropout=dropout,
        input_dropout=input_dropout,
        readout=readout,
        learned_state=learned_state,
        categories={} if data is None else fit_statistics(data).categories,
        num_static=0 if data is None or data.static is None else int(data.static.shape[1]),
        feature_names=_names(None if data is None else data.feature_names),
        static_names=_names(None if data is None else data.static_names),
    )
    if seed is None:
        return Model(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Model(config)


def _numeric(input_size: int | None, data: Sequences | None) -> dict[str, int]:
    found = {} if data is None else {name: int(part.values.shape[1]) for name, part in data.parts.items() if name not in data.categories}
    if input_size is not None:
        _require_size("input_size", input_size)
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
            hint="A model tells at least two classes apart.",
        )
    return names


def _names(names: object) -> tuple[str, ...] | None:
    return tuple(names) if isinstance(names, (list, tuple)) else None


def _require_name(option: str, given: object, known: Sequence[str]) -> None:
    if given not in known:
        raise OptionError(asked="build", where=option, arrived=repr(given), hint=nearest(str(given), known))


def _require_share(option: str, given: float) -> None:
    if not 0.0 <= given < 1.0:
        raise OptionError(asked="build", where=option, arrived=repr(given), hint="Give a share from 0 up to, not including, 1.")


def _require_size(option: str, given: int) -> None:
    if given < 1:
        raise OptionError(asked="build", where=option, arrived=repr(given), hint="Give a whole number from 1 up.")
