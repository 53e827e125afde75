"""Which checks are there, and what does each say of itself? Writes `checks/` from the checks' own docstrings: `make docs`.

Nothing is written by hand but the frame, so a page says what `statewise explain` says, or a test fails.
"""

# ruff: noqa: INP001 - the pages' folder is no package
from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from statewise.auditing import NEEDS, all_checks, needs_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.auditing import Check

FOLDER = Path(__file__).with_name("checks")

FAMILIES = {
    "1": "State",
    "2": "Batch",
    "3": "Padding and readout",
    "4": "Causality",
    "5": "Order, memory and gradients",
    "6": "Determinism and modes",
    "7": "Data and leakage",
    "8": "Metrics and evaluation",
    "9": "Training history",
}
"""What the first digit of a code stands for."""

FRAME = """\
# Checks

What `statewise audit` looks for, a page each. How an audit is made and read is told in [auditing](../auditing.md). `make docs` makes
these pages from the checks, and any of them can be had where you are:

```console
$ statewise explain SW301
SW301 padding-reaches-answers
```

A check is an experiment on copies of the module. It is not applicable where the module lacks what it needs; the words in the last
column are told [below](#needs).
"""

EXPLAINED = (
    "Where one of these is a finding, this one may be only its consequence; "
    "a cause that can be mended on the probe is, and the check made again"
)
NEEDS_FRAME = """\
## Needs

What a module must have for a check, so that a check that did not run says what would make it run. Some of it can be had by saying
more in the contract: `stateful=True`, `reset=`, `order_matters=True`.
"""

PAGE = """\
# {code}: {name}

{promise}

**How it is found.** {how}

**Why it matters.** {why}

**How it is mended.** {mend}

**Needs.** {needs}
{more}
```console
$ statewise explain {code}
{code} {name}
```

[All checks](README.md)
"""


def pages() -> dict[str, str]:
    """Return the text of every page by the name of its file."""
    return {"README.md": _index(), **{f"{each.code}.md": page_of(each) for each in all_checks()}}


def page_of(check: Check) -> str:
    """Return the page of one check."""
    needs, each_of = needs_in_words(check), {"module": "module", "data": "set of parts", "metric": "metric", "history": "history"}
    causes = ", ".join(f"[{code}]({code}.md)" for code in check.causes)
    more = [
        f"**Explained by.** {EXPLAINED}: {causes}." if check.causes else "",
        f"**Seen in.** {_linked(check.seen_in)}." if check.seen_in else "",
    ]
    return PAGE.format(
        code=check.code, name=check.name, promise=_safe(check.promise), how=_safe(check.how), why=_safe(check.why), mend=_safe(check.mend),
        needs=f"{_capital('; '.join(needs))}." if needs else f"Nothing: it is made on every {each_of[check.family]}.",
        more="".join(f"\n{part}\n" for part in more if part),
    )  # fmt: skip


def write() -> None:
    """Write every page, and remove those of checks that are no more."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def _index() -> str:
    parts = [FRAME]
    for family, members in groupby(all_checks(), key=lambda each: each.code[2]):
        rows = [
            (f"[{each.code}]({each.code}.md)", each.name, _safe(each.promise), ", ".join(f"`{need}`" for need in each.needs))
            for each in members
        ]
        parts += [f"## {FAMILIES[family]}\n", _table(("code", "name", "what holds for a sound module", "needs"), rows)]
    parts += [NEEDS_FRAME, _table(("need", "it is there where"), [(f"`{name}`", need.words) for name, need in NEEDS.items()])]
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n" for cells in lines)


def _linked(seen_in: str) -> str:
    """Return public cases as links."""
    return re.sub(r"([\w.-]+/[\w.-]+)#(\d+)", r"[\1#\2](https://github.com/\1/issues/\2)", seen_in)


def _safe(text: str) -> str:
    """Return text in which nothing is read as a tag, a link or emphasis."""
    return re.sub(r"([<*\[])", r"\\\1", text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    write()
