"""Which random generators can a training draw from, and how is what they will give next kept?

Torch's own on the CPU and on every CUDA device in use, NumPy's global one and Python's: ours draws from torch alone, a stranger's
module, sampler or callback from any.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def generator_states() -> dict[str, Any]:
    """Return what all generators will give next, as a tree of tensors, numbers and text.

    Example:
        >>> states = generator_states()
        >>> drawn = torch.rand(1), np.random.rand(), random.random()
        >>> set_generator_states(states)
        >>> drawn == (torch.rand(1), np.random.rand(), random.random())
        True
    """
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002  # the global one is what a stranger may use
    version, numbers, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else [],
        "numpy": _with_tensors(numpy_state),
        "python": [version, torch.tensor(numbers), gauss],
    }


def set_generator_states(states: dict[str, Any]) -> None:
    """Let all generators give what they were about to give; CUDA devices that are not there are passed over."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        for device, state in zip(range(torch.cuda.device_count()), states["cuda"], strict=False):
            torch.cuda.set_rng_state(state, device)
    np.random.set_state(_with_arrays(states["numpy"]))  # noqa: NPY002
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers.tolist()), gauss))


def seed_all(seed: int) -> None:
    """Begin all generators anew."""
    # torch.manual_seed also notes, with a traceback that takes long to write, what every kind of device is to do once it is used.
    if any(device.is_available() for device in (torch.cuda, torch.xpu, torch.mps)):
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)


@contextmanager
def drawn_apart(seed: int) -> Iterator[None]:
    """Run the body with all generators seeded, then let them go on as if it had drawn nothing."""
    before = generator_states()
    try:
        seed_all(seed)
        yield
    finally:
        set_generator_states(before)


def drawing_apart(make: Callable[[], Iterable[Any]], seed: int) -> Iterator[Any]:
    """Yield what `make()` yields; all that it draws, at any time, comes from generators of its own with that seed.

    So what comes next depends on what came before, and not on what was drawn elsewhere meanwhile.
    """
    with drawn_apart(seed):
        iterator = iter(make())
        own = generator_states()
    while True:
        elsewhere = generator_states()
        set_generator_states(own)
        try:
            item = next(iterator)
        except StopIteration:
            return
        finally:
            own = generator_states()
            set_generator_states(elsewhere)
        yield item


def _with_tensors(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _with_tensors(part) for name, part in node.items()}
    return torch.from_numpy(node.astype(np.int64)) if isinstance(node, np.ndarray) else node


def _with_arrays(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _with_arrays(part) for name, part in node.items()}
    return node.numpy() if isinstance(node, torch.Tensor) else node
