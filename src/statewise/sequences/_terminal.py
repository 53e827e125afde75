"""How does a data summary look in a terminal?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence


def lines_table(lines: Sequence[tuple[str, str]]) -> Table:
    """Return titles and texts in two columns; long texts wrap, and nothing in them is read as markup."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for title, text in lines:
        table.add_row(Text(title), Text(text))
    return table
