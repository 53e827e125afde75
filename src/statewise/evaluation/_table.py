"""What is a table of an evaluation, wherever it is shown?"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["baselines", "ahead", "labels", "trade-off", "mistakes", "averages", "by_sequence", "events", "slices"]


class Table(NamedTuple):
    """A table of words and figures: the first column is of words."""

    kind: Kind
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
