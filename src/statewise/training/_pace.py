"""When is a checkpoint due? Every two seconds, and where writing one takes long so seldom that it costs a small share of the time."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS_BETWEEN = 2.0
_LARGEST_SHARE = 0.05


class Pace:
    """Tells when the next checkpoint is due, from how long the last one took.

    The first is due at once: what cannot be written is told after one update, not after an hour.

    Example:
        >>> pace = Pace()
        >>> pace.is_due()
        True
        >>> with pace.writing():
        ...     pass
        >>> pace.is_due()
        False
    """

    def __init__(self) -> None:
        self._next = -math.inf

    def is_due(self) -> bool:
        """Return whether enough time has passed."""
        return time.perf_counter() >= self._next

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Measure the body, which writes."""
        begun = time.perf_counter()
        yield
        ended = time.perf_counter()
        self._next = ended + max(_SECONDS_BETWEEN, (ended - begun) * (1 / _LARGEST_SHARE - 1))
