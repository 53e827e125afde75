"""How is a hand-written backward pass differentiated once more? By running torch's own operations instead, with their graph."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def gradients_with_graph(
    function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """Return the gradient to each input as something that can itself be differentiated.

    Args:
        function: the forward pass in operations whose derivatives torch knows to any order.
        inputs: what it was called with, part of the graph.
        gradients: of each output; None where nothing depends on it.
    """
    with torch.enable_grad(), without_onednn():
        outputs = function(*inputs)
        pairs = [(out, gradient) for out, gradient in zip(outputs, gradients, strict=True) if gradient is not None]
        wanted = [each for each in inputs if each.requires_grad]
        found = iter(
            torch.autograd.grad(
                [out for out, _ in pairs], wanted, [gradient for _, gradient in pairs], create_graph=True, allow_unused=True
            )
        )
    return [next(found) if each.requires_grad else None for each in inputs]


@contextmanager
def without_onednn() -> Iterator[None]:
    """Switch off oneDNN, which knows no forward mode and no derivative of its backward passes.

    `torch.backends.mkldnn.flags` would warn about other switches.
    """
    enabled = torch._C._get_mkldnn_enabled()  # noqa: SLF001
    torch._C._set_mkldnn_enabled(False)  # noqa: FBT003, SLF001
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(enabled)  # noqa: SLF001
