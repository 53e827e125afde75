"""Which rules decide? A policy: limits, required evidence and safe ranges, read from a preset or from one's own TOML file.

What the rules mean for a given evaluation or history is told in `_figures.py`, `_mistakes.py` and `_training.py`.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from statewise.auditing import require_known
from statewise.errors import DataError, OptionError, nearest
from statewise.evaluation import FACTS
from statewise.training import MAX_RISE, MAX_SPIKE_SHARE, NORM_HIGH, NORM_LOW, SPIKE_EXEMPT, SPIKE_RATIO, SPIKE_WINDOW

EvidenceName: TypeAlias = Literal["evaluation", "history", "audit", "data"]
"""Figures, the training, the audit of the module, the audit of the data."""
SubjectKind: TypeAlias = Literal["run", "predictions", "counts"]

PRESETS = ("default", "lenient", "recall-first", "precision-first")
_PRESETS_FOLDER = Path(__file__).parent / "presets"
_REPLACED_WHOLE = ("limits", "require")
_DECIDES_NOTHING = ("name", "says")


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the policy file; a key that no rule has is refused."""


class Require(_Part, frozen=True, kw_only=True):
    """The evidence that must be there, by what is judged, and the checks (codes, or beginnings of codes) that must have passed."""

    run: tuple[EvidenceName, ...] = ("evaluation", "history", "audit")
    predictions: tuple[EvidenceName, ...] = ("evaluation",)
    counts: tuple[EvidenceName, ...] = ("evaluation",)
    checks: tuple[str, ...] = ()

    def of(self, kind: SubjectKind) -> tuple[EvidenceName, ...]:
        """Return what is required of one kind of subject."""
        return {"run": self.run, "predictions": self.predictions, "counts": self.counts}[kind]


class EvidenceRules(_Part, frozen=True, kw_only=True):
    """How much evidence is enough, and below which share of positives the limits for balanced classes are dropped.

    `prevalence` is the share of positives expected in production, where the test data has another: figures that depend on it are
    computed anew for it.
    """

    min_units: int = 50
    min_positives: int = 30
    prevalence: float | None = None
    rare_positives_below: float = 0.10


class TrainingRules(_Part, frozen=True, kw_only=True):
    """How far one epoch may go against the trend, as a share of the whole fall (or climb)."""

    max_rise: float = MAX_RISE


class GradientRules(_Part, frozen=True, kw_only=True):
    """The safe range of the norm of all gradients together, before clipping."""

    median_low: float = NORM_LOW
    median_high: float = NORM_HIGH
    spike_ratio: float = SPIKE_RATIO
    spike_window: int = SPIKE_WINDOW
    spike_exempt: int = SPIKE_EXEMPT
    max_spike_share: float = MAX_SPIKE_SHARE


class CostRules(_Part, frozen=True, kw_only=True):
    """What one mistake costs, in any unit; without `max_per_case` the model must be cheaper than always giving one answer.

    A text names the column of the predictions that holds what a mistake costs in each row, such as `"amount"`.
    """

    miss: float | str
    false_alarm: float | str
    max_per_case: float | None = None


class AlertRules(_Part, frozen=True, kw_only=True):
    """How many alarms can be handled: alerts of each thousand cases or a day, the share of negatives that may raise one.

    `min_precision` is the least share of the alerts that must be right; unlike a limit on precision it stays where positives are rare.
    """

    max_per_thousand: float | None = None
    max_per_day: float | None = None
    max_false_positive_rate: float | None = None
    min_precision: float | None = None


