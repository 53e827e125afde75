"""SW114: is any batch size as good as another?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._findings import bad
from statewise.auditing._subject import Failed

if TYPE_CHECKING:
    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Subject


_USUAL = (1, 8, 16, 32, 64, 10, 20, 50, 100, 128, 256)
"""Sizes that a module may be bound to."""


@check("SW114", "batch-size-bound", after=("SW205",), of_failures=True)
def batch_size_bound(subject: Subject) -> Found:
    """Batches of any size are answered, one after another too.

    How:
        Batches of 4, 2, 3 and 5 sequences are asked of a fresh copy each, and of one copy after each other, with a reset where there is
        one.
    Why:
        The last batch of an epoch is smaller, and service asks about one sequence.
    Mend:
        Take the batch size from the input in each call; make no state in __init__.
    Seen in:
        fastai/fastbook#469
    """
    sizes = (4, 2, 3, 5)
    if not any(_is_answered(subject, size) for size in sizes):
        only = next((size for size in _USUAL if _is_answered(subject, size)), None)
        if only is None:
            return Found(status="not_applicable", evidence="no batch is answered, of whatever size")
        return bad(subject, f"a batch of {only} sequences is answered, and none of 2, 3, 4 or 5", where=f"{only} sequences alone")
    used = subject.fresh()
    for size in sizes:
        probe = _of_size(subject, size)
        try:
            subject.ask(probe)
        except Failed as problem:
            return bad(subject, f"a batch of {size} sequences fails: {problem}", where=f"{size} sequences")
        try:
            subject.reset(used)
            subject.ask(probe, used)
        except Failed as problem:
            return bad(subject, f"a batch of {size} sequences after one of another size fails: {problem}", where=f"{size} sequences")
    return Found(status="pass", evidence=f"batches of {', '.join(map(str, sizes))} sequences")


def _of_size(subject: Subject, size: int) -> Probe:
    return subject.whole.rows([row % subject.whole.num_rows for row in range(size)])


def _is_answered(subject: Subject, size: int) -> bool:
    try:
        subject.ask(_of_size(subject, size))
    except Failed:
        return False
    return True
