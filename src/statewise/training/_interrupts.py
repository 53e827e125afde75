"""How does Ctrl-C end a training? After the update in hand, so that a checkpoint can be written; pressed twice, at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType


class Interrupts:
    """Notes Ctrl-C while it is open, for the one who asks between two updates.

    Only in the main thread, and only where Ctrl-C raises `KeyboardInterrupt`: a program's own way to deal with it is left alone.

    Attributes:
        asked: whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.asked = False
        self._is_open = False

    def __enter__(self) -> Interrupts:
        """Begin to take notes."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._is_open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        """Put back what Ctrl-C did before; one that nobody asked about is raised now."""
        if self._is_open:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise `KeyboardInterrupt` where Ctrl-C was pressed."""
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Take what a callback raises as Ctrl-C raises it for Ctrl-C: a note, so that the update in hand is finished."""
        try:
            yield
        except KeyboardInterrupt:
            if self.asked:  # the second one
                raise
            self.asked = True

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.default_int_handler(number, frame)
        self.asked = True
