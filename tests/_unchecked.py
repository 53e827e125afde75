"""How do tests hand over what a signature forbids? As a user without a type checker does: with the run-time checks switched off."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import jaxtyping

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def unchecked() -> Iterator[None]:
    """Switch off the checks of types and shapes that the tests put around every function of ours."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)
