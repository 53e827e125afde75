"""How is a module run for a look, and left as it was?"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Run the body in eval mode without gradients, then put everything back.

    Put back are modes, attributes and buffers of every part (a state kept inside too), parameters, and the random generators of
    torch, NumPy and Python.
    """
    numbers, numpy_numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one is what a stranger may use
    kept = [(part, dict(part.__dict__), _containers(part)) for part in module.modules()]
    tensors = {id(each): each for part in module.modules() for each in _tensors(list(part.__dict__.values()))}
    copies = [(each, each.detach().clone()) for each in tensors.values()]
    devices = sorted({each.device.index for each in tensors.values() if each.device.type == "cuda"})
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            module.eval()
            yield
    finally:
        for part, attributes, containers in kept:
            part.__dict__.clear()
            part.__dict__.update(attributes)
            for container, content in containers:
                _refill(container, content)
        with torch.no_grad():
            for tensor, copy in copies:
                if not torch.equal(tensor, copy):
                    tensor.copy_(copy)
        random.setstate(numbers)
        np.random.set_state(numpy_numbers)  # noqa: NPY002


def _containers(part: nn.Module) -> list[tuple[Any, Any]]:
    return [(each, each.copy()) for each in part.__dict__.values() if isinstance(each, (dict, list, set))]


def _refill(container: Any, content: Any) -> None:
    if isinstance(container, list):
        container[:] = content
    else:
        container.clear()
        container.update(content)


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        yield from _tensors([each for each in values.values() if not isinstance(each, nn.Module)])
    elif isinstance(values, (list, tuple)):
        for each in values:
            yield from _tensors(each)
