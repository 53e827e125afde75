"""Which sequence does a run show its inside with? One of the test part, kept beside the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from statewise.errors import RunError
from statewise.files import write_atomically
from statewise.runs._files import RunFiles
from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from statewise.runs._run import Run

_NAMES = (
    "keys", "groups", "class_names", "feature_names", "static_names", "categories", "each", "task", "known", "season", "missing",
    "source", "notes",
)  # fmt: skip
_TENSORS = ("targets", "weights", "static", "times")


def keep_example(files: RunFiles, example: Sequences) -> None:
    """Write one sequence into a run directory: inputs, targets with their weights, and names."""
    tensors: dict[str, Tensor] = {f"inputs/{name}": part.values.contiguous() for name, part in example.parts.items()}
    tensors["lengths"] = example.lengths
    for name in _TENSORS:
        value = getattr(example, name)
        if value is not None:
            tensors[name] = value.contiguous()
    tensors |= {f"baselines/{name}": torch.as_tensor(answers).contiguous() for name, answers in example.baselines.items()}
    described = {name: getattr(example, name) for name in _NAMES}
    metadata = {"names": msgspec.json.encode(described).decode()}
    write_atomically(files.example, save_tensors(tensors, metadata), asked="keep an example")


def read_example(run: Run) -> Sequences:
    """Return the sequence that a run was shown with.

    Raises:
        RunError: the run keeps none, or the file is damaged.
    """
    path = RunFiles(run.directory or "").example
    if run.directory is None or not path.is_file():
        raise RunError(
            asked="read the run's example",
            where=f"run '{run.directory or 'in memory'}'",
            arrived="it keeps no sequence",
            hint="Name a file to take one from: --data FILE.",
        )
    try:
        with safe_open(path, framework="pt") as file:
            names: dict[str, Any] = msgspec.json.decode((file.metadata() or {})["names"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    except (SafetensorError, KeyError, OSError, msgspec.MsgspecError) as problem:
        raise RunError(
            asked="read the run's example",
            where=f"file '{path}'",
            arrived=f"damaged ({problem})",
            hint="Name a file to take one from: --data FILE.",
        ) from problem
    lengths = tensors["lengths"]
    inputs = {name.removeprefix("inputs/"): Ragged(values, lengths) for name, values in tensors.items() if name.startswith("inputs/")}
    baselines = {name.removeprefix("baselines/"): answers for name, answers in tensors.items() if name.startswith("baselines/")}
    names["categories"] = {name: tuple(labels) for name, labels in names["categories"].items()}
    settled: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in names.items()}
    settled |= {name: tensors.get(name) for name in _TENSORS}
    return Sequences(inputs=inputs["x"] if set(inputs) == {"x"} else inputs, baselines=baselines, **settled)
