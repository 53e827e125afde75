"""What goes through the embeddings of a module? Seen while a call runs, in this thread alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable


class watching_embeddings(TorchFunctionMode):  # noqa: N801  # read as `with watching_embeddings(seen):`
    """Each lookup is shown to a function, which gives back what the module goes on with.

    Args:
        seen: takes the codes, the index of padding (None for none) and what was looked up.
    """

    def __init__(self, seen: Callable[[Tensor, int | None, Tensor], Tensor]) -> None:
        super().__init__()
        self._seen = seen

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, and show what it looked up."""
        del types
        options = dict(kwargs or {})
        result = function(*args, **options)
        if function is functional.embedding:
            codes, weight = (args[place] if len(args) > place else options[name] for place, name in enumerate(("input", "weight")))
        elif function is torch.embedding:
            weight, codes = (args[place] if len(args) > place else options[name] for place, name in enumerate(("weight", "indices")))
        else:
            return result
        padding = args[2] if len(args) > 2 else options.get("padding_idx")
        if function is torch.embedding and padding == -1:  # which stands for none there
            padding = None
        return self._seen(codes, padding if padding is None or padding >= 0 else len(weight) + padding, result)
