"""`statewise explain`: what a check does, why it matters, how its finding is mended; without a code, all checks in a line each."""

from __future__ import annotations

import re
import textwrap
from difflib import get_close_matches

from statewise.auditing import Check, all_checks, needs_in_words
from statewise.cli._show import say
from statewise.errors import OptionError

_WIDTH, _NEAREST = 80, 3


def explain(code: str | None = None, /) -> int:
    """Tell what a check of the audit does, why it matters and how to mend it.

    Args:
        code: of the check, such as SW301, or its name; without it all checks are listed.
    """
    if code is None:
        for each in all_checks():
            say(f"{each.code}  {each.name:<{max(len(other.name) for other in all_checks())}}  {each.promise}")
        return 0
    say(page(_named(code)))
    return 0


def page(check: Check) -> str:
    """Return all that a check says of itself, as plain text of 80 columns."""
    parts = (
        ("Promise", check.promise),
        ("How", check.how),
        ("Why", check.why),
        ("Mend", check.mend),
        ("Needs", "; ".join(needs_in_words(check)) or "nothing"),
        ("After", f"a finding of {', '.join(check.causes)} may explain one of this check" if check.causes else ""),
        ("Seen in", check.seen_in),
    )
    lines = [f"{check.code} {check.name}", ""]
    for title, text in parts:
        if text:
            lines += textwrap.wrap(text, _WIDTH, initial_indent=f"{title + ':':<9}", subsequent_indent=" " * 9, break_on_hyphens=False)
    return "\n".join(lines)


def _named(code: str) -> Check:
    wanted = code.strip().casefold()
    found = next((each for each in all_checks() if wanted in (each.code.casefold(), each.name.casefold())), None)
    if found is not None:
        return found
    hint = f"The nearest are: {', '.join(near)}." if (near := _nearest(wanted)) else "See all of them: statewise explain."
    raise OptionError(asked="statewise explain", where="the code", arrived=repr(code), hint=hint)


def _nearest(wanted: str) -> list[str]:
    """Return the checks most like a misspelt code or name: of a code those whose numbers are nearest."""
    number = re.fullmatch(r"(?:sw)?(\d{3})", wanted)
    if number is not None:
        there = sorted(all_checks(), key=lambda each: abs(int(each.code[2:]) - int(number[1])))[:_NEAREST]
        return [f"{each.code} {each.name}" for each in there]
    known = {key.casefold(): each for each in all_checks() for key in (each.code, each.name)}
    close = get_close_matches(wanted, known, n=_NEAREST, cutoff=0.5)
    return list(dict.fromkeys(f"{known[key].code} {known[key].name}" for key in close))
