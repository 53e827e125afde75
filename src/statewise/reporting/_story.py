"""What do the sections on data, training and provenance say? Records of the run, arranged for reading."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from statewise.reporting._evidence import Evidence, Missing
from statewise.reporting._figures import count
from statewise.tasks import TASKS
from statewise.words import counted

if TYPE_CHECKING:
    from statewise.evaluation import Evaluation
    from statewise.runs import DataRecord, Provenance, Run
    from statewise.tracing import Trace
    from statewise.training import EpochLine, TrainingTrace
    from statewise.verdicts import GradientRules

_PARTS = {"train": "training", "valid": "validation", "test": "test"}
_TASKS = {
    "classify": "one label a sequence",
    "tag": "one label a step",
    "multilabel": "several labels at once",
    "regress": "values",
    "forecast": "values ahead",
    "next": "the next token",
}
_HOW_LAGS = (
    "Training measures it after each epoch with gradients_by_lag=True (--gradients-by-lag); "
    "'statewise trace' with --gradients shows it for one sequence."
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the data."""

    label: str
    source: str
    sequences: str
    steps: str
    mean: str


@dataclass(frozen=True, kw_only=True)
class ClassShare:
    """How frequent a class is among what was scored; without counts where nothing was."""

    name: str
    positive: bool
    count: int
    count_text: str
    share_text: str
    percent: float


@dataclass(frozen=True, kw_only=True)
class Data:
    """The section on data."""

    says: str
    parts: tuple[Part, ...]
    classes: tuple[ClassShare, ...]
    classes_caption: str
    counted: str


@dataclass(frozen=True, kw_only=True)
class Training:
    """The section on training."""

    says: str
    loss_says: str
    accuracy_says: str
    gradients_say: str
    no_gradients: Missing
    lags_say: str
    no_lags: Missing
    caption: str
    has_valid: bool
    lines: tuple[EpochLine, ...]


