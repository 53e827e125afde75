"""How is a tree of tensors, numbers and text kept without pickle? The tensors by number, and the tree that holds them as JSON.

Optimisers keep such trees: moments as tensors, steps as numbers, options as text, tuples or None. A carried state is `statewise.state`'s.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from torch import Tensor

from statewise.errors import OptionError
from statewise.state import put_together, take_apart

_SCALARS = (str, bool, int, float, type(None))


def to_json(tree: Any, *, where: str) -> tuple[str, dict[str, Tensor]]:
    """Return a tree as JSON, and its tensors by number. Numbers come back to the bit, also those that are not finite.

    Args:
        tree: dicts, lists and tuples of tensors, numbers, text and None.
        where: what the tree is, for the message.

    Raises:
        OptionError: it holds something else.

    Example:
        >>> import torch
        >>> text, tensors = to_json({"step": 3, "betas": (0.9, 0.999), "mean": torch.ones(2)}, where="the optimiser")
        >>> from_json(text, tensors)
        {'step': 3, 'betas': (0.9, 0.999), 'mean': tensor([1., 1.])}
    """
    found: list[Tensor] = []

    def describe(node: Any, path: str) -> Any:
        if isinstance(node, Tensor):
            found.append(node)
            return {"tensor": len(found) - 1}
        if isinstance(node, np.generic):
            node = node.item()
        if isinstance(node, _SCALARS):
            return node
        if isinstance(node, (list, tuple)):
            parts = [describe(part, f"{path}[{place}]") for place, part in enumerate(node)]
            return parts if isinstance(node, list) else {"tuple": parts}
        if isinstance(node, dict):
            return {"dict": [[describe(key, f"{path}, key"), describe(part, f"{path}[{key!r}]")] for key, part in node.items()]}
        raise OptionError(
            asked="write a checkpoint",
            where=f"{where}{path}",
            arrived=f"a {type(node).__name__}, which a checkpoint cannot hold",
            hint="Keep tensors, numbers and text there, in dicts, lists and tuples; or train without a directory.",
        )

    described = describe(tree, "")
    tensors, record = take_apart(found)
    return json.dumps({"tree": described, "complex": record["complex"]}), tensors


def from_json(text: str, tensors: dict[str, Tensor]) -> Any:
    """Return the tree that `to_json` described, with plain dicts."""
    record = json.loads(text)
    leaves = put_together(tensors, {"complex": record["complex"], "tree": {"is": "list", "parts": [{"is": "tensor"}] * len(tensors)}})

    def build(node: Any) -> Any:
        if isinstance(node, list):
            return [build(part) for part in node]
        if not isinstance(node, dict):
            return node
        if "tensor" in node:
            return leaves[node["tensor"]]
        if "tuple" in node:
            return tuple(build(part) for part in node["tuple"])
        return {build(key): build(part) for key, part in node["dict"]}

    return build(record["tree"])
