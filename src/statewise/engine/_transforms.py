"""Is somebody else differentiating? Then only torch's own operations will do."""

from __future__ import annotations

import torch


def is_transformed() -> bool:
    """Whether `torch.func` or forward-mode differentiation is at work, which know torch's own operations only."""
    active: bool = torch._C._are_functorch_transforms_active()  # noqa: SLF001  # what autograd.Function.apply itself asks
    return active or torch.autograd.forward_ad._current_level >= 0  # noqa: SLF001
