"""How do several pieces of work run at once, each on its share of torch's threads?"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def side_by_side(work: Sequence[Callable[[], T]]) -> list[T]:
    """Return what each piece of work returns, in order; the caller's thread does the first.

    Threads are made anew each time, which takes some 50 microseconds: a pool would not survive a fork. Torch counts threads by
    thread, so that of the caller is set back at the end. Autocast and gradients are each thread's own matter too.

    Raises:
        BaseException: what the first piece of work that failed has raised, when all have ended.

    Example:
        >>> side_by_side([lambda: 1, lambda: 2])
        [1, 2]
    """
    if len(work) == 1:
        return [work[0]()]
    num_threads = torch.get_num_threads()
    share = max(1, num_threads // len(work))
    done: dict[int, T] = {}
    failed: dict[int, BaseException] = {}

    def run(number: int) -> None:
        try:
            torch.set_num_threads(share)
            done[number] = work[number]()
        except BaseException as problem:  # noqa: BLE001  # raised again below, in the caller's thread
            failed[number] = problem

    others = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(1, len(work))]
    for thread in others:
        thread.start()
    try:
        run(0)
        for thread in others:
            thread.join()
    finally:
        torch.set_num_threads(num_threads)
    if failed:
        raise failed[min(failed)]
    return [done[number] for number in range(len(work))]
