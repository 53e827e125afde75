"""How do the figures of the checks of data become the page that stands in the docs?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = Path(__file__).parents[2] / "docs" / "data-checks.md"

_HEAD = """\
# Checks of data, measured

Written by `make data-ground`. Every leak was planted in sets that are drawn anew {draws} times each, from the weakest strength that matters
upwards; 800 training and 200 test sequences of 12 to 39 steps and three features where nothing else is said. *Found*: the check
of that leak fails or warns. The clean sets look as if they had a leak and have none: nothing may be found in them.

What a check does is told by

```console
$ statewise explain SW703
SW703 shared-windows
```

"""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """How often a leak was found, by its strength."""

    code: str
    what: str
    draws: int
    shares: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Alarms:
    """How often each check found something, or ended in an error, in a clean set."""

    name: str
    what: str
    draws: int
    bad: dict[str, int]
    num_checks: int


def tables_of(curves: Sequence[Curve], clean: Sequence[Alarms]) -> str:
    """Return both tables as Markdown."""
    lines = ["## Leaks, by strength", "", "| check | what a strength counts | found, by strength |", "|---|---|---|"]
    for curve in curves:
        shares = ", ".join(f"{strength:g}: {share:.0%}" for strength, share in curve.shares)
        lines.append(f"| [{curve.code}](checks/{curve.code}.md) | {curve.what} | {shares} |")
    number, draws = sum(sum(each.bad.values()) for each in clean), sum(each.draws for each in clean)
    lines += ["", "## Clean sets", "", f"{number} findings and errors in {draws:,} audits of {len(clean)} clean sets.", ""]
    lines += ["| set | what it holds | audits | findings | checks that could judge |", "|---|---|---|---|---|"]
    for each in clean:
        told = ", ".join(f"{code}: {count}" for code, count in sorted(each.bad.items())) or "none"
        lines.append(f"| `{each.name}` | {each.what} | {each.draws} | {told} | {each.num_checks} |")
    return "\n".join(lines)


def page_of(curves: Sequence[Curve], clean: Sequence[Alarms]) -> str:
    """Return the page."""
    return _HEAD.format(draws=curves[0].draws) + tables_of(curves, clean) + "\n"
