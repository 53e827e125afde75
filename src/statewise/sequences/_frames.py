"""How does data in memory become a table? Frames of polars and pandas, a dict of columns, arrays of numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.errors import DataError, kind_of
from statewise.sequences._table import Table, clean_text, polars

if TYPE_CHECKING:
    import polars as pl

    from statewise.sequences._options import Options

_KINDS = "Give a path, a polars or pandas frame, a dict of columns, or a numpy array."


def is_in_memory(data: Any) -> bool:
    """Tell whether `read` was given data, not the path of a file."""
    return not (isinstance(data, str) or hasattr(data, "__fspath__"))


def table_in_memory(data: Any, options: Options, *, asked: str) -> Table:
    """Return data in memory as a table.

    Args:
        data: a frame of polars or pandas (the names of its index become columns too), a dict of columns, a structured array, or an
            array `[steps, feature]`, whose columns are named by `features=`.
        options: the options of `read`.
        asked: what the user wanted, for messages.

    Raises:
        DataError: something else, or columns that do not fit together.
    """
    pl = polars(asked)
    try:
        frame = _frame(data, options, asked, pl)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError, ValueError, OverflowError) as problem:
        if isinstance(problem, DataError):
            raise
        arrived = f"columns that cannot be read together ({str(problem).strip().splitlines()[0] if str(problem) else 'no reason given'})"
        raise DataError(
            asked=asked, where="the data in memory", arrived=arrived, hint="Give columns of equal length, of one type each."
        ) from problem
    if not frame.height:
        told = f"column names ({', '.join(frame.columns)}) and no row" if frame.columns else "no column and no row"
        raise DataError(asked=asked, where="the data in memory", arrived=told, hint="Give one row a step.")
    rows = np.arange(frame.height)
    return Table(frame=clean_text(frame), files=(), file_of=np.zeros_like(rows), row_of=rows, asked=asked)


def _frame(data: Any, options: Options, asked: str, pl: Any) -> pl.DataFrame:
    """Return data of any kind as a frame of polars."""
    if isinstance(data, pl.LazyFrame):
        return data.collect()  # type: ignore[no-any-return]
    if isinstance(data, pl.DataFrame):
        return data  # type: ignore[no-any-return]
    if isinstance(data, np.ndarray):
        return _of_array(data, options, asked, pl)
    if isinstance(data, Mapping):
        return pl.DataFrame([_column(str(name), values, pl) for name, values in data.items()])  # type: ignore[no-any-return]
    if hasattr(data, "to_dict") and hasattr(data, "iloc"):
        return _of_pandas(data, asked, pl)
    if hasattr(data, "__arrow_c_stream__"):
        return pl.DataFrame(data)  # type: ignore[no-any-return]
    raise DataError(asked=asked, where="the data", arrived=kind_of(data), hint=_KINDS)


def _column(name: str, values: Any, pl: Any) -> pl.Series:
    """Return one column of a dict: an array, a tensor, a list, or a series of another library."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        values = values.astype("datetime64[ns]")
    if isinstance(values, np.ndarray) and values.dtype.kind in "OUS":
        values = values.tolist()
    return pl.Series(name, values, strict=False)  # type: ignore[no-any-return]


def _of_pandas(data: Any, asked: str, pl: Any) -> pl.DataFrame:
    """Return a pandas frame, column by column, so that no further package is needed."""
    if any(name is not None for name in data.index.names):
        data = data.reset_index()
    names = [str(name) for name in data.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            asked=asked, where="the frame", arrived=f"the column name {twice!r} twice", hint="Give each column a name of its own."
        )
    columns = []
    for place, name in enumerate(names):
        column = data.iloc[:, place]
        is_missing = column.isna().to_numpy()
        if getattr(column.dtype, "kind", "O") == "M":
            values: Any = column.to_numpy(dtype="datetime64[ns]")  # of a time zone, in UTC
        elif isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufbm":
            values = column.to_numpy()
        else:
            values = [None if gone else value for gone, value in zip(is_missing.tolist(), column.tolist(), strict=True)]
        columns.append(pl.Series(name, values, strict=False))
    return pl.DataFrame(columns)  # type: ignore[no-any-return]


def _of_array(data: np.ndarray, options: Options, asked: str, pl: Any) -> pl.DataFrame:
    """Return a structured array, or one `[steps, feature]` whose columns are named by the features."""
    if data.dtype.names:
        return pl.DataFrame([_column(name, data[name], pl) for name in data.dtype.names])  # type: ignore[no-any-return]
    if data.dtype.kind not in "iufb" or data.ndim > 2:
        arrived = f"an array of {data.dtype} with shape {data.shape}"
        hint = "Give numbers [steps, feature] and features=[...]; of several sequences a dict: {'values': ..., 'lengths': ...}."
        raise DataError(asked=asked, where="the data", arrived=arrived, hint=hint)
    table = data.reshape(len(data), -1) if data.size else data.reshape(len(data), data.shape[1] if data.ndim > 1 else 1)
    names = options.features if isinstance(options.features, tuple) else tuple(f"feature_{place + 1}" for place in range(table.shape[1]))
    if len(names) != table.shape[1]:
        arrived = f"{len(names)} names for {table.shape[1]} columns"
        raise DataError(asked=asked, where="features", arrived=arrived, hint="Name each column of the array, in its order.")
    return pl.DataFrame([pl.Series(name, table[:, place]) for place, name in enumerate(names)])  # type: ignore[no-any-return]
