"""How do the figures of a proving ground become the page that stands in the docs, and the file that tests hold a fresh run against?"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.running import Tally
from statewise.auditing import checks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = Path(__file__).parents[1] / "docs" / "proving-ground.md"
FIGURES = Path(__file__).with_name("figures.json")


def read() -> list[Tally]:
    """Return the figures of the last full run."""
    known = json.loads(FIGURES.read_text(encoding="utf-8"))

    def fields_of(case: dict[str, Any]) -> dict[str, Any]:
        return {name: Counter(value) if isinstance(value, dict) else value for name, value in case.items()}

    return [Tally(**fields_of(each)) for each in known["cases"]]


def summary_of(tallies: Sequence[Tally]) -> list[str]:
    """Return what all cases come to, in lines."""
    defects = [each for each in tallies if each.code != "correct"]
    draws = sum(each.draws for each in defects)
    lines = []
    if draws:
        found, cause = (sum(getattr(each, name) for each in defects) for name in ("found", "as_cause"))
        always = sum(each.found >= 0.95 * each.draws and each.as_cause >= 0.85 * each.draws for each in defects)
        lines.append(
            f"defects: found in {found:,} of {draws:,} draws ({found / draws:.1%}), as the cause in {cause:,} ({cause / draws:.1%}); "
            f"{always} of {len(defects)} in at least 95 % of their draws and as the cause in 85 %"
        )
    accused, asked = sum(each.accused.total() for each in tallies), sum(each.asked for each in tallies)
    errors = sum(each.errors.total() for each in tallies)
    return [*lines, f"modules without a defect: {accused} findings and {errors} errors in {asked:,} audits of {len(tallies)} modules"]


def page_of(tallies: Sequence[Tally]) -> str:
    """Return the page: a line a check, and each case that is not as it should be."""
    by_code: dict[str, list[Tally]] = defaultdict(list)
    for each in tallies:
        by_code[each.code].append(each)
    accused: Counter[str] = sum((each.accused for each in tallies), Counter())
    judged: Counter[str] = sum((each.judged for each in tallies), Counter())
    asked = sum(each.asked for each in tallies) or 1
    rows = [_row(each.code, by_code.get(each.code, []), accused[each.code], judged[each.code] / asked) for each in checks_of("module")]
    missed = [
        f"- {each.code} {each.name}: found in {each.found} of {each.draws} draws, as the cause in {each.as_cause}; "
        f"other findings: {_counted(each.others)}"
        for each in tallies
        if each.code != "correct" and (each.found < 0.95 * each.draws or each.as_cause < 0.85 * each.draws)
    ]
    wrong = [f"- {each.name}: {_counted(each.accused)} in {each.asked} audits" for each in tallies if each.accused]
    return "\n".join(
        [
            *_HEAD,
            *(f"- {line}" for line in summary_of(tallies)),
            "",
            "| check | planted in | found | as the cause | false alarms | judged |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "## Defects that are found less often",
            "",
            *(missed or ["None."]),
            "",
            "## Modules that are accused wrongly",
            "",
            *(wrong or ["None."]),
            "",
        ]
    )


def write(tallies: Sequence[Tally]) -> None:
    """Write the figures, and the page that is made of them."""
    FIGURES.write_text(json.dumps({"schema": 1, "cases": [vars(each) for each in tallies]}, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page_of(tallies), encoding="utf-8")


_HEAD = (
    "# The proving ground",
    "",
    "Written by `make proving-ground`. Every defect was planted in several architectures before the check that meets it was written,",
    "as it occurs in tutorials and projects, with no weight scaled; its twin differs in a few lines and has none. Each is built anew in",
    "every draw: hidden sizes of 4, 8, 16 and 32, float32 and float64, other weights, other data of 1 to 40 steps.",
    "One draw in eight is asked with probes of all three shapes, the others with `fast=True`, to save time.",
    "Defects of somebody who had not seen the checks are told apart, in the [blind round](blind-round.md).",
    "",
    "What a check does is told by",
    "",
    "```console",
    "$ statewise explain SW301",
    "SW301 padding-reaches-answers",
    "```",
    "",
    "*Found*: the check of that defect fails or warns. *As the cause*: not only as the consequence of another. *False alarms*: findings",
    "on twins and correct modules. *Judged*: the share of these in which the check was applicable.",
    "",
)


def _row(code: str, tallies: Sequence[Tally], accused: int, judged: float) -> str:
    draws = sum(each.draws for each in tallies)
    found, cause = (sum(getattr(each, name) for each in tallies) for name in ("found", "as_cause"))
    planted = f"{len(tallies)} modules, {draws} draws" if tallies else "none"
    shares = f"{found / draws:.1%} | {cause / draws:.1%}" if draws else "- | -"
    return f"| [{code}](checks/{code}.md) | {planted} | {shares} | {accused} | {judged:.0%} |"


def _counted(codes: Counter[str]) -> str:
    return ", ".join(f"{code} {count} times" for code, count in sorted(codes.items())) or "none"
