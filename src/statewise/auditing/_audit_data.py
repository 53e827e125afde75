"""Do the parts of a data set keep apart what must be apart, and can a model learn from them what it is meant to? No model is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from statewise.auditing._fitted import fitted_of
from statewise.auditing._parts import Parts
from statewise.auditing._plain_audit import audited
from statewise.errors import DataError, OptionError, kind_of
from statewise.evaluation import read_evaluation
from statewise.models import Model
from statewise.runs import Run, RunFiles
from statewise.sequences import Sequences, number_of, require_sequences, told
from statewise.words import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statewise.auditing._audit import Audit

_ASKED = "audit_data"
_SAME = ("categories", "class_names", "each", "task")
"""What all parts must have alike, and what is told where they do not; the last three where both have targets."""
_NAMES = ("feature_names", "static_names")
"""What must be alike where both parts know it: the order of their columns."""


def audit_data(
    train: Sequences,
    valid: Sequences | None = None,
    test: Sequences | None = None,
    *,
    run: Run | None = None,
    model: nn.Module | None = None,
    scaling: Any = None,
    vocabulary: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
    make_features: Callable[[Sequences], Sequences] | None = None,
    score: float | None = None,
    select: Sequence[str] | str = (),
    ignore: Sequence[str] | str = (),
    seed: int = 0,
) -> Audit:
    """Look for leaks between the parts of a data set, and for what would spoil a training on them.

    Args:
        train: the training part.
        valid: the validation part.
        test: the test part.
        run: of a training on these parts: the statistics and the vocabulary of its model, and its accuracy if it was evaluated.
        model: instead of a run, a model of ours that was trained on these parts.
        scaling: the statistics that inputs are scaled by, where they are not the model's: what `fit_statistics` returned, a fitted
            scaler of scikit-learn, or `{"mean": [...], "scale": [...]}`.
        vocabulary: the entries that a model knows of each categorical input, or of the only one.
        make_features: makes the features of sequences; then the parts are raw, and the other checks look at what it makes.
        score: the accuracy that a model reaches on the last part; that of the run where it was evaluated.
        select: codes, or beginnings of codes; all where it is empty.
        ignore: codes, or beginnings of codes, that are skipped.
        seed: of draws, where there is too much to look at.

    Returns:
        The outcome of every check of data.

    Raises:
        OptionError: an argument that it cannot be, or `select` or `ignore` names no check.
        DataError: the parts have other inputs, categories or targets, or a part has no step.

    Example:
        >>> import torch
        >>> from statewise.sequences import Ragged
        >>> values = torch.randn(60 * 5, 2, generator=torch.Generator().manual_seed(0))
        >>> data = Sequences(inputs=Ragged(values, torch.full((60,), 5)))
        >>> audit_data(data.select(range(50)), test=data.select(range(40, 60)), select="SW701").findings[0].value
        0.5
    """
    given = {"training": train, "validation": valid, "test": test}
    require_sequences(train, asked=_ASKED, where="train")
    parts = {name: part for name, part in given.items() if part is not None}
    for name, part in parts.items():
        require_sequences(part, asked=_ASKED, where=name)
    _require_run(run, model)
    number_of(seed, 0, 2**62, asked=_ASKED, where="seed", whole=True)
    if score is not None:
        number_of(score, 0, 1, asked=_ASKED, where="score", whole=False)
    made = parts if make_features is None else {name: _made(make_features, part) for name, part in parts.items()}
    made = {name: part.select(part.lengths > 0) for name, part in made.items()}
    _require_alike(made)
    trained = model if run is None else run.model
    subject = Parts(
        train=made["training"],
        others={name: part for name, part in made.items() if name != "training"},
        fitted=fitted_of(scaling, trained, made["training"]),
        vocabulary=_vocabulary(vocabulary, trained, made["training"]),
        is_stated=vocabulary is not None or isinstance(trained, Model),
        may_be_refitted=isinstance(trained, Model) and scaling is None,
        score=score if score is not None else _score_of(run),
        make_features=make_features,
        raw=train,
        seed=seed,
    )
    sizes = "; ".join(f"{name} part {len(part):,} sequences, {part.num_steps:,} steps" for name, part in made.items())
    return audited("data", subject, name=train.source, sampled=sentence(sizes), asked=_ASKED, select=select, ignore=ignore)


def _require_run(run: Any, model: Any) -> None:
    if run is not None and model is not None:
        raise OptionError(asked=_ASKED, where="model", arrived="a model beside a run", hint="Give one: a run holds its model.")
    for name, value, kind in (("run", run, Run), ("model", model, nn.Module)):
        if value is not None and not isinstance(value, kind):
            hint = "Give what fit or load returns." if name == "run" else "Give the module that was trained."
            raise OptionError(asked=_ASKED, where=name, arrived=kind_of(value), hint=hint)


def _made(make_features: Callable[[Sequences], Sequences], part: Sequences) -> Sequences:
    found = make_features(part)
    require_sequences(found, asked=_ASKED, where="what make_features returns")
    if len(found) != len(part):
        hint = "It must return the same sequences with other features."
        raise DataError(asked=_ASKED, where="make_features", arrived=f"{len(found)} sequences of {len(part)}", hint=hint)
    return found


def _require_alike(parts: Mapping[str, Sequences]) -> None:
    """Refuse parts that no model could read alike, and parts with nothing in them."""
    train = parts["training"]
    for name, part in parts.items():
        where = f"the {name} part ({part.source})"
        if not part.num_steps:
            raise DataError(asked=_ASKED, where=where, arrived="it has no step", hint="Leave the part out, or check how it was read.")
        sizes = [{key: tuple(each.values.shape[1:]) for key, each in of.parts.items()} for of in (part, train)]
        if sizes[0] != sizes[1]:
            arrived = f"inputs {_shapes(sizes[0])}, and the training part has {_shapes(sizes[1])}"
            raise DataError(asked=_ASKED, where=where, arrived=arrived, hint="Read all parts with the same columns.")
        fields = [*(_SAME if part.targets is not None and train.targets is not None else _SAME[:1])]
        fields += [each for each in _NAMES if getattr(part, each) and getattr(train, each)]
        for field in fields:
            if getattr(part, field) != getattr(train, field):
                hint = "Read later parts with the options of the training part, and its class_names=, categories= and features=."
                raise DataError(asked=_ASKED, where=where, arrived=f"other {field} than the training part", hint=hint)


def _shapes(sizes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} of {' x '.join(map(str, size)) or '1'}" for name, size in sizes.items())


def _vocabulary(
    given: Mapping[str, Sequence[str]] | Sequence[str] | None, model: nn.Module | None, train: Sequences
) -> dict[str, Sequence[str]]:
    """Return the vocabulary that was given, else that of the model, else what the data were read with."""
    if isinstance(given, str):
        raise OptionError(asked=_ASKED, where="vocabulary", arrived=f"the text {told(given)}", hint="Give a list of entries.")
    if given is not None and not isinstance(given, Mapping):
        if len(train.categories) != 1:
            hint = "Give a dict with the entries of each categorical input."
            raise OptionError(
                asked=_ASKED, where="vocabulary", arrived=f"one list for {len(train.categories)} categorical inputs", hint=hint
            )
        return {next(iter(train.categories)): list(map(str, given))}
    if given is not None:
        for name in given:
            if name not in train.categories:
                raise OptionError(
                    asked=_ASKED, where="vocabulary", arrived=repr(name), hint=f"The categorical inputs are: {', '.join(train.categories)}."
                )
        return {name: list(map(str, entries)) for name, entries in given.items()}
    held = model.config.categories if isinstance(model, Model) else train.categories
    return {name: tuple(held[name]) for name in train.categories if name in held}


def _score_of(run: Run | None) -> float | None:
    if run is None:
        return None
    file = None if run.directory is None else RunFiles(run.directory).evaluation
    known = run.evaluation if run.evaluation is not None or file is None or not file.is_file() else read_evaluation(file)
    metrics = {} if known is None else known.metrics
    return float(metrics["accuracy"].value) if "accuracy" in metrics and metrics["accuracy"].value is not None else None