@dataclass(frozen=True, kw_only=True)
class Inside:
    """The section on what happens inside: the hidden state as a picture, and every stage, both as HTML of their own."""

    says: str
    picture: str
    stages: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Facts under one heading; `wide` gives each a line of its own."""

    label: str
    wide: bool = False
    facts: tuple[tuple[str, str], ...]


def data_of(evidence: Evidence) -> Data:
    """Return the section on data: the parts that trained, the part that was scored, the classes."""
    config = evidence.run.config
    evaluation = None if isinstance(evidence.evaluation, Missing) else evidence.evaluation
    recorded = {**config.data, **({} if isinstance(evidence.provenance, Missing) else evidence.provenance.data)}
    parts = [_part(_PARTS.get(name, name), record) for name, record in recorded.items()]
    if evaluation is not None and ("test" not in recorded or recorded["test"].source != evaluation.source):
        parts.append(_scored_part(evaluation))
    features = "" if not config.feature_names else f", {counted(len(config.feature_names), 'feature')} a step"
    classes = _classes(config.class_names, evaluation)
    positive = evaluation.positive if evaluation else config.positive
    support = evaluation.support if evaluation else {}
    return Data(
        says=f"Task: {config.task} ({_TASKS.get(config.task, 'as the contract says')}){_kinds(evidence, len(classes))}{features}.",
        parts=tuple(parts),
        classes=tuple(_class_share(name, support.get(name, 0), evaluation, positive=name == positive) for name in classes),
        classes_caption=f"Classes among the {evaluation.counted} that were scored" if evaluation else "Classes",
        counted=evaluation.counted.capitalize() if evaluation else "",
    )


def training_of(trace: TrainingTrace, run: Run, rules: GradientRules) -> Training:
    """Return the section on training; `rules` holds the safe range of gradient norms."""
    has_valid = any(line.valid_loss is not None or line.valid_accuracy is not None for line in trace.lines)
    best = "" if trace.best_epoch is None else f" The dashed line marks epoch {trace.best_epoch}, whose weights were kept."
    clip = float(run.config.options.get("clip") or 0.0)
    broken = any(line.loss is None for line in trace.lines)
    red = " Where it was not finite the ground is red." if broken else ""
    return Training(
        says=" ".join(
            [_trained(run, trace), *trace.notes, *([_overfits(trace.overfits_since)] if trace.overfits_since is not None else [])]
        ),
        loss_says=f"Loss of each epoch, on the training part{' and on the validation part' if has_valid else ''}.{best}{red}",
        accuracy_says=f"Accuracy of each epoch{', that of validation with its 95 % interval' if has_valid else ''}.{best}",
        gradients_say=_gradients(trace, run, clip, rules),
        no_gradients=Missing(
            why="No gradient norms were recorded.", how="Training with statewise records them at every update; a csv of losses has none."
        ),
        lags_say=_lags(trace, run),
        no_lags=Missing(
            why=trace.through_time or "How far back in time the loss reaches was not measured.",
            how="" if trace.through_time else _HOW_LAGS,
        ),
        caption="The training in words"
        + (f", every {trace.every} epochs and those that matter" if trace.num_left_out else ", epoch by epoch"),
        has_valid=has_valid,
        lines=trace.lines,
    )


def inside_of(trace: Trace) -> Inside:
    """Return the section on what happens inside."""
    stages = ", ".join(stage.name for stage in trace.stages)
    return Inside(says=f"{trace.title}. Stages: {stages}.", picture=trace.to_svg(), stages=trace.to_html())


def provenance_of(evidence: Evidence) -> tuple[Group, ...]:
    """Return the facts from which a run can be made again."""
    found = evidence.provenance
    groups = [] if isinstance(found, Missing) else _recorded(found)
    verdict = evidence.verdict
    policy = (("policy", verdict.policy), ("policy hash", verdict.policy_hash)) if not isinstance(verdict, Missing) else ()
    config = evidence.run.config
    model = [("model", config.model_name), ("run", evidence.place), *policy]
    if config.factory:
        model.append(("made by", config.factory))
    groups.append(Group(label="Model and policy", wide=True, facts=tuple((label, str(value)) for label, value in model)))
    if config.options:
        groups.append(
            Group(
                label="Options of the training",
                facts=tuple((name.replace("_", " "), _option(value)) for name, value in config.options.items()),
            )
        )
    return tuple(groups)


def _classes(known: tuple[str, ...], evaluation: Evaluation | None) -> tuple[str, ...]:
    """Return the classes, or labels, to list with how often they occur; not the tokens of a text, of which there are many."""
    if evaluation is None:
        return known
    return evaluation.confusion.class_names or tuple(evaluation.label_counts)


def _kinds(evidence: Evidence, listed: int) -> str:
    """Return how many classes, labels or tokens are told apart."""
    config = evidence.run.config
    facts = TASKS.get(config.task)
    if facts is not None and facts.holds == "values":
        return ""
    noun = "label" if config.task == "multilabel" else "token" if config.task == "next" else "class"
    return f", {counted(listed or len(config.class_names), noun)}"


def _part(label: str, record: DataRecord) -> Part:
    mean = record.num_steps / record.num_sequences if record.num_sequences else math.nan
    return Part(label=label, source=record.source, sequences=count(record.num_sequences), steps=count(record.num_steps), mean=f"{mean:.1f}")


def _scored_part(evaluation: Evaluation) -> Part:
    sequences = "–" if evaluation.num_sequences is None else count(evaluation.num_sequences)
    steps = count(evaluation.num_scored) if evaluation.counted in ("steps", "tokens") else "–"
    return Part(label="scored", source=evaluation.source, sequences=sequences, steps=steps, mean="–")


def _class_share(name: str, number: int, evaluation: Evaluation | None, *, positive: bool) -> ClassShare:
    share = number / evaluation.num_scored if evaluation else 0.0
    return ClassShare(
        name=name, positive=positive, count=number, count_text=count(number), share_text=f"{share:.1%}", percent=round(100 * share, 2)
    )


def _trained(run: Run, trace: TrainingTrace) -> str:
    config = run.config
    core = f" ({_core(config.model)})" if config.model is not None else ""
    speed = "" if trace.steps_per_second is None else f", {trace.steps_per_second:,.0f} real time steps a second"
    return f"{config.model_name}{core}: {counted(trace.num_epochs, 'epoch')}, {counted(trace.num_updates, 'update')}{speed}."


def _core(model: Any) -> str:
    direction = "bidirectional " if model.bidirectional else ""
    return f"{direction}{model.core.upper()}, {counted(model.num_layers, 'layer')}, state of {model.hidden_size}"


def _overfits(epoch: int) -> str:
    return f"It overfits from epoch {epoch} on."


def _gradients(trace: TrainingTrace, run: Run, clip: float, rules: GradientRules) -> str:
    says = "Norm of the gradients of each layer at each update."
    if trace.gradient_median is not None:
        says += f" The median of all together is {trace.gradient_median:.3g}, the safe range {rules.median_low:g} to {rules.median_high:g}."
    if not clip or trace.clipped_share is None:
        says += " Clipping was off."
    else:
        says += f" {trace.clipped_share:.0%} of the updates were clipped to {clip:g}, each marked at the foot."
    again = [update.gradient_norm for update in run.history.updates("refit") if update.gradient_norm is not None]
    if trace.phase == "fit" and again:
        says += f" Right of the dashed line is the refit; its median is {median(again):.3g}."
    return says


def _lags(trace: TrainingTrace, run: Run) -> str:
    records = run.history.lags(trace.phase)
    if not records:
        return ""
    last = records[-1]
    counted_sequences = counted(last.num_sequences, "sequence")
    return (
        f"Norm of the loss's gradient with respect to the {last.inputs} of each step, by how many steps before the loss it lies: "
        f"the median over the same {counted_sequences} each time. {trace.through_time}"
    )


def _recorded(found: Provenance) -> list[Group]:
    facts = [
        ("written", found.created),
        ("command", found.command),
        ("seed", str(found.seed)),
        ("device", f"{found.device}, {counted(found.threads, 'thread')}"),
    ]
    hashes = [
        ("weights", found.weights_sha256),
        *((f"{_PARTS.get(name, name)} data", record.sha256) for name, record in found.data.items()),
    ]
    return [
        Group(label="Run", wide=True, facts=tuple(facts)),
        Group(label="Versions", facts=tuple(found.versions.items())),
        Group(label="SHA-256", wide=True, facts=tuple(hashes)),
    ]


def _option(value: Any) -> str:
    return "default" if value is None else {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
