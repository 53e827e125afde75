"""Where do gradients by step arrive? At what a module reads at each step, held as leaves while it runs.

For a model of ours that is its encoded inputs, since a category itself has no gradient; for any other module its floating inputs;
for one that reads tokens alone, what its embeddings give.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from statewise.models import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from statewise.sequences import Ragged

_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)


def kind_of_taps(module: nn.Module, inputs: Mapping[str, Tensor]) -> str:
    """Return what gradients by step are with respect to.

    That is `"encoded inputs"`, `"inputs"`, `"embedded tokens"`, or `"nothing"` where whole numbers are read without an embedding.
    """
    if isinstance(module, Model):
        return "encoded inputs"
    if any(values.is_floating_point() for values in inputs.values()):
        return "inputs"
    return "embedded tokens" if any(isinstance(part, _EMBEDDINGS) for part in module.modules()) else "nothing"


@contextmanager
def tapped(
    module: nn.Module, inputs: Mapping[str, Tensor], change: Callable[[Tensor], Tensor] | None = None
) -> Iterator[tuple[dict[str, Tensor], list[Tensor]]]:
    """Yield the inputs to run the module on, and a list that holds the leaves once it has run.

    Args:
        module: it gets hooks while the context lasts.
        inputs: the values of each input, in the layout in which the caller will hand them on.
        change: what is done to the values of each leaf first.
    """
    leaves: list[Tensor] = []
    given, handles = dict(inputs), []

    def leaf(values: Tensor) -> Tensor:
        values = values.detach()
        leaves.append((values if change is None else change(values)).clone().requires_grad_())
        return leaves[-1].clone()  # which the module may change in place, as it may not a leaf

    def encoded(_: nn.Module, _args: Any, output: Ragged) -> Ragged:
        return output.with_values(leaf(output.values))

    def embedded(_: nn.Module, _args: Any, output: Tensor) -> Tensor:
        return leaf(output)

    if isinstance(module, Model):
        handles.append(module.encoder.register_forward_hook(encoded))
    elif kind_of_taps(module, inputs) == "inputs":
        given = {name: leaf(values) if values.is_floating_point() else values for name, values in inputs.items()}
    else:
        handles += [part.register_forward_hook(embedded) for part in module.modules() if isinstance(part, _EMBEDDINGS)]
    try:
        yield given, leaves
    finally:
        for handle in handles:
            handle.remove()


def reads_both_ways(module: nn.Module) -> bool:
    """Return whether a recurrent part of torch in the module also reads from the end."""
    return any(part.bidirectional for part in module.modules() if isinstance(part, nn.RNNBase))