class Policy(_Part, frozen=True, kw_only=True):
    """The rules that decide whether a model is fit for production.

    Attributes:
        name: the preset or the file's stem; `says` is one sentence on its purpose. Both decide nothing.
        bounds: True judges the end of an interval, False the figure itself.
        limits: the least value of each metric, of errors (mse, rmse, mae, cross_entropy, bits, perplexity) the most. Those of
            metrics that a task does not have are not judged.
        require: evidence that must be there, by what is judged.
        evidence, training, gradients: see the classes of these tables.
        cost, alerts: what a mistake costs, where it was said; needed where positives are rare.

    Example:
        >>> Policy(limits={"recall": 0.9}).require.of("run")
        ('evaluation', 'history', 'audit')
    """

    name: str = "own"
    says: str = ""
    bounds: bool = True
    limits: dict[str, float]
    require: Require = Require()
    evidence: EvidenceRules = EvidenceRules()
    training: TrainingRules = TrainingRules()
    gradients: GradientRules = GradientRules()
    cost: CostRules | None = None
    alerts: AlertRules | None = None

    def __post_init__(self) -> None:
        """Refuse a policy that asks nothing, and numbers that no figure can reach."""
        if not self.limits and self.cost is None and self.alerts in (None, AlertRules()):
            raise OptionError(
                asked=f"use policy '{self.name}'",
                where="table [limits]",
                arrived="no limit, no cost and no alert budget, so that every model would pass",
                hint='Name a limit, or begin with: extends = "default".',
            )
        for metric in self.limits:
            if metric not in FACTS:
                asked, where = f"use policy '{self.name}'", f"table [limits], key {metric!r}"
                raise OptionError(asked=asked, where=where, arrived="no metric has this name", hint=nearest(metric, FACTS))
        for code in self.require.checks:
            require_known((code,), asked=f"use policy '{self.name}'", where="table [require], key 'checks'", family=None)
        for where, value, lowest, highest in _ranges(self):
            if not lowest <= value <= highest:
                raise OptionError(
                    asked=f"use policy '{self.name}'",
                    where=where,
                    arrived=f"{value:g}",
                    hint=f"Give a number from {lowest:g} to {highest:g}.",
                )

    @property
    def sha256(self) -> str:
        """Hash of everything that decides: the same for the same rules, whatever the file's name, order, comments or sentence."""
        rules = {key: value for key, value in msgspec.to_builtins(checked(self)).items() if key not in _DECIDES_NOTHING}
        return hashlib.sha256(msgspec.json.encode(rules, order="sorted")).hexdigest()

    @property
    def knows_mistakes(self) -> bool:
        """Whether it says what a mistake costs: by a cost, an alert budget or a false-positive rate."""
        return self.cost is not None or (self.alerts is not None and self.alerts != AlertRules(min_precision=self.alerts.min_precision))


def read_policy(name_or_path: str | Path) -> Policy:
    """Read a preset by name, or one's own policy file.

    A file may begin with `extends = "default"` (or another preset, or a path beside it) and name only what differs; its own
    `[limits]` and `[require]` replace those tables whole.

    Args:
        name_or_path: `default`, `lenient`, `recall-first`, `precision-first`, or the path of a TOML file.

    Raises:
        OptionError: no such preset or file; a key, metric or value that a policy cannot have. The message names the nearest.
        DataError: the file is not TOML.

    Example:
        >>> read_policy("recall-first").limits
        {'recall': 0.9, 'precision': 0.5}
    """
    path = _find(name_or_path, beside=Path())
    table = _read_table(path, seen=())
    table.setdefault("name", path.stem)
    asked = f"read policy '{path}'"
    _check_keys(table, Policy, asked=asked, where="")
    return _convert(table, asked)


def checked(policy: Policy) -> Policy:
    """Return a policy that was made in Python as it would be read from a file: whole numbers as floats, wrong values refused."""
    return _convert(msgspec.to_builtins(policy), f"use policy '{policy.name}'")


def _find(name_or_path: str | Path, *, beside: Path) -> Path:
    if str(name_or_path) in PRESETS:
        return _PRESETS_FOLDER / f"{name_or_path}.toml"
    path = beside / name_or_path
    if path.is_file():
        return path
    looks_like_a_file = path.suffix == ".toml" or len(path.parts) > 1
    raise OptionError(
        asked="read a policy",
        where=f"policy '{name_or_path}'",
        arrived="no such file" if looks_like_a_file else "neither a preset nor a file",
        hint=f"{nearest(str(name_or_path), PRESETS)} Or give the path of a TOML file.",
    )


