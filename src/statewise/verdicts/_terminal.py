"""How does a verdict look in a terminal, as plain text, and in a notebook?"""

from __future__ import annotations

import html
import re
import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from statewise.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from statewise.verdicts._reasons import Level, Reason
    from statewise.verdicts._verdict import Verdict

_STYLES: dict[Level, str] = {
    "ready": "bold green",
    "needs_work": "bold yellow",
    "not_ready": "bold red",
    "not_enough_evidence": "bold magenta",
}
_HEADINGS: dict[Level, str] = {
    "ready": "What speaks for it",
    "needs_work": "Needs work",
    "not_ready": "Not ready because",
    "not_enough_evidence": "Not enough evidence",
}
# Figures are read (and searched for) as one piece: "98.0 %", "88 of 100" and "not ready" are never broken over two lines.
_ONE_PIECE = re.compile(r"(?<=\d) (?=%|of [\d,]+)|(?<=\d of) (?=\d)|(?<=to) (?=[\d.<>]+\d)|(?<=\d) (?=to [\d.])|(?<=recall) (?=\d)")
_NAMES = {"audit": "audit of the model", "data": "audit of the data"}
_NO_BREAK = "\u00a0"


def render(verdict: Verdict, width: int) -> Iterator[Text]:
    """Yield the lines of a verdict: the answer first, then why, then what was not looked at."""
    for line, style in _lines(verdict, max(width, 40)):
        yield Text(line, style=style)


def as_text(verdict: Verdict) -> str:
    """Return the verdict as it prints in 80 columns without colour."""
    return "\n".join(line for line, _ in _lines(verdict, 80))


def as_html(verdict: Verdict) -> str:
    """Return the verdict for a notebook or a page."""

    def table(title: str, reasons: Iterable[Reason]) -> str:
        rows = "".join(
            f"<tr><td>{_safe(reason.subject)}</td><td>{_safe(figures(reason))}</td><td>{_safe(reason.says)}</td><td>{_safe(reason.do)}</td></tr>"
            for reason in reasons
        )
        return f"<table><caption>{_safe(title)}</caption><tbody>{rows}</tbody></table>" if rows else ""

    parts = [
        f'<p class="statewise-header">{_safe(verdict.header)}</p>',
        f'<p class="statewise-verdict statewise-{verdict.level}"><b>{_safe(verdict.says)}</b> by policy {_safe(verdict.policy)}</p>',
        table("Why", verdict.reasons),
        table("What speaks for it", verdict.supports),
        *(f"<p>{_safe(line)}</p>" for line in remarks(verdict)),
    ]
    return "".join(parts)


def figures(reason: Reason) -> str:
    """Return the figure, its interval and its limit in one phrase; empty where there is no figure."""
    if reason.value is None:
        return "" if reason.limit is None else f"undefined, needs {reason.limit_kind} {_figure(reason.limit)}"
    digits = _digits_that_tell(reason)
    text = _figure(reason.value, digits)
    if reason.low is not None and reason.high is not None:
        text += f" ({_figure(reason.low, digits)} to {_figure(reason.high, digits)})"
    return text if reason.limit is None else f"{text}, needs {reason.limit_kind} {_figure(reason.limit, digits)}"


def remarks(verdict: Verdict) -> list[str]:
    """Return what was examined, what was not and need not be, and what decided nothing."""
    lines = [f"Examined: {line}." for line in verdict.examined]
    if verdict.not_required:
        names = [f"the {_NAMES.get(name, name)}" for name in verdict.not_required]
        lines.append(f"Not required by this policy, and not given: {listed(names)}.")
    return [*lines, *verdict.notes, f"Policy {verdict.policy}, SHA-256 {verdict.policy_hash[:12]}."]


def _lines(verdict: Verdict, width: int) -> Iterator[tuple[str, str]]:
    """Yield each line with its style."""
    for line in _wrapped(verdict.header, width):
        yield line, "dim"
    yield "", ""
    yield f"verdict: {verdict.says}", _STYLES[verdict.level]
    heading = ""
    for number, reason in enumerate(verdict.reasons, 1):
        if _HEADINGS[reason.points_to] != heading:
            heading = _HEADINGS[reason.points_to]
            yield "", ""
            yield heading, "bold"
        yield from _reason(reason, number, width)
    if verdict.supports:
        yield "", ""
        yield _HEADINGS["ready"], "bold"
    for reason in verdict.supports:
        for line in _wrapped(f"{_titled(reason)}{'' if figures(reason) else f'. {reason.says}'}", width, first="  + ", rest="    "):
            yield line, ""
    yield "", ""
    for remark in remarks(verdict):
        for line in _wrapped(remark, width, rest="  "):
            yield line, "dim"


def _reason(reason: Reason, number: int, width: int) -> Iterator[tuple[str, str]]:
    first = f"{number:>3}. "
    rest = " " * len(first)
    for line in _wrapped(_titled(reason), width, first=first, rest=rest):
        yield line, _STYLES[reason.points_to]
    for line in _wrapped(reason.says, width, first=rest, rest=rest):
        yield line, ""
    for line in _wrapped(f"Do: {reason.do}" if reason.do else "", width, first=rest, rest=rest):
        yield line, "italic"


def _titled(reason: Reason) -> str:
    return ": ".join(part for part in (reason.subject, figures(reason)) if part)


def _wrapped(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    together = _ONE_PIECE.sub(_NO_BREAK, text)
    lines = textwrap.wrap(together, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines]


def _digits_that_tell(reason: Reason) -> int:
    """Return so many decimals that no end of the interval is shown as the limit unless it is the limit."""
    ends = [end for end in (reason.value, reason.low, reason.high) if end is not None]
    digits = 3
    while digits < 6 and any(end != reason.limit and round(end, digits) == round(reason.limit or 0.0, digits) for end in ends):
        digits += 1
    return digits


def _figure(value: float, digits: int = 3) -> str:
    """Return whole numbers whole, shares with decimals, and what is very small or large as a power of ten.

    Example:
        >>> [_figure(value) for value in (0.12, 50.0, 0.00001, 123456.0, 1.5, 123.456)]
        ['0.120', '50', '1e-05', '123,456', '1.500', '123.5']
    """
    if value == int(value) and value not in {0.0, 1.0}:
        return f"{int(value):,}"
    if value and abs(value) < 0.001:
        return f"{value:.3g}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.{digits}f}"


def _safe(text: str) -> str:
    return html.escape(text)
