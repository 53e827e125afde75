"""How does an audit read in a terminal, as plain text and in a notebook? The answer first, then each finding with its mend."""

from __future__ import annotations

import html
import textwrap
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from statewise.auditing._soundness import answer, listed_codes
from statewise.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.text import Text

    from statewise.auditing._audit import Audit
    from statewise.auditing._outcome import Outcome
    from statewise.contracts import Contract

_WIDTH = 80
_LINE, _LONG_LINE = 140, 600
"""The most characters that one reason is shown with, and that of an error, which says what to do."""
_STYLES = {"fail": "bold red", "warn": "bold yellow", "error": "bold magenta"}


def as_text(audit: Audit) -> str:
    """Return the audit as plain text of 80 columns."""
    return "\n".join(line for line, _ in _lines(audit, _WIDTH))


def brief(audit: Audit) -> str:
    """Return the answer, the findings and the errors alone, as plain text of 80 columns."""
    return "\n".join(line for line, _ in _bad(audit, _WIDTH))


def as_html(audit: Audit) -> str:
    """Return the audit for a notebook."""
    return f"<pre>{html.escape(as_text(audit))}</pre>"


def render(audit: Audit, width: int) -> Iterator[Text]:
    """Yield the lines for a terminal of `width` columns."""
    from rich.text import Text

    for line, style in _lines(audit, max(width, 40)):
        yield Text(line, style=style)


def as_python(contract: Contract, sure: Mapping[str, str]) -> str:
    """Return a contract as Python that can be pasted, each field with how sure it is.

    A function cannot be written down, and stands there as a remark.

    Example:
        >>> from statewise.contracts import Contract
        >>> print(as_python(Contract(takes=("x", "lengths"), batch_first=True), {"takes": "read", "batch_first": "tried"}))
        sw.Contract(
            takes=("x", "lengths"),  # read
            batch_first=True,  # tried
        )
    """
    lines = []
    for name in contract.__struct_fields__:
        value = getattr(contract, name)
        how = sure.get(name, "declared")
        if callable(value) or (value is None and name in sure):
            lines.append(f"    # {name}: a function ({how})")
        elif value is not None:
            lines.append(f"    {name}={_written(value)},  # {how}")
    return "\n".join(["sw.Contract(", *lines, ")"]) if lines else "sw.Contract()"


def by_reason(outcomes: Sequence[Outcome]) -> list[tuple[str, tuple[Outcome, ...]]]:
    """Return outcomes grouped by what they say, the largest group first."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        groups[each.evidence or ("not selected" if each.status == "skipped" else "no reason given")].append(each)
    return sorted(((reason, tuple(members)) for reason, members in groups.items()), key=lambda pair: (-len(pair[1]), pair[1][0].code))


def consequences_of(outcomes: Sequence[Outcome], code: str) -> tuple[str, ...]:
    """Return the codes of the bad outcomes that a finding explains, those explained by these included."""
    direct = [each.code for each in outcomes if each.explained_by == code]
    return tuple(sorted({*direct, *(further for each in direct if each != code for further in consequences_of(outcomes, each))}))


def _lines(audit: Audit, width: int) -> Iterator[tuple[str, str]]:
    """Yield each line with its style."""
    outcomes = audit.outcomes
    yield from _bad(audit, width)
    observed = [each for each in outcomes if each.status == "observed"]
    if observed:
        yield "", ""
        yield "Observed, and not held against it:", "bold"
        for each in observed:
            for line in _wrapped(f"{each.code} {each.name}: {each.evidence}", width, first="  ", rest="    "):
                yield line, ""
    yield from _group("Not applicable", [each for each in outcomes if each.status == "not_applicable"], width)
    yield from _group("Not run", [each for each in outcomes if each.status == "skipped"], width)
    contract = as_python(audit.contract, audit.sure)
    if "\n" in contract:
        yield "", ""
        yield "Contract:", "bold"
        for line in contract.splitlines():
            yield f"  {line}", ""
    calls = f"{audit.num_calls:,} forward pass{'' if audit.num_calls == 1 else 'es'}." if audit.num_calls else ""
    for number, line in enumerate(_wrapped(f"{audit.sampled} {calls}".strip(), width)):
        yield from () if number else [("", "")]
        yield line, "dim"


def _bad(audit: Audit, width: int) -> Iterator[tuple[str, str]]:
    """Yield the answer, the findings and the errors."""
    outcomes = audit.outcomes
    worst = next((each.status for status in ("fail", "error", "warn") for each in outcomes if each.status == status), "")
    for line in _wrapped(f"audit of {audit.name}: {answer(outcomes)}", width):
        yield line, _STYLES.get(worst, "bold")
    for each in audit.findings:
        yield "", ""
        yield from _finding(each, consequences_of(outcomes, each.code), width)
    yield from _group("Ended in an error", [each for each in outcomes if each.status == "error"], width, most=_LONG_LINE)


def _finding(outcome: Outcome, consequences: Sequence[str], width: int) -> Iterator[tuple[str, str]]:
    """Yield a finding: code, status and name, then what was seen, where, why it matters and how it is mended."""
    yield f"{outcome.code}  {outcome.status:<5} {outcome.name}", _STYLES[outcome.status]
    parts = (
        ("seen", outcome.evidence),
        ("where", outcome.where or ""),
        ("why", outcome.why),
        ("mend", outcome.fix),
        ("also", f"explained by this: {', '.join(consequences)}" if consequences else ""),
    )
    for title, text in parts:
        for line in _wrapped(text, width, first=f"  {title:<6} ", rest=" " * 9):
            yield line, "italic" if title == "mend" else ""


def _group(title: str, outcomes: Sequence[Outcome], width: int, *, most: int = _LINE) -> Iterator[tuple[str, str]]:
    if not outcomes:
        return
    yield "", ""
    yield f"{title}: {counted(len(outcomes), 'check')}", "bold"
    for reason, members in by_reason(outcomes):
        says = reason if len(reason) <= most else f"{reason[: most - 3]}..."
        for line in _wrapped(f"{says} ({listed_codes(members)})", width, first=f"{len(members):>4}  ", rest=" " * 6):
            yield line, ""


def _wrapped(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    if not text:
        return []
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False)


def _written(value: Any) -> str:
    """Return a value as it is typed, with double quotes."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        inside = ", ".join(_written(each) for each in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return repr(value)