def _read_table(path: Path, *, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Read one file and what it extends, the nearer file winning."""
    if path.resolve() in seen:
        raise OptionError(
            asked="read a policy",
            where=f"file '{path}', key 'extends'",
            arrived="a circle: the file extends itself",
            hint=f"End it at a preset: {', '.join(PRESETS)}.",
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise DataError(
            asked="read a policy",
            where=f"file '{path}'",
            arrived=f"not readable as TOML ({problem})",
            hint="Begin with a copy of a preset.",
        ) from problem
    base = table.pop("extends", None)
    if base is None:
        return table
    below = _read_table(_find(str(base), beside=path.parent), seen=(*seen, path.resolve()))
    return _merged(below, table)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = {key: value for key, value in below.items() if key not in _DECIDES_NOTHING}
    for key, value in above.items():
        whole = key in _REPLACED_WHOLE or not isinstance(value, dict) or not isinstance(merged.get(key), dict)
        merged[key] = value if whole else merged[key] | value
    return merged


_TABLES: dict[str, type[_Part]] = {
    "require": Require,
    "evidence": EvidenceRules,
    "training": TrainingRules,
    "gradients": GradientRules,
    "cost": CostRules,
    "alerts": AlertRules,
}


def _check_keys(table: dict[str, Any], part: type[_Part], *, asked: str, where: str) -> None:
    known = [*part.__struct_fields__, *(("extends",) if part is Policy else ())]
    for key, value in table.items():
        if key not in known:
            raise OptionError(asked=asked, where=f"{where}key {key!r}", arrived="no rule has this name", hint=nearest(key, known))
        if key in _TABLES and isinstance(value, dict):
            _check_keys(value, _TABLES[key], asked=asked, where=f"table [{key}], ")
    if part is Policy and isinstance(table.get("limits"), dict):
        for metric in table["limits"]:
            if metric not in FACTS:
                raise OptionError(
                    asked=asked, where=f"table [limits], key {metric!r}", arrived="no metric has this name", hint=nearest(metric, FACTS)
                )


def _convert(table: dict[str, Any], asked: str) -> Policy:
    try:
        return msgspec.convert(table, Policy)
    except msgspec.ValidationError as problem:
        if isinstance(problem.__cause__, OptionError):  # msgspec wraps what __post_init__ raises
            raise problem.__cause__ from None
        says, _, at = str(problem).partition(" - at ")
        raise OptionError(
            asked=asked,
            where=f"key '{at.strip('`').removeprefix('$.')}'" if at else "the file",
            arrived=_in_words(says),
            hint='Begin with extends = "default" and name only what differs; the docs page on verdicts lists what each key takes.',
        ) from problem


_TOML = {
    "float | null": "a number",
    "float | str": "a number or the name of a column",
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


def _in_words(says: str) -> str:
    """Return what msgspec says of a value in the words of TOML."""
    told = says[:1].lower() + says[1:]
    for name, words in _TOML.items():
        told = told.replace(f"`{name}`", words)
    return told.replace("object missing required field", "the table lacks the key")


def _ranges(policy: Policy) -> list[tuple[str, float, float, float]]:
    """Return each number that has a range: where it stands, its value, the least and the greatest that it may be."""
    evidence, gradients = policy.evidence, policy.gradients
    found: list[tuple[str, float | None, float, float]] = [
        *((f"limit on {metric}", limit, *_range_of(metric)) for metric, limit in policy.limits.items()),
        ("min_units", evidence.min_units, 1, math.inf),
        ("min_positives", evidence.min_positives, 1, math.inf),
        ("prevalence", evidence.prevalence, 1e-9, 1 - 1e-9),
        ("rare_positives_below", evidence.rare_positives_below, 0.0, 1.0),
        ("max_rise", policy.training.max_rise, 0.0, math.inf),
        ("median_low", gradients.median_low, 0.0, gradients.median_high),
        ("spike_ratio", gradients.spike_ratio, 1.0, math.inf),
        ("spike_window", gradients.spike_window, 1, math.inf),
        ("spike_exempt", gradients.spike_exempt, 1, math.inf),
        ("max_spike_share", gradients.max_spike_share, 0.0, 1.0),
    ]
    if policy.cost is not None:
        found += [
            ("cost of a miss", _number(policy.cost.miss), 0.0, math.inf),
            ("cost of a false alarm", _number(policy.cost.false_alarm), 0.0, math.inf),
            ("max_per_case", policy.cost.max_per_case, 0.0, math.inf),
        ]
    if policy.alerts is not None:
        found += [
            ("max_per_thousand", policy.alerts.max_per_thousand, 0.0, 1000.0),
            ("max_per_day", policy.alerts.max_per_day, 0.0, math.inf),
            ("max_false_positive_rate", policy.alerts.max_false_positive_rate, 0.0, 1.0),
            ("min_precision", policy.alerts.min_precision, 0.0, 1.0),
        ]
    return [(where, float(value), float(lowest), float(highest)) for where, value, lowest, highest in found if value is not None]


def _number(cost: float | str) -> float | None:
    return None if isinstance(cost, str) else cost


def _range_of(metric: str) -> tuple[float, float]:
    """Return the least and the greatest limit that a metric can have."""
    return FACTS[metric].least, FACTS[metric].most
