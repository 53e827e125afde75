"""How often is each mistake of a metric or a training found, by how much of it there is, and what is accused wrongly?

Use `python -m proving_ground.evaluation [--draws 200] [--write]`; `--write` puts the figures into the docs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from proving_ground.evaluation import histories, metrics, predictions
from statewise.auditing import all_checks

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "evaluation-checks.md"
PLANTED = (*metrics.PLANTED, *predictions.PLANTED, *histories.PLANTED)
CLEAN = (*metrics.CLEAN, *predictions.CLEAN, *histories.CLEAN)

_HEAD = """\
# What the checks of metrics and trainings find

Written by `make evaluation-checks`. Each mistake is planted at several strengths, {draws} draws each: the table gives the share of draws in
which its check fails or warns (or, where no contract forbids it, tells of it). **Bold** is the weakest strength that matters. Below
stands what has no mistake, and whether any check failed, warned or ended in an error there.

What a check does is told by

```console
$ statewise explain SW806
SW806 batches-change-the-score
```

| check | planted | found, by strength |
|---|---|---|
"""


def main() -> None:
    """Print the tables, and write them where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground.evaluation", description=__doc__)
    parser.add_argument("--draws", type=int, default=200, help="for each strength, and for each clean case (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write docs/evaluation-checks.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for line in page(options.draws):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def page(draws: int) -> Iterator[str]:
    """Yield the lines of the page."""
    yield _HEAD.format(draws=draws).rstrip()
    names = {each.code: each.name for each in all_checks()}
    for case in PLANTED:
        shares = [(strength, case.found(strength, draws)) for strength in case.strengths]
        found = ", ".join(
            f"**{strength:g}: {share:.0%}**" if strength == case.weakest else f"{strength:g}: {share:.0%}" for strength, share in shares
        )
        yield f"| [{case.code}](checks/{case.code}.md) {names[case.code]} | {case.says} | {found} |"
    yield "\n| without a mistake | draws | accused |\n|---|---|---|"
    for clean in CLEAN:
        accused = clean.accused(draws)
        told = ", ".join(f"{code} {count} times" for code, count in sorted(accused.items())) or "of nothing"
        yield f"| {clean.name} | {draws} | {told} |"


if __name__ == "__main__":
    main()
