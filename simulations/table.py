"""How do the figures become the page that stands in the docs, and the file that tests hold a fresh run against?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simulations.coverage import RIVALS, SIZES, Tally
from simulations.readiness import LIMIT, TOO_FEW, UNITS, Ready
from simulations.streams import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE = Path(__file__).parents[1] / "docs" / "intervals.md"
FIGURES = Path(__file__).with_name("figures.json")

PROMISED = ("accuracy", "recall", "precision", "f1", "mae", "difference of accuracy", "difference of f1", "difference of mae")
"""The figures whose coverage is promised: proportions, F1, MAE and differences of two models."""

APART = ("long ones worse",)
"""Worlds in which no interval over so few units can keep the promise: the page says how far it falls short."""


@dataclass
class Figures:
    """All that was simulated."""

    coverage: list[Tally]
    streams: list[Tally]
    ready: list[Ready]


def read() -> Figures:
    """Return the figures of the last full run."""
    known = json.loads(FIGURES.read_text(encoding="utf-8"))
    coverage, streams = ([Tally(**each) for each in known[name]] for name in ("coverage", "streams"))
    return Figures(coverage=coverage, streams=streams, ready=[Ready(**each) for each in known["ready"]])


def write(figures: Figures) -> None:
    """Write the figures, and the page that is made of them."""
    parts = {name: [asdict(each) for each in getattr(figures, name)] for name in ("coverage", "streams", "ready")}
    lines = {name: ",\n".join(json.dumps(each) for each in records) for name, records in parts.items()}
    document = ",\n".join(f'"{name}": [\n{text}\n]' for name, text in lines.items())
    FIGURES.write_text(f'{{"schema": 1,\n{document}}}\n', encoding="utf-8")
    PAGE.write_text(page_of(figures), encoding="utf-8")


def promised(figures: Figures, least_units: int, most_units: int) -> list[Tally]:
    """Return the tallies of figures that are promised, of so many units."""
    return [
        each for each in figures.coverage if each.metric in PROMISED and each.world not in APART and least_units <= each.units <= most_units
    ]


def summary_of(figures: Figures) -> list[str]:
    """Return what the figures come to, in lines."""
    lines = []
    for least, most in ((200, 1000), (30, 100), (8, 20)):
        found = promised(figures, least, most)
        if found:
            low, high = (chosen(found, key=lambda each: each.share) for chosen in (min, max))
            lines.append(
                f"{least} to {most:,} units: {low.share:.1%} ({low.metric}, {low.world}, {low.units} units) "
                f"to {high.share:.1%} ({high.metric}, {high.world}, {high.units} units) of the intervals hold the true figure"
            )
    judged = [each for each in figures.ready if each.units >= UNITS[0]]
    if judged:
        worst = max(judged, key=lambda each: each.ready / each.draws)
        few = sum(each.ready for each in figures.ready if each.units < UNITS[0])
        lines.append(
            f"models just under the limit: at most {worst.ready} of {worst.draws:,} called ready ({worst.metric}, {worst.rows}, "
            f"{worst.units} units); {few} good models called ready on {TOO_FEW} units"
        )
    return lines


def page_of(figures: Figures) -> str:
    """Return the page: our intervals, those of other methods, one long stream, and the verdict."""
    return "\n".join(
        [
            *_HEAD,
            *(f"- {line}." for line in [*summary_of(figures), _effects(figures)]),
            "",
            "## Share of 95 % intervals that hold the true figure",
            "",
            _header("world and figure", [f"{each:,}" for each in SIZES]),
            *(_row(f"{world}: {metric}", each, SIZES) for world, metric, each in _by_figure(figures.coverage)),
            "",
            *_COMPARED,
            _header("figure and method", [f"{each:,}" for each in SIZES]),
            *_compared(figures.coverage),
            "",
            *_STREAM,
            _header("coefficient and figure", [f"{each:,} steps" for each in STEPS]),
            *(_row(f"{world.rpartition(' ')[2]}: {metric}", each, STEPS) for world, metric, each in _by_figure(figures.streams)),
            *(
                f"| {world.rpartition(' ')[2]}: {metric}, rows as independent | "
                + " | ".join(f"{each[steps].rivals[RIVALS[2]] / each[steps].draws:.1%}" for steps in STEPS)
                + " |"
                for world, metric, each in _by_figure(figures.streams)
            ),
            "",
            *_READY,
            _header("limited figure, and what a unit is", [f"{each:,} units" for each in (*UNITS, TOO_FEW)]),
            *_ready(figures.ready),
            "",
        ]
    )


def _header(first: str, others: Sequence[str]) -> str:
    return f"| {first} | {' | '.join(others)} |\n|---|{'---|' * len(others)}"


def _by_figure(tallies: Iterable[Tally]) -> list[tuple[str, str, dict[int, Tally]]]:
    found: dict[tuple[str, str], dict[int, Tally]] = {}
    for each in tallies:
        found.setdefault((each.world, each.metric), {})[each.units] = each
    return [(world, metric, each) for (world, metric), each in found.items()]


def _row(name: str, tallies: dict[int, Tally], sizes: Sequence[int]) -> str:
    return f"| {name.replace('_', ' ')} | {' | '.join(f'{tallies[size].share:.1%}' for size in sizes)} |"


def _effects(figures: Figures) -> str:
    """Return how much rows of one unit depend on each other."""
    largest = [each for each in figures.coverage if each.units == SIZES[-1]]
    dependent, alone = ([each.effect for each in largest if (each.world == "one row a unit") == one] for one in (False, True))
    return (
        "design effect, by how much the variance of a figure is larger than rows taken as independent say: "
        f"{min(dependent):.1f} to {max(dependent):.1f} at 1,000 units, {min(alone):.1f} to {max(alone):.1f} in the world of one row a unit"
    )


_SHOWN = (
    ("steps of sequences", "accuracy"),
    ("steps of sequences", "f1"),
    ("few errors", "recall"),
    ("steps of sequences", "difference of f1"),
    ("errors of values", "mae"),
    ("errors of values", "rmse"),
    ("errors of values", "skill"),
)


def _compared(tallies: Iterable[Tally]) -> Iterable[str]:
    known = {(world, metric): each for world, metric, each in _by_figure(tallies)}
    for key in _SHOWN:
        each = known[key]
        yield _row(f"**{key[1]}** ({key[0]}): ours", each, SIZES)
        for rival in RIVALS:
            yield f"| {rival} | {' | '.join(f'{each[size].rivals[rival] / each[size].draws:.1%}' for size in SIZES)} |"
        width = " | ".join(f"{each[size].width / each[size].widths[RIVALS[0]]:.2f}" for size in SIZES)
        yield f"| width of ours over that of the bootstrap, medians | {width} |"


def _ready(ready: Iterable[Ready]) -> Iterable[str]:
    found: dict[tuple[str, str], dict[int, Ready]] = {}
    for each in ready:
        found.setdefault((each.metric, each.rows), {})[each.units] = each
    for (metric, rows), sizes in found.items():
        counts = " | ".join(f"{sizes[units].ready} of {sizes[units].draws:,}" for units in (*UNITS, TOO_FEW))
        yield f"| {metric}, {rows} | {counts} |"


_HEAD = (
    "# How far the intervals can be trusted",
    "",
    "Written by `make intervals`. Data whose truth is known are drawn 2,000 times for each world and number of units, and the intervals",
    "are those that `evaluate` gives, by its own functions. An interval of 95 % should hold the true figure in 95 of 100 draws.",
    "",
    "A *unit* is what is independent of others: a group, a sequence, or a block of steps. Its rows rise and fall together. Their number is",
    "log-normal(3.5, 0.9), or Pareto with exponent 2.2, whose squares hardly have a mean: a few units hold much of the data. In *few",
    "errors* 97 of 100 answers are right; in *long ones worse* a unit e times as long has a logit lower by 0.4, so that few units decide",
    "how good the model is, and where they were not drawn nothing tells of them. *One row a unit* has exact intervals.",
    "",
    "Each figure is printed with its interval, and with how many units it rests on:",
    "",
    "```console",
    "$ statewise evaluate --tp 50 --fn 10 --fp 5 --tn 35",
    "recall of 'positive'                      0.833   0.715 to 0.917      60",
    "```",
    "",
)
_COMPARED = (
    "## Beside other methods",
    "",
    "Why neither the bootstrap nor Student's t on the plain scale: with few units both hold the truth too rarely, because they take the",
    "spread that was seen for all that there is. Ours is the delete-one jackknife on the scale of the logit or the logarithm, Student's t",
    "with fewer degrees of freedom where few units decide, and the end on the side of the longer tail moved out. Where units are many,",
    "all over units agree. Rows taken as independent stay wrong however many there are.",
    "",
)
_STREAM = (
    "## One long stream",
    "",
    "One sequence leaves no units to compare: blocks of consecutive steps take their place. The errors follow an autoregression.",
    "",
)
_READY = (
    "## Models that are not ready",
    "",
    f"The true figure is 0.79, the policy asks for {LIMIT:.2f} and for nothing else. How often is the verdict `ready`? In the last column",
    f"the true figure is 0.99, but {TOO_FEW} units are too few to know: 50 are needed, and 30 positives in as many units.",
    "",
)
