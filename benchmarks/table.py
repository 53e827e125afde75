"""How is a row shown on the terminal? A line that says what was done, and below it one line a peer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.judging import Comparison, Judged

WIDTHS = (40, 10, 10, 23, 12, 8)
LEGEND = """ratio: how many times the peer's figure is ours, so that 2 is twice as fast; median of the rounds, in brackets the quartiles
floor: the lower quartile must reach it; judged is the median of the seeds, whose ratios stand at the end of the line
best: the best of the rivals; (beside): no rival, it tells what is left to gain or what a part costs"""


def head() -> str:
    """Return the names of the columns."""
    return _line("peer (its best variant)", "ours", "peer", "ratio [quartiles]", "floor", "", "by seed")


def lines_of(judged: Judged) -> Iterator[str]:
    """Yield the lines of one row."""
    measured = judged.measured
    row = measured.row
    yield ""
    yield f"{row.name}: {row.says}"
    told = [taken.notes for taken in measured.seeds if taken.notes]
    yield from (f"  {notes}" for notes in (told if row.notes_by_seed else told[:1]))
    if judged.limit is not None or not judged.comparisons:
        own = f"{shown(judged.ours.lower, row.unit)}-{shown(judged.ours.upper, row.unit)}"
        limit = "" if judged.limit is None else f"<= {shown(judged.limit, row.unit)}"
        word = "" if judged.limit is None else "BROKEN" if judged.is_over_limit else "ok"
        yield _line("  alone", shown(judged.ours.median, row.unit), "", f"[{own}]", limit, word, "")
    for each in judged.comparisons:
        yield _compared(each, row.unit, is_rival=each.peer == "best" or each.peer in measured.rivals)
    for name, package in measured.missing.items():
        yield f"  {name}: not measured, since {package} is not installed: pip install 'statewise[bench]'"
    if judged.not_measured:
        yield f"  BROKEN: a floor that could not be measured is not held: {', '.join(judged.not_measured)}"


def _compared(each: Comparison, unit: str, *, is_rival: bool) -> str:
    ratio = f"{each.ratio.median:.2f} [{each.ratio.lower:.2f}-{each.ratio.upper:.2f}]"
    floor = "" if each.floor is None else f">= {each.floor:g}"
    word = "" if each.floor is None else "BROKEN" if each.is_broken else "ok"
    name = f"  {each.peer}" + (f" ({each.variant})" if each.variant != each.peer else "") + ("" if is_rival else " (beside)")
    by_seed = " ".join(f"{ratio:.2f}" for ratio in each.by_seed) if len(each.by_seed) > 1 else ""
    return _line(name, shown(each.ours, unit), shown(each.theirs, unit), ratio, floor, word, by_seed)


def shown(figure: float, unit: str) -> str:
    """Return a figure with three digits, in a unit of its size.

    Example:
        >>> shown(0.01234, "s"), shown(3.5e6, "B"), shown(0.0, "s")
        ('12.3 ms', '3.34 MiB', '0 us')
    """
    scales = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")) if unit == "s" else ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
    scale, name = next((pair for pair in scales if figure >= pair[0]), scales[-1])
    return f"{figure / scale:.3g} {name}"


def _line(*cells: str) -> str:
    *aligned, last = cells
    return ("".join(f"{cell:<{width}}" for cell, width in zip(aligned, WIDTHS, strict=True)) + last).rstrip()
