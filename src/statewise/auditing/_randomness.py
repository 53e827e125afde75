"""How is chance taken out of a call? Every dropout, or every random tensor, is intercepted while the call runs, in this thread alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_DROPOUTS = frozenset(
    f"{name}{end}"
    for name in ("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d", "dropout3d")
    for end in ("", "_")
)
_LAYERS = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
_DRAWN = frozenset({"randn", "rand", "randn_like", "rand_like", "normal", "randint", "randint_like"})
_DRAWN_IN_PLACE = frozenset({"normal_", "uniform_", "exponential_", "random_", "cauchy_", "log_normal_"})


class without_dropout(TorchFunctionMode):  # noqa: N801  # read as `with without_dropout():`
    """Every dropout gives back what it was given, those inside attention and between layers too."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, or what is left of it without dropout."""
        del types
        name, options = getattr(function, "__name__", ""), dict(kwargs or {})
        given = list(args)
        if name in _DROPOUTS:
            return given[0] if given else options["input"]
        if name == "bernoulli_":
            return given[0].fill_(1)
        if name == "bernoulli":
            return torch.ones_like(given[0])
        if name == "scaled_dot_product_attention":
            _set(given, options, 4, "dropout_p")
        elif name == "multi_head_attention_forward":
            _set(given, options, 10, "dropout_p")
        elif name in _LAYERS and len(given) > 6:
            given[6 if isinstance(given[1], Tensor) and not given[1].is_floating_point() else 5] = 0.0
        return function(*given, **options)


class without_randomness(TorchFunctionMode):  # noqa: N801  # read as `with without_randomness():`
    """Every random tensor that is made holds zeros."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, or make zeros in its stead."""
        del types
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        if name in _DRAWN:
            return torch.zeros_like(result)
        return result.zero_() if name in _DRAWN_IN_PLACE else result


def _set(given: list[Any], options: dict[str, Any], place: int, name: str) -> None:
    if len(given) > place:
        given[place] = 0.0
    elif name in options:
        options[name] = 0.0
