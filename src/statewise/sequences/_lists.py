"""How does a table with one sequence a row become one with a row a step? Its lists are laid out, each under its own name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.sequences._table import Table, polars

if TYPE_CHECKING:
    import polars as pl

    from statewise.sequences._options import Options


def laid_out(table: Table, options: Options) -> Table:
    """Return the table with a row a step; one without lists among the columns that are used stays as it is.

    A list holds one value a step, or one list of numbers a step, which becomes a column each: `x_1`, `x_2`, ... A row whose lists
    are empty, or null, is a sequence without steps.

    Args:
        table: rows as they were loaded.
        options: the options of `read`; a column that none of them names may hold lists of other lengths.

    Raises:
        DataError: lists of one row that differ in length, or lists inside lists that do.
    """
    pl = polars(table.asked)
    used = _used(table, options)
    frame = table.frame.with_columns(pl.col(name).arr.to_list() for name in table.names if table.frame[name].dtype.base_type() == pl.Array)
    lists = [name for name in frame.columns if frame[name].dtype.base_type() == pl.List and name in used]
    if not lists:
        return table
    lengths = _lengths(table, frame, lists)
    rows = np.repeat(np.arange(frame.height), lengths)
    unused = [name for name in frame.columns if frame[name].dtype.is_nested() and name not in lists]
    steps = frame.drop(unused).filter(pl.Series(lengths > 0)).explode(lists)
    for name in lists:
        steps = _widened(table, steps, name, rows)
    starts = np.cumsum(lengths) - lengths
    return Table(
        frame=steps,
        files=table.files,
        file_of=table.file_of[rows],
        row_of=table.row_of[rows],
        asked=table.asked,
        counted=table.counted,
        notes=table.notes,
        step_of=np.arange(len(rows)) - starts[rows],
        heads=Table(**{**vars(table), "frame": frame.drop([*lists, *unused]), "notes": ()}),
        lengths=lengths,
    )


def _used(table: Table, options: Options) -> set[str]:
    """Return the columns that the options name; without features, all of them."""
    if options.features is None:
        return set(table.names)
    chosen = options.features.values() if isinstance(options.features, dict) else [options.features]
    used = {*options.taken, *options.target, *options.categorical, *(name for each in chosen for name in each)}
    return used | {name for name in table.names if any(name == each.rpartition("_")[0] for each in used)}


def _lengths(table: Table, frame: pl.DataFrame, lists: list[str]) -> np.ndarray:
    """Return the number of steps of each row; its lists must agree."""
    sizes = {name: frame[name].list.len().fill_null(0).to_numpy().astype(np.int64) for name in lists}
    first = sizes[lists[0]]
    for name, each in sizes.items():
        odd = np.flatnonzero(each != first)
        if len(odd):
            row = int(odd[0])
            raise table.error(
                f"column {name!r}, {table.place(row)}",
                f"a list of {each[row]} values, but {lists[0]!r} has one of {first[row]}",
                "The lists of a row hold one value a step each; name those to read with features=[...].",
            )
    return first


def _widened(table: Table, steps: pl.DataFrame, name: str, rows: np.ndarray) -> pl.DataFrame:
    """Return the steps with a column of lists replaced by one column a number."""
    pl = polars(table.asked)
    if not steps[name].dtype.is_nested():
        return steps
    column: Any = steps[name]
    column = column.arr.to_list() if column.dtype.base_type() == pl.Array else column
    if column.dtype.base_type() != pl.List or column.dtype.inner.is_nested():
        raise table.error(f"column {name!r}", f"lists of {column.dtype}", "A list holds a number a step, or a list of numbers a step.")
    if not len(column):
        raise table.error(f"column {name!r}", "no step in any row, so the number of features is not known", "Give at least one step.")
    sizes = column.list.len().fill_null(0).to_numpy()
    odd = np.flatnonzero(sizes != sizes[0])
    if len(odd):
        arrived = f"a step of {sizes[odd[0]]} numbers, but the first has {sizes[0]}"
        row, first = int(rows[odd[0]]), int(np.searchsorted(rows, rows[odd[0]]))
        raise table.error(
            f"column {name!r}, {table.place(row)}, step {int(odd[0]) - first + 1}", arrived, "Give each step the same number of features."
        )
    columns = [column.list.get(place).rename(f"{name}_{place + 1}") for place in range(int(sizes[0]))]
    place = steps.columns.index(name)
    return steps.select(*steps.columns[:place], *columns, *steps.columns[place + 1 :])
