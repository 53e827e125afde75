"""What is a state made of, and how is it taken apart and put together again?

A state is a tree: tuples, named tuples, lists, dicts and dataclasses hold tensors or None. Rows are `_rows`' business.
Own recursion, since `torch.utils._pytree` is private and sees a dataclass only after a registration that is global.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable  # noqa: TC003 - read at run time where shapes are checked
from typing import TYPE_CHECKING, Any

from torch import Tensor

from statewise.errors import ContractError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statewise.types import State


def leaves(state: State) -> list[tuple[str, Tensor]]:
    """Return each tensor of a state with its path; None holds no tensor.

    Args:
        state: any tree of tensors.

    Raises:
        ContractError: the tree holds something that is neither a tensor, a container nor None.

    Example:
        >>> import torch
        >>> [path for path, _ in leaves({"h": (torch.zeros(2), None, torch.ones(3)), "count": torch.zeros(2)})]
        ["['h'][0]", "['h'][2]", "['count']"]
    """
    return list(_walk(state, ""))


def map_tensors(function: Callable[..., Tensor], state: State, *others: State) -> State:
    """Return a state of the same types, with `function(tensor, *tensors_of_the_others)` in the place of each tensor.

    Args:
        function: takes as many tensors as there are states.
        state: any tree of tensors; it decides the types of the result.
        others: states of the same structure; a list may stand for a tuple.

    Raises:
        ShapeError: another state has other places than the first; the message names the first such leaf.

    Example:
        >>> import torch
        >>> map_tensors(torch.add, (torch.tensor(1), [torch.tensor(2)]), (torch.tensor(10), [torch.tensor(20)]))
        (tensor(11), [tensor(22)])
    """
    columns = [aligned(state, other, asked="map_tensors(function, state, *others)") for other in others]
    return rebuild(state, [function(tensor, *rest) for (_, tensor), *rest in zip(leaves(state), *columns, strict=True)])


def rebuild(state: State, values: list[Any]) -> State:
    """Return a tree with the types of `state` whose tensors are replaced, in the order of `leaves`, by `values`."""
    remaining = iter(values)

    def build(node: Any) -> Any:
        if isinstance(node, Tensor):
            return next(remaining)
        if node is None:
            return None
        return with_children(node, [build(child) for child in children(node).values()])

    return build(state)


def aligned(state: State, other: State, *, asked: str) -> list[Tensor]:
    """Return the tensors of `other` in the order of the leaves of `state`, whose structure it must share.

    Raises:
        ShapeError: a place that only one of the two has; the message names it.
    """
    found: list[Tensor] = []

    def visit(path: str, node: Any, twin: Any) -> None:
        if isinstance(node, Tensor) and isinstance(twin, Tensor):
            found.append(twin)
        elif isinstance(node, Tensor | None) or isinstance(twin, Tensor | None):
            if node is not twin:
                raise _mismatch(asked, path, node, twin)
        else:
            parts, twins = children(node, path), children(twin, path)
            if parts.keys() != twins.keys():
                raise _mismatch(asked, path, node, twin)
            for step, part in parts.items():
                visit(path + step, part, twins[step])

    visit("", state, other)
    return found


def children(node: Any, path: str = "") -> dict[str, Any]:
    """Return the parts of a container by the step that leads to each, such as `[0]`, `['h']` or `.h`.

    Raises:
        ContractError: `node` is no container that a state can have.
    """
    if not is_container(node):
        raise ContractError(
            asked="read a state",
            where=named(path),
            arrived=f"{node!r:.60} of type {type(node).__name__}",
            hint="A state is a tree (tuple, list, dict, dataclass) of tensors or None: hold a number as a tensor with one entry a row.",
        )
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return {f".{name}": getattr(node, name) for name in node._fields}
    if isinstance(node, tuple | list):
        return {f"[{place}]": part for place, part in enumerate(node)}
    if isinstance(node, dict):
        return {f"[{key!r}]": part for key, part in node.items()}
    return {f".{each.name}": getattr(node, each.name) for each in dataclasses.fields(node)}


def is_container(node: Any) -> bool:
    """Return whether a state can hold others in `node`."""
    return isinstance(node, tuple | list | dict) or (dataclasses.is_dataclass(node) and not isinstance(node, type))


def with_children(node: Any, parts: list[Any]) -> Any:
    """Return a container of the type of `node` that holds `parts`, in the order of `children`."""
    if isinstance(node, tuple):
        return type(node)(*parts) if hasattr(node, "_fields") else tuple(parts)
    if isinstance(node, list):
        return list(parts)
    fresh = copy.copy(node)
    if isinstance(node, dict):
        fresh.update(zip(node, parts, strict=True))
        return fresh
    for each, part in zip(dataclasses.fields(node), parts, strict=True):
        object.__setattr__(fresh, each.name, part)
    return fresh


def named(path: str) -> str:
    """Return a path as a message shows it."""
    return f"leaf {path}" if path else "the state"


def described(node: Any) -> str:
    """Return what stands at a place of a state, in a few words."""
    if isinstance(node, Tensor):
        return f"a tensor of shape {tuple(node.shape)}"
    return "None" if node is None else f"a {type(node).__name__} of {', '.join(children(node)) or 'nothing'}"


def _walk(node: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(node, Tensor):
        yield path, node
    elif node is not None:
        for step, part in children(node, path).items():
            yield from _walk(part, path + step)


def _mismatch(asked: str, path: str, node: Any, twin: Any) -> ShapeError:
    return ShapeError(
        asked=asked,
        where=named(path),
        arrived=f"{described(twin)} where the first has {described(node)}",
        hint="Both must be the same tree, as the module's own state is.",
    )
