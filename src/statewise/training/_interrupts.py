"""How do Ctrl-C and SIGTERM end a training? After the update in hand, so that a checkpoint can be written; the second one at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

TERMINATED = 128 + signal.SIGTERM
"""The exit code of a process that SIGTERM has ended, 143."""


class Interrupts:
    """Notes Ctrl-C and SIGTERM while it is open, for the one who asks between two updates.

    Only in the main thread, and only where Ctrl-C raises `KeyboardInterrupt` and SIGTERM ends the process: a program's own way to deal
    with them is left alone.

    Attributes:
        asked: whether Ctrl-C was pressed, or SIGTERM came.
        is_terminated: whether it was SIGTERM, so that the process should end.
    """

    def __init__(self) -> None:
        self.asked = False
        self.is_terminated = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        """Begin to take notes."""
        if threading.current_thread() is threading.main_thread():
            for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
                if signal.getsignal(number) is usual:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        """Put back what Ctrl-C did before; one that nobody asked about is raised now."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()
        if kind is None:
            if self.asked:
                self.end_if_terminated()
            self.check()

    def check(self) -> None:
        """Raise `KeyboardInterrupt` where Ctrl-C was pressed."""
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt

    def end_if_terminated(self) -> None:
        """End the process with 143 where SIGTERM came: what could be written has been."""
        if self.is_terminated:
            raise SystemExit(TERMINATED)

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
        is_second, self.is_terminated = self.asked, self.is_terminated or number == signal.SIGTERM
        if is_second:
            self.end_if_terminated()
            signal.default_int_handler(number, frame)
        self.asked = True
