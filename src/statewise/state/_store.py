"""How is a state kept on disk? The tensors as safetensors, the tree that holds them as JSON in the file's metadata.

No class is stored and no code runs on reading: a dataclass comes back only into the one that the reader names with `like`.
"""

from __future__ import annotations

import dataclasses
import json
from collections import namedtuple
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors
from torch import Tensor

from statewise.errors import ContractError, RunError
from statewise.files import write_atomically
from statewise.state._tree import aligned, children, leaves, named, rebuild
from statewise.types import State

_METADATA = "statewise.state"
_SCHEMA = 1


def save(state: State, path: Path | str) -> Path:
    """Write a state to one file, whole or not at all, and return its path.

    Args:
        state: any tree of tensors; the graph is not stored, the dtype of each leaf is.
        path: the file to write, by habit `*.safetensors`; its folder is made when absent.

    Raises:
        RunError: the file cannot be written; nothing is left behind.
        ContractError: a leaf that is no tensor, or a dict whose keys are neither text nor whole numbers.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = save({"h": (torch.ones(1, 2), None)}, f"{folder}/state.safetensors")
        ...     load(file)
        {'h': (tensor([[1., 1.]]), None)}
    """
    tensors, record = take_apart(state)
    content = safetensors.save(tensors, metadata={_METADATA: json.dumps(record)})
    return write_atomically(path, content, asked="save a state")


def load(path: Path | str, like: State = None) -> State:
    """Read a state that `save` wrote.

    Args:
        path: the file.
        like: a state of the same structure, of any number of rows: its types (dataclass, named tuple) and devices are
            those of the result. Without it the tensors are on the CPU, and a named tuple is one of the same name and fields.

    Raises:
        RunError: no such file, a damaged one, or one that holds no state.
        ContractError: the state holds a dataclass and `like` is not given.
        ShapeError: `like` has other places than the state that was stored.
    """
    return put_together(*_read(Path(path)), like=like, asked=f"load '{path}'")


def take_apart(state: State) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a state by number, and as JSON the tree that holds them; for a file that holds more than a state.

    Raises:
        ContractError: a leaf that is no tensor, or a dict whose keys are neither text nor whole numbers.

    Example:
        >>> tensors, record = take_apart((torch.ones(1, 2), None))
        >>> put_together(tensors, record)
        (tensor([[1., 1.]]), None)
    """
    numbered = {str(number): leaf for number, (_, leaf) in enumerate(leaves(state))}
    tensors = {name: _storable(leaf) for name, leaf in numbered.items()}
    complex_leaves = [name for name, leaf in numbered.items() if leaf.is_complex()]
    return tensors, {"schema": _SCHEMA, "complex": complex_leaves, "tree": _describe(state, "")}


def put_together(tensors: dict[str, Tensor], record: dict[str, Any], *, like: State = None, asked: str = "load a state") -> State:
    """Return the state that `take_apart` took apart.

    Args:
        tensors: by number.
        record: the tree.
        like: a state of the same structure, as in `load`.
        asked: what the user wanted, for messages.

    Raises:
        ContractError: the state holds a dataclass and `like` is not given.
        ShapeError: `like` has other places than the state that was stored.
    """
    plain = {name: torch.view_as_complex(leaf) if name in record["complex"] else leaf for name, leaf in tensors.items()}
    state = _restore(record["tree"], plain, dataclass_allowed=like is not None)
    if like is None:
        return state
    stored = aligned(like, state, asked=asked)
    return rebuild(like, [tensor.to(model.device) for (_, model), tensor in zip(leaves(like), stored, strict=True)])


def _storable(leaf: Tensor) -> Tensor:
    """Return a copy that shares no memory, in a dtype that safetensors knows."""
    plain = leaf.detach().cpu()
    return torch.view_as_real(plain.resolve_conj()).clone() if plain.is_complex() else plain.clone(memory_format=torch.contiguous_format)


def _describe(node: Any, path: str) -> Any:
    """Return the tree as JSON; tensors are met in the order of `leaves`, so they need no name here."""
    if isinstance(node, Tensor):
        return {"is": "tensor"}
    if node is None:
        return {"is": "none"}
    parts = [_describe(part, path + step) for step, part in children(node, path).items()]
    if isinstance(node, dict):
        strange = [key for key in node if type(key) not in (str, int)]
        if strange:
            raise ContractError(
                asked="save a state", where=named(path), arrived=f"the dict key {strange[0]!r}", hint="Use text or whole numbers as keys."
            )
        return {"is": "dict", "keys": list(node), "parts": parts}
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return {"is": "named", "name": type(node).__name__, "keys": list(node._fields), "parts": parts}
    if isinstance(node, tuple | list):
        return {"is": "tuple" if isinstance(node, tuple) else "list", "parts": parts}
    return {"is": "dataclass", "name": type(node).__name__, "keys": [each.name for each in dataclasses.fields(node)], "parts": parts}


def _restore(description: Any, tensors: dict[str, Tensor], *, dataclass_allowed: bool) -> State:
    """Return the tree of a description; a dataclass becomes one of the same fields, until `like` gives it its class."""
    remaining = (tensors[str(number)] for number in range(len(tensors)))

    def build(node: Any) -> Any:
        kind = node["is"]
        if kind == "tensor":
            return next(remaining)
        if kind == "none":
            return None
        parts = [build(part) for part in node["parts"]]
        if kind == "dataclass" and not dataclass_allowed:
            raise ContractError(
                asked="load a state",
                where=f"dataclass {node['name']}",
                arrived="no class to hold it, since files hold no code",
                hint="Give a state of the same structure: load(path, like=module.initial_state(1, ...)).",
            )
        if kind == "dataclass":
            return dataclasses.make_dataclass(node["name"], node["keys"])(*parts)
        if kind == "named":
            return namedtuple(node["name"], node["keys"])(*parts)  # noqa: PYI024
        if kind == "dict":
            return dict(zip(node["keys"], parts, strict=True))
        return tuple(parts) if kind == "tuple" else parts

    return build(description)


def _read(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Return the tensors and the description of a file."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as problem:
        missing = isinstance(problem, FileNotFoundError)
        raise RunError(
            asked="load a state",
            where=f"file '{path}'",
            arrived="no such file" if missing else f"not a whole safetensors file ({problem})",
            hint="Give a file that save(state, path) wrote.",
        ) from problem
    record = json.loads(metadata.get(_METADATA, "{}"))
    if record.get("schema") != _SCHEMA:
        raise RunError(
            asked="load a state",
            where=f"file '{path}'",
            arrived=f"schema {record.get('schema')}" if record else "tensors without the structure of a state",
            hint="Give a file that save(state, path) wrote; weights are read with load_state_dict.",
        )
    return tensors, record
