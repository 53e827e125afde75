"""How do the tests of reading write a file, read it, and see it refused?"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

from statewise.errors import StatewiseError
from statewise.sequences import Sequences, read

HEADER = "key,time,amount,label\n"


def written(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read_text(folder: Path, text: str, **options: Any) -> Sequences:
    return read(written(folder, text), **{"key": "key", "time": "time", "target": "label", **options})


def numbers(values: Any) -> list[Any]:
    """Return a tensor of the data as a list."""
    assert isinstance(values, torch.Tensor)
    listed: list[Any] = values.tolist()
    return listed


def refused(path: Path | str, **options: Any) -> str:
    """Return the message of the error, which states four facts, and leaves the folder as it was."""
    folder = Path(path).parent
    before = sorted(folder.iterdir()) if folder.is_dir() else []
    with pytest.raises(StatewiseError) as error:
        inspect.unwrap(read)(path, **options)  # as users call it, without the run-time types of the tests
    problem = error.value
    assert problem.asked == f"read {path}"
    assert all((problem.where, problem.arrived, problem.hint))
    assert problem.exit_code == 2
    assert (sorted(folder.iterdir()) if folder.is_dir() else []) == before
    return str(problem)


def refused_data(data: Any, **options: Any) -> str:
    """Return the message of the error about data in memory, which states four facts."""
    with pytest.raises(StatewiseError) as error:
        inspect.unwrap(read)(data, **options)
    problem = error.value
    assert problem.asked == "read data in memory"
    assert all((problem.where, problem.arrived, problem.hint))
    return str(problem)
