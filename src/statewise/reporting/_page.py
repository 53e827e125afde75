"""What stands on the page, in which order? Every section as it is shown, and the charts by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from statewise import __version__
from statewise.evaluation import Table, part_tables
from statewise.reporting._answer import Answer, Headline, Tile, answer_of, headline_of, judged_metrics, stale, tiles_of
from statewise.reporting._audited import Audited, audited_of
from statewise.reporting._drawing import chart_spec
from statewise.reporting._evidence import Evidence, Missing
from statewise.reporting._lag_chart import is_drawable, lag_chart
from statewise.reporting._palette import PAGE, Palette
from statewise.reporting._score_charts import confusion_chart, metric_chart
from statewise.reporting._score_sections import ScoreSection, sections_of
from statewise.reporting._score_value_charts import ahead_chart, value_chart
from statewise.reporting._scores import Classes, Matrix, Metrics, classes_of, matrix_of, metrics_of
from statewise.reporting._story import Data, Group, Inside, Training, data_of, inside_of, provenance_of, training_of
from statewise.reporting._trade_off import Thresholds, thresholds_of, trade_off_chart
from statewise.reporting._training_charts import accuracy_chart, gradient_chart, loss_chart
from statewise.tasks import TASKS

_OF_CLASSES = (("confusion", "Confusion"), ("classes", "Classes"))
_OF_SCORES = ("thresholds", "Thresholds")
_OF_PARTS = ("parts", "Parts")
_SECTIONS = (
    ("verdict", "Verdict"),
    ("why", "Why"),
    ("data", "Data"),
    ("training", "Training"),
    ("metrics", "Metrics"),
    ("inside", "Inside"),
    ("audit", "Audit"),
    ("provenance", "Provenance"),
)

_UNITS = dict.fromkeys(("regress", "forecast"), "squared error / variance")


@dataclass(frozen=True, kw_only=True)
class Page:
    """A report before it is written down: sections in order, each as it is shown or `Missing`.

    Attributes:
        confusion, classes: None for a task that tells no classes apart; `scores` are the sections that stand there instead.
        thresholds: None without scores of two classes.
        charts: Vega-Lite specifications by name; only those that have something to draw.
    """

    name: str
    version: str
    sections: tuple[tuple[str, str], ...]
    headline: Headline
    tiles: tuple[Tile, ...]
    why: Answer | Missing
    stale: Missing | None
    data: Data
    training: Training | Missing
    metrics: Metrics | Missing
    confusion: Matrix | Missing | None
    classes: Classes | Missing | None
    scores: tuple[ScoreSection, ...]
    thresholds: Thresholds | None
    parts: tuple[Table, ...]
    inside: Inside | Missing
    audit: Audited | Missing
    data_audit: Audited | None
    provenance: tuple[Group, ...]
    provenance_missing: Missing | None
    charts: dict[str, dict[str, Any]]


def make_page(evidence: Evidence) -> Page:
    """Arrange all that a run has to show."""
    verdict, evaluation, narration = evidence.verdict, evidence.evaluation, evidence.narration
    scores = () if isinstance(evaluation, Missing) else sections_of(evaluation)
    parts = () if isinstance(evaluation, Missing) else tuple(part_tables(evaluation))
    has_classes = _has_classes(evidence)
    thresholds = None if isinstance(evaluation, Missing) else thresholds_of(evaluation)
    return Page(
        name=evidence.run.directory.name if evidence.run.directory is not None else evidence.run.config.model_name,
        version=__version__,
        sections=_sections(scores, has_classes=has_classes, has_thresholds=thresholds is not None, has_parts=bool(parts)),
        headline=headline_of(evidence),
        tiles=tiles_of(evaluation) if not isinstance(evaluation, Missing) else (),
        why=verdict if isinstance(verdict, Missing) else answer_of(verdict),
        stale=stale(verdict, evaluation),
        data=data_of(evidence),
        training=narration if isinstance(narration, Missing) else training_of(narration, evidence.run, evidence.gradient_rules),
        metrics=evaluation if isinstance(evaluation, Missing) else metrics_of(evaluation, judged_metrics(verdict, evaluation)),
        confusion=None if not has_classes else evaluation if isinstance(evaluation, Missing) else matrix_of(evaluation),
        classes=None if not has_classes else evaluation if isinstance(evaluation, Missing) else classes_of(evaluation),
        scores=scores,
        thresholds=thresholds,
        parts=parts,
        inside=evidence.trace if isinstance(evidence.trace, Missing) else inside_of(evidence.trace),
        data_audit=None if evidence.data_audit is None else audited_of(evidence.data_audit, evidence.run),
        audit=evidence.audit if isinstance(evidence.audit, Missing) else audited_of(evidence.audit, evidence.run),
        provenance=provenance_of(evidence),
        provenance_missing=evidence.provenance if isinstance(evidence.provenance, Missing) else None,
        charts={name: chart_spec(chart) for name, chart in draw(evidence).items()},
    )


def _has_classes(evidence: Evidence) -> bool:
    """Whether there is, or could be, a confusion matrix."""
    if not isinstance(evidence.evaluation, Missing):
        return bool(evidence.evaluation.confusion.counts)
    facts = TASKS.get(evidence.run.config.task)
    return facts is None or (facts.holds == "classes" and not facts.ahead)


def _sections(scores: tuple[ScoreSection, ...], *, has_classes: bool, has_thresholds: bool, has_parts: bool) -> tuple[tuple[str, str], ...]:
    """Return the sections of the page by their ids, in order, as the navigation names them."""
    own = _OF_CLASSES if has_classes else tuple((each.id, each.short) for each in scores)
    own = (*own, *([_OF_PARTS] if has_parts else []), *([_OF_SCORES] if has_thresholds else []))
    place = [name for name, _ in _SECTIONS].index("metrics") + 1
    return (*_SECTIONS[:place], *own, *_SECTIONS[place:])


def draw(evidence: Evidence, *, palette: Palette = PAGE) -> dict[str, Any]:
    """Return the charts of a run by name, as far as there is something to draw."""
    return {**_training_charts(evidence, palette), **_score_charts(evidence, palette)}


def _training_charts(evidence: Evidence, palette: Palette) -> dict[str, Any]:
    narration, history = evidence.narration, evidence.run.history
    if isinstance(narration, Missing):
        return {}
    options = evidence.run.config.options
    watched = history.epochs("fit")
    epochs, refit = (watched, history.epochs("refit")) if watched else (history.epochs("refit"), [])
    best = narration.best_epoch
    unit = "of your own" if options.get("own_loss") else _UNITS.get(evidence.run.config.task, "nats")
    found = {"loss": loss_chart(epochs, refit, best=best, unit=unit, palette=palette)}
    if any(each.train_accuracy is not None or each.valid_accuracy is not None for each in epochs):
        found["accuracy"] = accuracy_chart(epochs, refit, best=best, palette=palette)
    updates, again = history.updates(), history.updates("refit")
    if any(each.gradient_norm for each in [*updates, *again]):
        clip = float(options.get("clip") or 0.0)
        found["gradients"] = gradient_chart(updates, again, rules=evidence.gradient_rules, clip=clip, palette=palette)
    lags, lags_again = (history.lags(), history.lags("refit")) if watched else (history.lags("refit"), [])
    if is_drawable(lags):
        found["lags"] = lag_chart(lags, lags_again, best=best, palette=palette)
    return found


def _score_charts(evidence: Evidence, palette: Palette) -> dict[str, Any]:
    evaluation = evidence.evaluation
    if isinstance(evaluation, Missing):
        return {}
    limits = {name: reason.limit for name, reason in judged_metrics(evidence.verdict, evaluation).items() if reason.limit is not None}
    found = {"metrics": metric_chart(evaluation.metrics, limits, palette=palette)}
    if evaluation.confusion.counts:
        counted = evaluation.counted
        found["confusion"] = confusion_chart(evaluation.confusion, positive=evaluation.positive, counted=counted, palette=palette)
    if evaluation.trade_off is not None:
        found["thresholds"] = trade_off_chart(evaluation.trade_off, palette=palette)
    if evaluation.points.actual:
        found["values"] = value_chart(evaluation.points, palette=palette)
    if len(evaluation.by_ahead) > 1:
        found["ahead"] = ahead_chart(evaluation.by_ahead, baseline=evaluation.judged_baseline, palette=palette)
    return found
